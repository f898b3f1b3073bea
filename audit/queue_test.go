package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// shelf is a store that can be held shut, so that a test decides when a batch
// is committed.
type shelf struct {
	mu      sync.Mutex
	batches [][]audit.Event
	err     error
	// entered gets one value when a commit begins; hold, when set, must give
	// one before it ends.
	entered chan struct{}
	hold    chan struct{}
}

func (s *shelf) AppendAudits(_ context.Context, events []audit.Event) error {
	if s.hold != nil {
		s.entered <- struct{}{}
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches = append(s.batches, slices.Clone(events))
	return nil
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) all() []audit.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []audit.Event
	for _, b := range s.batches {
		out = append(out, b...)
	}
	return out
}

func heldShelf() *shelf {
	return &shelf{entered: make(chan struct{}), hold: make(chan struct{})}
}

func wantUnavailable(t *testing.T, err error, code string) {
	t.Helper()
	if e := errs.As(err); e == nil || e.Kind != errs.Unavailable || e.Code != code {
		t.Errorf("want %s, got %v", code, err)
	}
}

// AR-03: whoever is told "recorded" finds the event in the store.
func TestSixtyFourReadersAtOnce(t *testing.T) {
	store := &shelf{}
	q := audit.NewQueue(store, audit.QueueConfig{Batch: 16})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 20 {
				id := fmt.Sprintf("%02d-%02d", i, j)
				if err := q.Record(t.Context(), audit.Event{ID: id}); err != nil {
					t.Error(err)
					return
				}
				found := false
				for _, e := range store.all() {
					found = found || e.ID == id
				}
				if !found {
					t.Errorf("%s was promised but is not there", id)
				}
			}
		})
	}
	wg.Wait()
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range store.all() {
		if seen[e.ID] {
			t.Errorf("%s was written twice", e.ID)
		}
		seen[e.ID] = true
	}
	if len(seen) != 64*20 {
		t.Errorf("%d of %d events", len(seen), 64*20)
	}
	for _, b := range store.batches {
		if len(b) > 16 {
			t.Errorf("a batch of %d", len(b))
		}
	}
}

// busy gives a queue whose writer holds the event "first" while n others wait
// behind it, in order. Their recorders have gone away; the events stay.
func busy(t *testing.T, store *shelf, n int) (*audit.Queue, chan error) {
	t.Helper()
	q := audit.NewQueue(store, audit.QueueConfig{Size: n})
	first := make(chan error, 1)
	go func() { first <- q.Record(context.WithoutCancel(t.Context()), audit.Event{ID: "first"}) }()
	<-store.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range n {
		wantUnavailable(t, q.Record(ctx, audit.Event{ID: fmt.Sprint(i)}), "audit-unconfirmed")
	}
	return q, first
}

func TestWhatWaitsIsCommittedTogether(t *testing.T) {
	store := heldShelf()
	q, first := busy(t, store, 8)
	store.hold <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	<-store.entered
	store.hold <- struct{}{}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(store.batches) != 2 || len(store.batches[0]) != 1 || len(store.batches[1]) != 8 {
		t.Fatalf("batches: %v", store.batches)
	}
	for i, e := range store.batches[1] {
		if e.ID != fmt.Sprint(i) {
			t.Errorf("order: %v", store.batches[1])
		}
	}
}

// AR-03: a full queue refuses at once and takes nothing.
func TestAFullQueueRefuses(t *testing.T) {
	store := heldShelf()
	q, first := busy(t, store, 4)
	wantUnavailable(t, q.Record(t.Context(), audit.Event{ID: "refused"}), "audit-queue-full")
	store.hold <- struct{}{}
	<-store.entered
	store.hold <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := store.all(); len(got) != 5 {
		t.Errorf("written: %v", got)
	}
}

func TestAFailedCommitFailsItsWholeBatch(t *testing.T) {
	store := &shelf{}
	q := audit.NewQueue(store, audit.QueueConfig{})
	for _, c := range []struct {
		err  error
		code string
	}{
		{errs.New(errs.Unavailable, "store-down", "down"), "store-down"},
		{errors.New("disk full"), "audit-store"},
	} {
		store.fail(c.err)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { wantUnavailable(t, q.Record(t.Context(), audit.Event{ID: "lost"}), c.code) })
		}
		wg.Wait()
	}
	store.fail(nil)
	if err := q.Record(t.Context(), audit.Event{ID: "after"}); err != nil {
		t.Errorf("the queue does not recover: %v", err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := store.all(); len(got) != 1 || got[0].ID != "after" {
		t.Errorf("written: %v", got)
	}
}

func TestClosing(t *testing.T) {
	store := heldShelf()
	q := audit.NewQueue(store, audit.QueueConfig{})
	answer := make(chan error, 1)
	go func() { answer <- q.Record(context.WithoutCancel(t.Context()), audit.Event{ID: "last"}) }()
	<-store.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnavailable(t, q.Close(ctx), "audit-queue-draining")
	wantUnavailable(t, q.Record(t.Context(), audit.Event{}), "audit-queue-closed")
	store.hold <- struct{}{}
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(store.all()) != 1 {
		t.Error("the event handed in before closing is lost")
	}
}

// What an answer waits for is counted, each event once and a refused one never.
func TestWaitsAreCounted(t *testing.T) {
	store := &shelf{}
	q := audit.NewQueue(store, audit.QueueConfig{})
	count := func() (n int64) {
		for _, each := range q.Waits() {
			n += each
		}
		return n
	}
	for range 3 {
		if err := q.Record(t.Context(), audit.Event{}); err != nil {
			t.Fatal(err)
		}
	}
	store.fail(errors.New("no disk"))
	if err := q.Record(t.Context(), audit.Event{}); err == nil {
		t.Error("a failed write was confirmed")
	}
	if n := count(); n != 3 {
		t.Errorf("%d waits", n)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
