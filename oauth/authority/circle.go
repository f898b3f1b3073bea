package authority

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/proxy"
)

// Relations lists the relations of a patient.
type Relations interface {
	RelatedPersonsOfPatient(ctx context.Context, tenant, patient string) ([]proxy.RelatedPerson, error)
}

// Access is what one person could be given on a patient's record now, in one
// capacity.
type Access struct {
	Capacity fhir.Capacity
	// JSON is the exact RelatedPerson.
	JSON   []byte
	Scopes scope.Set
	// Ordinary says that ordinary data of these types may be seen, Topics
	// which sensitive ones. With neither, only single entries that a consent
	// names may be.
	Ordinary bool
	Topics   []access.Topic
	// Until is when the right ends; zero when it does not.
	Until time.Time
}

// Circle lists who has access to a patient's record now, by the same rules
// that decide about tokens, in the order of the relations. Errors:
// errs.Unavailable.
func (l *Loader) Circle(ctx context.Context, relations Relations, tenant, patient string) ([]Access, error) {
	list, err := relations.RelatedPersonsOfPatient(ctx, tenant, patient)
	if err != nil {
		return nil, err
	}
	var out []Access
	for _, rp := range list {
		more, err := l.AccessOf(ctx, rp)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// AccessOf gives one entry per purpose under which a relation has access now:
// two capacities are never joined (WM-13). Errors: errs.Unavailable.
func (l *Loader) AccessOf(ctx context.Context, rp proxy.RelatedPerson) ([]Access, error) {
	now, ref := l.Clock.Now(), rp.Reference()
	c := fhir.Capacity{
		Kind: fhir.CapacityDesignatedProxy, Acting: ref, Patient: rp.Patient, Relationship: relationship(rp.Relationship),
	}
	st, err := l.Of(ctx, rp.Tenant, c, now)
	if err != nil || !st.ProxyInForce || st.SafetyHold {
		return nil, err
	}
	var out []Access
	for _, purpose := range consent.ProxyPurposes() {
		g := consent.GrantableFor(st.Policy, []fhir.Reference{ref}, purpose, now)
		if g.Denied || len(g.Scopes) == 0 {
			continue
		}
		c.Kind, c.Purpose = fhir.CapacityDesignatedProxy, purpose
		if purpose == "PWATRNY" || purpose == "HDECD" {
			c.Kind = fhir.CapacityRepresentative
		}
		a := Access{Capacity: c, JSON: rp.JSON, Scopes: g.Scopes, Until: g.ValidUntil}
		if ends := st.ProxyEnds; !ends.IsZero() && (a.Until.IsZero() || ends.Before(a.Until)) {
			a.Until = ends
		}
		a.probe(st.Policy, now)
		out = append(out, a)
	}
	return out, nil
}

// probe asks the decision about an imaginary resource of each type with the
// labels of each topic. It looks at rules only, never at the chart (SC-23).
func (a *Access) probe(policy *consent.Policy, now time.Time) {
	sees := func(labels ...fhir.Coding) bool {
		for _, s := range a.Scopes {
			if s.Ops&(scope.Read|scope.Search) == 0 {
				continue
			}
			res := fhir.Resource{Type: s.Type, Labels: labels, Subjects: []string{a.Capacity.Patient}, Tokens: tokensOf(s)}
			q := consent.Question{
				Patient: a.Capacity.Patient, Capacity: a.Capacity.Kind, Actors: []fhir.Reference{a.Capacity.Acting},
				Purpose: a.Capacity.Purpose, At: now, Resource: res,
			}
			if consent.Evaluate(policy, q).Permit {
				return true
			}
		}
		return false
	}
	a.Ordinary = sees(fhir.Coding{System: fhir.SystemConfidentiality, Code: "N"})
	for _, t := range access.Topics() {
		labels := []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "R"}}
		if t != access.TopicRestricted {
			labels = append(labels, fhir.Coding{System: fhir.SystemActCode, Code: string(t)})
		}
		if sees(labels...) {
			a.Topics = append(a.Topics, t)
		}
	}
}

// tokensOf gives the tokens that a granular scope asks for, so that the
// imaginary resource is one that the scope is about.
func tokensOf(s scope.Scope) map[string][]fhir.Coding {
	out := map[string][]fhir.Coding{}
	for _, p := range s.Params {
		for _, v := range p.Values {
			system, code, _ := strings.Cut(v, "|")
			out[p.Name] = append(out[p.Name], fhir.Coding{System: system, Code: code})
		}
	}
	return out
}

// relationship gives the first v3-RoleCode, by which pages say "as daughter".
func relationship(codings []fhir.Coding) string {
	for _, c := range codings {
		if c.System == fhir.SystemRoleCode {
			return c.Code
		}
	}
	return ""
}
