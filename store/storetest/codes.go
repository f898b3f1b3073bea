package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// named gives a code that names its grant, and what it says.
func named(grantID string) (oauth.Code, oauth.CodeRef) {
	c := code()
	c.Hash, c.GrantID, c.Named = strings.Repeat("c0de", 16), grantID, true
	return c, oauth.CodeRef{Hash: c.Hash, GrantID: grantID}
}

// namedCodes: a code that names its grant is known by its hash and nothing else,
// is used once (AZ-16), and is told from an unknown one for as long as its grant
// is there.
func namedCodes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, ref := named("g1")
	g := grant("g1", noon())
	g.Code = &c
	must(t, s.CreateGrant(ctx, g))
	g.Code = nil
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), g)
	must(t, s.CreateGrant(ctx, grant("g2", noon())))

	found, st, err := s.CodeStanding(ctx, tenant, ref)
	must(t, err)
	equal(t, []any{found, st.Grant}, []any{c, g})
	unknown := func(tenant string, ref oauth.CodeRef) {
		t.Helper()
		_, _, err := s.CodeStanding(ctx, tenant, ref)
		fails(t, err, errs.NotFound)
		no := c
		no.Tenant, no.Hash, no.GrantID = tenant, ref.Hash, ref.GrantID
		equal(t, got(s.UseCode(ctx, no, noon()))(t), false)
	}
	unknown(other, ref)
	for _, ref := range []oauth.CodeRef{
		{Hash: ref.Hash, GrantID: "g2"}, {Hash: ref.Hash, GrantID: "g3"}, {Hash: strings.Repeat("0", 64), GrantID: "g1"}, {Hash: "", GrantID: "g2"},
	} {
		unknown(tenant, ref)
	}

	used := noon().Add(time.Second)
	equal(t, race(t, 50, "", func(int) (bool, error) { return s.UseCode(ctx, c, used) }), 1)
	found, _, err = s.CodeStanding(ctx, tenant, ref)
	must(t, err)
	equal(t, []any{found.Used, found.Confirmation, found.ClientID, found.Nonce}, []any{used, c.Confirmation, c.ClientID, ""})

	// One that does not name its grant, as a node of the version before reads it,
	// is stored with it all the same.
	old := code()
	old.GrantID = "g4"
	g = grant("g4", noon())
	g.Code = &old
	must(t, s.CreateGrant(ctx, g))
	fails(t, s.CreateGrant(ctx, g), errs.Conflict)
	found, _, err = s.CodeStanding(ctx, tenant, oauth.CodeRef{Hash: old.Hash})
	must(t, err)
	equal(t, found, old)
}
