package lifecycle

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Died notes that a patient has died. The first member of staff reports it, a
// second one makes it so (LC-23): then those who helped can read what there was, for
// some days, and every other access to the record rests. Errors: errs.Forbidden with code proxy-same-reviewer
// for the same person twice.
func (s *Service) Died(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	first := true
	out, err := s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if first = c.Died.Zero(); first {
				return c.Report(s.signed(a))
			}
			if c.Died.By == a.Person.ID {
				return c, errs.New(errs.Forbidden, "proxy-same-reviewer", "Another member of staff must say so too.")
			}
			return c.Mourn(s.Bereavement, s.signed(a))
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if first {
				return nil
			}
			if err := s.rest(ctx, tx, c, a); err != nil {
				return err
			}
			return s.others(ctx, tx, *c, a, func(o *proxy.Case) error {
				next, err := o.Mourn(s.Bereavement, s.signed(a))
				if err != nil {
					return err
				}
				*o = next
				return s.rest(ctx, tx, o, a)
			}, proxy.StateActive, proxy.StateConfirmed)
		})
	return out, err
}

// rest narrows or closes an access after a death.
func (s *Service) rest(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.State == proxy.StateBereaved {
		rested := c.ConsentID
		if err := s.refile(ctx, tx, c, a); err != nil {
			return err
		}
		c.Rested = rested
		return s.tell(ctx, tx, *c, "proxy.bereaved")
	}
	if err := s.sever(ctx, tx, c, a); err != nil {
		return err
	}
	if err := s.signOut(ctx, tx, c.PersonID); err != nil {
		return err
	}
	return s.tell(ctx, tx, *c, "proxy.changed")
}

// Revived takes a death back that was noted in error (LC-24): the Consents of
// before are in force again. Apps must be let in anew.
func (s *Service) Revived(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Revive(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.restore(ctx, tx, c, a); err != nil {
				return err
			}
			return s.others(ctx, tx, *c, a, func(o *proxy.Case) error {
				if o.Authority.Kind == "EXCEST" && !o.At(s.now()).Over() {
					return s.neverHeir(ctx, tx, o, a)
				}
				if !o.Revivable(s.now()) {
					return nil
				}
				next, err := o.Revive(s.signed(a))
				if err != nil {
					return err
				}
				*o = next
				return s.restore(ctx, tx, o, a)
			}, proxy.StateSuspended, proxy.StateBereaved, proxy.StateConfirmed, proxy.StateActive, proxy.StateExpired)
		})
}

// restore puts the Consent of before in force again and asks for a new log-in. An
// access whose days are over stays so.
func (s *Service) restore(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.State == proxy.StateExpired {
		return nil
	}
	origin := a.Origin
	origin.PersonID = a.Person.ID
	if c.ConsentID != "" {
		if err := s.withdraw(ctx, tx, c.ConsentID, a); err != nil {
			return err
		}
		c.ConsentID = ""
	}
	if _, err := tx.EndAccess(ctx, s.Tenant, c.PersonID, c.Patient, "proxy-revive", s.now()); err != nil {
		return err
	}
	if err := s.signOut(ctx, tx, c.PersonID); err != nil {
		return err
	}
	if c.Ward.Adult.IsZero() && !c.MergedInDeath() {
		if _, err := s.Consents.RestoreTx(ctx, tx, s.Tenant, c.Rested, origin); err != nil {
			return err
		}
		c.ConsentID = c.Rested
	} else if err := s.file(ctx, tx, c, a); err != nil {
		// A parent's is two Consents, by the birthday; of records that became one none of
		// before says what both gave.
		return err
	}
	c.Rested = ""
	if err := s.relate(ctx, tx, c, a, true); err != nil {
		return err
	}
	return s.tell(ctx, tx, *c, "proxy.changed")
}

// others does the same to the other cases of the patient that are in one of the
// states.
func (s *Service) others(ctx context.Context, tx Tx, c proxy.Case, a Actor, do func(*proxy.Case) error, states ...proxy.State) error {
	all, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.ID == c.ID || !in(o.At(s.now()), states) {
			continue
		}
		steps := len(o.Steps)
		if err := do(&o); err != nil {
			return err
		}
		if len(o.Steps) == steps {
			continue
		}
		if err := s.put(ctx, tx, &o, a); err != nil {
			return err
		}
	}
	return nil
}

func in[T comparable](s T, all []T) bool {
	for _, x := range all {
		if s == x {
			return true
		}
	}
	return false
}

// signOut ends the sessions of an account.
func (s *Service) signOut(ctx context.Context, tx Tx, person string) error {
	live, err := tx.SessionsOfPerson(ctx, s.Tenant, person, s.now())
	if err != nil {
		return err
	}
	for _, one := range live {
		if err := tx.EndSession(ctx, s.Tenant, one.Hash, s.now()); err != nil {
			return err
		}
	}
	return nil
}

// Compromised ends the sessions and the apps of a proxy's account for all
// patients, and tells each of them (LC-29); what they agreed to stays.
func (s *Service) Compromised(ctx context.Context, a Actor, id string) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := staffsCase(ctx, tx, s.Tenant, id, a)
		if err != nil {
			return err
		}
		if c.PersonID == "" {
			return errs.New(errs.Conflict, "proxy-step", "There is no account yet.")
		}
		if err := s.signOut(ctx, tx, c.PersonID); err != nil {
			return err
		}
		if _, err := tx.EndAccess(ctx, s.Tenant, c.PersonID, "", "account-compromised", s.now()); err != nil {
			return err
		}
		all, err := tx.CasesOfPerson(ctx, s.Tenant, c.PersonID)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.At(s.now()).Over() {
				continue
			}
			if err := s.tellPatient(ctx, tx, o, "proxy.compromised"); err != nil {
				return err
			}
		}
		e := a.Origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.Tenant, s.now(), audit.ProxyStep, "E", audit.Success
		e.PersonID, e.Patient = a.Person.ID, c.Patient
		e.Detail = map[string]string{"case": c.ID, "act": "compromised", "account": c.PersonID}
		return tx.AppendAudit(ctx, e)
	})
}

// neverHeir ends the access of an executor whose patient lives: it was in error.
func (s *Service) neverHeir(ctx context.Context, tx Tx, o *proxy.Case, a Actor) error {
	next, err := o.Void(s.signed(a))
	if err != nil {
		return err
	}
	*o = next
	return s.voided(ctx, tx, o, a)
}

// Void ends an access that should never have been, and marks its Consent as
// entered in error (LC-30).
func (s *Service) Void(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Void(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.voided(ctx, tx, c, a) })
}

// voided marks the Consent of a case as entered in error.
func (s *Service) voided(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	filed := c.ConsentID
	if filed == "" {
		filed = c.Rested
	}
	if err := s.sever(ctx, tx, c, a); err != nil {
		return err
	}
	if filed == "" {
		return nil
	}
	origin := a.Origin
	origin.PersonID = a.Person.ID
	_, err := s.Consents.VoidTx(ctx, tx, s.Tenant, filed, origin)
	return err
}
