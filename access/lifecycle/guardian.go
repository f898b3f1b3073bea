package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// yield lets the agents of the patient rest when a guardian begins whose order says
// so (LC-18).
func (s *Service) yield(ctx context.Context, tx Tx, c proxy.Case, a Actor) error {
	if c.Authority.Kind != proxy.Guardian || !c.Authority.Suspends {
		return nil
	}
	return s.others(ctx, tx, c, a, func(o *proxy.Case) error {
		if o.Basis != proxy.BasisRepresentative || o.Authority.Kind == proxy.Guardian {
			return nil
		}
		next, err := o.Yield(s.signed(a))
		if err != nil {
			return err
		}
		*o = next
		if err := s.shut(ctx, tx, o, a); err != nil {
			return err
		}
		return s.tell(ctx, tx, *o, "proxy.changed")
	}, proxy.StateActive, proxy.StateConfirmed)
}

// Review looks at the access of a representative again, and gives it a later day
// without a gap (LC-14); of a springing one two clinicians must, for 90 days at
// most. Errors: of proxy.Review; errs.Invalid with code proxy-review.
func (s *Service) Review(ctx context.Context, a Actor, id string, until time.Time) (proxy.Case, error) {
	done := false
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (out proxy.Case, err error) {
			latest := s.now().AddDate(0, proxy.LongestMonths, 1)
			if c.Authority.Trigger == proxy.TriggerCapacity {
				latest = s.now().AddDate(0, 0, s.longestReview()+1)
			}
			if !until.After(s.now()) || until.After(latest) {
				return c, errs.New(errs.Invalid, "proxy-review", "The review must come within 90 days.")
			}
			out, done, err = c.Review(until, s.signed(a))
			return out, err
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if !done {
				return nil
			}
			return s.open(ctx, tx, c, a, "proxy.changed")
		})
}

// Dispute notes that the agent and the patient do not agree (LC-17): what was open
// to read stays, nothing can be changed until staff settle it. The caller is the
// patient, the agent or a member of staff.
func (s *Service) Dispute(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, oneOfThem,
		func(c proxy.Case) (proxy.Case, error) { return c.Dispute(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.changed") })
}

// Settle ends a dispute: what the agent could do holds again.
func (s *Service) Settle(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Settle(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.changed") })
}

// oneOfThem gives a case to the patient, the proxy, or a member of staff.
func oneOfThem(ctx context.Context, tx proxy.Cases, tenant, id string, a Actor) (proxy.Case, error) {
	for _, f := range []find{patientsCase, proxysCase} {
		if c, err := f(ctx, tx, tenant, id, a); err == nil || !errs.Is(err, errs.NotFound) {
			return c, err
		}
	}
	if !Clinical(a.Person) {
		return proxy.Case{}, unknown()
	}
	return staffsCase(ctx, tx, tenant, id, a)
}

// Vouch is proofing by a trusted referee and another member of staff (LC-02).
// Errors: of proxy.Vouch.
func (s *Service) Vouch(ctx context.Context, a Actor, id, reason string) (proxy.Case, error) {
	done := false
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (out proxy.Case, err error) {
			out, done, err = c.Vouch(reason, s.signed(a))
			return out, err
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if !done {
				return nil
			}
			return s.proofed(ctx, tx, *c, a)
		})
}
