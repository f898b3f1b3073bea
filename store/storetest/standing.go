package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// standings: a request under a grant learns at once whether client, person,
// log-in session and consents still back it (SMART REF-10, TOK-12).
func standings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	ref := oauth.TokenRef{ID: "t1", ClientID: "app", GrantID: "g1"}
	seen := func() oauth.Standing {
		t.Helper()
		_, byCode, err := s.CodeStanding(ctx, tenant, oauth.CodeRef{Hash: "c1"})
		must(t, err)
		_, byRefresh, err := s.RefreshStanding(ctx, tenant, refreshRef("r1"))
		must(t, err)
		_, byToken, err := s.TokenStanding(ctx, tenant, ref)
		must(t, err)
		equal(t, byRefresh, byCode)
		equal(t, byToken, byCode)
		return byCode
	}
	must(t, s.CreateCode(ctx, code()))
	must(t, begin(ctx, s))
	// A code or token whose grant is gone is worth nothing.
	_, _, err := s.CodeStanding(ctx, tenant, oauth.CodeRef{Hash: "c1"})
	fails(t, err, errs.NotFound)
	_, _, err = s.RefreshStanding(ctx, tenant, refreshRef("r1"))
	fails(t, err, errs.NotFound)
	_, _, err = s.TokenStanding(ctx, tenant, ref)
	fails(t, err, errs.NotFound)

	g := grant("g1", noon())
	must(t, s.CreateGrant(ctx, g))
	equal(t, seen(), oauth.Standing{Grant: g})
	c, _, _ := s.CodeStanding(ctx, tenant, oauth.CodeRef{Hash: "c1"})
	equal(t, c, code())
	r, _, _ := s.RefreshStanding(ctx, tenant, refreshRef("r1"))
	equal(t, r, refresh())
	must(t, s.PutClient(ctx, app()))
	must(t, s.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p-maria", Username: "maria"}))
	must(t, s.CreateSession(ctx, identity.Session{Tenant: tenant, Hash: "h1", PersonID: "p-maria", Ends: noon().Add(time.Hour)}))
	must(t, s.PutConsent(ctx, record("c9", 1), 0))
	epoch := got(s.ConsentEpoch(ctx, tenant, "rosa"))(t)
	full := oauth.Standing{Grant: g, Client: app(), PersonActive: true, SessionEnds: noon().Add(time.Hour), ConsentEpoch: epoch}
	equal(t, seen(), full)
	equal(t, full.SignedIn(noon()), true)
	equal(t, full.SignedIn(noon().Add(time.Hour)), false)
	// Each of them is seen to end.
	changed := app()
	changed.Disabled, changed.Epoch = true, 9
	must(t, s.PutClient(ctx, changed))
	must(t, s.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p-maria", Username: "maria", Disabled: true}))
	must(t, s.EndSession(ctx, tenant, "h1", noon()))
	withdrawn := record("c9", 2)
	withdrawn.Status = "inactive"
	must(t, s.PutConsent(ctx, withdrawn, 1))
	equal(t, got(s.RevokeGrant(ctx, tenant, "g1", "why", noon()))(t), true)
	g.Revoked, g.Reason = noon(), "why"
	equal(t, seen(), oauth.Standing{Grant: g, Client: changed, ConsentEpoch: epoch + 1, ApprovalEnded: true})

	must(t, s.RevokeToken(ctx, tenant, "t1", noon().Add(time.Hour)))
	listed, _, _ := s.TokenStanding(ctx, tenant, ref)
	equal(t, listed, true)
	tokenOfClient(t, s, changed)
}

// tokenOfClient: a token without a grant stands with its client alone.
func tokenOfClient(t *testing.T, s *store.Store, c oauth.Client) {
	t.Helper()
	ctx := t.Context()
	for id, want := range map[string]bool{"t1": true, "t2": false} {
		listed, st, err := s.TokenStanding(ctx, tenant, oauth.TokenRef{ID: id, ClientID: "app"})
		must(t, err)
		equal(t, listed, want)
		equal(t, st, oauth.Standing{Client: c})
	}
	_, _, err := s.TokenStanding(ctx, other, oauth.TokenRef{ID: "t1", ClientID: "app"})
	fails(t, err, errs.NotFound)
}
