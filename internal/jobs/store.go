package jobs

import (
	"context"
	"time"
)

// Job is a piece of work in a queue.
type Job struct {
	Tenant string
	ID     string
	Queue  string
	// Body is what the queue's handler understands. No PHI, no secret.
	Body string
	// Attempts counts how often it was taken, this time included. With the
	// id it names one claim.
	Attempts int
}

// Leases is the part of the port behind leader-only jobs. All lengths are
// measured by the database's clock, so a node whose clock jumps neither keeps
// nor takes what is not its own.
type Leases interface {
	// LeaseOpen reports whether TakeLease would succeed. It writes nothing.
	LeaseOpen(ctx context.Context, name string) (bool, error)
	// TakeLease makes holder the only holder for length when nobody else is
	// and the job is due. turn is greater than every turn before; 0 means no.
	TakeLease(ctx context.Context, name, holder string, length time.Duration) (turn int64, err error)
	// RenewLease lets the holder of this turn keep it for length from now, and
	// reports false when it has been taken over. In a transaction it is also
	// a fence: whoever would take over waits until the transaction ends.
	RenewLease(ctx context.Context, name string, turn int64, length time.Duration) (bool, error)
	// ReleaseLease gives the lease back; the job is due again after rest. It
	// does nothing when the turn is over.
	ReleaseLease(ctx context.Context, name string, turn int64, rest time.Duration) error
}

// Queue is the part of the port behind work to be done later.
type Queue interface {
	// AddJob stores a job in the transaction of its cause, due after wait; an
	// empty ID gets one.
	AddJob(ctx context.Context, j Job, wait time.Duration) error
	// ClaimJobs takes at most limit due jobs of a queue, oldest first, and
	// keeps them from others for length. Each counts one attempt more.
	ClaimJobs(ctx context.Context, queue string, limit int, length time.Duration) ([]Job, error)
	// FinishJob removes a job that is done and reports whether the claim was
	// still the caller's.
	FinishJob(ctx context.Context, j Job) (bool, error)
	// PostponeJob makes a claimed job due again after wait, for a reason (an
	// error code).
	PostponeJob(ctx context.Context, j Job, wait time.Duration, reason string) error
	// BuryJob keeps a claimed job for an operator to see: it is tried no more.
	BuryJob(ctx context.Context, j Job, reason string) error
	// RetryBuried makes the buried jobs of a queue due again, as if new, and
	// tells how many.
	RetryBuried(ctx context.Context, queue string) (int64, error)
	// BuriedReasons gives for how many buried jobs of a queue each reason (an
	// error code) stands.
	BuriedReasons(ctx context.Context, queue string) (map[string]int64, error)
	// CountJobs gives how many jobs of a queue wait and how many are buried.
	CountJobs(ctx context.Context, queue string) (waiting, buried int64, err error)
}

// Store is the port of the package.
type Store interface {
	Leases
	Queue
}
