package engine

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

func names[T any](handlers []T) []string {
	var out []string
	for _, h := range handlers {
		out = append(out, reflect.TypeOf(h).Elem().PkgPath()[len("github.com/ory/fosite/handler/"):]+"."+reflect.TypeOf(h).Elem().Name())
	}
	slices.Sort(out)
	return out
}

// D1: exactly these handlers, never implicit, hybrid or password. fosite drops
// a second handler of one type in silence, so they are counted.
func TestRegisteredHandlers(t *testing.T) {
	ctx := context.Background()
	e := New(Deps{})
	code := []string{"oauth2.AuthorizeExplicitGrantHandler", "openid.OpenIDConnectExplicitHandler", "pkce.Handler"}
	for grantType, want := range map[string][]string{
		"authorization_code": code,
		"refresh_token":      {"oauth2.RefreshTokenGrantHandler"},
		"client_credentials": {"oauth2.ClientCredentialsGrantHandler"},
		"password":           nil,
		"":                   nil,
	} {
		cfg := e.machine(&unit{}).token(grantType, false).Config
		if got := names(cfg.GetTokenEndpointHandlers(ctx)); !slices.Equal(got, want) {
			t.Errorf("token, %s: %v", grantType, got)
		}
	}
	withID := e.machine(&unit{}).token("refresh_token", true).Config
	if got := names(withID.GetTokenEndpointHandlers(ctx)); !slices.Equal(got, []string{"oauth2.RefreshTokenGrantHandler", "openid.OpenIDConnectRefreshHandler"}) {
		t.Errorf("token, refresh with an id_token: %v", got)
	}
	authorize, revocation := e.machine(&unit{}).authorize().Config, e.machine(&unit{}).revocation().Config
	if got := names(authorize.GetAuthorizeEndpointHandlers(ctx)); !slices.Equal(got, code) {
		t.Errorf("authorize: %v", got)
	}
	if got := names(revocation.GetRevocationHandlers(ctx)); !slices.Equal(got, []string{"oauth2.TokenRevocationHandler"}) {
		t.Errorf("revocation: %v", got)
	}
	for _, cfg := range []fosite.Configurator{withID, authorize, revocation} {
		if len(cfg.GetTokenIntrospectionHandlers(ctx)) > 0 {
			t.Error("fosite introspects")
		}
		if !cfg.GetEnforcePKCE(ctx) || cfg.GetEnablePKCEPlainChallengeMethod(ctx) {
			t.Error("PKCE is not enforced")
		}
	}
}

// The ends that fosite computes from its own clock are ignored.
func TestSessionIgnoresFositesClock(t *testing.T) {
	at := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newSession(&unit{expires: at, refreshEnds: at.Add(1), code: oauth.Code{Expires: at.Add(2)}}, "p")
	for i, kind := range []fosite.TokenType{fosite.AccessToken, fosite.RefreshToken, fosite.AuthorizeCode} {
		s.SetExpiresAt(kind, time.Unix(0, 0))
		if !s.GetExpiresAt(kind).Equal(at.Add(time.Duration(i))) {
			t.Errorf("%s: %v", kind, s.GetExpiresAt(kind))
		}
	}
	if s.Clone() != fosite.Session(s) || !s.claims.AuthTime.IsZero() {
		t.Error("the session was copied, or tells fosite the time")
	}
}

type secretStore struct {
	keys.Store
	mu  sync.Mutex
	all []keys.SigningKey
}

func (*secretStore) Secret(context.Context, string, string, func() []byte) ([]byte, error) {
	return bytes.Repeat([]byte("k"), 32), nil
}

func (s *secretStore) SigningKeys(context.Context, string) ([]keys.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

func (s *secretStore) PutSigningKey(_ context.Context, k keys.SigningKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, k)
	return nil
}

// codes takes what IssueCode stores.
type codes struct {
	oauth.TokenStore
	got  []oauth.Code
	fail error
}

func (c *codes) CreateCode(_ context.Context, code oauth.Code) error {
	c.got = append(c.got, code)
	return c.fail
}

// SMART AZ-15, PKCE-04, AZ-10: a code is bound to everything, lives a minute
// of our clock, is stored as a hash only, and a short nonce or state is fine.
func TestIssueCode(t *testing.T) {
	ctx := context.Background()
	// Far from the machine's clock in both directions.
	for _, year := range []int{1999, 2051} {
		now := time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC)
		ring := keys.NewRing(&secretStore{}, clock.Fixed(now))
		e := New(Deps{Ring: ring})
		in := IssueInput{
			Client:  oauth.Client{ID: "app", Kind: oauth.ClientPublic},
			Request: oauth.AuthorizeRequest{RedirectURI: "http://127.0.0.1:5000/cb", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Nonce: "n", State: "s"},
			Grant:   oauth.Grant{Tenant: "t", ID: "g", PersonID: "p", Scopes: "openid patient/*.rs openid", AuthTime: now},
			Now:     now,
		}
		store := &codes{}
		code, err := e.IssueCode(ctx, store, in)
		if err != nil || len(code) != 43 || len(store.got) != 1 {
			t.Fatalf("%q %v %v", code, store.got, err)
		}
		h, _ := ring.Hasher(ctx, "t")
		want := oauth.Code{
			Tenant: "t", Hash: CodeHash(h, code), GrantID: "g", ClientID: "app", RedirectURI: in.Request.RedirectURI,
			Challenge: in.Request.Challenge, Nonce: "n", Issued: now, Expires: now.Add(time.Minute),
		}
		if store.got[0] != want {
			t.Errorf("stored %+v", store.got[0])
		}
		again, err := e.IssueCode(ctx, store, in)
		if err != nil || again == code {
			t.Errorf("a retry gave the same code: %v", err)
		}
		in.Request.Challenge = ""
		if _, err := e.IssueCode(ctx, store, in); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("without a challenge: %v", err)
		}
		in.Request.Challenge = "x"
		if _, err := e.IssueCode(ctx, &codes{fail: errs.New(errs.Unavailable, "store", "Down.")}, in); !errs.Is(err, errs.Unavailable) {
			t.Errorf("store down: %v", err)
		}
	}
}

// REF-09: the successor depends on tenant key, grant and token, and on
// nothing else.
func TestSuccessor(t *testing.T) {
	h := ids.Hasher{Key: []byte("k")}
	at := time.Unix(1, 0)
	a := Successor(h, "g", "token", at)
	if a != Successor(h, "g", "token", at) || len(a) != 43 {
		t.Error("not repeatable")
	}
	for _, other := range []string{
		Successor(h, "g", a, at), Successor(h, "h", "token", at), Successor(ids.Hasher{Key: []byte("l")}, "g", "token", at),
		RefreshHash(h, "token"), CodeHash(h, "token"),
	} {
		if other == a {
			t.Error("not separated")
		}
	}
}

func TestTranslate(t *testing.T) {
	u := &unit{}
	for _, c := range []struct {
		in   error
		kind errs.Kind
	}{
		{fosite.ErrInvalidGrant.WithHint("h"), errs.InvalidGrant},
		{fosite.ErrUnauthorizedClient, errs.UnauthorizedClient},
		{fosite.ErrTemporarilyUnavailable, errs.Unavailable},
		{fosite.ErrServerError, errs.Internal},
		{errors.New("x"), errs.Internal},
		{fosite.ErrServerError.WithWrap(errs.New(errs.Unavailable, "store", "Down.")), errs.Unavailable},
	} {
		if got := u.translate(c.in); errs.KindOf(got) != c.kind {
			t.Errorf("%v: %v", c.in, got)
		}
	}
	u.cause = errReplayedCode()
	if got := u.translate(fosite.ErrInvalidGrant); !Replayed(got) {
		t.Errorf("the cause was lost: %v", got)
	}
	if got := u.translate(fosite.ErrInvalidScope); Replayed(got) {
		t.Errorf("the cause of something else: %v", got)
	}
}
