package appstate

import (
	"context"

	"github.com/mandate-health/mandate/audit"
)

// Store is the port of the package.
type Store interface {
	// AppState gives one state. Errors: errs.NotFound.
	AppState(ctx context.Context, tenant, id string) (State, error)
	// AppStates gives the states of one code about one subject, "" for those
	// about nobody, by id.
	AppStates(ctx context.Context, tenant, code, subject string) ([]State, error)
	// PutAppState stores s in place of the version ifVersion, 0 for none. Errors:
	// errs.PreconditionFailed.
	PutAppState(ctx context.Context, s State, ifVersion int) error
	// DeleteAppState deletes a version. Errors: errs.PreconditionFailed.
	DeleteAppState(ctx context.Context, tenant, id string, version int) error
}

// Tx is what a change needs in one transaction.
type Tx interface {
	Store
	AppendAudit(ctx context.Context, e audit.Event) error
}
