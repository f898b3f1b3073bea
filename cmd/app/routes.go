package app

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages"
	consentpages "github.com/mandate-health/mandate/web/pages/consent"
	"github.com/mandate-health/mandate/web/pages/devices"
	patientpages "github.com/mandate-health/mandate/web/pages/patient"
	"github.com/mandate-health/mandate/web/pages/signin"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

// routes collects what every web package serves.
func (t *tenant) routes() ([]route.Route, error) {
	consents := consentpages.New(consentpages.Deps{
		Flow: t.flow, Kit: t.kit, Session: t.session, Visitor: t.visitor, Page: t.problem.HTML, Clock: t.clock,
	})
	life, shared := t.life(), t.togetherPages()
	signedIn := devices.New(devices.Deps{
		Accounts: t.identity, Approvals: t.identity, Connections: t.connections(), Kit: t.kit, Session: t.session, Page: t.problem.HTML, RequestID: web.RequestID, Clock: t.clock,
	})
	reviews, bedsides := t.matterPages(life), t.bedsidePages(life)
	helpers, staff, regain := t.proxyPages(life), t.staffPages(life), t.regainPages()
	patients := patientpages.New(patientpages.Deps{
		Connections: t.connections(), Authority: t.loader, Relations: t.store, Read: t.store, Patients: t.record, Recorder: t.queue,
		Kit: t.kit, Session: t.session, Page: t.problem.HTML, RequestID: web.RequestID, Clock: t.clock,
		Circle: helpers.Circle, Helps: helpers.Helps, Together: shared.Found, ApproveURL: signedIn.ApproveURL,
	})
	helpers.Use = patients.Use
	operators, custodians, reasons, calls := t.operatorPages(), t.keyPages(), t.explainPages(), t.callPages()
	others, err := t.newFederation()
	if err != nil {
		return nil, err
	}
	matches := t.matchPages(others)
	logins := signin.New(signin.Deps{
		Accounts: t.identity, Passkeys: t.identity, Approvals: t.identity, SentCodes: t.identity, ApproveURL: signedIn.ApproveURL,
		Sessions: t.session, Pages: t.kit, Refuse: t.problem.HTML, Waiting: consents.Waiting, Leaving: t.leaving,
		Elsewhere: elsewhere(others), From: others.From, LeaveAt: others.LeaveAt,
		StaffTasks: func(p identity.Person) []pages.StaffTask {
			return slices.Concat(operators.Tasks()(p), custodians.Tasks()(p), reasons.Tasks()(p), matches.Tasks()(p), staff.Tasks(p),
				calls.Tasks(p), bedsides.Tasks(p), regain.Tasks(p), reviews.Tasks(p))
		},
	})
	out := slices.Concat(t.protocolRoutes(consents), consents.Routes(), patients.Routes(), signedIn.Routes(), logins.Routes(), t.factorRoutes(others), t.accountRoutes())
	out = slices.Concat(out, t.publicRoutes(), t.adminRoutes(), t.appStateRoutes())
	out = slices.Concat(out, t.registerRoutes(), t.udapRoutes(), t.tieredRoutes(), operators.Routes(), custodians.Routes(), reasons.Routes(), t.authzenRoutes())
	out = append(out, t.recordPages(life).Routes()...)
	// Below the same addresses, what has one page of its own comes first.
	out = append(out, t.paperPages(life).Routes()...)
	out = slices.Concat(out, helpers.Routes(), staff.Routes(), t.recordRoutes(life), t.actingPages().Routes(), calls.Routes(), bedsides.Routes(), regain.Routes())
	out = slices.Concat(out, others.Routes(), matches.Routes())
	out = slices.Concat(out, t.messagePages(life).Routes(), shared.Routes(), reviews.Routes(), t.scimRoutes())
	if t.cfg.Dev {
		out = append(out, t.devRoutes()...)
	}
	out = t.cfg.OffConfig.served(out)
	return append(out, t.openAPIRoute(out)), nil
}

// supportedScopes lists what is granted to who may have it.
func supportedScopes() []string {
	return append([]string{"openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter", "offline_access", "online_access"}, flow.SupportedScopes()...)
}

const (
	// devicePath is where devices begin (RFC 8628 §3.1).
	devicePath    = "/device_authorization"
	ownerProtocol = "web/protocol"
	ownerPages    = "web/pages"
)

func (t *tenant) protocolRoutes(consents *consentpages.Handler) []route.Route {
	d := protocol.Deps{
		Site: t.siteOf, Endpoint: t.endpoint(), Engine: t.engine, Auth: t.auth, Ring: t.ring,
		Clients: origins{t.store, t.memory}, Problem: t.problem, Origin: t.origin, URL: t.requestURL, Certificate: t.certificate, Metrics: t.metrics,
	}
	authorize := protocol.AuthorizeDeps{
		Flow: t.flow, Visitor: t.visitor, Tenant: t.session.Tenant, Page: t.problem.HTML,
		FlowPath: consents.FirstPath, SelfPath: t.base.Path("/authorize"),
	}
	scopes := supportedScopes()
	e := t.endpoints()
	open := func(method, path, why string, h http.Handler) route.Route {
		return route.Route{Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Owner: ownerProtocol, Reason: why, Handler: h}
	}
	limit := func(r route.Route) route.Route {
		r.Limit = "authorize"
		return r
	}
	const public = "a discovery document must be readable before anything is known (SMART DISC-02)"
	device := protocol.Device(d, e.Device, t.site.Issuer+consentpages.DevicePath)
	smart, oidc, jwks := protocol.SMARTConfiguration(e, scopes, t.brandBundle), protocol.OpenIDConfiguration(e, scopes), protocol.JWKS(d)
	out := []route.Route{
		limit(open("GET", "/authorize", "begins the log-in; the request itself is judged", t.session.Look(t.limitPerson(protocol.Authorize(authorize))))),
		limit(open("POST", "/authorize", "cross-site by specification; answered with our own GET (AZ-02)", protocol.AuthorizePost(authorize))),
		{Method: "POST", Path: "/token", Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: protocol.Token(d)},
		{Method: "POST", Path: "/introspect", Auth: route.Client, PHI: route.Identifiers, Limit: "introspect", Owner: ownerProtocol, Handler: protocol.Introspect(d)},
		{Method: "POST", Path: "/revoke", Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: protocol.Revoke(d)},
		{Method: "POST", Path: "/requests", Auth: route.Client, PHI: route.NoPHI, Limit: "introspect", Owner: ownerProtocol,
			Handler: protocol.Requests(d, t.ownRequests)},
		{Method: "POST", Path: "/par", Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: protocol.Push(d, t.flow)},
		{Method: "POST", Path: devicePath, Auth: route.Client, PHI: route.NoPHI, Limit: "token", Owner: ownerProtocol, Handler: device},
		{Method: "POST", Path: "/launch", Auth: route.Client, PHI: route.Identifiers, Limit: "token", Owner: ownerProtocol,
			Operation: launchOperation(), Handler: protocol.RegisterLaunch(d, t.flow, t.site.Issuer+"/launch")},
	}
	for path, h := range map[string]http.Handler{
		fhirPath + "/.well-known/smart-configuration": smart, "/.well-known/openid-configuration": oidc,
		"/.well-known/oauth-authorization-server": oidc, "/jwks": jwks,
		protocol.StylePath(t.kit.SMARTStyle()):   protocol.Style(t.kit.SMARTStyle()),
		brandPath:                                protocol.BrandBundle(t.brandBundle, t.problem),
		protocol.ResourceMetadataPath + fhirPath: protocol.ResourceMetadata(e, scopes),
	} {
		out = append(out, open("GET", path, public, h), open("OPTIONS", path, "CORS preflight", h))
	}
	for path, h := range map[string]http.Handler{"/token": protocol.Token(d), "/revoke": protocol.Revoke(d), "/par": protocol.Push(d, t.flow), devicePath: device} {
		r := open("OPTIONS", path, "CORS preflight", h)
		r.Limit = "token"
		out = append(out, r)
	}
	slices.SortFunc(out, byPath)
	return out
}

// auditNames are what FHIR AuditEvents call this server.
func (t *tenant) auditNames() fhirevent.Names {
	return fhirevent.Names{
		Issuer: t.site.Issuer, FHIRBase: t.site.FHIRBase, Custodian: t.custodian,
		Site: strings.TrimPrefix(strings.TrimPrefix(t.site.Issuer, "https://"), "http://"),
	}
}

// publicRoutes are what everybody may see. What concerns the process is only at
// the root.
func (t *tenant) publicRoutes() []route.Route {
	open := func(path, why string, h http.HandlerFunc) route.Route {
		return route.Route{Method: "GET", Path: path, Auth: route.None, PHI: route.NoPHI, Owner: ownerPages, Reason: why, Handler: h}
	}
	out := []route.Route{
		open("/", "leads to the start page or the log-in", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, t.base.Path("/home"), http.StatusSeeOther)
		}),
		open("/help", "must answer when the store is down", func(w http.ResponseWriter, r *http.Request) {
			t.kit.Render(w, r, http.StatusOK, pages.Help{Frame: pages.Frame{Lang: t.kit.Lang(r)}})
		}),
		open("/assets/{path:.*}", "style sheets and scripts", t.kit.Assets().ServeHTTP),
		open(errorDocs+"{code}", "explains a cause code to a developer", t.errorDoc),
	}
	if !t.isHome() {
		return out
	}
	return append(out,
		open("/healthz", "tells that the process lives", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, "ok\n")
		}),
		open("/readyz", "tells a balancer whether to send requests here", t.readyz),
		t.pins(), t.pinReports())
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
func (t *tenant) routeLines() ([]routeLine, error) {
	routes, err := t.routes()
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
