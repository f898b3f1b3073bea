package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// standings is a reader of one backend service that may be told to be disabled.
type standings struct {
	Reader
	client  oauth.Client
	revoked bool
}

func (s *standings) TokenStanding(context.Context, string, oauth.TokenRef) (bool, oauth.Standing, error) {
	return s.revoked, oauth.Standing{Client: s.client}, nil
}

type oneSite struct{ site Site }

func (s oneSite) Site(context.Context, string) (Site, error) { return s.site, nil }

// SMART INT-11, TOK-12: a token whose signature was checked once is asked about
// again each time: it dies with its end, its revocation, its client and its key.
func TestAKnownTokenStillDies(t *testing.T) {
	for _, format := range []string{"", oauth.FormatOpaque} {
		for name, end := range map[string]func(*clock.Movable, *standings, *secretStore, *keys.Ring){
			"its end":        func(c *clock.Movable, _ *standings, _ *secretStore, _ *keys.Ring) { c.Advance(2 * time.Hour) },
			"its revocation": func(_ *clock.Movable, s *standings, _ *secretStore, _ *keys.Ring) { s.revoked = true },
			"its client":     func(_ *clock.Movable, s *standings, _ *secretStore, _ *keys.Ring) { s.client.Epoch++ },
			"its key": func(_ *clock.Movable, _ *standings, s *secretStore, r *keys.Ring) {
				s.mu.Lock()
				s.all = nil
				s.mu.Unlock()
				if err := r.Reload(t.Context(), "t"); err != nil {
					t.Fatal(err)
				}
			},
		} {
			c, store := &clock.Movable{}, &secretStore{}
			ring := keys.NewRing(store, c)
			site := Site{Tenant: "t", Issuer: "https://a.example", FHIRBase: "https://a.example/fhir"}
			reader := &standings{client: oauth.Client{ID: "b", Kind: oauth.ClientBackend, AccessTokenFormat: format, Epoch: 4}}
			v := &Verifier{Ring: ring, Sites: oneSite{site}, Reader: reader, Clock: c}
			e := New(Deps{Ring: ring})
			out, err := e.issue(t.Context(), &unit{now: c.Now(), site: site, client: &reader.client, scopes: "system/*.rs", expires: c.Now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if got, err := v.VerifyAccessToken(t.Context(), "t", out.AccessToken); err != nil || got.Scope != "system/*.rs" || got.TokenID != out.TokenID {
					t.Fatalf("%+v %v", got, err)
				}
			}
			end(c, reader, store, ring)
			if _, err := v.VerifyAccessToken(t.Context(), "t", out.AccessToken); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%q after %s: %v", format, name, err)
			}
		}
	}
}

// However many tokens are shown, few are remembered, and those last that are in
// use.
func TestFewTokensAreRemembered(t *testing.T) {
	var v verified
	used := shownAs("t", "used")
	v.put(used, &checked{round: 1})
	for i := range 10 * verifiedTokens {
		v.put(shownAs("t", fmt.Sprint(i)), &checked{round: 1})
		if v.get(used, 1) == nil {
			t.Fatalf("forgotten after %d", i)
		}
	}
	if n := len(v.young) + len(v.old); n > 2*verifiedTokens {
		t.Errorf("%d are remembered", n)
	}
	if v.get(shownAs("t", "0"), 1) != nil || v.get(used, 2) != nil || v.get(shownAs("t", strings.Repeat("x", 2000)), 1) != nil {
		t.Error("what is old, of other keys, or unknown is told")
	}
}
