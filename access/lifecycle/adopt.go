package lifecycle

import (
	"cmp"
	"context"
	"slices"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Adopt opens the case of a relation that was there before: imported, or filed
// through FHIR. It stands where the Consents show; nothing opens or closes by it, and
// from then on it is renewed, changed and ended as any other. The patient is told.
// Errors: errs.Forbidden as of Register; errs.NotFound with code proxy-adopt-unknown
// for no such relation of the patient, or one without an account; errs.Conflict with
// code proxy-adopt-twice when it has a case, proxy-adopt-several when more than one
// grant holds, proxy-adopt-shut when the patient shut the person out; of proxy.Adopt.
func (s *Service) Adopt(ctx context.Context, a Actor, patient, relation string) (proxy.Case, error) {
	if err := notAboutSelf(a, patient); err != nil {
		return proxy.Case{}, err
	}
	policy, err := s.Consents.PolicyFor(ctx, s.Tenant, patient)
	if err != nil {
		return proxy.Case{}, err
	}
	var c proxy.Case
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		in, err := s.before(ctx, tx, a, patient, relation)
		if err != nil {
			return err
		}
		if err := s.grantOf(ctx, tx, policy, &in); err != nil {
			return err
		}
		if c, err = proxy.Adopt(in, s.Tenant, s.IDs.ID(), patient, s.signed(a)); err != nil {
			return err
		}
		if err := s.tellPatient(ctx, tx, c, "proxy.registered"); err != nil {
			return err
		}
		return s.put(ctx, tx, &c, a)
	})
	return c, err
}

// before finds the relation and the account of it.
func (s *Service) before(ctx context.Context, tx Tx, a Actor, patient, relation string) (in proxy.Adopted, err error) {
	none := errs.New(errs.NotFound, "proxy-adopt-unknown", "There is no such person of this patient, or the person has no account.")
	rp, err := tx.RelatedPersonByID(ctx, s.Tenant, relation)
	if errs.Is(err, errs.NotFound) || err == nil && (rp.Patient != patient || !rp.InForce(s.now())) {
		return in, none
	}
	if err != nil {
		return in, err
	}
	p, err := tx.PersonByIdentity(ctx, s.Tenant, rp.Reference())
	switch {
	case errs.Is(err, errs.NotFound):
		return in, none
	case err != nil:
		return in, err
	case p.ID == a.Person.ID:
		return in, errs.New(errs.Forbidden, "proxy-self", "Somebody else must handle what is about yourself.")
	}
	all, err := tx.CasesOfPatient(ctx, s.Tenant, patient)
	if err != nil {
		return in, err
	}
	if slices.ContainsFunc(all, func(c proxy.Case) bool { return c.RelationID == relation }) {
		return in, errs.New(errs.Conflict, "proxy-adopt-twice", "This person is on the list already.")
	}
	in = proxy.Adopted{Relation: relation, Person: p.ID, Name: p.Name, Relationship: "EXT"}
	for _, code := range rp.Relationship {
		if slices.Contains(proxy.Relations(), code.Code) {
			in.Relationship = code.Code
			break
		}
	}
	in.Proofed = slices.ContainsFunc(p.Identities, func(i identity.Identity) bool { return i.Resource == rp.Reference() && i.Verified })
	return in, nil
}

// grantOf fills in what the patient's own grant gives now. A grant by an instrument
// is left: staff put the paper in.
func (s *Service) grantOf(ctx context.Context, tx Tx, policy *consent.Policy, in *proxy.Adopted) error {
	actor := fhir.Reference{Type: "RelatedPerson", ID: in.Relation}
	for _, use := range []string{"FAMRQT", "SUPNWK"} {
		most := consent.GrantableFor(policy, []fhir.Reference{actor}, use, s.now())
		switch {
		case most.Denied:
			return errs.New(errs.Conflict, "proxy-adopt-shut", "The patient has shut this person out.")
		case len(most.Consents) == 0:
			continue
		case len(most.Consents) > 1 || in.Consent != "":
			return errs.New(errs.Conflict, "proxy-adopt-several", "More than one agreement holds. Withdraw all but one first.")
		}
		ref, ok := fhir.ParseReference(most.Consents[0])
		if !ok {
			return errs.New(errs.Internal, "proxy-act", "Not a change of terms.")
		}
		rec, err := tx.ConsentByID(ctx, s.Tenant, ref.ID)
		if err != nil {
			return err
		}
		in.Consent, in.Performer, in.Agreed = ref.ID, s.performer(ctx, tx, rec.Patient), rec.Updated
		in.Terms.Until = most.ValidUntil
		for _, f := range most.Functions {
			if slices.Contains(consent.Functions(), f) {
				in.Terms.Functions = append(in.Terms.Functions, f)
			}
		}
		for _, k := range consent.DataKinds() {
			if !slices.ContainsFunc(k.Types, func(typ string) bool { return !whole(most.Scopes, typ) }) {
				in.Terms.Kinds = append(in.Terms.Kinds, k.Name)
			}
		}
	}
	return nil
}

// performer gives the account of a patient, and the reference where there is none.
func (s *Service) performer(ctx context.Context, tx Tx, patient string) string {
	ref := fhir.Reference{Type: "Patient", ID: patient}
	p, err := tx.PersonByIdentity(ctx, s.Tenant, ref)
	if err != nil {
		return ref.String()
	}
	return cmp.Or(p.ID, ref.String())
}

// whole reports whether scopes open all of a type.
func whole(all scope.Set, typ string) bool {
	return slices.ContainsFunc(all, func(x scope.Scope) bool { return x.Type == typ && len(x.Params) == 0 && x.Ops&scope.Read != 0 })
}
