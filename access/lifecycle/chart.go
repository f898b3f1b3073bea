package lifecycle

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Chart is a kind of a record, as somebody may have a copy of it now.
type Chart struct {
	Patient  string
	Capacity fhir.Capacity
	// Consents are the versions on which it rests, none for the own record.
	Consents []string
	Entries  []Entry
}

// Own gives the entries of one kind of the actor's own record, the newest first,
// each with whether it is kept private. Errors: errs.Forbidden with code
// no-own-record; errs.NotFound for a kind that there is not; errs.Upstream.
func (s *Service) Own(ctx context.Context, a Actor, kind string, rec preview.Record) (Chart, error) {
	patient := own(a.Person)
	if patient == "" {
		return Chart{}, errs.New(errs.Forbidden, "no-own-record", "This account has no health record of its own.")
	}
	types, err := typesOf(kind)
	if err != nil {
		return Chart{}, err
	}
	kept, err := s.kept(ctx, patient)
	if err != nil {
		return Chart{}, err
	}
	c := Chart{Patient: patient, Capacity: self(patient)}
	c.Entries, err = entries(ctx, rec, s.ownInput(c.Capacity), types)
	for i := range c.Entries {
		_, c.Entries[i].Kept = kept[c.Entries[i].Ref]
	}
	return c, err
}

// ForHelper gives what a person who helps may have a copy of: what the function
// download opens now, by the decision of the gateway (TF-08). Errors:
// errs.NotFound for a case of others; errs.Forbidden with code copy-not-allowed;
// errs.Upstream.
func (s *Service) ForHelper(ctx context.Context, a Actor, id, kind string, rec preview.Record) (Chart, error) {
	c, err := proxysCase(ctx, s.Read, s.Tenant, id, a)
	if err != nil {
		return Chart{}, err
	}
	types, err := typesOf(kind)
	if err != nil {
		return Chart{}, err
	}
	now := s.now()
	policy, err := s.Consents.PolicyFor(ctx, s.Tenant, c.Patient)
	if err != nil {
		return Chart{}, err
	}
	actor := fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}
	most := consent.GrantableFor(policy, []fhir.Reference{actor}, purpose(c), now)
	if c.At(now) != proxy.StateActive || !slices.Contains(most.Functions, "download") {
		return Chart{}, errs.New(errs.Forbidden, "copy-not-allowed", "A copy is not possible now.")
	}
	out := Chart{Patient: c.Patient, Consents: most.Consents, Capacity: fhir.Capacity{
		Kind: fhir.CapacityDesignatedProxy, Acting: actor, Patient: c.Patient, Purpose: purpose(c), Relationship: c.Relationship,
	}}
	if c.Basis == proxy.BasisRepresentative {
		out.Capacity.Kind = fhir.CapacityRepresentative
	}
	out.Entries, err = entries(ctx, rec, access.Input{
		Grant:  access.GrantView{ID: "copy", PersonID: a.Person.ID, Patient: c.Patient, Scopes: most.Scopes, Ends: c.Terms.Until, Capacity: out.Capacity},
		Policy: policy, ProxyInForce: true, Now: now, Labelling: s.Labelling, Function: "download",
	}, types)
	return out, err
}

func self(patient string) fhir.Capacity {
	return fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: patient}, Patient: patient, Purpose: "PATRQT"}
}

// ownInput judges as for an app to which a patient gave everything.
func (s *Service) ownInput(c fhir.Capacity) access.Input {
	in := access.Input{
		Grant: access.GrantView{ID: "own", Patient: c.Patient, Capacity: c, Ends: s.now().AddDate(0, 0, 1)},
		Now:   s.now(), Labelling: s.Labelling,
	}
	in.Grant.Scopes = scope.Set{{Level: scope.Patient, Type: "*", Ops: scope.Read | scope.Search}}
	for _, t := range access.Topics() {
		in.Grant.Topics = append(in.Grant.Topics, string(t))
	}
	return in
}

func typesOf(kind string) ([]string, error) {
	i := slices.IndexFunc(consent.DataKinds(), func(k consent.DataKind) bool { return k.Name == kind })
	if i < 0 {
		return nil, errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	return consent.DataKinds()[i].Types, nil
}

func entries(ctx context.Context, rec preview.Record, in access.Input, types []string) ([]Entry, error) {
	var out []Entry
	err := preview.List(ctx, rec, in, types, func(raw []byte, r *fhir.Resource) error {
		e := entryOf(raw, r)
		e.Private = len(in.Topics(r)) > 0
		out = append(out, e)
		return nil
	})
	slices.SortStableFunc(out, func(a, b Entry) int { return b.Date.Compare(a.Date) })
	return out, err
}
