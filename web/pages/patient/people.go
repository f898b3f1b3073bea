package patient

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/oauth/authority"
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
	circle, err := h.Authority.Circle(r.Context(), h.Relations, id.Person.Tenant, patient)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	looks, err := h.looks(r.Context(), id.Person.Tenant, patient)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	others, err := h.Circle(r, id)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := pages.People{
		Frame: h.frame(r, id, "/home"), Patient: h.patientName(r.Context(), patient), Self: true,
		Circle: others, InviteURL: h.Session.Path("/people/invite"),
	}
	for _, a := range circle {
		line, err := line(looks, a)
		if err != nil {
			h.Page(w, r, err)
			return
		}
		line.URL = others.Managed[a.Capacity.Acting.ID]
		page.People = append(page.People, line)
	}
	if err := h.record(r, id, patient); err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

// line says what one person can see, and when they last looked.
func line(looks []audit.Event, a authority.Access) (pages.PersonAccess, error) {
	person, err := upstream.ParseDemographics(a.JSON)
	if err != nil {
		return pages.PersonAccess{}, err
	}
	line := pages.PersonAccess{
		Name: person.Name, Relation: a.Capacity.Relationship, Until: a.Until, LastSeen: lastLook(looks, a.Capacity), State: pages.AccessActive,
	}
	line.Kinds, line.Everything = readable(a.Scopes)
	line.OnlySensitive = !a.Ordinary
	for _, t := range a.Topics {
		line.Sensitive = append(line.Sensitive, pages.KindRef{Topic: string(t)})
	}
	return line, nil
}

// Kinds names what an access lets somebody read.
func Kinds(a authority.Access) (kinds []pages.KindRef, everything bool) { return readable(a.Scopes) }

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

// looks gives the latest events of data that was read from a record.
func (h *Handler) looks(ctx context.Context, tenant, patient string) ([]audit.Event, error) {
	return h.Read.Audits(ctx, audit.Filter{
		Tenant: tenant, Patient: patient, Limit: 500,
		Kinds: []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIROperation},
	})
}

// lastLook is when the person last read the record, through whichever app.
func lastLook(looks []audit.Event, c fhir.Capacity) time.Time {
	for _, e := range looks {
		if e.Capacity.Acting == c.Acting {
			return e.Time
		}
	}
	return time.Time{}
}
