package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// Who acts under a grant is kept once, and what a person ended stays ended.
func delegations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	d := oauth.Delegation{Tenant: tenant, GrantID: "g1", ClientID: "agent", Via: "app", Since: noon(), Last: noon()}
	lab := oauth.Delegation{Tenant: tenant, GrantID: "g1", ClientID: "lab", Via: "agent", Since: noon().Add(time.Second), Last: noon().Add(time.Second)}
	must(t, s.Delegate(ctx, lab))
	must(t, s.Delegate(ctx, d))
	equal(t, got(s.Delegations(ctx, tenant, "g1"))(t), []oauth.Delegation{d, lab})
	equal(t, len(got(s.Delegations(ctx, other, "g1"))(t)), 0)
	equal(t, len(got(s.Delegations(ctx, tenant, "g2"))(t)), 0)

	again := d
	again.Via, again.Since, again.Last = "other", noon().Add(time.Hour), noon().Add(time.Hour)
	must(t, s.Delegate(ctx, again))
	d.Last = again.Last
	equal(t, got(s.Delegations(ctx, tenant, "g1"))(t), []oauth.Delegation{d, lab})

	d.Ended = noon().Add(2 * time.Hour)
	equal(t, got(s.EndDelegation(ctx, tenant, "g1", "agent", d.Ended))(t), true)
	equal(t, got(s.EndDelegation(ctx, tenant, "g1", "agent", noon()))(t), false)
	fails(t, s.Delegate(ctx, again), errs.Conflict)
	equal(t, got(s.Delegations(ctx, tenant, "g1"))(t), []oauth.Delegation{d, lab})

	// A restored store may not know what was ended: it is forbidden all the same.
	equal(t, got(s.EndDelegation(ctx, tenant, "g2", "agent", noon()))(t), true)
	again.GrantID = "g2"
	fails(t, s.Delegate(ctx, again), errs.Conflict)
}
