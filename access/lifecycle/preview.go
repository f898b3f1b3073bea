package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/proxy"
)

// Seen counts, by FHIR type, what the person would see of the record under terms
// that are not agreed yet: the decision of the gateway, run over the real record
// with the Consents that are there and the one to be (SP-07). Errors: those of
// Confirm; errs.Upstream.
func (s *Service) Seen(ctx context.Context, a Actor, id string, t proxy.Terms, rec preview.Record) (map[string]int, error) {
	c, err := patientsCase(ctx, s.Read, s.Tenant, id, a)
	if err != nil {
		return nil, err
	}
	now := s.now()
	raw, err := s.draft(c, t, now).JSON()
	if err != nil {
		return nil, err
	}
	policy, err := s.Consents.PolicyWith(ctx, s.Tenant, c.Patient, c.ConsentID, raw)
	if err != nil {
		return nil, err
	}
	actor := fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}
	most := consent.GrantableFor(policy, []fhir.Reference{actor}, purpose(c), now)
	in := access.Input{
		Grant: access.GrantView{
			ID: "preview", Patient: c.Patient, Scopes: most.Scopes, Ends: t.Until,
			Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: actor, Patient: c.Patient, Purpose: purpose(c)},
		},
		Policy: policy, ProxyInForce: true, Now: now, Labelling: s.Labelling,
	}
	counts, err := preview.Count(ctx, rec, in, readable(most.Scopes))
	return counts.Ordinary, err
}

func readable(set scope.Set) []string {
	var out []string
	for _, x := range set {
		if x.Ops&(scope.Read|scope.Search) != 0 && !slices.Contains(out, x.Type) {
			out = append(out, x.Type)
		}
	}
	return out
}

func (s *Service) draft(c proxy.Case, t proxy.Terms, now time.Time) consent.Designation {
	return consent.Designation{
		Patient: c.Patient, Actor: fhir.Reference{Type: "RelatedPerson", ID: c.RelationID},
		Performer: fhir.Reference{Type: "Patient", ID: c.Patient}, Organization: s.Organization,
		Functions: t.Functions, Kinds: t.Kinds, Purpose: purpose(c), At: now, From: now, Until: t.Until, Status: "active",
	}
}
