package retention

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// eraseChunk is how many bodies one transaction replaces: few enough that
// nobody waits for it.
const eraseChunk = 256

// Due is what is due for erasure in a class.
type Due struct {
	Tenant string
	Class  audit.Class
	// Before is the end of what is due.
	Before time.Time
	// Erased and Held count the bodies.
	Erased, Held int64
}

// Run erases, for every tenant, the bodies that are older than their class is
// kept. One node of all should call it, once a day or so. Errors:
// errs.Unavailable; the next run goes on.
func (s *Service) Run(ctx context.Context) ([]Due, error) {
	tenants, err := s.d.Store.AuditTenants(ctx)
	if err != nil {
		return nil, err
	}
	var out []Due
	for _, t := range tenants {
		done, err := s.Erase(ctx, t, false)
		out = append(out, done...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// Erase does so for one tenant; a dry run only counts. Errors:
// errs.Unavailable.
func (s *Service) Erase(ctx context.Context, tenant string, dry bool) ([]Due, error) {
	rules, err := s.Rules(ctx, tenant)
	if err != nil {
		return nil, err
	}
	holds, err := s.d.Store.AuditHolds(ctx, tenant)
	if err != nil {
		return nil, err
	}
	keys, err := audit.OpenLogKeys(ctx, s.d.Secrets, s.d.IDs, tenant)
	if err != nil {
		return nil, err
	}
	if keys.Erased() {
		return nil, nil // with the tenant
	}
	var out []Due
	for _, r := range rules {
		if r.Days == 0 {
			continue
		}
		e := &erasing{Service: s, tenant: tenant, rule: r, holds: holds, keys: keys, dry: dry}
		e.due = Due{Tenant: tenant, Class: r.Class, Before: s.d.Clock.Now().AddDate(0, 0, -r.Days)}
		if err := e.run(ctx); err != nil {
			return out, err
		}
		if e.due.Erased+e.due.Held > 0 {
			out = append(out, e.due)
		}
	}
	return out, nil
}

// erasing is the work on one class of one tenant.
type erasing struct {
	*Service
	tenant string
	rule   Rule
	holds  []Hold
	keys   *audit.LogKeys
	dry    bool
	due    Due
	// firstHeld is the time of the oldest event that a hold keeps.
	firstHeld time.Time
	recorded  bool
}

func (e *erasing) run(ctx context.Context) error {
	after := audit.Stamp{Time: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}
	if !e.rule.Erased.IsZero() {
		after.Time = e.rule.Erased
	}
	for {
		page, err := e.d.Store.AuditStamps(ctx, e.tenant, after, e.due.Before)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(page, eraseChunk) {
			if err := e.chunk(ctx, chunk); err != nil {
				return err
			}
		}
		if len(page) < audit.MaxStamps {
			break
		}
		after = page[len(page)-1]
	}
	if e.dry || !e.recorded {
		return nil
	}
	// What was erased need not be looked at again.
	e.rule.Erased = e.due.Before
	if !e.firstHeld.IsZero() {
		e.rule.Erased = e.firstHeld.Add(-time.Microsecond)
	}
	return e.d.Store.PutAuditRetention(ctx, e.tenant, e.rule)
}

func (e *erasing) chunk(ctx context.Context, stamps []audit.Stamp) error {
	names := make([]string, len(stamps))
	for i, s := range stamps {
		names[i] = s.ID
	}
	stored, err := e.d.Store.StoredAudits(ctx, e.tenant, names)
	if err != nil {
		return err
	}
	var bodies []Erasing
	for _, s := range stored {
		if s.State != audit.Whole || audit.ClassOf(s.Event.Kind) != e.rule.Class {
			continue
		}
		if slices.ContainsFunc(e.holds, func(h Hold) bool { return h.holds(s.Event) }) {
			if e.due.Held++; e.firstHeld.IsZero() || s.Event.Time.Before(e.firstHeld) {
				e.firstHeld = s.Event.Time
			}
			continue
		}
		commitment, err := e.keys.Commitment(s.Event)
		if err != nil {
			return err
		}
		bodies = append(bodies, Erasing{ID: s.Event.ID, Commitment: commitment})
	}
	if e.dry || len(bodies) == 0 {
		e.due.Erased += int64(len(bodies))
		return nil
	}
	return e.write(ctx, bodies)
}

// write erases, behind the record that says so.
func (e *erasing) write(ctx context.Context, bodies []Erasing) error {
	var n int64
	err := e.d.Tx.InTx(ctx, func(tx Tx) (err error) {
		if !e.recorded {
			if err := tx.AppendAudit(ctx, audit.Erasure(e.tenant, e.rule.Class, e.due.Before, e.d.Clock.Now())); err != nil {
				return err
			}
		}
		n, err = tx.EraseAudits(ctx, e.tenant, bodies)
		return err
	})
	if err == nil {
		// Only what was committed counts: a try that lost a race has recorded nothing.
		e.due.Erased, e.recorded = e.due.Erased+n, true
	}
	return err
}
