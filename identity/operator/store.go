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
	// OSUsers gives the bindings of a tenant, by account.
	OSUsers(ctx context.Context, tenant string) ([]Binding, error)
	// BindOSUser replaces the binding of an account unless another account of
	// the tenant is that user, and reports whether it did; when not, the account
	// has none.
	BindOSUser(ctx context.Context, b Binding) (bool, error)
	// UnbindOSUser removes the binding of an account, if there is one.
	UnbindOSUser(ctx context.Context, tenant, personID string) error
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
	OSUsers(ctx context.Context, tenant string) ([]Binding, error)
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	People
	audit.Appender
}
