package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/session"
)

// fhirPath is the path of a FHIR base below its tenant's.
const fhirPath = "/fhir"

// tenant is what belongs to one tenant of the process (D13): its addresses,
// its keyed hash, its upstream, and the use-cases and pages bound to them.
type tenant struct {
	*App
	id       string
	site     engine.Site
	hasher   ids.Hasher
	record   *upstream.Client
	identity *identity.Service
	flow     *flow.Service
	kit      *pages.Kit
	session  *session.Manager
	problem  *problem.Writer
	handler  http.Handler
}

// newTenant joins the parts of one tenant. The shared rooms must be built.
func (a *App) newTenant(ctx context.Context, id string, at reached) (*tenant, error) {
	t := &tenant{App: a, id: id, site: engine.Site{
		Tenant: id, Issuer: at.public, FHIRBase: at.public + fhirPath, TokenURL: at.public + "/token",
		IntrospectURL: at.public + "/introspect", RevokeURL: at.public + "/revoke",
	}}
	for _, step := range []func(context.Context, reached) error{
		t.buildKeys, t.buildPages, t.buildFlow, t.buildWeb,
	} {
		if err := step(ctx, at); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tenant) buildKeys(ctx context.Context, at reached) (err error) {
	if err = t.ring.Open(ctx, t.id); err != nil {
		return err
	}
	if t.hasher, err = t.ring.Hasher(ctx, t.id); err != nil {
		return err
	}
	t.identity = newIdentity(t.store, t.clock, t.ids, t.hasher)
	t.record, err = upstream.New(upstream.Config{Base: at.upstream})
	return err
}

func (t *tenant) buildPages(context.Context, reached) (err error) {
	t.kit, err = pages.New(pages.Deps{
		Words: t.words, Log: t.log, HelpPhone: t.cfg.HelpPhone, Organisation: t.cfg.Organization,
	})
	return err
}

func (t *tenant) buildFlow(context.Context, reached) error {
	// Validate has read it before; none is the zero reference.
	custodian, _ := fhir.ParseReference(t.cfg.OrganizationRef)
	t.flow = flow.New(flow.Deps{
		Tx: on(t.store, func(tx store.Tx) flow.Tx { return tx }), Read: t.store, Authority: t.loader,
		Record: record{t.record, t.id, t.store, t.consents},
		Issuer: issuer{t.engine, t.clock}, Clock: t.clock, IDs: t.ids, Hasher: t.hasher,
		IssuerURL: t.site.Issuer, Base: t.site.FHIRBase, StyleURL: t.site.Issuer + protocol.StylePath(t.kit.SMARTStyle()),
		Organization: custodian,
	})
	return nil
}

func (t *tenant) buildWeb(_ context.Context, at reached) (err error) {
	t.problem = problem.New(problem.Config{Issuer: t.site.Issuer, Log: t.log, Page: t.errorPage})
	t.session, err = session.New(session.Deps{
		PublicURL: at.public, Sessions: t.identity, IDs: t.ids, Hasher: t.hasher,
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
		Routes: routes, FHIRBasePath: fhirPath, Gateway: t.gateway(), IDs: t.ids, Log: t.log,
		NotFound: http.HandlerFunc(t.notFound), Failed: t.problem.HTML, HSTS: strings.HasPrefix(at.public, "https://"),
	})
	return err
}
