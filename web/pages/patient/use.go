package patient

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// mostLooks is how many events of a use are looked at, the newest first.
const mostLooks = 5000

// Use tells what a person who helps does with the access to the reader's own
// record: through which apps, and which kinds were never looked at.
func (h *Handler) Use(r *http.Request, id session.Identity, of pages.UseOf) (pages.HelperUse, error) {
	out := pages.HelperUse{ActivityURL: h.Session.Path("/activity?person=" + url.QueryEscape(of.PersonID))}
	looks, err := h.used(r.Context(), audit.Filter{Tenant: id.Person.Tenant, Patient: of.Patient, PersonID: of.PersonID})
	if err != nil {
		return out, err
	}
	for _, k := range of.Kinds {
		if !slices.ContainsFunc(k.Types, func(t string) bool { return slices.Contains(looks, t) }) {
			out.Unseen = append(out.Unseen, k.Name)
		}
	}
	grants, err := h.Connections.Of(r.Context(), id.Person)
	if err != nil {
		return out, err
	}
	now, names := h.Clock.Now(), h.names(id.Person.Tenant)
	for _, g := range grants {
		if g.PersonID != of.PersonID || g.Record() != of.Patient || !g.Live(now) || names.client(r.Context(), g.ClientID).Lost(g) {
			continue
		}
		e, err := h.entry(r.Context(), names, id, g)
		if err != nil {
			return out, err
		}
		out.Apps = append(out.Apps, e)
	}
	return out, nil
}

// used gives the types of data that left under a filter.
func (h *Handler) used(ctx context.Context, f audit.Filter) ([]string, error) {
	f.Kinds = []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIROperation, audit.RecordCopied}
	f.Limit = mostLooks
	events, err := h.Read.Audits(ctx, f)
	var out []string
	for _, e := range events {
		for _, k := range kindsIn(e) {
			if !slices.Contains(out, k.Type) {
				out = append(out, k.Type)
			}
		}
	}
	return out, err
}

// unused gives the kinds that an app may see and never asked for.
func (h *Handler) unused(ctx context.Context, tenant, grant string, may []pages.KindRef) ([]pages.KindRef, error) {
	looks, err := h.used(ctx, audit.Filter{Tenant: tenant, GrantID: grant})
	var out []pages.KindRef
	for _, k := range may {
		if k.Type != "" && k.Type != "*" && !slices.Contains(looks, k.Type) {
			out = append(out, k)
		}
	}
	return out, err
}
