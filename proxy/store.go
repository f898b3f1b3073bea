package proxy

import (
	"context"

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
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	audit.Appender
}
