package identity

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/jobs"
)

// Store is the port of the room.
type Store interface {
	// PersonByID and PersonByUsername give an account; usernames are compared
	// case-folded. Errors: errs.NotFound.
	PersonByID(ctx context.Context, tenant, id string) (Person, error)
	PersonByUsername(ctx context.Context, tenant, username string) (Person, error)
	// PersonByIdentity gives the account linked to a FHIR resource. Errors:
	// errs.NotFound.
	PersonByIdentity(ctx context.Context, tenant string, ref fhir.Reference) (Person, error)
	// PutPerson creates or replaces an account with its identities. Errors:
	// errs.Conflict when the username belongs to another account.
	PutPerson(ctx context.Context, p Person) error

	// Factors gives the factors of an account, oldest first.
	Factors(ctx context.Context, tenant, personID string) ([]Factor, error)
	// PutFactor creates or replaces a factor.
	PutFactor(ctx context.Context, f Factor) error
	// AdvanceFactor sets the counter if it is greater than the stored one and
	// reports whether it did: the guard by which a code works once.
	AdvanceFactor(ctx context.Context, tenant, factorID string, counter int64) (bool, error)

	// CreateSession stores a new session.
	CreateSession(ctx context.Context, s Session) error
	// SessionByHash gives a session, live or not. Errors: errs.NotFound.
	SessionByHash(ctx context.Context, tenant, hash string) (Session, error)
	// SessionWithPerson gives a session, live or not, and its account in one
	// look. Errors: errs.NotFound when either is missing.
	SessionWithPerson(ctx context.Context, tenant, hash string) (Session, Person, error)
	// UpdateSession replaces the changing fields of a session. Errors:
	// errs.NotFound.
	UpdateSession(ctx context.Context, s Session) error
	// EndSession marks the session as ended at t; ended ones stay as they are.
	EndSession(ctx context.Context, tenant, hash string, t time.Time) error

	// CountFailure adds one failed try for a key (account or address) and
	// gives the number since the window before now. Until the transaction
	// ends no other counts for the key: each sees all that came before it.
	CountFailure(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (int, error)
	// Failures gives the number of failed tries within the window.
	Failures(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (int, error)
	// ClearFailures forgets the failed tries of a key.
	ClearFailures(ctx context.Context, tenant, key string) error
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	audit.Appender
	// AddJob leaves work to be done after the transaction.
	AddJob(ctx context.Context, j jobs.Job, wait time.Duration) error
}

// QueueEnded is the queue of jobs that tell of sessions which somebody ended; the
// body of a job is the session's hash.
const QueueEnded = "session-ended"
