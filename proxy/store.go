package proxy

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// Store is the port of the room.
type Store interface {
	// RelatedPersonByID gives the newest version. Errors: errs.NotFound.
	RelatedPersonByID(ctx context.Context, tenant, id string) (RelatedPerson, error)
	// RelatedPersonVersion gives one version. Errors: errs.NotFound.
	RelatedPersonVersion(ctx context.Context, tenant, id string, version int) (RelatedPerson, error)
	// RelatedPersonsOfPatient gives the newest versions, by id.
	RelatedPersonsOfPatient(ctx context.Context, tenant, patient string) ([]RelatedPerson, error)
	// PutRelatedPerson stores the next version; ifVersion 0 creates. It bumps
	// the patient's consent epoch. Errors: errs.Conflict,
	// errs.PreconditionFailed.
	PutRelatedPerson(ctx context.Context, r RelatedPerson, ifVersion int) error
	Cases
}

// Cases keeps the ways of people to records.
type Cases interface {
	// CaseByID gives one. Errors: errs.NotFound.
	CaseByID(ctx context.Context, tenant, id string) (Case, error)
	// CaseBySecret gives the one whose invitation has this keyed hash. Errors:
	// errs.NotFound.
	CaseBySecret(ctx context.Context, tenant, hash string) (Case, error)
	// CasesOfPatient gives those about a record, CasesOfPerson those of a
	// proxy's account, the newest first.
	CasesOfPatient(ctx context.Context, tenant, patient string) ([]Case, error)
	CasesOfPerson(ctx context.Context, tenant, person string) ([]Case, error)
	// CasesIn gives those in a stored state, those that wait longest first.
	CasesIn(ctx context.Context, tenant string, state State, limit int) ([]Case, error)
	// CasesAfter gives those in a stored state by id, from behind one id on.
	CasesAfter(ctx context.Context, tenant string, state State, after string, limit int) ([]Case, error)
	// CasesDue gives those whose Due has come.
	CasesDue(ctx context.Context, tenant string, now time.Time, limit int) ([]Case, error)
	// PutCase stores the next version; ifVersion 0 creates. Errors:
	// errs.Conflict, errs.PreconditionFailed.
	PutCase(ctx context.Context, c Case, ifVersion int) error
}

// Requests keeps what people ask for who are no party of a case.
type Requests interface {
	// RequestByID gives one. Errors: errs.NotFound.
	RequestByID(ctx context.Context, tenant, id string) (Request, error)
	// RequestsOfPerson gives those of an account, the newest first.
	RequestsOfPerson(ctx context.Context, tenant, person string) ([]Request, error)
	// RequestsOpen gives those whose patient nobody looked for yet, the oldest first.
	RequestsOpen(ctx context.Context, tenant string, limit int) ([]Request, error)
	// PutRequest stores the next version; ifVersion 0 creates. Errors:
	// errs.Conflict, errs.PreconditionFailed.
	PutRequest(ctx context.Context, r Request, ifVersion int) error
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	audit.Appender
}
