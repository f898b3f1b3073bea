package app

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/session"
)

// tenant is the only one so far; every table and key carries it (D13).
const tenant = "default"

// fhirPath is the path of the FHIR base of the default tenant.
const fhirPath = "/fhir"

// App is one running composition of all rooms.
type App struct {
	cfg   Config
	log   *slog.Logger
	clock clock.Clock
	ids   ids.Source

	store    *store.Store
	queue    *audit.Queue
	ring     *keys.Ring
	hasher   ids.Hasher
	site     engine.Site
	record   *upstream.Client
	codec    *codec.Codec
	identity *identity.Service
	consents *consent.Service
	proxies  *proxy.Service
	loader   *authority.Loader
	engine   *engine.Engine
	auth     *clientauth.Authenticator
	flow     *flow.Service
	kit      *pages.Kit
	session  *session.Manager
	problem  *problem.Writer
	handler  http.Handler
	// devToken guards the administration API of a development server; empty
	// lets nobody in.
	devToken string
}

// reached is what is known only once the listeners are open.
type reached struct {
	// public is the URL of the main listener, upstream the FHIR base behind.
	public   string
	upstream string
}

// build joins the rooms. The store must be open and migrated.
func (a *App) build(ctx context.Context, at reached) error {
	a.site = engine.Site{
		Tenant: tenant, Issuer: at.public, FHIRBase: at.public + fhirPath, TokenURL: at.public + "/token",
		IntrospectURL: at.public + "/introspect", RevokeURL: at.public + "/revoke",
	}
	for _, step := range []func(context.Context, reached) error{
		a.buildKeys, a.buildRooms, a.buildPages, a.buildOAuth, a.buildWeb,
	} {
		if err := step(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) buildKeys(ctx context.Context, at reached) (err error) {
	a.ring = keys.NewRing(a.store, a.clock)
	if err = a.ring.Open(ctx, tenant); err != nil {
		return err
	}
	if a.hasher, err = a.ring.Hasher(ctx, tenant); err != nil {
		return err
	}
	if a.codec, err = codec.New(); err != nil {
		return err
	}
	a.record, err = upstream.New(upstream.Config{Base: at.upstream})
	return err
}

// on gives a room's transaction type a runner on the one store.
func on[T any](st *store.Store, view func(store.Tx) T) txn.Runner[T] {
	return txn.Func[T](func(ctx context.Context, fn func(T) error) error {
		return st.InTx(ctx, func(tx store.Tx) error { return fn(view(tx)) })
	})
}

// newIdentity gives the use-cases of accounts and sessions.
func newIdentity(st *store.Store, clk clock.Clock, src ids.Source, hasher ids.Hasher) *identity.Service {
	return identity.New(identity.Deps{
		Tx:    on(st, func(tx store.Tx) identity.Tx { return tx }),
		Store: st, Passwords: passwords(src), Codes: codes(), Clock: clk, IDs: src, Hasher: hasher,
	})
}

func (a *App) buildRooms(context.Context, reached) error {
	a.queue = audit.NewQueue(a.store, audit.QueueConfig{})
	a.identity = newIdentity(a.store, a.clock, a.ids, a.hasher)
	a.consents = consent.NewService(consent.Deps{
		Store: a.store, Tx: on(a.store, func(tx store.Tx) consent.Tx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids,
	})
	a.proxies = proxy.NewService(proxy.Deps{
		Tx:        on(a.store, func(tx store.Tx) proxy.Tx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids,
	})
	a.loader = &authority.Loader{Policies: a.consents, Proxies: a.store, Clients: a.store, Clock: a.clock}
	return nil
}

func (a *App) buildOAuth(context.Context, reached) error {
	// Validate has read it before; none is the zero reference.
	custodian, _ := fhir.ParseReference(a.cfg.OrganizationRef)
	people := standing{a.store, a.clock}
	verifier := &engine.Verifier{Ring: a.ring, Sites: a, Reader: a.store, People: people, Clock: a.clock}
	a.engine = engine.New(engine.Deps{
		Ring: a.ring, IDs: a.ids, Clock: a.clock, Reader: a.store, Runner: on(a.store, func(tx store.Tx) oauth.Tx { return tx }),
		Redecider: a.loader, Verifier: verifier, Recorder: a.queue, Sessions: people,
	})
	a.auth = &clientauth.Authenticator{
		Clients: a.store, Hashers: a.ring, Clock: a.clock,
		Keys: clientauth.NewFetcher(clientauth.FetcherConfig{Clock: a.clock, Dev: a.cfg.Dev}),
	}
	a.flow = flow.New(flow.Deps{
		Tx: on(a.store, func(tx store.Tx) flow.Tx { return tx }), Read: a.store, Authority: a.loader,
		Record: record{a.record, a.store, a.consents},
		Issuer: issuer{a.engine, a.clock}, Clock: a.clock, IDs: a.ids, Hasher: a.hasher,
		IssuerURL: a.site.Issuer, Base: a.site.FHIRBase, StyleURL: a.site.Issuer + protocol.StylePath(a.kit.SMARTStyle()),
		Organization: custodian,
	})
	return nil
}

// endpoint gives the token endpoint's phases.
func (a *App) endpoint() *grant.Endpoint {
	people := standing{a.store, a.clock}
	return grant.New(grant.Deps{
		Engine: a.engine, Auth: a.auth, Reader: a.store, Runner: on(a.store, func(tx store.Tx) oauth.Tx { return tx }),
		Redecide: a.loader, Sessions: people, People: people, Clock: a.clock,
	})
}

func (a *App) buildPages(context.Context, reached) error {
	catalogue, err := words.New()
	if err != nil {
		return err
	}
	a.kit, err = pages.New(pages.Deps{
		Words: catalogue, Log: a.log, HelpPhone: a.cfg.HelpPhone, Organisation: a.cfg.Organization,
	})
	return err
}

func (a *App) buildWeb(_ context.Context, at reached) (err error) {
	a.problem = problem.New(problem.Config{Issuer: a.site.Issuer, Log: a.log, Page: a.errorPage})
	a.session, err = session.New(session.Deps{
		PublicURL: at.public, Sessions: a.identity, IDs: a.ids, Hasher: a.hasher,
		TrustedProxies: a.cfg.TrustedProxies, Refuse: a.problem.HTML, RequestID: web.RequestID,
	})
	if err != nil {
		return err
	}
	routes, err := a.routes()
	if err != nil {
		return err
	}
	a.handler, err = web.New(web.Deps{
		Routes: routes, FHIRBasePath: fhirPath, Gateway: a.gateway(), IDs: a.ids, Log: a.log,
		NotFound: http.HandlerFunc(a.notFound), Failed: a.problem.HTML, HSTS: strings.HasPrefix(at.public, "https://"),
	})
	return err
}

// Site gives the one site (engine.Sites).
func (a *App) Site(_ context.Context, t string) (engine.Site, error) {
	if t != tenant {
		return engine.Site{}, errs.New(errs.NotFound, "tenant-unknown", "There is no such tenant.")
	}
	return a.site, nil
}
