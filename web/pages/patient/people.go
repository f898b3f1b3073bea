package patient

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// people is "People with access": what each person could see now, by the same
// rules that decide about tokens.
func (h *Handler) people(w http.ResponseWriter, r *http.Request, id session.Identity) {
	patient := ownPatient(id.Person)
	if patient == "" {
		h.Page(w, r, errNoRecord)
		return
	}
	relations, err := h.Read.RelatedPersonsOfPatient(r.Context(), id.Person.Tenant, patient)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := pages.People{Frame: h.frame(r, id, "/home"), Patient: h.patientName(r.Context(), patient), Self: true}
	for _, rp := range relations {
		access, err := h.accessOf(r.Context(), rp)
		if err != nil {
			h.Page(w, r, err)
			return
		}
		page.People = append(page.People, access...)
	}
	if err := h.record(r, id, patient); err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

// accessOf gives one line per purpose under which a person has access now.
func (h *Handler) accessOf(ctx context.Context, rp proxy.RelatedPerson) ([]pages.PersonAccess, error) {
	now := h.Clock.Now()
	ref := rp.Reference()
	st, err := h.Authority.Of(ctx, rp.Tenant, fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: ref, Patient: rp.Patient}, now)
	if err != nil || !st.ProxyInForce {
		return nil, err
	}
	person, err := upstream.ParseDemographics(rp.JSON)
	if err != nil {
		return nil, err
	}
	var out []pages.PersonAccess
	for _, purpose := range consent.PurposesFor(st.Policy, ref, now) {
		g := consent.GrantableFor(st.Policy, []fhir.Reference{ref}, purpose, now)
		if g.Denied || len(g.Scopes) == 0 {
			continue
		}
		seen, err := h.lastLook(ctx, rp)
		if err != nil {
			return nil, err
		}
		line := pages.PersonAccess{
			Name: person.Name, Relation: relation(rp), Until: g.ValidUntil, LastSeen: seen, State: pages.AccessActive,
		}
		line.Kinds, line.Everything = readable(g.Scopes)
		out = append(out, line)
	}
	return out, nil
}

// readable names the kinds that may be read; the whole chart is said as such.
func readable(set scope.Set) (kinds []pages.KindRef, everything bool) {
	const wholeChart = 25
	for _, s := range set {
		if s.Ops&(scope.Read|scope.Search) == 0 {
			continue
		}
		for _, k := range kindsOf(s) {
			if !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	slices.SortFunc(kinds, func(a, b pages.KindRef) int { return strings.Compare(a.Type+a.Category, b.Type+b.Category) })
	return kinds, len(kinds) > wholeChart
}

func relation(rp proxy.RelatedPerson) string {
	for _, c := range rp.Relationship {
		if c.System == fhir.SystemRoleCode {
			return c.Code
		}
	}
	return ""
}

// lastLook is when the person last read the record, through whichever app.
func (h *Handler) lastLook(ctx context.Context, rp proxy.RelatedPerson) (time.Time, error) {
	events, err := h.Read.Audits(ctx, audit.Filter{
		Tenant: rp.Tenant, Patient: rp.Patient, Limit: 500,
		Kinds: []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIROperation},
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range events {
		if e.Capacity.Acting == rp.Reference() {
			return e.Time, nil
		}
	}
	return time.Time{}, nil
}
