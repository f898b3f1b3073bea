package app

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/keys/devkeys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/udap"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web/route"
	web "github.com/mandate-health/mandate/web/udap"
)

// devCommunity is the URI of a development server's own community, after those
// that the settings name, and devCRLRefresh its refresh time.
const (
	devCommunity  = "https://mandate.example/udap/development"
	devCRLRefresh = 4 * time.Second
)

// udapRegisterPath is where software statements are taken.
const udapRegisterPath = "/udap/register"

// buildUDAP reads the trust communities. A development server has one more of its
// own, whose authority's key the ready file gives away.
func (a *App) buildUDAP(ctx context.Context, fetcher *clientauth.Fetcher) error {
	if a.cfg.OffConfig.has("udap") {
		a.trust = a.cfg.UDAP.trust(nil, fetcher.Document, a.clock)
		return nil
	}
	communities, err := a.cfg.UDAP.communities()
	if err != nil {
		return err
	}
	for _, c := range communities {
		if c.CRL == udap.CRLOff {
			a.log.WarnContext(ctx, "UNSAFE: certificates of a UDAP community are not asked for revocation; a stolen key works until its certificate ends", "community", c.URI)
		}
	}
	if a.cfg.Dev {
		own, err := a.openDevCommunity(ctx)
		if err != nil {
			return err
		}
		communities = append(communities, own)
	}
	a.trust = a.cfg.UDAP.trust(communities, fetcher.Document, a.clock)
	return nil
}

// openDevCommunity gives the community that development servers on one store
// share.
func (a *App) openDevCommunity(ctx context.Context) (udap.Community, error) {
	if err := a.store.OpenKeys(ctx, tenants.Default); err != nil {
		return udap.Community{}, err
	}
	var made error
	raw, err := a.store.Secret(ctx, tenants.Default, "demo-udap-community", func() []byte {
		c, err := devkeys.MakeCommunity(a.clock.Now())
		if err != nil {
			made = err
			return nil
		}
		b, err := json.Marshal(c) //nolint:gosec // it is kept as a secret, sealed
		made = err
		return b
	})
	if err == nil {
		err = made
	}
	if err != nil {
		return udap.Community{}, err
	}
	if err := json.Unmarshal(raw, &a.devCommunity); err != nil {
		return udap.Community{}, err
	}
	anchor, _, err := a.devCommunity.Anchor()
	if err != nil {
		return udap.Community{}, err
	}
	return udap.Community{
		URI: devCommunity, CRL: udap.CRLNamed, Anchors: []*x509.Certificate{anchor},
		Providers: map[string][]udap.PersonRule{udap.AnyProvider: {udap.ByFHIRUser, udap.ByUsername}},
		Contacts:  []string{"mailto:operator@mandate.example"}, LogoURI: "https://mandate.example/logo.png",
		Server: func(base string) (udap.Credential, error) {
			cert, key, err := a.devCommunity.Server(base, a.clock.Now())
			return udap.Credential{Chain: []*x509.Certificate{cert}, Key: key}, err
		},
	}, nil
}

// udapRoutes are the endpoints of UDAP at this tenant. They are there without a
// community too, and then say that UDAP is not offered.
func (t *tenant) udapRoutes() []route.Route {
	if len(t.trust.Communities) == 0 {
		// The FHIR base answers for metadata that there are not (UDP-01).
		return nil
	}
	endpoint := t.site.Issuer + udapRegisterPath
	docs := &udap.Documents{Trust: t.trust, Clock: t.clock, IDs: t.ids, Places: udap.Places{
		Base: t.site.FHIRBase, Authorize: t.site.Issuer + "/authorize", Token: t.site.TokenURL, Register: endpoint, Scopes: t.udapScopes(),
	}}
	registrar := &udap.Registrar{
		Trust: t.trust, Tx: on(t.store, func(tx store.Tx) oauth.Tx { return tx }), Scopes: t.cfg.UDAP.complete().Scopes,
		Offer: t.registrationPolicy().Offer,
	}
	d := web.Deps{Tenant: t.id, Documents: docs, Registrar: registrar, Endpoint: endpoint, Problem: t.problem, Origin: t.origin}
	open := func(method, path, limit, why string, h http.Handler) route.Route {
		return route.Route{Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: limit, Owner: "web/udap", Reason: why, Handler: h}
	}
	metadata, path := web.Metadata(d), fhirPath+"/.well-known/udap"
	return []route.Route{
		open("GET", path, "", "UDAP metadata must be readable before anything is known (UDP-01)", metadata),
		open("OPTIONS", path, "", "CORS preflight", metadata),
		open("POST", udapRegisterPath, "token", "a client that registers is not known yet; its certificate proves it", web.Register(d)),
	}
}

// udapScopes gives what UDAP clients may ask for: of what every app may, that
// within the ceiling.
func (t *tenant) udapScopes() []string {
	var out []string
	for _, itself := range []bool{false, true} {
		for _, s := range supportedScopes() {
			kept, err := udap.Negotiate(s, t.cfg.UDAP.complete().Scopes, itself)
			if err == nil && kept == s && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// tendCertificates ends what clients hold by certificates that were revoked. A
// quarter of the refresh time is the age of a list, another the time between two
// looks; the rest is for fetching, and for other nodes to hear of it.
func (a *App) tendCertificates(ctx context.Context, _ jobs.Turn) error {
	sweeper := &udap.Sweeper{Trust: a.trust, Read: a.store, Tx: on(a.store, func(tx store.Tx) oauth.Tx { return tx })}
	ids := []string{tenants.Default}
	for _, t := range a.served() {
		ids = append(ids, t.id)
	}
	for _, id := range ids {
		if err := sweeper.Sweep(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
