package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Confirm is the patient's consent to the terms (LC-03). It begins after the wait
// in which it can be undone, at once when it is urgent. Errors: of proxy.Confirm;
// errs.NotFound.
func (s *Service) Confirm(ctx context.Context, a Actor, id string, t proxy.Terms, urgent bool) (proxy.Case, error) {
	starts := s.now()
	if !urgent {
		starts = starts.Add(proxy.Wait)
	}
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if c.Basis != proxy.BasisDesignated {
				return c, errs.New(errs.Forbidden, "proxy-by-staff", "Staff begin this access.")
			}
			return c.Confirm(t, starts, s.signed(a))
		},
		s.fits, func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.granted") })
}

// open files the Consent of the terms and puts the relation in force, or keeps it
// so, and tells both.
func (s *Service) open(ctx context.Context, tx Tx, c *proxy.Case, a Actor, template string) error {
	if err := s.refile(ctx, tx, c, a); err != nil {
		return err
	}
	rp, err := tx.RelatedPersonByID(ctx, s.Tenant, c.RelationID)
	if err != nil {
		return err
	}
	if !rp.Active {
		if err := s.relate(ctx, tx, c, a, true); err != nil {
			return err
		}
	}
	if err := s.tell(ctx, tx, *c, template); err != nil {
		return err
	}
	return s.tellPatient(ctx, tx, *c, template)
}

// refile files what the case says now, and ends what it said before.
func (s *Service) refile(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	before := []string{c.ConsentID, c.Next}
	c.ConsentID, c.Next = "", ""
	if err := s.file(ctx, tx, c, a); err != nil {
		return err
	}
	for _, id := range before {
		if id == "" {
			continue
		}
		if err := s.withdraw(ctx, tx, id, a); err != nil {
			return err
		}
	}
	return nil
}

// file stores the FHIR Consent that says what the case says. A parent's ends when the
// child decides about a topic or becomes a teenager, and the one that follows begins
// there by its own date (LC-20).
func (s *Service) file(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	last := c.Steps[len(c.Steps)-1]
	from := c.Starts
	if last.At.After(from) {
		from = last.At
	}
	c.Law, c.Topics = s.Law.Version, s.topics(*c, last.Act)
	if err := s.fileAs(ctx, tx, *c, &c.ConsentID, s.stage(*c, from), a); err != nil {
		return err
	}
	return s.fileNext(ctx, tx, c, from, a)
}

// fileNext stores the Consent that follows the one that holds at a time, if the law
// has the access change by then.
func (s *Service) fileNext(ctx context.Context, tx Tx, c *proxy.Case, from time.Time, a Actor) error {
	c.Next, c.Turns = "", time.Time{}
	turn := c.Ward.Turn(from)
	if c.Ward.Band(from) != proxy.BandChild || !turn.Before(c.Terms.Until) {
		return nil
	}
	c.Turns = turn
	return s.fileAs(ctx, tx, *c, &c.Next, s.stage(*c, turn), a)
}

// stage gives the Consent of a case from a time on, until the law has it change.
func (s *Service) stage(c proxy.Case, from time.Time) consent.Designation {
	t := c.Granted()
	if c.Ward.Band(from) == proxy.BandTeen && c.Cosigned.Zero() && c.Confirmed.Zero() {
		t = proxy.TeenTerms(t.Until)
	}
	d := s.designation(c, t, from)
	if turn := c.Ward.Turn(from); c.Ward.Band(from) == proxy.BandChild && turn.Before(d.Until) {
		d.Until = turn.Add(-time.Second)
	}
	return d
}

// designation gives the Consent of a case under terms.
func (s *Service) designation(c proxy.Case, t proxy.Terms, from time.Time) consent.Designation {
	actor := fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}
	d := consent.Designation{
		Patient: c.Patient, Actor: actor, Performer: fhir.Reference{Type: "Patient", ID: c.Patient}, Organization: s.Organization,
		Functions: t.Functions, Kinds: t.Kinds, Purpose: purpose(c), Role: c.Authority.Kind, Place: c.Authority.Place,
		At: s.now(), From: from, Until: t.Until, DataUntil: t.DataUntil, Status: "active",
		Restricted: c.Basis == proxy.BasisRepresentative, Powers: c.PowersAt(from), Topics: c.Topics,
	}
	teen := c.Ward.Band(from) == proxy.BandTeen
	switch {
	case teen && c.Confirmed.Zero():
		d.Performer, d.Restricted, d.Powers = actor, false, nil
	case teen:
		d.Restricted, d.Powers, d.Signatures = false, nil, 2
		if d.Status = "proposed"; !c.Cosigned.Zero() {
			d.Status, d.Cosigner = "active", actor
		}
	case d.Restricted:
		d.Performer = actor
	}
	return d
}

// fileAs stores one Consent and notes its id.
func (s *Service) fileAs(ctx context.Context, tx Tx, c proxy.Case, id *string, d consent.Designation, a Actor) error {
	d.Source = a.Agreed.reference()
	raw, err := d.JSON()
	if err != nil {
		return err
	}
	origin := a.Origin
	origin.PersonID = a.Person.ID
	*id = s.IDs.ID()
	rec, err := s.Consents.FileTx(ctx, tx, consent.Filing{Tenant: s.Tenant, ID: *id, Raw: raw, Origin: origin, Witness: witnessOf(c, a)})
	a.Agreed.note(rec)
	return err
}

// purpose gives the purpose of use (CN-21).
func purpose(c proxy.Case) string {
	switch {
	case c.Basis == proxy.BasisRepresentative && c.Authority.Kind == "EXCEST":
		return "HDECD"
	case c.Basis == proxy.BasisRepresentative:
		return "PWATRNY"
	}
	switch c.Relationship {
	case "FRND", "NBOR", "ROOM":
		return "SUPNWK"
	}
	return "FAMRQT"
}

func (s *Service) withdraw(ctx context.Context, tx Tx, id string, a Actor) error {
	origin := a.Origin
	origin.PersonID = a.Person.ID
	var w consent.Witness
	if a.Agreed != nil || a.Dictated != nil {
		last, err := tx.ConsentByID(ctx, s.Tenant, id)
		if err != nil {
			return err
		}
		w = a.Agreed.witness(last.Patient, a)
		if a.Dictated != nil {
			w = a.Dictated.witness(last.Patient)
		}
	}
	rec, ended, err := s.Consents.WithdrawnTx(ctx, tx, s.Tenant, id, origin, w)
	if ended {
		a.Agreed.note(rec)
	}
	return err
}

// shut withdraws the Consent and takes the relation out of force: tokens die with
// the patient's consent epoch (LC-10).
func (s *Service) shut(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.ConsentID != "" {
		if err := s.withdraw(ctx, tx, c.ConsentID, a); err != nil {
			return err
		}
		c.Rested, c.ConsentID = c.ConsentID, ""
	}
	if c.Next != "" {
		if err := s.withdraw(ctx, tx, c.Next, a); err != nil {
			return err
		}
		c.Next, c.Turns = "", time.Time{}
	}
	if c.RelationID == "" {
		return nil
	}
	return s.relate(ctx, tx, c, a, false)
}

// sever is shut for good: what apps were granted ends too, so that nothing of it
// works again (LC-10).
func (s *Service) sever(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if err := s.shut(ctx, tx, c, a); err != nil || c.PersonID == "" {
		return err
	}
	_, err := tx.EndAccess(ctx, s.Tenant, c.PersonID, c.Patient, "proxy-"+string(c.Steps[len(c.Steps)-1].Act), s.now())
	return err
}

// Worry is the quiet way to say that something is wrong (LC-12, TF-15): it holds
// the access, staff and officers see it, and nobody else is told anything.
func (s *Service) Worry(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.held(ctx, a, id, patientsCase)
}

// Undo takes a consent back while it waits: nothing was open, so nothing rests.
func (s *Service) Undo(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Undo(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.shut(ctx, tx, c, a); err != nil {
				return err
			}
			c.Rested = ""
			return nil
		})
}

// Change gives other terms (LC-06): less holds at once; for more the proxy's apps
// must ask again, since a token never grows. Renew is Change with a later end
// (LC-08): a new Consent, and the old one inactive, in one transaction.
func (s *Service) Change(ctx context.Context, a Actor, id string, act proxy.Act, t proxy.Terms) (proxy.Case, error) {
	less := false
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if c.Basis != proxy.BasisDesignated {
				return c, errs.New(errs.Forbidden, "proxy-by-staff", "Staff change this access.")
			}
			less = t.Within(c.Terms)
			return c.Change(act, t, s.signed(a))
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if less {
				return nil
			}
			return s.fits(ctx, tx, c)
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.changed") })
}

// Same gives the terms of a renewal that changes nothing but the end: as long
// again as it was agreed for, at most twelve months.
func Same(c proxy.Case, now time.Time) proxy.Terms {
	t := c.Terms
	length := t.Until.Sub(c.Starts)
	if longest := now.AddDate(0, proxy.LongestMonths, 0); now.Add(length).After(longest) || length <= 0 {
		t.Until = longest
	} else {
		t.Until = now.Add(length)
	}
	return t
}

// Pause closes without ending; Resume opens as agreed.
func (s *Service) Pause(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Pause(s.signed(a), proxy.ByPatient) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.shut(ctx, tx, c, a); err != nil {
				return err
			}
			return s.tell(ctx, tx, *c, "proxy.changed")
		})
}

// Resume opens again what the patient paused.
func (s *Service) Resume(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if c.Why() != proxy.ByPatient && (c.Why() != proxy.CustodianChanged || c.Basis != proxy.BasisDesignated) {
				return c, errs.New(errs.Forbidden, "proxy-by-staff", "Staff must look at this first.")
			}
			return c.Resume(s.signed(a))
		},
		s.fits, func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.changed") })
}

// Revoke ends the access for ever (LC-10), also an invitation. quiet tells the
// proxy nothing.
func (s *Service) Revoke(ctx context.Context, a Actor, id string, quiet bool) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Revoke(s.signed(a), proxy.ByPatient) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil || quiet {
				return err
			}
			return s.tell(ctx, tx, *c, "proxy.changed")
		})
}

// Resign ends the access because the proxy wishes so (LC-11).
func (s *Service) Resign(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, proxysCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Resign(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil {
				return err
			}
			return s.tellPatient(ctx, tx, *c, "proxy.resigned")
		})
}

// Ask tells the patient that the proxy wishes a renewal; it changes nothing.
func (s *Service) Ask(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, proxysCase,
		func(c proxy.Case) (proxy.Case, error) {
			if !c.Asked.Zero() {
				return c, errs.New(errs.Conflict, "proxy-step", "You have asked already.")
			}
			return c.Ask(s.signed(a))
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			return s.tellPatient(ctx, tx, *c, "proxy.renewal")
		})
}

// origin of what the clock does.
func (s *Service) clock() Actor {
	return Actor{Origin: audit.Event{Tenant: s.Tenant}}
}
