package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/store"
)

// Lengths below zero have passed already, so that nothing has to be waited
// for.
const (
	past   = -time.Minute
	future = time.Minute
)

func leases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, got(s.LeaseOpen(ctx, "seal"))(t), true)
	first := got(s.TakeLease(ctx, "seal", "a", future))(t)
	equal(t, first, int64(1))
	equal(t, got(s.LeaseOpen(ctx, "seal"))(t), false)
	equal(t, got(s.TakeLease(ctx, "seal", "b", future))(t), int64(0))
	equal(t, got(s.TakeLease(ctx, "other", "b", future))(t), int64(1))

	// A holder that fell silent is replaced, and learns it.
	equal(t, got(s.RenewLease(ctx, "seal", first, past))(t), true)
	equal(t, got(s.LeaseOpen(ctx, "seal"))(t), true)
	second := got(s.TakeLease(ctx, "seal", "b", future))(t)
	equal(t, second, int64(2))
	equal(t, got(s.RenewLease(ctx, "seal", first, future))(t), false)
	must(t, s.ReleaseLease(ctx, "seal", first, past))
	equal(t, got(s.LeaseOpen(ctx, "seal"))(t), false)

	// What was given back rests until it is due again.
	must(t, s.ReleaseLease(ctx, "seal", second, future))
	equal(t, got(s.LeaseOpen(ctx, "seal"))(t), false)
	equal(t, got(s.TakeLease(ctx, "seal", "a", future))(t), int64(0))
	equal(t, got(s.RenewLease(ctx, "seal", second, future))(t), false)
	must(t, s.ReleaseLease(ctx, "seal", second, past))
	equal(t, got(s.TakeLease(ctx, "seal", "a", future))(t), int64(3))
}

func leaseRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for round := range 3 {
		equal(t, race(t, 20, "", func(i int) (bool, error) {
			turn, err := s.TakeLease(ctx, "seal", fmt.Sprint(i), future)
			return turn == int64(round+1), err
		}), 1)
		must(t, s.ReleaseLease(ctx, "seal", int64(round+1), past))
	}
}

// A job is stored with its cause or not at all, taken by one at a time, and
// comes back until it is done.
func queue(t *testing.T, s *store.Store) {
	ctx := t.Context()
	fails(t, s.InTx(ctx, func(tx store.Tx) error {
		must(t, tx.AddJob(ctx, jobs.Job{Tenant: tenant, Queue: "mail", Body: "x"}, past))
		return errs.New(errs.Forbidden, "no", "")
	}), errs.Forbidden)
	equal(t, len(got(s.ClaimJobs(ctx, "mail", 10, future))(t)), 0)

	must(t, s.AddJob(ctx, jobs.Job{Tenant: tenant, ID: "j1", Queue: "mail", Body: "one"}, past))
	must(t, s.AddJob(ctx, jobs.Job{Tenant: other, Queue: "mail"}, future))
	must(t, s.AddJob(ctx, jobs.Job{Tenant: tenant, Queue: "export"}, past))
	want := jobs.Job{Tenant: tenant, ID: "j1", Queue: "mail", Body: "one", Attempts: 1}
	equal(t, got(s.ClaimJobs(ctx, "mail", 10, past))(t), []jobs.Job{want})
	killed := want
	want.Attempts = 2
	equal(t, got(s.ClaimJobs(ctx, "mail", 10, future))(t), []jobs.Job{want})
	equal(t, len(got(s.ClaimJobs(ctx, "mail", 10, future))(t)), 0)

	// The claim that ran out counts no more.
	equal(t, got(s.FinishJob(ctx, killed))(t), false)
	must(t, s.PostponeJob(ctx, killed, past, "late"))
	equal(t, len(got(s.ClaimJobs(ctx, "mail", 10, future))(t)), 0)

	must(t, s.PostponeJob(ctx, want, past, "smtp-down"))
	want.Attempts = 3
	equal(t, got(s.ClaimJobs(ctx, "mail", 10, future))(t), []jobs.Job{want})
	must(t, s.BuryJob(ctx, want, "no-address"))
	equal(t, len(got(s.ClaimJobs(ctx, "mail", 10, future))(t)), 0)
	equal(t, counts(t, s, "mail"), [2]int64{1, 1})
	equal(t, got(s.BuriedReasons(ctx, "mail"))(t), map[string]int64{"no-address": 1})
	equal(t, got(s.RetryBuried(ctx, "mail"))(t), int64(1))
	equal(t, len(got(s.BuriedReasons(ctx, "mail"))(t)), 0)
	want.Attempts = 1
	equal(t, got(s.ClaimJobs(ctx, "mail", 10, future))(t), []jobs.Job{want})

	done := got(s.ClaimJobs(ctx, "export", 10, future))(t)[0]
	equal(t, got(s.FinishJob(ctx, done))(t), true)
	equal(t, counts(t, s, "export"), [2]int64{0, 0})
}

func counts(t *testing.T, s *store.Store, queue string) [2]int64 {
	t.Helper()
	waiting, buried, err := s.CountJobs(t.Context(), queue)
	must(t, err)
	return [2]int64{waiting, buried}
}

// Many nodes share a queue and nobody gets another's job.
func queueRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i := range 40 {
		must(t, s.AddJob(ctx, jobs.Job{Tenant: tenant, ID: fmt.Sprint(i), Queue: "mail"}, past))
	}
	taken := make([][]jobs.Job, 8)
	race(t, len(taken), "", func(i int) (bool, error) {
		for {
			more, err := s.ClaimJobs(ctx, "mail", 3, future)
			if err != nil || len(more) == 0 {
				return true, err
			}
			taken[i] = append(taken[i], more...)
		}
	})
	seen := map[string]bool{}
	for _, list := range taken {
		for _, j := range list {
			if seen[j.ID] {
				t.Fatalf("job %s was taken twice", j.ID)
			}
			seen[j.ID] = true
		}
	}
	equal(t, len(seen), 40)
}
