package alert

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// Beat is when a node was last heard of.
type Beat struct {
	Node string
	// At is the time by the node's own clock.
	At time.Time
	// Ago is how long ago it was, by the database's clock.
	Ago time.Duration
	// Skew is by how much the node's clock was ahead of the database's.
	Skew time.Duration
}

// Beats keeps the heartbeats of nodes. Errors of all methods:
// errs.Unavailable.
type Beats interface {
	// Beat says that a node lives and what its clock shows.
	Beat(ctx context.Context, node string, now time.Time) error
	// Beats gives the last heartbeat of each node.
	Beats(ctx context.Context) ([]Beat, error)
	// Leave forgets a node that ends.
	Leave(ctx context.Context, node string) error
}

// Store is the port of the package.
type Store interface {
	Beats
	audit.Appender
	audit.Reader
}
