package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/testrun"
)

// written gives all that the segments of the journal hold.
func (k *keeper) written(t *testing.T) string {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(k.journal, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range segments {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

// SG-09: what a command revokes is in the journal when the command ends, also
// while no server runs; when the journal cannot be written the command fails,
// the revocation stands, and the next server brings it there.
func TestCommandsWriteTheJournal(t *testing.T) {
	k := newKeeper(t, "commands")
	data := filepath.Join(k.dir, "data")
	store := append(storeAt(data), "--keys", k.kek)
	tenant := func(act, id string, more ...string) []string {
		return append(append([]string{"tenant", act, id}, more...), store...)
	}
	for _, id := range []string{"one", "two", "three"} {
		works(t, tenant("add", id, "--name", id, "--upstream", "https://fhir.example/r4")...)
	}
	t.Setenv("MANDATE_BACKUP_KEY_FILE", k.writer)
	t.Setenv("MANDATE_BACKUP_REVOCATION_JOURNAL", k.journal)
	works(t, append([]string{"tenant", "list"}, store...)...)
	if got := k.written(t); got != "" {
		t.Errorf("a command that revokes nothing left %s", got)
	}
	works(t, tenant("disable", "one")...)
	if got := k.written(t); !strings.Contains(got, `"kind":"tenant","subject":"one"`) || !strings.Contains(got, `"mark":"end"`) {
		t.Errorf("the journal lacks what the command revoked: %s", got)
	}

	away := k.journal + "-away"
	if err := os.Rename(k.journal, away); err != nil {
		t.Fatal(err)
	}
	refused(t, "revocation journal is not there", tenant("disable", "two")...)
	if out := works(t, append([]string{"tenant", "list"}, store...)...); strings.Count(out, "disabled") != 2 {
		t.Errorf("a revocation that the journal lacks is not in force: %s", out)
	}
	if err := os.Rename(away, k.journal); err != nil {
		t.Fatal(err)
	}
	works(t, tenant("disable", "three")...)
	if got := k.written(t); strings.Count(got, `"kind":"tenant"`) != 3 {
		t.Errorf("the journal lacks what waited: %s", got)
	}

	t.Setenv("MANDATE_BACKUP_REVOCATION_JOURNAL", "")
	works(t, tenant("enable", "one")...)
	if out := works(t, tenant("disable", "one")...); !strings.Contains(out, "1 revocations wait until a server brings them") {
		t.Errorf("a command without the journal says nothing: %s", out)
	}
}

// awaits polls until something is true.
func awaits(t *testing.T, what string, is func() bool) {
	t.Helper()
	// The lease of a server that was killed must end first, and the job's turn come.
	ctx, cancel := context.WithTimeout(t.Context(), 3*testrun.StartLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

// SG-09: a segment of the journal goes when every backup that is kept is younger
// and the time for which backups stay has passed, not before, and the audit log
// tells it. What is left still makes the restore of each kept backup possible.
func TestOldSegmentsOfTheJournalGo(t *testing.T) {
	k := newKeeper(t, "old-segments")
	from := filepath.Join(k.dir, "from")
	args := []string{"--backup-key", k.writer, "--revocation-journal", k.journal, "--backup-to", k.backups, "--backup-every", "1m", "--backup-keep", "1", "--backup-keep-for", "24h"}
	// The store's own clock, which the offset does not move, says when a server
	// looks again: often where backups are frequent.
	count := func(dir string) int {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	k.serve(t, "first", from, args...)
	awaits(t, "the first backup", func() bool { return count(k.backups) == 1 })
	k.kill(t, k.server)
	offset := filepath.Join(k.dir, "offset")
	shifted := func(by string) {
		if err := os.WriteFile(offset, []byte(by), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A backup of before is kept: no segment goes.
	shifted("10h")
	k.serve(t, "second", from, append(args, "--unsafe-clock-offset", offset)...)
	awaits(t, "the second backup", func() bool { return count(k.backups) == 2 })
	k.kill(t, k.server)
	if n := count(k.journal); n != 2 {
		t.Fatalf("%d segments while a backup needs them", n)
	}
	shifted("72h")
	target := k.serve(t, "third", from, append(args, "--unsafe-clock-offset", offset)...)
	awaits(t, "the end of the old segments", func() bool { return count(k.journal) == 1 })
	audit := k.admin(t, target, "GET", "/audit?kind=journal.pruned")
	if !strings.Contains(string(audit.Body), "journal.pruned") {
		t.Errorf("the audit log does not tell of it: %s", audit.Body)
	}
	k.kill(t, k.server)
	works(t, k.restore(filepath.Join(k.dir, "to"), "--revocation-journal", k.journal)...)
}
