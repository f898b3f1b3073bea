package app

import (
	"context"
	"log/slog"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/codec"
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
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

// defaultTenant is the tenant at the root of the public URL. It always exists.
const defaultTenant = "default"

// App is one running composition of all rooms: what the tenants of a process
// share.
type App struct {
	cfg   Config
	log   *slog.Logger
	clock clock.Clock
	ids   ids.Source

	store    *store.Store
	queue    *audit.Queue
	sealer   *audit.Sealer
	ring     *keys.Ring
	codec    *codec.Codec
	words    *words.Catalogue
	consents *consent.Service
	proxies  *proxy.Service
	loader   *authority.Loader
	engine   *engine.Engine
	auth     *clientauth.Authenticator
	// home is the default tenant.
	home *tenant
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
func (a *App) build(ctx context.Context, at reached) (err error) {
	if a.codec, err = codec.New(); err != nil {
		return err
	}
	if a.words, err = words.New(); err != nil {
		return err
	}
	a.ring = keys.NewRing(a.store, a.clock)
	a.queue = audit.NewQueue(a.store, audit.QueueConfig{})
	a.sealer = audit.NewSealer(audit.SealerDeps{Ledger: a.store, Secrets: a.store, Clock: a.clock, IDs: a.ids})
	a.buildRooms()
	a.buildOAuth()
	a.home, err = a.newTenant(ctx, defaultTenant, at)
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

func (a *App) buildRooms() {
	a.consents = consent.NewService(consent.Deps{
		Store: a.store, Tx: on(a.store, func(tx store.Tx) consent.Tx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids,
	})
	a.proxies = proxy.NewService(proxy.Deps{
		Tx:        on(a.store, func(tx store.Tx) proxy.Tx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids,
	})
	a.loader = &authority.Loader{Policies: a.consents, Proxies: a.store, Clients: a.store, Clock: a.clock}
}

func (a *App) buildOAuth() {
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
}

// endpoint gives the token endpoint's phases.
func (a *App) endpoint() *grant.Endpoint {
	people := standing{a.store, a.clock}
	return grant.New(grant.Deps{
		Engine: a.engine, Auth: a.auth, Reader: a.store, Runner: on(a.store, func(tx store.Tx) oauth.Tx { return tx }),
		Redecide: a.loader, Sessions: people, People: people, Clock: a.clock,
	})
}

// Site gives the site of a tenant (engine.Sites).
func (a *App) Site(_ context.Context, id string) (engine.Site, error) {
	if id != a.home.id {
		return engine.Site{}, errs.New(errs.NotFound, "tenant-unknown", "There is no such tenant.")
	}
	return a.home.site, nil
}
