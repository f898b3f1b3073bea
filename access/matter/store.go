package matter

import (
	"context"
	"time"
)

// Store is the port of the package.
type Store interface {
	// MatterByID gives one. Errors: errs.NotFound.
	MatterByID(ctx context.Context, tenant, id string) (Matter, error)
	// MattersOpen gives those to decide, the earliest due first.
	MattersOpen(ctx context.Context, tenant string, limit int) ([]Matter, error)
	// MattersOf gives those about a patient that are open, the earliest due first.
	MattersOf(ctx context.Context, tenant, patient string) ([]Matter, error)
	// MattersDue gives those to decide whose day has passed and of which nobody was
	// warned.
	MattersDue(ctx context.Context, tenant string, now time.Time, limit int) ([]Matter, error)
	// PutMatter stores the next version; ifVersion 0 creates. Errors: errs.Conflict,
	// errs.PreconditionFailed.
	PutMatter(ctx context.Context, m Matter, ifVersion int) error
}
