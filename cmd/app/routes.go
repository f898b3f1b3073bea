package app

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/adminapi"
	"github.com/mandate-health/mandate/web/pages"
	consentpages "github.com/mandate-health/mandate/web/pages/consent"
	patientpages "github.com/mandate-health/mandate/web/pages/patient"
	"github.com/mandate-health/mandate/web/pages/signin"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

// routes collects what every web package serves.
func (a *App) routes() ([]route.Route, error) {
	consents := consentpages.New(consentpages.Deps{
		Flow: a.flow, Kit: a.kit, Session: a.session, Visitor: a.visitor, Page: a.problem.HTML, Clock: a.clock,
	})
	patients := patientpages.New(patientpages.Deps{
		Connections: a.connections(), Authority: a.loader, Relations: a.store, Read: a.store, Patients: a.record, Recorder: a.queue,
		Kit: a.kit, Session: a.session, Page: a.problem.HTML, RequestID: web.RequestID, Clock: a.clock,
	})
	logins := signin.New(signin.Deps{
		Accounts: a.identity, Sessions: a.session, Pages: a.kit, Refuse: a.problem.HTML, Waiting: consents.Waiting,
	})
	out := slices.Concat(a.protocolRoutes(consents), consents.Routes(), patients.Routes(), logins.Routes(), a.publicRoutes(), a.adminRoutes())
	if a.cfg.Dev {
		out = append(out, a.devRoutes()...)
	}
	return out, nil
}

// connections is the list of connected apps.
func (a *App) connections() *oauth.Connections {
	return &oauth.Connections{
		Read: a.store, Consents: a.consents, Clock: a.clock,
		Tx: on(a.store, func(tx store.Tx) oauth.ConnectionsTx { return tx }),
	}
}

const (
	ownerProtocol = "web/protocol"
	ownerPages    = "web/pages"
)

func (a *App) protocolRoutes(consents *consentpages.Handler) []route.Route {
	d := protocol.Deps{
		Site: a.siteOf, Endpoint: a.endpoint(), Engine: a.engine, Auth: a.auth, Ring: a.ring,
		Clients: a.store, Problem: a.problem, Origin: a.origin,
	}
	authorize := protocol.AuthorizeDeps{
		Flow: a.flow, Visitor: a.visitor, Tenant: a.session.Tenant, Page: a.problem.HTML,
		FlowPath: consentpages.Path, SelfPath: "/authorize",
	}
	scopes := append([]string{"openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter", "offline_access", "online_access"}, flow.SupportedScopes()...)
	e := a.endpoints()
	open := func(method, path, why string, h http.Handler) route.Route {
		return route.Route{Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Owner: ownerProtocol, Reason: why, Handler: h}
	}
	const public = "a discovery document must be readable before anything is known (SMART DISC-02)"
	smart, oidc, jwks := protocol.SMARTConfiguration(e, scopes), protocol.OpenIDConfiguration(e, scopes), protocol.JWKS(d)
	out := []route.Route{
		open("GET", "/authorize", "begins the log-in; the request itself is judged", a.session.Load(protocol.Authorize(authorize))),
		open("POST", "/authorize", "cross-site by specification; answered with our own GET (AZ-02)", protocol.AuthorizePost(authorize)),
		{Method: "POST", Path: "/token", Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: protocol.Token(d)},
		{Method: "POST", Path: "/introspect", Auth: route.Client, PHI: route.Identifiers, Limit: "introspect", Owner: ownerProtocol, Handler: protocol.Introspect(d)},
		{Method: "POST", Path: "/revoke", Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: protocol.Revoke(d)},
		{Method: "POST", Path: "/launch", Auth: route.Client, PHI: route.Identifiers, Limit: "token", Owner: ownerProtocol,
			Handler: protocol.RegisterLaunch(d, a.flow, a.site.Issuer+"/launch")},
	}
	for path, h := range map[string]http.Handler{
		fhirPath + "/.well-known/smart-configuration": smart, "/.well-known/openid-configuration": oidc, "/jwks": jwks,
		protocol.StylePath(a.kit.SMARTStyle()): protocol.Style(a.kit.SMARTStyle()),
	} {
		out = append(out, open("GET", path, public, h), open("OPTIONS", path, "CORS preflight", h))
	}
	for path, h := range map[string]http.Handler{"/token": protocol.Token(d), "/revoke": protocol.Revoke(d)} {
		out = append(out, open("OPTIONS", path, "CORS preflight", h))
	}
	slices.SortFunc(out, byPath)
	return out
}

// adminRoutes are the operators' API. Until operators have accounts of their
// own it opens only to the token of a development server's ready file.
func (a *App) adminRoutes() []route.Route {
	return adminapi.New(adminapi.Deps{
		Tenant: tenant, Read: a.store, Consents: a.consents, Proxies: a.proxies, Problem: a.problem,
		Connections: a.connections(),
		Guard:       a.devBearer, Origin: a.origin, Clock: a.clock, Names: a.auditNames(),
	}).Routes()
}

// auditNames are what FHIR AuditEvents call this server.
func (a *App) auditNames() fhirevent.Names {
	custodian, _ := fhir.ParseReference(a.cfg.OrganizationRef)
	return fhirevent.Names{
		Issuer: a.site.Issuer, FHIRBase: a.site.FHIRBase, Custodian: custodian,
		Site: strings.TrimPrefix(strings.TrimPrefix(a.site.Issuer, "https://"), "http://"),
	}
}

// publicRoutes are what everybody may see.
func (a *App) publicRoutes() []route.Route {
	open := func(path, why string, h http.HandlerFunc) route.Route {
		return route.Route{Method: "GET", Path: path, Auth: route.None, PHI: route.NoPHI, Owner: ownerPages, Reason: why, Handler: h}
	}
	return []route.Route{
		open("/", "leads to the start page or the log-in", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/home", http.StatusSeeOther)
		}),
		open("/help", "must answer when the store is down", func(w http.ResponseWriter, r *http.Request) {
			a.kit.Render(w, r, http.StatusOK, pages.Help{Frame: pages.Frame{Lang: a.kit.Lang(r)}})
		}),
		open("/assets/{path:.*}", "style sheets and scripts", a.kit.Assets().ServeHTTP),
		open(errorDocs+"{code}", "explains a cause code to a developer", a.errorDoc),
		open("/healthz", "tells that the process lives", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, "ok\n")
		}),
		open("/readyz", "tells whether the store answers", a.readyz),
	}
}

func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := a.store.Ping(r.Context()); err != nil {
		a.problem.JSON(w, r, err)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

func byPath(x, y route.Route) int {
	if x.Path != y.Path {
		if x.Path < y.Path {
			return -1
		}
		return 1
	}
	if x.Method < y.Method {
		return -1
	}
	return 1
}

// routeLine is the facts about one route.
type routeLine struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Auth   route.Auth  `json:"auth"`
	Scopes string      `json:"scopes,omitempty"`
	PHI    route.Class `json:"phi"`
	Limit  string      `json:"limit,omitempty"`
	Owner  string      `json:"owner"`
	Reason string      `json:"reason,omitempty"`
}

// routeLines gives the facts about every route, those below the FHIR base
// included, by path.
func (a *App) routeLines() ([]routeLine, error) {
	routes, err := a.routes()
	if err != nil {
		return nil, err
	}
	routes = append(routes, gatewayRoutes()...)
	slices.SortFunc(routes, byPath)
	var out []routeLine
	for _, r := range routes {
		out = append(out, routeLine{r.Method, r.Path, r.Auth, r.Scopes, r.PHI, r.Limit, r.Owner, r.Reason})
	}
	return out, nil
}
