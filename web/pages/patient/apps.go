package patient

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// home is the start page after a log-in.
func (h *Handler) home(w http.ResponseWriter, r *http.Request, id session.Identity) {
	if id.Person.Role.Staff() && id.Session.Acting == "" {
		h.Kit.Render(w, r, http.StatusOK, pages.StaffHome{Frame: h.frame(r, id, ""), Name: id.Person.Name})
		return
	}
	helping, err := h.Helps(r, id)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	together, err := h.Together(r, id)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	waits, err := h.ApproveURL(r, id)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := pages.Home{Frame: h.frame(r, id, ""), Name: id.Person.Name, HelpingURL: helping, TogetherURL: together, ApproveURL: waits}
	if ownPatient(id.Person) != "" && id.Session.Acting == "" {
		page.RecordURL = h.Session.Path("/record")
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

// apps lists the connected apps.
func (h *Handler) apps(w http.ResponseWriter, r *http.Request, id session.Identity) {
	grants, err := h.Connections.Of(r.Context(), id.Person)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	own, names, self := ownPatient(id.Person), h.names(id.Person.Tenant), id.Session.Acting == ""
	if as, ok := id.Person.ActsAs(id.Session); ok {
		own = as.Patient
	}
	if !self {
		// Whoever acts for somebody sees the apps of that capacity and no others.
		grants = slices.DeleteFunc(grants, func(g oauth.Grant) bool { return g.Capacity.Acting.ID != id.Session.Acting })
	}
	page := pages.ConnectedApps{Frame: h.frame(r, id, "/home"), Patient: h.patientName(r.Context(), own), Self: self}
	if ended := r.URL.Query().Get("ended"); ended != "" {
		page.Notice = names.endedNotice(r.Context(), ended, grants)
	}
	now := h.Clock.Now()
	for _, g := range grants {
		entry, err := h.entry(r.Context(), names, id, g)
		if err != nil {
			h.Page(w, r, err)
			return
		}
		if g.Live(now) && !names.client(r.Context(), g.ClientID).Lost(g) {
			page.Apps = append(page.Apps, entry)
		} else {
			page.Ended = append(page.Ended, entry)
		}
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

func (n *names) endedNotice(ctx context.Context, grant string, grants []oauth.Grant) *pages.Notice {
	for _, g := range grants {
		if g.ID == grant && !g.Revoked.IsZero() {
			name := n.client(ctx, g.ClientID).Name
			return &pages.Notice{Tone: pages.Good, Key: pages.NoticeEnded, Args: map[string]any{"app": name}}
		}
	}
	return nil
}

// entry says what one app may do, for whom, since when and until when.
func (h *Handler) entry(ctx context.Context, names *names, id session.Identity, g oauth.Grant) (pages.AppEntry, error) {
	used, err := h.lastUse(ctx, g)
	if err != nil {
		return pages.AppEntry{}, err
	}
	client := names.client(ctx, g.ClientID)
	e := pages.AppEntry{
		App: pages.AppInfoOf(client), Since: g.Created, LastUsed: used, Until: g.Ends,
		Renewed: g.RenewFor > 0, URL: h.Session.Path("/apps/" + g.ID), EndURL: h.Session.Path("/apps/" + g.ID + "/end"),
	}
	e.Kinds, e.Actions = describe(g)
	switch {
	case !g.Revoked.IsZero():
		e.EndedOn = g.Revoked
	case !g.Live(h.Clock.Now()):
		e.EndedOn = g.Ends
	case client.Lost(g):
		e.EndedOn = client.GrantsFrom
	}
	if e.Actors, err = h.actors(ctx, names, g); err != nil {
		return pages.AppEntry{}, err
	}
	if g.PersonID != id.Person.ID {
		e.By, e.Relation = names.person(ctx, g.PersonID), g.Capacity.Relationship
	}
	return e, nil
}

// lastUse is when the app last took a token or data under the grant.
func (h *Handler) lastUse(ctx context.Context, g oauth.Grant) (time.Time, error) {
	events, err := h.Read.Audits(ctx, audit.Filter{
		Tenant: g.Tenant, GrantID: g.ID, Limit: 1,
		Kinds: []audit.Kind{audit.TokenIssued, audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIROperation},
	})
	if err != nil || len(events) == 0 {
		return time.Time{}, err
	}
	return events[0].Time, nil
}

// describe turns granted scopes into kinds and actions, each named once.
func describe(g oauth.Grant) (kinds []pages.KindRef, actions []pages.ActionRef) {
	req, err := scope.Parse(g.Scopes, oauth.StoredScopes())
	if err != nil {
		return nil, nil
	}
	for _, s := range req.Clinical {
		if s.Ops&(scope.Read|scope.Search) != 0 {
			for _, k := range kindsOf(s) {
				if !slices.Contains(kinds, k) {
					kinds = append(kinds, k)
				}
			}
		}
		if s.Ops&(scope.Create|scope.Update|scope.Delete) != 0 {
			if a := (pages.ActionRef{Type: s.Type, Verb: "write"}); !slices.Contains(actions, a) {
				actions = append(actions, a)
			}
		}
	}
	for _, t := range g.Topics {
		kinds = append(kinds, pages.KindRef{Topic: t})
	}
	return kinds, actions
}

func kindsOf(s scope.Scope) []pages.KindRef {
	if len(s.Params) == 0 {
		return []pages.KindRef{{Type: s.Type}}
	}
	if len(s.Params) > 1 || s.Params[0].Name != "category" {
		return []pages.KindRef{{Type: s.Type, Query: true}}
	}
	var out []pages.KindRef
	for _, v := range s.Params[0].Values {
		out = append(out, pages.KindRef{Type: s.Type, Category: codeOf(v)})
	}
	return out
}

// codeOf gives the code of a "system|code" value.
func codeOf(value string) string {
	for i := len(value) - 1; i >= 0; i-- {
		if value[i] == '|' {
			return value[i+1:]
		}
	}
	return value
}

// app shows one connection with what the app did last.
func (h *Handler) app(w http.ResponseWriter, r *http.Request, id session.Identity) {
	names := h.names(id.Person.Tenant)
	g, entry, ok := h.one(w, r, id, names)
	if !ok {
		return
	}
	recent, err := h.Read.Audits(r.Context(), audit.Filter{Tenant: g.Tenant, Patient: g.Record(), GrantID: g.ID, Kinds: shownKinds, Limit: 20})
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := pages.ConnectedApp{
		Frame: h.frame(r, id, "/apps"), Patient: h.patientName(r.Context(), g.Record()),
		Self: g.Record() == ownPatient(id.Person), Entry: entry,
		Recent: names.entries(r.Context(), id, recent), ActivityURL: h.Session.Path("/activity?app=" + url.QueryEscape(g.ClientID)),
		Technical:   pages.Technical{ClientID: g.ClientID, Scopes: []string{g.Scopes}},
		EndActorURL: h.Session.Path("/apps/" + g.ID + "/actors/end"),
	}
	if page.Unused, err = h.unused(r.Context(), g.Tenant, g.ID, entry.Kinds); err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

// one loads the connection of the path, or answers with a page.
func (h *Handler) one(w http.ResponseWriter, r *http.Request, id session.Identity, names *names) (oauth.Grant, pages.AppEntry, bool) {
	g, err := h.Connections.One(r.Context(), id.Person, mux.Vars(r)["id"])
	var entry pages.AppEntry
	if err == nil {
		entry, err = h.entry(r.Context(), names, id, g)
	}
	if err != nil {
		h.Page(w, r, err)
		return g, entry, false
	}
	return g, entry, true
}

// askEnd asks once before a connection ends.
func (h *Handler) askEnd(w http.ResponseWriter, r *http.Request, id session.Identity) {
	g, entry, ok := h.one(w, r, id, h.names(id.Person.Tenant))
	if !ok {
		return
	}
	h.Kit.Render(w, r, http.StatusOK, pages.EndApp{
		Frame: h.frame(r, id, "/apps"), Patient: h.patientName(r.Context(), g.Record()),
		Self: g.Record() == ownPatient(id.Person), Entry: entry, Version: g.ConsentID,
	})
}

// end ends a connection: its tokens, its refresh tokens and its Consent.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, id session.Identity) {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Page(w, r, err)
		return
	}
	grant := mux.Vars(r)["id"]
	if r.PostFormValue("answer") != "end" {
		http.Redirect(w, r, h.Session.Path("/apps"), http.StatusSeeOther)
		return
	}
	if err := h.Connections.End(r.Context(), id.Person, grant, h.origin(r, id)); err != nil {
		h.Page(w, r, err)
		return
	}
	http.Redirect(w, r, h.Session.Path("/apps?ended="+grant), http.StatusSeeOther)
}
