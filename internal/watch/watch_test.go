package watch_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
)

// shared is the store of all nodes: one value with its changes.
type shared struct {
	mu      sync.Mutex
	down    bool
	hangs   bool
	value   int
	reads   int
	entries []watch.Entry
	at      []time.Time
	heard   func()
	told    func([]watch.Change)
	back    time.Duration
}

func (s *shared) Changes(ctx context.Context, back time.Duration) ([]watch.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back = back
	if s.hangs {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
	}
	if s.down {
		return nil, errs.New(errs.Unavailable, "store-timeout", "")
	}
	var out []watch.Entry
	for i, e := range s.entries {
		if !s.at[i].Before(clock.System{}.Now().Add(-back)) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *shared) Listen(ctx context.Context, heard func()) error {
	s.mu.Lock()
	s.heard = heard
	s.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (s *shared) OnCommit(told func([]watch.Change)) { s.told = told }

// set commits a value on another node; its change was written ago before.
func (s *shared) set(v int, ago time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = v
	s.entries = append(s.entries, watch.Entry{ID: strconv.Itoa(len(s.entries)), Change: thing})
	s.at = append(s.at, clock.System{}.Now().Add(-ago))
}

func (s *shared) hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs, s.down = on, on
}

func (s *shared) breaks(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

var thing = watch.Change{Tenant: "main", Kind: watch.Client, Key: "app"}

// pass lets the bubble's time go on by d and everybody act on it.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// node is a node that watches the store.
type node struct {
	t    *testing.T
	s    *shared
	feed *watch.Feed
}

func story(t *testing.T, staleness time.Duration, tell func(n *node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s := &shared{}
		n := &node{t, s, watch.New(watch.Config{Store: s, Staleness: staleness, Clock: clock.System{}})}
		go n.feed.Run(ctx)
		pass(time.Second)
		tell(n)
		stop()
		synctest.Wait()
	})
}

// reads looks at the value and checks what it is and whether the store was
// asked.
func (n *node) reads(want int, asked bool) {
	n.t.Helper()
	before := n.s.reads
	got, err := watch.Load(n.t.Context(), n.feed, thing, nil, func(context.Context) (int, error) {
		n.s.mu.Lock()
		defer n.s.mu.Unlock()
		n.s.reads++
		if n.s.down {
			return 0, errs.New(errs.Unavailable, "store-timeout", "")
		}
		return n.s.value, nil
	})
	if n.s.down && (n.s.reads > before) {
		if !errs.Is(err, errs.Unavailable) {
			n.t.Errorf("a store that is down gives %d, %v", got, err)
		}
		return
	}
	if err != nil || got != want || (n.s.reads > before) != asked {
		n.t.Errorf("got %d, %v (store asked: %t), want %d (%t)", got, err, n.s.reads > before, want, asked)
	}
}

// D17: what another node changes counts at the next poll, and at once with a
// hint.
func TestChangeOfAnotherNode(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		n.reads(0, true)
		n.reads(0, false)
		n.s.set(1, 0)
		pass(250 * time.Millisecond)
		n.reads(1, true)
		n.reads(1, false)

		pass(100 * time.Millisecond)
		n.s.set(2, 0)
		n.s.heard()
		synctest.Wait()
		n.reads(2, true)
	})
}

// A change is dated when it is written. One that commits late, behind others,
// is not skipped.
func TestLateCommit(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		pass(time.Minute)
		n.reads(0, true)
		n.s.set(1, 0)
		pass(time.Second)
		n.reads(1, true)
		n.s.set(2, 20*time.Second)
		pass(time.Second)
		n.reads(2, true)
		pass(time.Minute)
		n.reads(2, false)
	})
}

// D17: a node whose store does not answer serves from memory within the bound,
// one whose store refuses no longer; then it asks the store. Afterwards nothing
// old is left.
func TestCutOff(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		n.reads(0, true)
		n.s.hang(true)
		pass(4 * time.Second)
		n.reads(0, false)
		pass(1250 * time.Millisecond)
		n.reads(0, true)
		n.s.hang(false)
		pass(time.Minute)
		n.reads(0, true)
		n.reads(0, false)

		n.s.breaks(true)
		pass(250 * time.Millisecond)
		n.reads(0, true)
		// The change is dated by the clock of a database that was replaced.
		n.s.set(1, time.Hour)
		n.s.breaks(false)
		pass(time.Second)
		n.reads(1, true)
		n.reads(1, false)
		if n.s.back < 30*time.Second || n.s.back > 31*time.Second {
			t.Errorf("looks back %v", n.s.back)
		}
	})
}

func TestNothingFromMemoryWithoutABound(t *testing.T) {
	story(t, 0, func(n *node) {
		n.reads(0, true)
		n.reads(0, true)
	})
}

// More changes than one poll reads drop every copy.
func TestTooManyChanges(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		n.reads(0, true)
		told := 0
		n.feed.Subscribe(func(c watch.Change) {
			if c == (watch.Change{}) {
				told++
			}
		})
		for range watch.MaxEntries + 1 {
			n.s.set(1, 0)
		}
		pass(250 * time.Millisecond)
		n.reads(1, true)
		if told != 1 {
			t.Errorf("told %d times that everything may have changed", told)
		}
	})
}

// A node's own change counts at once, also for a read that began before it.
func TestOwnChange(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		n.reads(0, true)
		n.s.value = 1
		n.s.told([]watch.Change{thing})
		n.reads(1, true)
		n.s.told([]watch.Change{thing})
		got, err := watch.Load(t.Context(), n.feed, thing, nil, func(context.Context) (int, error) {
			n.s.value = 2
			n.s.told([]watch.Change{thing})
			return 1, nil // was read before the change
		})
		if got != 1 || err != nil {
			t.Fatal(got, err)
		}
		n.reads(2, true)
		// A copy that its reader does not believe is read again.
		got, err = watch.Load(t.Context(), n.feed, thing, func(v int) bool { return v > 2 }, func(context.Context) (int, error) { return 3, nil })
		if got != 3 || err != nil {
			t.Fatal(got, err)
		}
	})
}

// What concerns all of a kind goes with a change of any of it, and stays with one
// of another kind or tenant.
func TestWhole(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		reads := 0
		load := func() {
			_, err := watch.Load(t.Context(), n.feed, watch.Change{Tenant: "main", Kind: watch.Client, Key: watch.Whole}, nil,
				func(context.Context) (int, error) { reads++; return reads, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		load()
		n.s.told([]watch.Change{{Tenant: "main", Kind: watch.Patient, Key: "app"}, {Tenant: "other", Kind: watch.Client, Key: "app"}})
		if load(); reads != 1 {
			t.Errorf("read %d times", reads)
		}
		n.s.told([]watch.Change{thing})
		if load(); reads != 2 {
			t.Errorf("read %d times after a change of one", reads)
		}
	})
}

// The memory is bounded and forgets what was not used for longest.
func TestBounded(t *testing.T) {
	story(t, 5*time.Second, func(n *node) {
		n.reads(0, true)
		read := func(i int) {
			_, err := watch.Load(t.Context(), n.feed, watch.Change{Kind: watch.Token, Key: strconv.Itoa(i)}, nil,
				func(context.Context) (bool, error) { return false, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range 19999 {
			read(i)
		}
		n.reads(0, false)
		for i := range 19999 {
			read(100000 + i)
		}
		n.reads(0, false)
		read(200000)
		read(200001)
		for i := range 20000 {
			read(300000 + i)
		}
		n.reads(0, true)
	})
}
