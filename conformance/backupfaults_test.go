package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killed runs a command that is killed after a while, if it has not ended.
func killed(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	_ = exec.CommandContext(ctx, shared.binary, args...).Run() // killed or not, what it left counts
}

// SG-08: whenever a backup is killed, and when its disk is full, what is listed
// is whole and what is not whole is not listed; a restore goes into an empty
// store only, and one that is killed over and over comes to its end.
func TestBackupFaults(t *testing.T) {
	k := newKeeper(t, "backup-faults")
	from, to := filepath.Join(k.dir, "from"), filepath.Join(k.dir, "to")
	k.serve(t, "before", from, "--backup-key", k.writer, "--revocation-journal", k.journal)
	// A clean end notes in the store how far the journal is.
	if err := k.server.Stop(); err != nil {
		t.Fatal(err)
	}
	store := append(storeAt(from), "--keys", k.kek)
	backup := append([]string{"backup", "--to", k.backups, "--backup-key", k.writer}, store...)
	for i := range 12 {
		killed(t, time.Duration(i)*30*time.Millisecond, backup...)
		whole, err := filepath.Glob(filepath.Join(k.backups, "*.mandate-backup"))
		if err != nil {
			t.Fatal(err)
		}
		if out := works(t, "backup", "list", k.backups); strings.Count(out, ".mandate-backup") != len(whole) {
			t.Errorf("listed: %s, there: %v", out, whole)
		}
		for _, file := range whole {
			works(t, "backup", "verify", file, "--backup-key", k.reader)
		}
	}
	works(t, backup...)
	made, err := filepath.Glob(filepath.Join(k.backups, "*.mandate-backup"))
	if err != nil || len(made) == 0 {
		t.Fatal(made, err)
	}
	info, err := os.Stat(made[0])
	if err != nil {
		t.Fatal(err)
	}
	full := newKeeper(t, "backup-faults-full")
	// Files of at most a third of its size, in blocks of 512 or 1024 bytes, stand
	// for a full disk. The store's own files meet that limit too, sometimes first.
	limit := fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, info.Size()/3/512)
	limited := exec.CommandContext(t.Context(), "sh", append([]string{"-c", limit, shared.binary},
		append([]string{"backup", "--to", full.backups, "--backup-key", k.writer}, store...)...)...)
	if out, err := limited.CombinedOutput(); err == nil || !strings.Contains(string(out), "cannot be written") && !strings.Contains(string(out), "cannot be read or written") {
		t.Errorf("a full disk: %v %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(full.backups, "*")); err != nil || len(left) != 0 {
		t.Errorf("a full disk left %v %v", left, err)
	}

	refused(t, "holds data already", k.restore(from, "--revocation-journal", k.journal)...)
	for i := range 6 {
		killed(t, time.Duration(i)*60*time.Millisecond, k.restore(to, "--revocation-journal", k.journal)...)
	}
	code, out := command(t, k.restore(to, "--revocation-journal", k.journal)...)
	// One of the killed may have come to its end.
	if code != 0 && !strings.Contains(out, "holds data already") {
		t.Error(out)
	}
	k.serve(t, "after", to, "--unsafe-clock-offset", k.tenMinutes(t), "--backup-key", k.writer, "--revocation-journal", k.journal)
}
