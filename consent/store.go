package consent

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
)

// Store is the port of the room. Every method may return errs.Unavailable.
type Store interface {
	// ConsentByID gives the newest version. Errors: errs.NotFound.
	ConsentByID(ctx context.Context, tenant, id string) (Record, error)
	// ConsentVersion gives one version. Errors: errs.NotFound.
	ConsentVersion(ctx context.Context, tenant, id string, version int) (Record, error)
	// ConsentHistory gives all versions, newest first. Errors:
	// errs.NotFound when there is none.
	ConsentHistory(ctx context.Context, tenant, id string) ([]Record, error)
	// ConsentsOfPatient gives the newest version of each Consent of the
	// patient, of any status and kind, ordered by id.
	ConsentsOfPatient(ctx context.Context, tenant, patient string) ([]Record, error)
	// ConsentsOfActor gives the newest version of each Consent that names
	// the actor at any level, ordered by id.
	ConsentsOfActor(ctx context.Context, tenant string, actor fhir.Reference) ([]Record, error)
	// PutConsent adds rec as a new version and raises the consent epoch of
	// its patient, and of the patient of the version before it when that was
	// another, with the same statements. ifVersion is the newest version the
	// caller knows; 0 creates. rec.Version must be ifVersion+1. Errors:
	// errs.Conflict when ifVersion is 0 and the id exists;
	// errs.PreconditionFailed when the newest version is another one.
	PutConsent(ctx context.Context, rec Record, ifVersion int) error
	// ConsentEpoch gives the number of changes to the patient's Consents; 0
	// when there was none (SC-18).
	ConsentEpoch(ctx context.Context, tenant, patient string) (int64, error)
}

// Campaigns is the port of withdrawn policies. Every method may return
// errs.Unavailable.
type Campaigns interface {
	// ActiveGrants gives at most limit active privacy grants of the tenant with
	// an id after the one given, ordered by id.
	ActiveGrants(ctx context.Context, tenant, after string, limit int) ([]Record, error)
	// PolicyCampaign gives the withdrawal of a policy URI. Errors:
	// errs.NotFound when it was not withdrawn.
	PolicyCampaign(ctx context.Context, tenant, uri string) (Campaign, error)
	// PutPolicyCampaign keeps a withdrawal, in place of what was kept of it.
	PutPolicyCampaign(ctx context.Context, c Campaign) error
}

// Tx is what a use-case sees of the store inside one transaction.
type Tx interface {
	Store
	evidence.Keeper
	audit.Appender
}

// FilingTx is what filing sees: also which policies were withdrawn.
type FilingTx interface {
	Tx
	Campaigns
}
