package operator

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
)

// Store is the port of the room.
type Store interface {
	// Operators gives the assignments of a tenant, by account and role.
	Operators(ctx context.Context, tenant string) ([]Assignment, error)
	// AssignOperator stores an assignment unless the account holds a role of
	// the same slot already, and reports whether it did.
	AssignOperator(ctx context.Context, a Assignment) (bool, error)
	// RevokeOperator removes an assignment. Errors: errs.NotFound.
	RevokeOperator(ctx context.Context, tenant, personID string, role Role) error
}

// People finds accounts; identity.Store does.
type People interface {
	PersonByID(ctx context.Context, tenant, id string) (identity.Person, error)
	PersonByUsername(ctx context.Context, tenant, username string) (identity.Person, error)
}

// Reader is enough to ask who holds a role, without recording it.
type Reader interface {
	People
	Operators(ctx context.Context, tenant string) ([]Assignment, error)
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	People
	audit.Appender
}
