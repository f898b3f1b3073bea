package authority

import (
	"context"
	"time"

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
	for _, purpose := range consent.PurposesFor(st.Policy, ref, now) {
		g := consent.GrantableFor(st.Policy, []fhir.Reference{ref}, purpose, now)
		if g.Denied || len(g.Scopes) == 0 {
			continue
		}
		c.Kind, c.Purpose = fhir.CapacityDesignatedProxy, purpose
		if purpose == "PWATRNY" {
			c.Kind = fhir.CapacityRepresentative
		}
		out = append(out, Access{Capacity: c, JSON: rp.JSON, Scopes: g.Scopes, Until: g.ValidUntil})
	}
	return out, nil
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
