package journal_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
)

type world struct {
	dir    string
	key    ed25519.PrivateKey
	public ed25519.PublicKey
	clock  *clock.Movable
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), key: ed25519.NewKeyFromSeed(ids.Source{}.Bytes(32)), clock: &clock.Movable{}}
	w.public, _ = w.key.Public().(ed25519.PublicKey)
	return w
}

func (w *world) open(t *testing.T) *journal.Journal {
	t.Helper()
	w.clock.Advance(time.Second)
	j, err := journal.Open(journal.Config{Place: journal.Folder(w.dir), Key: w.key, Clock: w.clock, IDs: ids.Source{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func entry(id string) journal.Entry {
	return journal.Entry{ID: id, Tenant: "main", Kind: journal.Grant, Subject: "g" + id}
}

func add(t *testing.T, j *journal.Journal, ids ...string) journal.Head {
	t.Helper()
	var h journal.Head
	for _, id := range ids {
		var err error
		if h, err = j.Append(t.Context(), []journal.Entry{entry(id)}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (w *world) path(h journal.Head) string {
	return filepath.Join(w.dir, h.Segment+".mandate-revocations")
}

func (w *world) edit(t *testing.T, h journal.Head, change func(lines []string) []string) {
	t.Helper()
	raw, err := os.ReadFile(w.path(h))
	if err != nil {
		t.Fatal(err)
	}
	lines := change(strings.SplitAfter(string(raw), "\n"))
	if err := os.WriteFile(w.path(h), []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// SG-09: what was appended is there, of several processes at once.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(t), w.open(t)
	var wg sync.WaitGroup
	for i := range 50 {
		for n, j := range []*journal.Journal{a, b} {
			wg.Go(func() { add(t, j, fmt.Sprint(n, "-", i)) })
		}
	}
	wg.Wait()
	if err := a.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	heads := []journal.Head{a.Head(), b.Head()}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := journal.Read(t.Context(), journal.Folder(w.dir), w.public, heads, time.Time{})
	if err != nil || len(c.Entries) != 100 || len(c.Open) != 1 || c.Open[0] != heads[1].Segment {
		t.Fatal(len(c.Entries), c.Open, err)
	}
	if _, err := a.Append(t.Context(), []journal.Entry{entry("late")}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a closed journal took an entry: %v", err)
	}
	if _, err := journal.Open(journal.Config{Place: journal.Folder(filepath.Join(w.dir, "x")), Key: w.key, Clock: w.clock}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// A command that revokes nothing leaves nothing, and one whose disk is full
// leaves no heap of empty segments but says why, until it can write again.
func TestLazyAndTroubled(t *testing.T) {
	w := newWorld(t)
	j, err := journal.Open(journal.Config{Place: journal.Folder(filepath.Join(w.dir, "away")), Key: w.key, Clock: w.clock, Lazy: true})
	if err != nil || j.Trouble() != nil {
		t.Fatal(err, j.Trouble())
	}
	t.Cleanup(func() { _ = j.Close() })
	for range 2 {
		if err := j.Beat(t.Context()); !errs.Is(err, errs.Unavailable) || j.Trouble() == nil {
			t.Errorf("a folder that is away: %v, %v", err, j.Trouble())
		}
	}
	if err := os.Mkdir(filepath.Join(w.dir, "away"), 0o700); err != nil {
		t.Fatal(err)
	}
	add(t, j, "1")
	if left, err := os.ReadDir(filepath.Join(w.dir, "away")); err != nil || len(left) != 1 || j.Trouble() != nil {
		t.Errorf("after the trouble: %v %v %v", left, err, j.Trouble())
	}
}

// A line changed, taken out or added, a segment or its end lost, is noticed.
func TestTampering(t *testing.T) {
	for name, test := range map[string]struct {
		change func([]string) []string
		code   string
	}{
		"nothing":            {func(l []string) []string { return l }, ""},
		"an unfinished line": {func(l []string) []string { return append(l, `{"n":9`) }, ""},
		"a subject":          {func(l []string) []string { l[2] = strings.Replace(l[2], "g2", "g9", 1); return l }, "revocation-journal-damaged"},
		"a line less":        {func(l []string) []string { return append(l[:2], l[3:]...) }, "revocation-journal-damaged"},
		"two lines swapped":  {func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }, "revocation-journal-damaged"},
		"a line twice":       {func(l []string) []string { return append(l, l[2]) }, "revocation-journal-damaged"},
		"no first line":      {func(l []string) []string { return l[1:] }, "revocation-journal-damaged"},
		"the last line less": {func(l []string) []string { return l[:3] }, "revocation-journal-cut"},
		"all but the first":  {func(l []string) []string { return l[:1] }, "revocation-journal-cut"},
		"everything":         {func(l []string) []string { return nil }, "revocation-journal-cut"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			// Killed: it has no last line.
			h := add(t, w.open(t), "1", "2", "3")
			w.edit(t, h, test.change)
			_, err := journal.Read(t.Context(), journal.Folder(w.dir), w.public, []journal.Head{h}, time.Time{})
			if test.code == "" && err != nil || test.code != "" && (err == nil || errs.As(err).Code != test.code) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a later segment saw of an earlier one must still be there, even if
// nobody else remembers; but what had ended before a time may have been
// cleared away.
func TestLaterSegmentsAreWitnesses(t *testing.T) {
	w := newWorld(t)
	first := w.open(t)
	h := add(t, first, "1", "2")
	second := w.open(t)
	add(t, second, "3")
	w.edit(t, h, func(l []string) []string { return l[:2] })
	if _, err := journal.Read(t.Context(), journal.Folder(w.dir), w.public, nil, time.Time{}); errs.As(err).Code != "revocation-journal-cut" {
		t.Errorf("a cut segment: %v", err)
	}
	if err := os.Remove(w.path(h)); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Read(t.Context(), journal.Folder(w.dir), w.public, nil, time.Time{}); errs.As(err).Code != "revocation-journal-cut" {
		t.Errorf("a lost segment: %v", err)
	}
	if c, err := journal.Read(t.Context(), journal.Folder(w.dir), w.public, nil, w.clock.Now().Add(time.Minute)); err != nil || len(c.Entries) != 1 {
		t.Errorf("an old segment that was cleared away: %v", err)
	}
	_, other, _ := ed25519.GenerateKey(nil)
	public, _ := other.Public().(ed25519.PublicKey)
	if _, err := journal.Read(t.Context(), journal.Folder(w.dir), public, nil, time.Time{}); errs.As(err).Code != "revocation-journal-damaged" {
		t.Errorf("another key: %v", err)
	}
	if _, err := journal.Open(journal.Config{Place: journal.Folder(w.dir), Key: other, Clock: w.clock}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a journal went on under another key: %v", err)
	}
}
