package identity

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// Store is the port of the room.
type Store interface {
	Traits
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

// Authenticators is the port of what else is done with authenticators.
type Authenticators interface {
	// FactorByID gives a factor. Errors: errs.NotFound.
	FactorByID(ctx context.Context, tenant, id string) (Factor, error)
	// AddFactor stores a new factor. Errors: errs.Conflict with code
	// factor-exists when its ID is taken.
	AddFactor(ctx context.Context, f Factor) error
	// NoteFactor stores the name, the last use, the backup state and the lock of
	// a factor; a lock that is there stays.
	NoteFactor(ctx context.Context, f Factor) error
	// RemoveFactor deletes a factor, also from what a backup brings back, and
	// reports whether it was there.
	RemoveFactor(ctx context.Context, tenant, id string) (bool, error)
	// SpendChallenge notes that a challenge was answered, and reports whether
	// this was the first time.
	SpendChallenge(ctx context.Context, tenant, hash string, expires time.Time) (bool, error)
}

// Seen tells what was true a moment ago, for pages on which nothing is decided.
type Seen interface {
	// SessionSeen is Store.SessionWithPerson, from memory within the bound of
	// D17 as long as good says so of the session. Errors: errs.NotFound,
	// errs.Unavailable.
	SessionSeen(ctx context.Context, tenant, hash string, good func(Session) bool) (Session, Person, error)
}

// Devices is the port of what is known about the browsers that people use.
type Devices interface {
	// SessionsOfPerson gives the sessions that live at now, the newest first.
	SessionsOfPerson(ctx context.Context, tenant, personID string, now time.Time) ([]Session, error)
	// ReplaceSession marks the session as replaced at t by another one of the family.
	ReplaceSession(ctx context.Context, tenant, hash, family string, t time.Time) error
	// ReplacedSessions gives the hashes of those that s replaced and that were not
	// ended.
	ReplacedSessions(ctx context.Context, s Session) ([]string, error)
	// DeviceOf gives a device on which the person finished a log-in. Errors:
	// errs.NotFound.
	DeviceOf(ctx context.Context, tenant, personID, hash string) (Device, error)
	// DevicesOfPerson gives them all.
	DevicesOfPerson(ctx context.Context, tenant, personID string) ([]Device, error)
	// PutDevice creates a device, or notes that it was seen again.
	PutDevice(ctx context.Context, d Device) error
	// DropDevice forgets a device.
	DropDevice(ctx context.Context, tenant, personID, hash string) error
}

// Brakes is the port of the counters that no time clears, and of pauses.
type Brakes interface {
	// LastFailure gives the time of the newest failed try of a key within the
	// window, the zero time without one.
	LastFailure(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (time.Time, error)
	// CountConsecutive adds one to the failures in a row of a key and gives their
	// number; until the transaction ends no other counts for the key.
	CountConsecutive(ctx context.Context, tenant, key string, now time.Time) (int, error)
	// Consecutive gives the number of failures in a row.
	Consecutive(ctx context.Context, tenant, key string) (int, error)
	// ClearConsecutive forgets them.
	ClearConsecutive(ctx context.Context, tenant, key string) error
}

// Upstreams is the port of log-ins that come from another identity provider.
type Upstreams interface {
	// NoteUpstream stores from where a session comes.
	NoteUpstream(ctx context.Context, v UpstreamSession) error
	// UpstreamOf gives it by the hash of the session. Errors: errs.NotFound.
	UpstreamOf(ctx context.Context, tenant, hash string) (UpstreamSession, error)
	// UpstreamSessions gives those of a provider that have not ended at now, of one
	// subject, one session of the provider, or both; with neither it gives none.
	UpstreamSessions(ctx context.Context, tenant, provider, subject, session string, now time.Time) ([]UpstreamSession, error)
}

// Answers is the port of what a provider posted, until its browser comes for it.
type Answers interface {
	// KeepAnswer stores a sealed answer by the hash of its handle.
	KeepAnswer(ctx context.Context, tenant, id, body string, ends time.Time) error
	// TakeAnswer gives an answer that has not ended at now, once. Errors:
	// errs.NotFound.
	TakeAnswer(ctx context.Context, tenant, id string, now time.Time) (string, error)
}

// Ports are the ports of the room together.
type Ports interface {
	Recoveries
	Tickets
	Upstreams
	Matches
	Store
	Devices
	Authenticators
	Brakes
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Ports
	audit.Appender
	// AddNotice leaves a message to a person, to be delivered after the
	// transaction.
	AddNotice(ctx context.Context, n outbox.Notice) error
	// AddJob leaves work to be done after the transaction.
	AddJob(ctx context.Context, j jobs.Job, wait time.Duration) error
}

// QueueEnded is the queue of jobs that tell of sessions which somebody ended; the
// body of a job is the session's hash.
const QueueEnded = "session-ended"
