package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
