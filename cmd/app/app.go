package app

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/ldap"
	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/devkeys"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/internal/telemetry"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/oauth/udap"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web/pages"
)

// App is one running composition of all rooms: what the tenants of a process
// share.
type App struct {
	cfg   Config
	log   *slog.Logger
	clock clock.Clock
	ids   ids.Source

	store *store.Store
	// reports answers what may be a little old.
	reports *store.Reports
	sweeper sweeper
	feed    *watch.Feed
	memory  *store.Memory
	limiter *limit.Limiter
	journal *journal.Journal
	// backupAge is what the metrics say of the newest backup.
	backupAge backupAge
	queue     *audit.Queue
	flights   *flight.Recorder
	uses      *registration.Uses
	audit     *auditing
	ring      *keys.Ring
	keyNews   *keyNews
	// tenantNews wakes followTenants.
	tenantNews tenantNews
	// provider keeps the key-encryption keys, envelope what they wrap.
	provider keys.Provider
	envelope *keys.Envelope
	codec    *codec.Codec
	// definitions are served at every FHIR base.
	definitions []fhirevent.Definition
	// law is what holds where the patients live.
	law       *law.Law
	kit       *pages.Kit
	consents  *consent.Service
	proxies   *proxy.Service
	loader    *authority.Loader
	engine    *engine.Engine
	auth      *clientauth.Authenticator
	documents *registration.Documents
	// trust is in the UDAP communities, devCommunity that of a development server.
	trust        *udap.Trust
	devCommunity devkeys.Community
	// passwords is shared, because it bounds the memory of all log-ins at once.
	passwords *password.Hasher
	// leaked and places are nil where no file of such was named.
	leaked func(password string) (bool, error)
	places *risk.Places
	// passkeys is nil where browsers offer none.
	passkeys identity.Passkeys
	// ldap is nil where no directory keeps passwords of staff.
	ldap *ldap.Directory
	// public is the URL of the main listener.
	public string
	// home is the default tenant, others holds those of the store by id.
	home   *tenant
	others atomic.Pointer[map[string]*tenant]
	// devToken guards the administration API of a development server; empty
	// lets nobody in.
	devToken string
	// tls is nil where TLS ends before this server.
	tls   *tlsconf.Server
	ready *health.Readiness
	// metrics and tracer are nil unless asked for.
	metrics         *telemetry.Metrics
	metricsListener net.Listener
	tracer          *telemetry.Tracer
	// begun is set once everything is open and requests are waited for.
	begun bool
}

// reached is what is known only once the listeners are open.
type reached struct {
	// public is the URL of the main listener, upstream the FHIR base behind.
	public   string
	upstream string
}

// build joins the rooms. The store must be open and migrated.
func (a *App) build(ctx context.Context, at reached) (err error) {
	if a.definitions, err = fhirevent.Definitions(); err != nil {
		return err
	}
	if a.codec, err = codec.New(); err != nil {
		return err
	}
	catalogue, err := words.New()
	if err != nil {
		return err
	}
	if a.kit, err = pages.New(pages.Deps{Words: catalogue, Log: a.log, HelpPhone: a.cfg.HelpPhone, Zone: a.cfg.zone()}); err != nil {
		return err
	}
	if err := a.openSignIn(); err != nil {
		return err
	}
	a.public = at.public
	if a.passkeys, err = a.newPasskeys(); err != nil {
		return err
	}
	a.feed = watch.New(watch.Config{Store: a.store, Staleness: a.cfg.Staleness, Clock: clock.System{}, Log: a.log})
	a.memory = a.store.Remember(a.feed)
	a.limiter = limit.New(a.store, clock.System{})
	a.keyNews = &keyNews{tenants: map[string]bool{}, wake: make(chan struct{}, 1)}
	a.feed.Subscribe(a.keyNews.tell)
	a.tenantNews = make(tenantNews, 1)
	a.feed.Subscribe(a.tenantNews.tell)
	if a.ring, err = newRing(a.store, a.clock, a.provider, a.cfg.KeySettings); err != nil {
		return err
	}
	if err := a.buildAudit(); err != nil {
		return err
	}
	a.flights = flight.New(flight.Deps{Store: a.store, Known: a.knownClient, Log: a.log})
	a.store.OnAudit(a.flights.Observe)
	a.uses = &registration.Uses{Store: a.store, Log: a.log}
	a.store.OnAudit(a.uses.Observe)
	if err := a.buildRooms(); err != nil {
		return err
	}
	fetcher := clientauth.NewFetcher(clientauth.FetcherConfig{Clock: a.clock, Dev: a.cfg.Dev})
	if err := a.buildUDAP(ctx, fetcher); err != nil {
		return err
	}
	authorities, err := a.cfg.MTLS.authorities()
	if err != nil {
		return err
	}
	a.buildOAuth(fetcher, authorities)
	a.home, err = a.newTenant(ctx, tenants.Tenant{
		ID: tenants.Default, Name: a.cfg.Organization, Organization: a.cfg.OrganizationRef, Upstream: at.upstream,
	})
	if err != nil {
		return err
	}
	return a.loadTenants(ctx)
}

// on gives a room's transaction type a runner on the one store.
func on[T any](st *store.Store, view func(store.Tx) T) txn.Runner[T] {
	return txn.Func[T](func(ctx context.Context, fn func(T) error) error {
		return st.InTx(ctx, func(tx store.Tx) error { return fn(view(tx)) })
	})
}

// newIdentity gives the use-cases of accounts and sessions.
func (a *App) newIdentity(hasher ids.Hasher) *identity.Service {
	policy := a.cfg.SignIn.policy(a.cfg.Passkeys.rules())
	policy.Sent = a.cfg.sent()
	return identity.New(identity.Deps{
		Tx:    on(a.store, func(tx store.Tx) identity.Tx { return tx }),
		Store: a.store, Seen: a.memory, Passwords: a.passwords, Codes: a.codes(), Passkeys: a.passkeys, Clock: a.clock, IDs: a.ids, Hasher: hasher,
		Assess: risk.Assess, Helpers: a.helpers, Places: a.places.Of, Leaked: a.leaked, Directory: a.directoryOf, Policy: policy, Shared: a.sharedMailbox,
	})
}

func (a *App) buildRooms() (err error) {
	if a.law, err = a.cfg.law(); err != nil {
		return err
	}
	a.consents = consent.NewService(consent.Deps{
		Store: a.memory, Tx: on(a.store, func(tx store.Tx) consent.FilingTx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids, Options: a.cfg.consents(), Held: a.held, Signer: a.ring,
	})
	a.proxies = proxy.NewService(proxy.Deps{
		Tx:        on(a.store, func(tx store.Tx) proxy.Tx { return tx }),
		Validator: a.codec, Clock: a.clock, IDs: a.ids, Zone: a.cfg.zone(),
	})
	loader, err := a.newLoader(a.consents, a.memory)
	a.loader = loader
	return err
}

// newLoader gives what decisions rest on, with the value sets of the
// configuration.
func (a *App) newLoader(policies authority.Policies, proxies authority.Proxies) (*authority.Loader, error) {
	labelling, err := a.cfg.Labels.labelling()
	if err != nil {
		return nil, err
	}
	return &authority.Loader{Policies: policies, Proxies: proxies, Clock: a.clock, Labelling: labelling}, nil
}

func (a *App) buildOAuth(fetcher *clientauth.Fetcher, authorities *x509.CertPool) {
	verifier := &engine.Verifier{Ring: a.ring, Sites: a, Reader: a.memory, Clock: a.clock, Acting: a.memory, Nonces: a.cfg.DPoPNonce}
	a.engine = engine.New(engine.Deps{
		Ring: a.ring, IDs: a.ids, Clock: a.clock, Reader: a.memory, Runner: on(a.store, func(tx store.Tx) oauth.Tx { return tx }),
		Redecider: a.loader, Verifier: verifier, Recorder: a.queue, Ender: a.connections(),
		Residual: a.loader.Residual, Name: a.nameOf,
		Named: a.store.Named, Admit: a.admitPerson,
	})
	a.documents = a.newDocuments(fetcher)
	a.auth = &clientauth.Authenticator{
		Clients: a.documents, Hashers: a.ring, Clock: a.clock, Admit: a.admitClient,
		Keys: fetcher, Certificates: a.trust, Authorities: authorities,
	}
}

// connections is the list of connected apps.
func (a *App) connections() *oauth.Connections {
	return &oauth.Connections{
		Read: a.store, Consents: a.consents, Clock: a.clock,
		Tx: on(a.store, func(tx store.Tx) oauth.Tx { return tx }),
	}
}

// endpoint gives the token endpoint's phases.
func (a *App) endpoint() *grant.Endpoint {
	return grant.New(grant.Deps{
		Engine: a.engine, Auth: a.auth, Reader: a.memory,
		Redecide: a.loader, Clock: a.clock, Devices: a.store, Purpose: a.trust.Purpose,
		Off: a.cfg.OffConfig.grants(),
	})
}
