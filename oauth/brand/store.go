package brand

import (
	"context"

	"github.com/mandate-health/mandate/audit"
)

// Store is the port of the package.
type Store interface {
	// BrandBundle gives what a tenant publishes. Errors: errs.NotFound.
	BrandBundle(ctx context.Context, tenant string) (Bundle, error)
	// PutBrandBundle publishes b in place of the version ifVersion, 0 for none.
	// Errors: errs.PreconditionFailed when another one is published.
	PutBrandBundle(ctx context.Context, b Bundle, ifVersion int) error
	// DeleteBrandBundle withdraws the version. Errors: errs.PreconditionFailed.
	DeleteBrandBundle(ctx context.Context, tenant string, version int) error
}

// Tx is what a change needs in one transaction.
type Tx interface {
	Store
	AppendAudit(ctx context.Context, e audit.Event) error
}
