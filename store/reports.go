package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// MaxStaleness is how far a replica may be behind before reports are read from
// the primary all the same.
const MaxStaleness = 5 * time.Minute

// Reports answers long reports of what lies in the past, from a read replica
// where there is one that is fit for it, and from the store otherwise. Nothing
// that decides about access may be read here.
type Reports struct {
	primary *Store
	// replica is nil where there is none.
	replica *Store
	clock   clock.Clock
}

// NewReports reads from the replica, which may be nil, and falls back to the
// primary.
func NewReports(primary *Store, replica Engine) *Reports {
	r := &Reports{primary: primary, clock: primary.clock}
	if replica != nil {
		r.replica = New(replica, Options{Sealer: primary.sealer, IDs: primary.ids, Clock: primary.clock})
	}
	return r
}

// Close closes the replica's engine, not the primary's.
func (r *Reports) Close() error {
	if r.replica == nil {
		return nil
	}
	return r.replica.Close()
}

// AsOf gives a time such that reports read from now on have everything that
// was committed before it. Errors: errs.Unavailable.
func (r *Reports) AsOf(ctx context.Context) (time.Time, error) {
	_, at, err := r.source(ctx)
	return at, err
}

// source chooses the store to read, and says what it has.
func (r *Reports) source(ctx context.Context) (*Store, time.Time, error) {
	now, err := r.primary.Now(ctx)
	if errs.Is(err, errs.Unavailable) && r.replica != nil {
		// Reports still work while the primary is away.
		now, err = r.clock.Now(), nil
	}
	if err != nil || r.replica == nil {
		return r.primary, now, err
	}
	us, err := one(ctx, r.replica.ports, "time", scanInt, r.replica.engine.Dialect().AsOf)
	if at := fromMicros(us); err == nil && now.Sub(at) <= MaxStaleness {
		return r.replica, at, nil
	}
	return r.primary, now, nil
}

// Audits implements audit.Reader.
func (r *Reports) Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	l, _, err := r.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	return l.Audits(ctx, f)
}

// StoredAudits gives the events that have the ids; those which the replica does
// not have yet come from the primary.
func (r *Reports) StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error) {
	l, _, err := r.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	found, err := l.StoredAudits(ctx, tenant, ids)
	if err == nil && len(found) < len(ids) && l.from != r.primary {
		return r.primary.StoredAudits(ctx, tenant, ids)
	}
	return found, err
}

// Ledger gives the audit log to read at length, and up to when it is complete.
// Errors: errs.Unavailable.
func (r *Reports) Ledger(ctx context.Context) (*ReportLedger, time.Time, error) {
	from, at, err := r.source(ctx)
	if err != nil {
		return nil, at, err
	}
	return &ReportLedger{from: from, primary: r.primary}, at, nil
}
