package lifecycle

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// doze files the Consent of a dormant instrument as proposed (FX-26, FX-29): whoever
// reads it sees who would act and in which order, and no engine takes it for a
// permission.
func (s *Service) doze(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if !c.Dormant() {
		return nil
	}
	c.Law, c.Topics = s.Law.Version, s.topics(*c, proxy.ActConfirm)
	asleep := *c
	asleep.Terms = representativeTerms(s.until(*c))
	d := s.designation(asleep, asleep.Granted(), s.now())
	d.Status = "proposed"
	return s.fileAs(ctx, tx, *c, &c.ConsentID, d, a)
}

// wake withdraws the Consent of an instrument that slept and is put in anew.
func (s *Service) wake(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.ConsentID == "" {
		return nil
	}
	err := s.withdraw(ctx, tx, c.ConsentID, a)
	c.ConsentID = ""
	return err
}

// inOrder keeps the order of agents (FX-29): an alternate has access only while
// nobody named before has, and steps back when one does. It runs behind open, which
// has locked the patient's consent epoch, so that of two who begin at once the later
// sees the earlier. Errors: errs.Forbidden with code proxy-primary-active.
func (s *Service) inOrder(ctx context.Context, tx Tx, c proxy.Case, a Actor) error {
	if !c.Authority.Agent() {
		return nil
	}
	all, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.NamedBefore(c) && in(o.At(s.now()), []proxy.State{proxy.StateConfirmed, proxy.StateActive}) {
			return errs.New(errs.Forbidden, "proxy-primary-active", "Somebody who is named before has access now.")
		}
	}
	return s.others(ctx, tx, c, a, func(o *proxy.Case) error {
		if !c.NamedBefore(*o) {
			return nil
		}
		next, err := o.StepBack(s.signed(a))
		if err != nil {
			return err
		}
		*o = next
		return s.asleep(ctx, tx, o, a)
	}, proxy.StateActive, proxy.StateConfirmed)
}

// asleep closes what a dormant instrument opened, and tells both.
func (s *Service) asleep(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if err := s.sever(ctx, tx, c, a); err != nil {
		return err
	}
	if err := s.doze(ctx, tx, c, a); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, *c, "proxy.changed"); err != nil {
		return err
	}
	return s.tellPatient(ctx, tx, *c, "proxy.changed")
}
