package jobs

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// batch is how many jobs are taken at once, and claim for how long they
	// are kept from others: when they take longer they are done twice, when
	// their node is killed they come back after it.
	batch = 2
	claim = 30 * time.Second
	// firstWait doubles with each failure up to longestWait; after tries the
	// job is buried, some two days after the first.
	firstWait   = 5 * time.Second
	longestWait = 4 * time.Hour
	tries       = 22
)

// Drain does the due jobs of a queue until none is left, each at least once:
// a job whose node is killed comes back after half a minute. A handler that
// fails is asked again later and later; one that fails with errs.Invalid, or
// for two days, gets its job buried. Errors: errs.Unavailable of the store.
func (r *Runner) Drain(ctx context.Context, queue string, handle func(ctx context.Context, j Job) error) error {
	for {
		taken, err := r.d.Store.ClaimJobs(ctx, queue, batch, claim)
		if err != nil || len(taken) == 0 {
			return err
		}
		for _, j := range taken {
			if ctx.Err() != nil {
				return nil // the rest comes back when its claim has run out
			}
			if err := r.settle(ctx, j, handle(ctx, j)); err != nil {
				return err
			}
		}
	}
}

// settle writes down how a job went.
func (r *Runner) settle(ctx context.Context, j Job, failed error) error {
	if failed == nil {
		_, err := r.d.Store.FinishJob(ctx, j)
		return err
	}
	reason := errs.As(failed).Code
	if j.Attempts >= tries || errs.Is(failed, errs.Invalid) {
		r.d.Log.ErrorContext(ctx, "job given up", "queue", j.Queue, "job", j.ID, "attempts", j.Attempts, "reason", reason)
		return r.d.Store.BuryJob(ctx, j, reason)
	}
	wait := Wait(j.Attempts)
	r.d.Log.WarnContext(ctx, "job failed, to be tried again", "queue", j.Queue, "job", j.ID, "attempts", j.Attempts, "in", wait, "reason", reason)
	return r.d.Store.PostponeJob(ctx, j, wait, reason)
}

// Wait gives the pause after a number of failures, at least one.
func Wait(failures int) time.Duration {
	wait := firstWait
	for range failures - 1 {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}
