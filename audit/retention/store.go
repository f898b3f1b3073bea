package retention

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// Rule says how long the bodies of a class are kept.
type Rule struct {
	Class audit.Class
	// Days is for how long; 0 means for ever.
	Days int
	// Erased is up to when everything was erased that may be.
	Erased time.Time
}

// Hold keeps events from being erased.
type Hold struct {
	ID string
	// Matter names the case, such as its number; no names of people.
	Matter string
	// Patient and PersonID select events; when both are empty all are held.
	Patient  string
	PersonID string
	Created  time.Time
	// Released is when the hold ended, zero while it stands.
	Released time.Time
}

// holds reports whether the hold stands and selects the event.
func (h Hold) holds(e audit.Event) bool {
	return h.Released.IsZero() && (h.Patient == "" || h.Patient == e.Patient) && (h.PersonID == "" || h.PersonID == e.PersonID)
}

// Erasing is one body to be replaced by its commitment.
type Erasing struct {
	ID         string
	Commitment audit.Hash
}

// Tx is what a change and its event are written through.
type Tx interface {
	audit.Appender
	// PutAuditRetention creates or replaces a rule.
	PutAuditRetention(ctx context.Context, tenant string, r Rule) error
	// PutAuditHold creates a hold. Errors: errs.Conflict when the id exists.
	PutAuditHold(ctx context.Context, tenant string, h Hold) error
	// ReleaseAuditHold ends a hold and reports whether it stood until now.
	ReleaseAuditHold(ctx context.Context, tenant, id string, now time.Time) (bool, error)
	// AuditRetentions gives the rules that were set.
	AuditRetentions(ctx context.Context, tenant string) ([]Rule, error)
	// AuditHolds gives all holds, oldest first.
	AuditHolds(ctx context.Context, tenant string) ([]Hold, error)
	// EraseAudits replaces bodies, each unless a hold stands that selects its
	// event, and gives how many it replaced.
	EraseAudits(ctx context.Context, tenant string, bodies []Erasing) (int64, error)
}

// Store is the port of the package. Errors of all methods: errs.Unavailable.
type Store interface {
	Tx
	audit.Reader
	AuditTenants(ctx context.Context) ([]string, error)
	AuditStamps(ctx context.Context, tenant string, after audit.Stamp, until time.Time) ([]audit.Stamp, error)
	StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error)
}
