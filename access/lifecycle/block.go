package lifecycle

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Block shuts a person out of the actor's own record for good (FX-15, TF-14): what
// was open ends, and a prohibition beats every grant that anybody makes later.
// Nobody is told. Errors: errs.NotFound, errs.Conflict.
func (s *Service) Block(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Block(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil {
				return err
			}
			return s.bar(ctx, tx, c, a)
		})
}

// BlockNamed shuts out somebody who never had a way to the record. Errors: of
// proxy.Shut; errs.Forbidden with code no-own-record.
func (s *Service) BlockNamed(ctx context.Context, a Actor, in proxy.Invitation) (proxy.Case, error) {
	patient := own(a.Person)
	if patient == "" {
		return proxy.Case{}, errs.New(errs.Forbidden, "no-own-record", "This account has no health record of its own.")
	}
	c, err := proxy.Shut(in, s.Tenant, s.IDs.ID(), patient, s.signed(a))
	if err != nil {
		return proxy.Case{}, err
	}
	var out proxy.Case
	err = s.agreeing(ctx, a, func(tx Tx) error {
		out = c
		if err := s.bar(ctx, tx, &out, a); err != nil {
			return err
		}
		return s.put(ctx, tx, &out, a)
	})
	return out, err
}

// Unblock withdraws the prohibition. It lets nobody in.
func (s *Service) Unblock(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Unblock(s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			for _, barred := range c.Barred {
				if err := s.withdraw(ctx, tx, barred, a); err != nil {
					return err
				}
			}
			c.Barred = nil
			return nil
		})
}

// bar files the prohibition of a blocked case. It names every relation to the
// patient under which the person is known.
func (s *Service) bar(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.RelationID == "" {
		if err := s.relate(ctx, tx, c, a, false); err != nil {
			return err
		}
	}
	others, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	if err != nil {
		return err
	}
	actors := []fhir.Reference{{Type: "RelatedPerson", ID: c.RelationID}}
	for _, o := range others {
		ref := fhir.Reference{Type: "RelatedPerson", ID: o.RelationID}
		if o.RelationID != "" && o.SamePerson(*c) && !slices.Contains(actors, ref) {
			actors = append(actors, ref)
		}
	}
	barred, err := s.forbid(ctx, tx, consent.Forbidding{Patient: c.Patient, Actors: actors}, a)
	c.Barred = append(c.Barred, barred)
	return err
}

// forbid files a prohibition and gives its id.
func (s *Service) forbid(ctx context.Context, tx Tx, f consent.Forbidding, a Actor) (string, error) {
	f.At, f.Organization, f.Source = s.now(), s.Organization, a.Agreed.reference()
	raw, err := f.JSON()
	if err != nil {
		return "", err
	}
	origin, id := a.Origin, s.IDs.ID()
	origin.PersonID = a.Person.ID
	rec, err := s.Consents.FileTx(ctx, tx, consent.Filing{Tenant: s.Tenant, ID: id, Raw: raw, Origin: origin, Witness: a.Agreed.witness(f.Patient, a)})
	a.Agreed.note(rec)
	return id, err
}

// stillBarred lets a block hold for a relation that the person gets later, by
// whichever way: the person sees the way of anybody else, and nothing opens.
func (s *Service) stillBarred(ctx context.Context, tx Tx, c proxy.Case, a Actor) error {
	others, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.State != proxy.StateBlocked || !o.SamePerson(c) {
			continue
		}
		actors := []fhir.Reference{{Type: "RelatedPerson", ID: c.RelationID}}
		id, err := s.forbid(ctx, tx, consent.Forbidding{Patient: c.Patient, Actors: actors}, a)
		if err != nil {
			return err
		}
		before := o.Version
		o.Version, o.Barred = before+1, append(o.Barred, id)
		if err := tx.PutCase(ctx, o, before); err != nil {
			return err
		}
	}
	return nil
}
