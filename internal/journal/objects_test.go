package journal_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/testbucket"
)

// SG-09: a journal in an object store promises what one in a folder does; what
// a thief takes out of it or puts into it is noticed, or changes nothing where
// the store keeps it immutable.
func TestInABucket(t *testing.T) {
	server := testbucket.Start(t)
	for name, locked := range map[string]bool{"plain": false, "locked": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server.Bucket(t, name, locked)
			b, place := w.bucket(t, server.Place(name, "journal"), locked)
			open := func() *journal.Journal {
				w.clock.Advance(time.Second)
				j, err := journal.Open(journal.Config{Place: place, Key: w.key, Clock: w.clock, IDs: ids.Source{}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = j.Close() })
				return j
			}
			first, second := open(), open()
			var wg sync.WaitGroup
			for i := range 10 {
				for n, j := range []*journal.Journal{first, second} {
					wg.Go(func() { add(t, j, fmt.Sprint(n, "-", i)) })
				}
			}
			wg.Wait()
			heads := []journal.Head{first.Head(), second.Head()}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			_, fresh := w.bucket(t, server.Place(name, "journal"), false)
			c, err := journal.Read(t.Context(), fresh, w.public, heads, time.Time{})
			if err != nil || len(c.Entries) != 20 || !slices.Equal(c.Open, []string{heads[1].Segment}) {
				t.Fatal(len(c.Entries), c.Open, err)
			}
			third := open().Head()
			w.stolen(t, b, place, heads[1], third, locked)
		})
	}
}

// bucket opens a place of the journal.
func (w *world) bucket(t *testing.T, text string, immutable bool) (*bucket.Bucket, journal.Place) {
	t.Helper()
	at, err := bucket.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bucket.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	in := journal.Bucket{Objects: b, Name: b.String(), Clock: w.clock}
	if immutable {
		// The clock of this world is far from that of the store.
		in.Immutable = 100 * 365 * 24 * time.Hour
	}
	return b, in.Place()
}

// stolen takes the newest object of a segment, which a later one saw, and then
// puts one of the thief's in its place.
func (w *world) stolen(t *testing.T, b *bucket.Bucket, place journal.Place, h, later journal.Head, locked bool) {
	t.Helper()
	var newest string
	err := b.List(t.Context(), h.Segment+"/", func(name string, _ int64) bool {
		newest = name
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Delete(t.Context(), newest)
	if locked {
		if !errs.Is(err, errs.Unavailable) {
			t.Error("deleted under a lock:", err)
		}
	} else if _, err := journal.Read(t.Context(), place, w.public, nil, time.Time{}); errs.As(err).Code != "revocation-journal-cut" {
		t.Error("a cut segment:", err)
	}
	if err := b.Put(t.Context(), newest, []byte("forged\n"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, err = journal.Read(t.Context(), place, w.public, []journal.Head{h, later}, time.Time{})
	if locked && err != nil || !locked && errs.As(err).Code != "revocation-journal-damaged" {
		t.Error("a forged object:", err)
	}
	if !strings.HasPrefix(newest, h.Segment) {
		t.Error(newest)
	}
}
