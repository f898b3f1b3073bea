package app

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/ids"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth/constraint"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/oauth/tiered"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages"
	consentpages "github.com/mandate-health/mandate/web/pages/consent"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// fhirPath is the path of a FHIR base below its tenant's.
const fhirPath = "/fhir"

// tenant is what belongs to one tenant of the process (D13): its addresses,
// its keyed hash, its upstream, and the use-cases and pages bound to them.
type tenant struct {
	*App
	row       tenants.Tenant
	id        string
	base      route.Base
	site      engine.Site
	custodian fhir.Reference
	hasher    ids.Hasher
	record    *upstream.Client
	identity  *identity.Service
	flow      *flow.Service
	tiered    *tiered.Service
	kit       *pages.Kit
	session   *session.Manager
	problem   *problem.Writer
	handler   http.Handler
	// enacted says that the law as it is loaded was applied to what there is.
	enacted atomic.Bool
}

// newTenant joins the parts of one tenant. The shared rooms must be built.
func (a *App) newTenant(ctx context.Context, row tenants.Tenant) (*tenant, error) {
	t := &tenant{App: a, row: row, id: row.ID}
	if !t.isHome() {
		t.base = route.BaseOf(row.ID)
	}
	root := a.public + string(t.base)
	t.site = engine.Site{
		Tenant: row.ID, Issuer: root, FHIRBase: root + fhirPath, TokenURL: root + "/token",
		IntrospectURL: root + "/introspect", RevokeURL: root + "/revoke",
		PushURL: root + "/par", Demo: a.cfg.Dev,
	}
	t.kit = a.kit.For(string(t.base), row.Name).Stand(func(r *http.Request) pages.Standing { return t.actingPages().Standing(r) })
	// What wrote the row has read it before; none is the zero reference.
	t.custodian, _ = fhir.ParseReference(row.Organization)
	if err := t.buildKeys(ctx); err != nil {
		return nil, err
	}
	t.buildFlow()
	return t, t.buildWeb()
}

// isHome reports whether this is the tenant at the root.
func (t *tenant) isHome() bool { return t.id == tenants.Default }

func (t *tenant) buildKeys(ctx context.Context) (err error) {
	if err = t.store.OpenKeys(ctx, t.id); err != nil {
		return err
	}
	if err = t.ring.Open(ctx, t.id); err != nil {
		return err
	}
	if t.hasher, err = t.ring.Hasher(ctx, t.id); err != nil {
		return err
	}
	t.identity = t.newIdentity(t.hasher)
	t.record, err = upstreamClient(t.cfg, t.row.Upstream, t.clock, t.ids)
	return err
}

func (t *tenant) buildFlow() {
	d := flow.Deps{
		Tx: on(t.store, func(tx store.Tx) flow.Tx { return tx }), Read: t.memory, Authority: t.loader,
		Record:  record{upstream.NewRecent(t.record, t.clock), t.id, t.store, t.consents},
		Clients: t.documents, Issuer: issuer{t.engine, t.clock}, Objects: t.auth, Clock: t.clock, IDs: t.ids, Hasher: t.hasher,
		IssuerURL: t.site.Issuer, Base: t.site.FHIRBase, StyleURL: t.site.Issuer + protocol.StylePath(t.kit.SMARTStyle()),
		Organization: t.custodian, RequirePushed: t.cfg.Push.Require, PushLife: t.cfg.Push.Life,
		Demands: t.cfg.SignIn.demands(),
	}
	if t.isHome() {
		d.OtherBases = []string{t.public + route.BaseOf(t.id).Path(fhirPath)}
	}
	t.tiered = t.newTiered()
	d.Providers = t.tiered
	d.Devices, d.DevicePage = t.store, t.site.Issuer+consentpages.DevicePath
	t.flow = flow.New(d)
}

func (t *tenant) buildWeb() (err error) {
	t.problem = problem.New(problem.Config{
		Issuer: t.site.Issuer, Log: t.log, Page: t.errorPage,
		DPoP: constraint.Algorithms(), Resource: protocol.ResourceMetadataURL(t.site.FHIRBase),
	})
	t.session, err = session.New(session.Deps{
		PublicURL: t.public, Base: t.base, Tenant: func(*http.Request) string { return t.id },
		Sessions: t.identity, Lapsed: t.identity.Lapsed, IDs: t.ids, Clock: t.clock, Hasher: t.hasher, Demands: t.cfg.SignIn.demands(),
		TrustedProxies: t.cfg.proxies(), Refuse: t.problem.HTML, RequestID: web.RequestID,
	})
	if err != nil {
		return err
	}
	routes, err := t.routes()
	if err != nil {
		return err
	}
	t.handler, err = web.New(web.Deps{
		Routes: t.limited(routes), Base: t.base, FHIRBasePath: t.base.Path(fhirPath), Gateway: t.limit("fhir", t.problem.FHIR, t.gateway()), IDs: t.ids, Log: t.log,
		NotFound: http.HandlerFunc(t.notFound), Failed: t.problem.HTML, FailedClient: t.problem.OAuth, HSTS: strings.HasPrefix(t.public, "https://"), Observer: t.observer(),
	})
	return err
}
