package retention

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
)

// SixYears is the least that HIPAA asks for, in days (45 CFR 164.316(b)(2)(i),
// 164.528).
const SixYears = 6*365 + 2

// reasonRule is the reason of the event by which a rule changes.
const reasonRule = "audit-retention"

// Deps is what a Service works with.
type Deps struct {
	Store   Store
	Tx      txn.Runner[Tx]
	Secrets audit.Secrets
	Clock   clock.Clock
	IDs     ids.Source
}

// Service keeps the rules, holds and erasures of all tenants. It is safe for
// concurrent use.
type Service struct{ d Deps }

// New gives a Service.
func New(d Deps) *Service { return &Service{d: d} }

// Classes lists the classes that retention knows.
func Classes() []audit.Class {
	return []audit.Class{audit.ClassAccess, audit.ClassSecurity, audit.ClassAdministration}
}

// Rules gives a rule for each class: six years unless another was set.
// Errors: errs.Unavailable.
func (s *Service) Rules(ctx context.Context, tenant string) ([]Rule, error) {
	set, err := s.d.Store.AuditRetentions(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var out []Rule
	for _, c := range Classes() {
		r := Rule{Class: c, Days: SixYears}
		if i := slices.IndexFunc(set, func(r Rule) bool { return r.Class == c }); i >= 0 {
			r = set[i]
		}
		out = append(out, r)
	}
	return out, nil
}

// Set changes how long a class is kept, 0 for ever. Less than six years needs
// below: somebody who answers for it. Errors: errs.Invalid with code
// retention-class or retention-too-short; errs.Unavailable.
func (s *Service) Set(ctx context.Context, tenant string, r Rule, below bool) error {
	if !slices.Contains(Classes(), r.Class) {
		return errs.New(errs.Invalid, "retention-class", "The class is not one of access, security and administration.")
	}
	if r.Days < 0 || r.Days != 0 && r.Days < SixYears && !below {
		return errs.New(errs.Invalid, "retention-too-short",
			"Audit events are kept for six years at least (45 CFR 164.316(b)(2)), unless --below-six-years says that another law governs.")
	}
	now := s.d.Clock.Now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.PutAuditRetention(ctx, tenant, r); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.Event{Tenant: tenant, Time: now, Kind: audit.ConfigurationLoaded, Action: "U",
			Outcome: audit.Success, Reason: reasonRule, Detail: map[string]string{"class": string(r.Class), "days": strconv.Itoa(r.Days)}})
	})
}

// Holds gives all holds, oldest first. Errors: errs.Unavailable.
func (s *Service) Holds(ctx context.Context, tenant string) ([]Hold, error) {
	return s.d.Store.AuditHolds(ctx, tenant)
}

// AddHold begins a hold and gives it with its id. Errors: errs.Invalid with
// code hold-matter without a matter; errs.Unavailable.
func (s *Service) AddHold(ctx context.Context, tenant string, h Hold) (Hold, error) {
	if h.Matter == "" {
		return h, errs.New(errs.Invalid, "hold-matter", "A hold names the matter that it is for, such as a case number.")
	}
	h.ID, h.Created, h.Released = s.d.IDs.ID(), s.d.Clock.Now(), time.Time{}
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.PutAuditHold(ctx, tenant, h); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, h.event(tenant, audit.AuditHeld, h.Created))
	})
	return h, err
}

// Release ends a hold. What it kept is erased when its class is looked at
// next. Errors: errs.NotFound with code hold-not-found; errs.Unavailable.
func (s *Service) Release(ctx context.Context, tenant, id string) error {
	now := s.d.Clock.Now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		stood, err := tx.ReleaseAuditHold(ctx, tenant, id, now)
		if err != nil {
			return err
		}
		if !stood {
			return errs.New(errs.NotFound, "hold-not-found", "There is no hold of that id that still stands.")
		}
		rules, err := tx.AuditRetentions(ctx, tenant)
		if err != nil {
			return err
		}
		for _, r := range rules {
			r.Erased = time.Time{}
			if err := tx.PutAuditRetention(ctx, tenant, r); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, Hold{ID: id}.event(tenant, audit.AuditReleased, now))
	})
}

func (h Hold) event(tenant string, kind audit.Kind, now time.Time) audit.Event {
	detail := map[string]string{"hold": h.ID}
	for name, value := range map[string]string{"matter": h.Matter, "held_person": h.PersonID} {
		if value != "" {
			detail[name] = value
		}
	}
	return audit.Event{Tenant: tenant, Time: now, Kind: kind, Action: "E", Outcome: audit.Success, Patient: h.Patient, Detail: detail}
}
