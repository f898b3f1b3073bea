package app

import (
	"context"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/tiered"
	"github.com/mandate-health/mandate/web/route"
	web "github.com/mandate-health/mandate/web/tiered"
)

// newTiered gives the log-in at identity providers of the trust communities.
func (t *tenant) newTiered() *tiered.Service {
	return tiered.New(tiered.Deps{
		Trust: t.trust, Base: t.site.FHIRBase, Callback: t.site.Issuer + web.CallbackPath, Name: t.row.Name,
		HTTP: clientauth.NewPublicClient(t.cfg.Dev, nil), Keys: t.auth.Keys, Sealer: attempts{t.ring, t.id, boundAttempts},
		Clock: t.clock, IDs: t.ids, Development: t.cfg.Dev,
	})
}

// attempts seals what an attempt to log in carries.
type attempts struct {
	ring   *keys.Ring
	tenant string
	// bound keeps attempts of one kind apart from all others.
	bound string
}

// boundAttempts keeps sealed attempts apart from handles of access tokens.
const boundAttempts = "tiered-login"

// Seal implements tiered.Sealer.
func (s attempts) Seal(ctx context.Context, v any) (string, error) {
	return s.ring.SealHandle(ctx, s.tenant, s.bound, v)
}

// Open implements tiered.Sealer.
func (s attempts) Open(ctx context.Context, sealed string) ([]byte, error) {
	return s.ring.OpenHandle(ctx, s.tenant, s.bound, sealed)
}

// tieredRoutes lead to a provider and back.
func (t *tenant) tieredRoutes() []route.Route {
	return web.Deps{
		LogIn: t.tiered, Flow: t.flow, Accounts: t.identity, Session: t.session, Visitor: t.visitor, Page: t.problem.HTML,
	}.Routes()
}
