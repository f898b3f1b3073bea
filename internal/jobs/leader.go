package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// DefaultLease is how long a node may be silent before another takes over.
const DefaultLease = 15 * time.Second

// look bounds how long a node waits before it looks again whether a job is
// free: a read by primary key.
const (
	soonest = 250 * time.Millisecond
	latest  = 2 * time.Second
)

// Deps is what a Runner is made of.
type Deps struct {
	Store Store
	// Node names this process among all, such as a random id.
	Node string
	Log  *slog.Logger
	// Lease is how long a silent holder keeps a job; 0 means DefaultLease.
	Lease time.Duration
}

// Runner runs the jobs of one node. It is safe for concurrent use.
type Runner struct{ d Deps }

// New gives a runner.
func New(d Deps) *Runner {
	if d.Lease == 0 {
		d.Lease = DefaultLease
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{d: d}
}

// Turn is the right to do a leader-only job now.
type Turn struct {
	name   string
	number int64
	length time.Duration
}

// Fence makes a transaction commit only if the turn is still held: called in
// it, a node that was believed dead and has been replaced changes nothing.
// Errors: errs.Conflict with code turn-lost; errs.Unavailable.
func (t Turn) Fence(ctx context.Context, tx Leases) error {
	held, err := tx.RenewLease(ctx, t.name, t.number, t.length)
	if err == nil && !held {
		return errs.New(errs.Conflict, "turn-lost", "Another node has taken over this job.")
	}
	return err
}

// Leader does a job every interval, on one node of all at a time, until ctx
// ends. fn's context ends when the node must stop because it lost the lease or
// the store: what fn writes after that is no longer its turn, which Fence
// tells. An error of fn is logged and the job done again at its next time. A
// job with an interval shorter than the lease stays with its node; a rarer one
// goes to whichever node is free when it is due, and runs once per interval in
// all.
func (r *Runner) Leader(ctx context.Context, name string, every time.Duration, fn func(ctx context.Context, t Turn) error) {
	wait := min(max(every/4, soonest), latest)
	for pause(ctx, wait) {
		open, err := r.d.Store.LeaseOpen(ctx, name)
		if err == nil && open {
			err = r.lead(ctx, name, every, fn)
		}
		if err != nil && ctx.Err() == nil {
			r.d.Log.WarnContext(ctx, "job not led", "job", name, "err", err)
		}
	}
}

// lead takes the lease and does the job while it holds.
func (r *Runner) lead(ctx context.Context, name string, every time.Duration, fn func(context.Context, Turn) error) error {
	mine, stop := context.WithCancel(ctx)
	defer stop()
	// Counted from before the question, so this node gives up before another
	// can take over.
	fuse := time.AfterFunc(r.patience(), stop)
	number, err := r.d.Store.TakeLease(ctx, name, r.d.Node, r.d.Lease)
	if err != nil || number == 0 {
		fuse.Stop()
		return err
	}
	turn := Turn{name: name, number: number, length: r.d.Lease}
	stays := every < r.d.Lease
	if stays {
		r.d.Log.InfoContext(ctx, "job led by this node", "job", name, "node", r.d.Node, "turn", number)
	}
	var keeper sync.WaitGroup
	keeper.Go(func() { r.keep(mine, turn, fuse, stop) })
	for {
		if err := fn(mine, turn); err != nil && mine.Err() == nil {
			r.d.Log.ErrorContext(ctx, "job failed", "job", name, "err", err)
		}
		if !stays || !pause(mine, every) {
			break
		}
	}
	lost := mine.Err() != nil && ctx.Err() == nil
	stop()
	keeper.Wait()
	if lost {
		return errs.New(errs.Conflict, "turn-lost", "Another node has taken over this job.")
	}
	rest := every
	if stays {
		rest = 0
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.d.Lease/3)
	defer cancel()
	return r.d.Store.ReleaseLease(late, name, number, rest)
}

// patience is how long a node goes on without having heard from the store: a
// fifth less than others wait, for pauses and clocks that run unequally fast.
func (r *Runner) patience() time.Duration { return r.d.Lease - r.d.Lease/5 }

// keep renews the lease until ctx ends, and calls stop when it is lost. fuse
// burns while the store does not answer.
func (r *Runner) keep(ctx context.Context, t Turn, fuse *time.Timer, stop func()) {
	defer func() { fuse.Stop() }()
	for pause(ctx, r.d.Lease/3) {
		next := time.AfterFunc(r.patience(), stop)
		asked, cancel := context.WithTimeout(ctx, r.d.Lease/3)
		held, err := r.d.Store.RenewLease(asked, t.name, t.number, t.length)
		cancel()
		switch {
		case err != nil:
			next.Stop()
		case !held:
			next.Stop()
			stop()
			return
		default:
			fuse.Stop()
			fuse = next
		}
	}
}

// pause waits and gives false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
