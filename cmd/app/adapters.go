package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/scim"
	"github.com/mandate-health/mandate/web/session"
)

// issuer makes codes for oauth/flow.
type issuer struct {
	engine *engine.Engine
	clock  clock.Clock
}

// IssueCode makes a code for a new grant.
func (i issuer) IssueCode(ctx context.Context, c oauth.Client, req oauth.AuthorizeRequest, g oauth.Grant) (string, oauth.Code, error) {
	return i.engine.IssueCode(ctx, engine.IssueInput{Client: c, Request: req, Grant: g, Now: i.clock.Now()})
}

// visitor tells who is in front of the browser.
func (t *tenant) visitor(r *http.Request) flow.Visitor {
	v := flow.Visitor{Network: t.session.Address(r), RequestID: web.RequestID(r)}
	if secret := session.FlowSecret(r); secret != "" {
		v.Browser = t.hasher.Hash("browser", secret)
	}
	if id, ok := session.From(r); ok {
		v.Session, v.Person = id.Session, id.Person
	}
	return v
}

// errorPage shows an error as a page a person can act on.
func (t *tenant) errorPage(w http.ResponseWriter, r *http.Request, status int, e *errs.Error) {
	frame := pages.Frame{Lang: t.kit.Lang(r), Now: t.clock.Now()}
	if id, ok := session.From(r); ok {
		frame.SignedInAs, frame.Staff = id.Person.Name, id.Person.Role.Staff()
		frame.CSRF = t.session.Token(r, session.PurposePage)
	}
	switch {
	case e.Kind == errs.NotFound:
		t.kit.Render(w, r, status, pages.NotFound{Frame: frame, SupportCode: supportCode(r)})
	case e.Kind == errs.Unavailable || e.Kind == errs.Upstream:
		t.kit.Render(w, r, status, pages.Outage{Frame: frame, SupportCode: supportCode(r)})
	default:
		t.kit.Render(w, r, status, pages.ErrorPage{Frame: frame, Cause: e.Code, Kind: string(e.Kind), SupportCode: supportCode(r)})
	}
}

// supportCode is the beginning of the request id, short enough to be read out
// on the telephone; logs and audit events hold all of it.
func supportCode(r *http.Request) string {
	id := web.RequestID(r)
	if len(id) < 8 {
		return id
	}
	return id[:4] + "-" + id[4:8]
}

func (t *tenant) notFound(w http.ResponseWriter, r *http.Request) {
	if below, ok := strings.CutPrefix(r.URL.Path, route.TenantPrefix); ok && t.isHome() {
		// The FHIR base of a tenant that is not served: an app reads no page.
		if _, path, _ := strings.Cut(below, "/"); path == "fhir" || strings.HasPrefix(path, "fhir/") {
			t.problem.FHIR(w, r, errTenantUnknown)
			return
		}
	}
	none := errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	if strings.HasPrefix(strings.TrimPrefix(r.URL.Path, string(t.base)), scim.Path) {
		t.problem.SCIM(w, r, none)
		return
	}
	t.problem.HTML(w, r, none)
}

// siteOf gives the site that a request is for.
func (t *tenant) siteOf(r *http.Request) (engine.Site, error) {
	return t.Site(r.Context(), t.session.Tenant(r))
}

// origin gives what the audit log says about where a request came from.
func (t *tenant) origin(r *http.Request) (network, requestID string) {
	return t.session.Address(r), web.RequestID(r)
}

// nameOf gives how a person is called, for resource servers that may know.
func (a *App) nameOf(ctx context.Context, tenant, personID string) (string, error) {
	p, err := a.store.PersonByID(ctx, tenant, personID)
	return p.Name, err
}
