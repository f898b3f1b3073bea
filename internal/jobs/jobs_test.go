package jobs_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
)

// shared is the store of all nodes, in memory, under the time of the test.
type shared struct {
	jobs.Store
	mu     sync.Mutex
	holder string
	turn   int64
	ends   time.Time
	due    time.Time
	jobs   []jobs.Job
	waits  []time.Duration
	buried []string
}

func (s *shared) LeaseOpen(context.Context, string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(), nil
}

func (s *shared) open() bool {
	now := clock.System{}.Now()
	return !s.ends.After(now) && !s.due.After(now)
}

func (s *shared) TakeLease(_ context.Context, _, holder string, length time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open() {
		return 0, nil
	}
	s.holder, s.ends = holder, clock.System{}.Now().Add(length)
	s.turn++
	return s.turn, nil
}

func (s *shared) RenewLease(_ context.Context, _ string, turn int64, length time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn != s.turn {
		return false, nil
	}
	s.ends = clock.System{}.Now().Add(length)
	return true, nil
}

func (s *shared) ReleaseLease(_ context.Context, _ string, turn int64, rest time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn == s.turn {
		s.ends, s.due = time.Time{}, clock.System{}.Now().Add(rest)
	}
	return nil
}

func (s *shared) ClaimJobs(context.Context, string, int, time.Duration) ([]jobs.Job, error) {
	out := s.jobs
	s.jobs = nil
	return out, nil
}

func (s *shared) FinishJob(context.Context, jobs.Job) (bool, error) { return true, nil }

func (s *shared) PostponeJob(_ context.Context, _ jobs.Job, wait time.Duration, _ string) error {
	s.waits = append(s.waits, wait)
	return nil
}

func (s *shared) BuryJob(_ context.Context, j jobs.Job, _ string) error {
	s.buried = append(s.buried, j.ID)
	return nil
}

// wire is one node's way to the store; it can be cut.
type wire struct {
	*shared
	cut chan struct{}
}

func (w wire) RenewLease(ctx context.Context, name string, turn int64, length time.Duration) (bool, error) {
	select {
	case <-w.cut:
		<-ctx.Done()
		return false, errs.Wrap(ctx.Err(), errs.Unavailable, "store-timeout", "")
	default:
		return w.shared.RenewLease(ctx, name, turn, length)
	}
}

func (w wire) TakeLease(ctx context.Context, name, holder string, length time.Duration) (int64, error) {
	select {
	case <-w.cut:
		return 0, errs.New(errs.Unavailable, "store-timeout", "")
	default:
		return w.shared.TakeLease(ctx, name, holder, length)
	}
}

// pass lets the bubble's time go on by d and everybody act on it.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// D5: a holder that loses the store stops before another begins, and the
// other begins within the length of a lease and one look.
func TestHolderThatLosesTheStoreStopsBeforeAnotherBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s := &shared{}
		first := wire{s, make(chan struct{})}
		var led, over, taken time.Time
		var lost jobs.Turn
		run := func(w wire, node string, fn func(context.Context, jobs.Turn) error) {
			go jobs.New(jobs.Deps{Store: w, Node: node}).Leader(ctx, "seal", time.Second, fn)
		}
		run(first, "a", func(ctx context.Context, turn jobs.Turn) error {
			led = clock.System{}.Now()
			<-ctx.Done() // a long piece of work
			over, lost = clock.System{}.Now(), turn
			return nil
		})
		synctest.Wait()
		pass(10 * time.Second)
		run(wire{s, make(chan struct{})}, "b", func(context.Context, jobs.Turn) error {
			if taken.IsZero() {
				taken = clock.System{}.Now()
			}
			return nil
		})
		pass(10 * time.Second)
		if led.IsZero() || !over.IsZero() || !taken.IsZero() {
			t.Fatalf("led %v, over %v, taken %v", led, over, taken)
		}
		cut := clock.System{}.Now()
		close(first.cut)
		pass(time.Minute)
		switch {
		case over.IsZero() || taken.IsZero():
			t.Fatalf("over %v, taken %v", over, taken)
		case !over.Before(taken):
			t.Errorf("the second began at %v, the first ended at %v", taken, over)
		case taken.Sub(cut) > jobs.DefaultLease+2*time.Second:
			t.Errorf("the second began %v after the cut", taken.Sub(cut))
		}
		if err := lost.Fence(ctx, s); !errs.Is(err, errs.Conflict) {
			t.Errorf("the fence of a lost turn gives %v", err)
		}
		stop()
		synctest.Wait()
	})
}

// A rare job runs once per interval on all nodes together, and a node that
// ends in good order hands over at once.
func TestRareJobRunsOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		var runs atomic.Int64
		failed := errors.New("once")
		work := func(context.Context, jobs.Turn) error {
			runs.Add(1)
			return failed // is logged and does not stop the job
		}
		all, stop := context.WithCancel(t.Context())
		one, stopOne := context.WithCancel(all)
		for i, ctx := range []context.Context{one, all, all} {
			go jobs.New(jobs.Deps{Store: s, Node: string(rune('a' + i))}).Leader(ctx, "clean", time.Minute, work)
		}
		pass(5*time.Minute + 30*time.Second)
		stopOne()
		pass(5 * time.Minute)
		if n := runs.Load(); n != 11 {
			t.Errorf("%d runs in ten minutes and a half", n)
		}
		stop()
		synctest.Wait()
	})
}

// A failed job is asked again later and later; one that can never succeed is
// buried at once.
func TestDrainRetriesAndBuries(t *testing.T) {
	s := &shared{jobs: []jobs.Job{{ID: "good"}, {ID: "down", Attempts: 3}, {ID: "broken", Attempts: 1}, {ID: "old", Attempts: 22}}}
	var done []string
	err := jobs.New(jobs.Deps{Store: s}).Drain(t.Context(), "mail", func(_ context.Context, j jobs.Job) error {
		done = append(done, j.ID)
		switch j.ID {
		case "broken":
			return errs.New(errs.Invalid, "no-address", "")
		case "down", "old":
			return errs.New(errs.Unavailable, "smtp-down", "")
		}
		return nil
	})
	if err != nil || len(done) != 4 || len(s.waits) != 1 || s.waits[0] != 20*time.Second {
		t.Fatal(err, done, s.waits)
	}
	if len(s.buried) != 2 || s.buried[0] != "broken" || s.buried[1] != "old" {
		t.Error(s.buried)
	}
	var all time.Duration
	for n := 1; n < 22; n++ {
		all += jobs.Wait(n)
	}
	if all < 40*time.Hour || all > 56*time.Hour {
		t.Errorf("given up after %v", all)
	}
}
