package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/proxy"
)

// Attest notes that one member of staff has seen an instrument, and what it says
// (LC-05).
func (s *Service) Attest(ctx context.Context, a Actor, id string, in proxy.Authority) (proxy.Case, error) {
	seen, err := s.lookedAt(ctx, a, id)
	if err != nil {
		return proxy.Case{}, err
	}
	return s.step(ctx, id, a, staffsCase, func(c proxy.Case) (proxy.Case, error) {
		attest := func() (proxy.Case, error) { return c.Attest(in, s.signed(a)) }
		if in.Kind == proxy.Parent {
			attest = func() (proxy.Case, error) { return s.attestParent(ctx, c, in, a) }
		}
		out, err := attest()
		return out.LookedAt(seen), err
	}, func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.wake(ctx, tx, c, a) })
}

// Verify is the second pair of eyes, with what it saw of the checklist: whoever put
// the instrument in is refused (SP-04). Errors: of proxy.Verify.
func (s *Service) Verify(ctx context.Context, a Actor, id string, seen []string, review time.Time) (proxy.Case, error) {
	files, err := s.lookedAt(ctx, a, id)
	if err != nil {
		return proxy.Case{}, err
	}
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			out, err := c.Verify(seen, review, s.signed(a))
			return out.LookedAt(files), err
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.doze(ctx, tx, c, a) })
}

// representativeTerms are everything: a representative stands in the patient's
// shoes, within what the instrument and the law leave (A.1).
func representativeTerms(until time.Time) proxy.Terms {
	return proxy.Terms{
		Functions: []string{"download", "message", "schedule", "refill", "sign-forms"},
		Kinds:     []string{"medicines", "allergies", "results", "conditions", "visits", "plans", "notes"}, Until: until,
	}
}

// Activate begins the access of a representative whose authority is in effect
// from its verification on (FX-27), until the review or the court date. An alternate
// begins only when unavailable says that whoever is named before cannot act (FX-29).
// Errors: errs.Forbidden with the code of what is missing, and with code
// proxy-primary-active.
func (s *Service) Activate(ctx context.Context, a Actor, id string, unavailable bool) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return s.activate(s.instead(c, unavailable, a), a) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.enter(ctx, tx, c, a); err != nil {
				return err
			}
			return s.yield(ctx, tx, *c, a)
		})
}

// instead notes what a member of staff says about whoever is named before.
func (s *Service) instead(c proxy.Case, unavailable bool, a Actor) proxy.Case {
	if !unavailable {
		return c
	}
	return c.Instead(s.signed(a))
}

// enter opens the access of a representative, in the order of agents.
func (s *Service) enter(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if err := s.fits(ctx, tx, c); err != nil {
		return err
	}
	if err := s.open(ctx, tx, c, a, "proxy.granted"); err != nil {
		return err
	}
	return s.inOrder(ctx, tx, *c, a)
}

func (s *Service) activate(c proxy.Case, a Actor) (proxy.Case, error) {
	if c.Basis != proxy.BasisRepresentative {
		return c, errs.New(errs.Forbidden, "proxy-by-patient", "The patient decides about this access.")
	}
	return c.Confirm(representativeTerms(s.until(c)), s.now(), s.signed(a))
}

// until gives the end of an access that stands on an instrument: the review, the
// court date or the birthday, and twelve months at most.
func (s *Service) until(c proxy.Case) time.Time {
	until := c.Authority.Reviews
	if until.IsZero() || !c.Authority.Ends.IsZero() && c.Authority.Ends.Before(until) {
		until = c.Authority.Ends
	}
	if until.IsZero() {
		until = s.now().AddDate(0, proxy.LongestMonths, 0)
	}
	if adult := c.Ward.Adult; !adult.IsZero() && adult.Before(until) {
		until = adult.Add(-time.Second)
	}
	return until
}

// Determine notes that a clinician finds that the patient cannot decide (LC-13).
// The second one begins the access of the agent, until the day of the review.
// Errors: errs.Forbidden with code proxy-same-reviewer, and those of Activate;
// errs.Invalid with code proxy-review for a review later than the law's clock allows.
func (s *Service) Determine(ctx context.Context, a Actor, id string, review time.Time, unavailable bool) (proxy.Case, error) {
	began := false
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if !review.After(s.now()) || review.After(s.now().AddDate(0, 0, s.longestReview()+1)) {
				return c, errs.New(errs.Invalid, "proxy-review", "The review must come within 90 days.")
			}
			out, ready, err := s.instead(c, unavailable, a).Determine(s.signed(a))
			if err != nil {
				return c, err
			}
			if out.Authority.Reviews.IsZero() || review.Before(out.Authority.Reviews) || len(c.Determined) == 0 {
				out.Authority.Reviews = review
			}
			if began = ready; ready {
				return s.activate(out, a)
			}
			return out, nil
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if !began {
				return nil
			}
			return s.enter(ctx, tx, c, a)
		})
}

// longestReview is the longest time in days until a determination is looked at
// again.
func (s *Service) longestReview() int { return s.Law.Days(law.ClockCapacity, s.now()) }

// Restore takes the access of an agent back to sleep because a clinician finds
// that the patient can decide again (LC-15); the patient's own settings hold.
func (s *Service) Restore(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Restore(s.signed(a), "capacity-restored") },
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.asleep(ctx, tx, c, a) })
}

// Hold is Worry by a member of staff (LC-12): the proxy sees that the access rests,
// and not why. Release lets it go on. With somebody who stands in the patient's
// shoes it is a denial: it needs a ground and opens a review.
func (s *Service) Hold(ctx context.Context, a Actor, id, ground string) (proxy.Case, error) {
	return s.held(ctx, a, id, staffsCase, s.grounded(ground, a))
}

func (s *Service) held(ctx context.Context, a Actor, id string, f find, more ...then) (proxy.Case, error) {
	// Read before the transaction: a request never holds two connections.
	officers, err := s.watchers(ctx)
	if err != nil {
		return proxy.Case{}, err
	}
	return s.step(ctx, id, a, f,
		func(c proxy.Case) (proxy.Case, error) { return c.Pause(s.signed(a), proxy.SafetyHold) },
		append([]then{func(ctx context.Context, tx Tx, c *proxy.Case) error {
			err := s.shut(ctx, tx, c, a)
			for _, person := range officers {
				if err == nil && person != c.PersonID {
					err = s.tellAccount(ctx, tx, person, "proxy.worry")
				}
			}
			return err
		}}, more...)...)
}

// Release lets an access go on that staff, a court's order or a merge of records
// had put to rest (LC-12, LC-18, LC-27). After a merge it is as it was before: what
// the patient had paused stays paused.
func (s *Service) Release(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			byStaff := c.Why() == proxy.CustodianChanged && c.Basis == proxy.BasisRepresentative
			if !byStaff && !in(c.Why(), []string{proxy.SafetyHold, proxy.GuardianAppointed, proxy.PatientMerged}) {
				return c, errs.New(errs.Forbidden, "proxy-by-patient", "The patient has paused this access.")
			}
			return c.Resume(s.signed(a))
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			switch c.At(s.now()) {
			case proxy.StateSuspended:
				// Before the merge it rested for another reason, and does again.
				return nil
			case proxy.StateBereaved:
				return s.open(ctx, tx, c, a, "proxy.bereaved")
			}
			if err := s.fits(ctx, tx, c); err != nil {
				return err
			}
			if err := s.open(ctx, tx, c, a, "proxy.changed"); err != nil {
				return err
			}
			return s.inOrder(ctx, tx, *c, a)
		})
}

// Part ends an access because the relationship has ended (LC-19, SP-14).
func (s *Service) Part(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Part(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil {
				return err
			}
			return s.tellPatient(ctx, tx, *c, "proxy.ended")
		})
}
