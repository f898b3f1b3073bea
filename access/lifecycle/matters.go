package lifecycle

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/proxy"
)

// putMatter stores the next version of a matter with its event.
func (s *Service) putMatter(ctx context.Context, tx Tx, m matter.Matter, act string, a Actor) error {
	before := m.Version
	m.Version++
	if err := tx.PutMatter(ctx, m, before); err != nil {
		return err
	}
	e := a.Origin
	e.Tenant, e.Time, e.Kind, e.Outcome, e.Action = s.Tenant, s.now(), audit.MatterStep, audit.Success, "U"
	if before == 0 {
		e.Action = "C"
	}
	e.PersonID, e.Patient = a.Person.ID, m.Patient
	e.Detail = map[string]string{"matter": m.ID, "kind": string(m.Kind), "act": act, "version": strconv.Itoa(m.Version)}
	for k, v := range map[string]string{"ground": m.Ground, "outcome": string(m.Outcome), "function": m.Function} {
		if v != "" {
			e.Detail[k] = v
		}
	}
	return tx.AppendAudit(ctx, e)
}

// grounded opens the review of a denial to somebody who stands in the patient's
// shoes: there is none without a ground (TF-22, IB-01). Others need none.
func (s *Service) grounded(ground string, a Actor) then {
	return func(ctx context.Context, tx Tx, c *proxy.Case) error {
		if c.Basis != proxy.BasisRepresentative {
			return nil
		}
		if !s.Law.Known(ground, s.now()) {
			return errs.New(errs.Invalid, "matter-ground", "A denial rests on a ground that the law names.")
		}
		m := matter.Begin(matter.Review, s.Tenant, s.IDs.ID(), c.Patient, a.Person.ID, s.now(), s.answerDays(), s.Zone, c.ID)
		m.DeniedBy, m.Ground = a.Person.ID, ground
		return s.putMatter(ctx, tx, m, "open", a)
	}
}

// answerDays is within how many working days an answer is due (45 CFR 171.204(b),
// IB-05), by the law as it stands.
func (s *Service) answerDays() int { return s.Law.Days(law.ClockDenial, s.now()) }

// AskReview lets somebody who stands in the patient's shoes ask for another look at
// what is kept from them. Errors: errs.NotFound; errs.Conflict with code
// matter-running while one is open.
func (s *Service) AskReview(ctx context.Context, a Actor, id string) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := proxysCase(ctx, tx, s.Tenant, id, a)
		if err != nil {
			return err
		}
		if !Reviewable(c, c.At(s.now())) {
			return unknown()
		}
		open, err := tx.MattersOpen(ctx, s.Tenant, queueLimit)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(open, func(m matter.Matter) bool { return m.Kind == matter.Review && slices.Contains(m.Cases, c.ID) }) {
			return errs.New(errs.Conflict, "matter-running", "Somebody looks at this already.")
		}
		return s.putMatter(ctx, tx, matter.Begin(matter.Review, s.Tenant, s.IDs.ID(), c.Patient, a.Person.ID, s.now(), s.answerDays(), s.Zone, c.ID), "ask", a)
	})
}

// Reviewable reports whether a representative may ask for a review of a case.
func Reviewable(c proxy.Case, state proxy.State) bool {
	return c.Basis == proxy.BasisRepresentative && (state == proxy.StateActive || state == proxy.StateSuspended || state == proxy.StateVerified)
}

// OpenDispute opens a matter between two people who help one patient. Errors: those of
// ForStaff; errs.Invalid with code matter-other.
func (s *Service) OpenDispute(ctx context.Context, a Actor, id, other string) (matter.Matter, error) {
	var m matter.Matter
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := staffsCase(ctx, tx, s.Tenant, id, a)
		if err != nil {
			return err
		}
		o, err := staffsCase(ctx, tx, s.Tenant, other, a)
		if errs.Is(err, errs.NotFound) || err == nil && (o.Patient != c.Patient || o.ID == c.ID) {
			return errs.New(errs.Invalid, "matter-other", "Choose another person who helps the same patient.")
		}
		if err != nil {
			return err
		}
		m = matter.Begin(matter.Dispute, s.Tenant, s.IDs.ID(), c.Patient, a.Person.ID, s.now(), s.answerDays(), s.Zone, c.ID, o.ID)
		return s.putMatter(ctx, tx, m, "open", a)
	})
	return m, err
}

// CircleOf gives the other people who help the patient of a case. Errors: those of
// ForStaff.
func (s *Service) CircleOf(ctx context.Context, a Actor, id string) (of proxy.Case, others []proxy.Case, err error) {
	of, err = s.ForStaff(ctx, a, id)
	if err != nil {
		return of, nil, err
	}
	others, err = s.Read.CasesOfPatient(ctx, s.Tenant, of.Patient)
	return of, slices.DeleteFunc(others, func(c proxy.Case) bool { return c.ID == id || c.PersonID == "" || c.PersonID == a.Person.ID }), err
}

// Matters gives what staff have to decide, the earliest due first, without what is
// about the reader. Errors: errs.Forbidden, errs.Unavailable.
func (s *Service) Matters(ctx context.Context, a Actor) ([]matter.Matter, error) {
	if !Clinical(a.Person) {
		return nil, ErrNotClinical
	}
	list, err := s.Reviews.MattersOpen(ctx, s.Tenant, queueLimit)
	return slices.DeleteFunc(list, func(m matter.Matter) bool { return m.Patient == own(a.Person) || !m.Ready() }), err
}

// MatterFor gives one matter with the ways to the record that it is about. Errors:
// errs.NotFound; errs.Forbidden for what is about the reader.
func (s *Service) MatterFor(ctx context.Context, a Actor, id string) (m matter.Matter, cases []proxy.Case, err error) {
	if !Clinical(a.Person) {
		return m, nil, ErrNotClinical
	}
	m, err = s.Reviews.MatterByID(ctx, s.Tenant, id)
	if err == nil && m.Open && !m.Ready() {
		// What one of two asks for is nobody's work yet.
		err = errNoMatter()
	}
	if err != nil {
		return m, nil, err
	}
	for _, id := range m.Cases {
		c, err := s.ForStaff(ctx, a, id)
		if err != nil {
			return m, nil, err
		}
		cases = append(cases, c)
	}
	return m, cases, nil
}

// Decide ends a matter, by somebody who neither denied nor asked. Errors: those of
// MatterFor and of matter.Decide; errs.PreconditionFailed for another version.
func (s *Service) Decide(ctx context.Context, a Actor, id string, version int, o matter.Outcome, ground string) error {
	if _, _, err := s.MatterFor(ctx, a, id); err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		m, err := tx.MatterByID(ctx, s.Tenant, id)
		switch {
		case err != nil:
			return err
		case m.Version != version:
			return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
		}
		if m, err = m.Decide(o, ground, a.Person.ID, s.now(), s.Law); err != nil {
			return err
		}
		if m.Kind == matter.Joint {
			return s.decideJoint(ctx, tx, m, a)
		}
		for _, id := range m.Cases {
			c, err := tx.CaseByID(ctx, s.Tenant, id)
			if err != nil {
				return err
			}
			if err := s.tell(ctx, tx, c, "proxy.changed"); err != nil {
				return err
			}
		}
		return s.putMatter(ctx, tx, m, "decide", a)
	})
}

// warn notes what was not decided by its day; the queue shows it first and the event
// can raise an alert.
func (s *Service) warn(ctx context.Context) error {
	late, err := s.Reviews.MattersDue(ctx, s.Tenant, s.now(), tendAtOnce)
	if err != nil {
		return err
	}
	for _, m := range late {
		err := s.Tx.InTx(ctx, func(tx Tx) error {
			if !m.Ready() {
				return s.lapseJoint(ctx, tx, m)
			}
			m.Warned = true
			return s.putMatter(ctx, tx, m, "overdue", s.clock())
		})
		if err != nil && !errs.Is(err, errs.PreconditionFailed) {
			return err
		}
	}
	return nil
}
