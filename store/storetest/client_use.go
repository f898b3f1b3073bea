package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/store"
)

// clientUses: the last use of a client never goes back, is each tenant's own, and
// live grants name their clients.
func clientUses(t *testing.T, s *store.Store) {
	ctx := t.Context()
	use := func(tenant, client string, days int) registration.Use {
		return registration.Use{Tenant: tenant, ClientID: client, At: noon().AddDate(0, 0, days)}
	}
	must(t, s.NoteUses(ctx, []registration.Use{use(tenant, "app", 2), use(tenant, "quiet", 1), use(other, "app", 5)}))
	must(t, s.NoteUses(ctx, []registration.Use{use(tenant, "app", 1), use(tenant, "quiet", 3)}))
	must(t, s.NoteUses(ctx, nil))
	equal(t, got(s.Uses(ctx, tenant))(t), map[string]time.Time{"app": use("", "", 2).At, "quiet": use("", "", 3).At})

	live, gone, past := grant("live", noon()), grant("gone", noon()), grant("past", noon())
	live.ClientID, gone.ClientID, past.ClientID = "app", "revoked", "over"
	live.Ends, past.Ends = noon().AddDate(1, 0, 0), noon().Add(time.Hour)
	for _, g := range []oauth.Grant{live, gone, past} {
		must(t, s.CreateGrant(ctx, g))
	}
	equal(t, got(s.RevokeGrant(ctx, tenant, gone.ID, "x", noon()))(t), true)
	equal(t, got(s.ClientsWithGrants(ctx, tenant, noon().Add(2*time.Hour)))(t), []string{"app"})
	equal(t, len(got(s.ClientsWithGrants(ctx, other, noon()))(t)), 0)
}
