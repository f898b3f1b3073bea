package evidence

import "context"

// Filter selects records. One of Patient, Person and Focus is required; empty
// fields do not restrict.
type Filter struct {
	Tenant, Type           string
	Patient, Person, Focus string
}

// Keeper keeps records in the transaction of what they witness.
type Keeper interface {
	// PutEvidence adds a record as a new version. ifVersion is the newest version
	// the caller knows; 0 creates. Errors: errs.Conflict when ifVersion is 0 and
	// the id exists; errs.PreconditionFailed when the newest version is another
	// one; errs.Unavailable.
	PutEvidence(ctx context.Context, r Record, ifVersion int) error
}

// Reader reads records. Every method may return errs.Unavailable.
type Reader interface {
	// EvidenceByID gives the newest version. Errors: errs.NotFound.
	EvidenceByID(ctx context.Context, tenant, id string) (Record, error)
	// EvidenceHistory gives all versions, newest first. Errors: errs.NotFound when
	// there is none.
	EvidenceHistory(ctx context.Context, tenant, id string) ([]Record, error)
	// EvidenceOf gives the newest version of each record that the filter selects,
	// ordered by time, the oldest first.
	EvidenceOf(ctx context.Context, f Filter) ([]Record, error)
}

// Store is the port of the room.
type Store interface {
	Keeper
	Reader
}
