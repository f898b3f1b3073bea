package registration

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth"
)

// Store is the registry as this package needs it; oauth.ClientStore is one.
type Store interface {
	// ClientByID gives a client, disabled, deleted or not. Errors: errs.NotFound.
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	// Clients gives all clients of the tenant, by id, deleted ones included.
	Clients(ctx context.Context, tenant string) ([]oauth.Client, error)
	// PutClient creates or replaces a client; its epoch never goes back.
	PutClient(ctx context.Context, c oauth.Client) error
}

// Tx is what an act on the registry needs inside its one transaction.
type Tx interface {
	Store
	// RenewSecret replaces one registered form of a secret by another of the same
	// secret if it is still registered, and reports whether this call did so.
	RenewSecret(ctx context.Context, tenant, id, was, fresh string) (bool, error)
	// UseAssertion remembers what was used once, until expires. Errors:
	// errs.Conflict when it was used before.
	UseAssertion(ctx context.Context, tenant, issuer, jti string, expires time.Time) error
	audit.Appender
}
