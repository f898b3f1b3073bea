package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

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
		code, stored, err := e.IssueCode(ctx, in)
		if err != nil || len(code) != 43 {
			t.Fatalf("%q %v", code, err)
		}
		h, _ := ring.Hasher(ctx, "t")
		want := oauth.Code{
			Tenant: "t", Hash: CodeHash(h, code), GrantID: "g", ClientID: "app", RedirectURI: in.Request.RedirectURI,
			Challenge: in.Request.Challenge, Nonce: "n", Issued: now, Expires: now.Add(time.Minute),
		}
		if stored != want {
			t.Errorf("stored %+v", stored)
		}
		if ref := ReadCode(h, code); ref != (oauth.CodeRef{Hash: want.Hash}) {
			t.Errorf("read as %+v", ref)
		}
		again, _, err := e.IssueCode(ctx, in)
		if err != nil || again == code {
			t.Errorf("a second one is the same: %v", err)
		}
		in.Grant.ID = strings.Repeat("0a", 16)
		code, stored, err = e.IssueCode(ctx, in)
		if err != nil || !stored.Named || ReadCode(h, code) != (oauth.CodeRef{Hash: stored.Hash, GrantID: in.Grant.ID}) {
			t.Errorf("%s does not name its grant: %+v, %v", code, stored, err)
		}
		e.Named = func() bool { return false }
		if code, stored, err = e.IssueCode(ctx, in); err != nil || stored.Named || len(code) != 43 {
			t.Errorf("%s names its grant beside a node that cannot read it: %v", code, err)
		}
		in.Request.Challenge = ""
		if _, _, err := e.IssueCode(ctx, in); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("without a challenge: %v", err)
		}
	}
}

// REF-09: the successor depends on tenant key, grant and token, and on
// nothing else.
func TestSuccessors(t *testing.T) {
	h, grantID := ids.Hasher{Key: []byte("k")}, strings.Repeat("0123456789abcdef", 2)
	at := time.Unix(1, 0)
	a := Successors(h, grantID, "token", at)
	if a != Successors(h, grantID, "token", at) || len(a[0]) != 86 || len(a[1]) != 43 {
		t.Errorf("not repeatable, or of another size: %v", a)
	}
	for i := range a {
		for _, other := range []string{
			Successors(h, grantID, a[0], at)[i], Successors(h, strings.Repeat("f", 32), "token", at)[i],
			Successors(ids.Hasher{Key: []byte("l")}, grantID, "token", at)[i], a[1-i], RefreshHash(h, "token"), CodeHash(h, "token"),
		} {
			if other == a[i] {
				t.Error("not separated")
			}
		}
	}
}

// REF-08: a refresh token that names its grant is believed only if it is ours,
// every character of it; nobody ends a grant by a token that he made up.
func TestRefreshTokensProveTheirGrant(t *testing.T) {
	h, grantID := ids.Hasher{Key: []byte("k")}, strings.Repeat("0123456789abcdef", 2)
	e := New(Deps{})
	token := e.firstRefresh(h, grantID)
	if ref := ReadRefresh(h, token); ref.GrantID != grantID || ref.Hash != RefreshHash(h, token) || ref.Rotates {
		t.Errorf("%+v", ref)
	}
	for i := range token {
		made := token[:i] + "A" + token[i+1:]
		if made == token {
			made = token[:i] + "B" + token[i+1:]
		}
		if ref := ReadRefresh(h, made); ref.GrantID != "" {
			t.Errorf("character %d does not count", i)
		}
	}
	raw, _ := hex.DecodeString(grantID)
	for _, other := range []string{"", "x", token[:43], token + "A", base64.RawURLEncoding.EncodeToString(append(raw, make([]byte, 48)...))} {
		if ref := ReadRefresh(h, other); ref.GrantID != "" || ref.Hash != RefreshHash(h, other) {
			t.Errorf("%q: %+v", other, ref)
		}
	}
	if ref := ReadRefresh(ids.Hasher{Key: []byte("l")}, token); ref.GrantID != "" {
		t.Error("another tenant's token is believed")
	}
	// As long as a node of the version before runs, and for ids that are not ours.
	e.Named = func() bool { return false }
	for _, plain := range []string{e.firstRefresh(h, grantID), New(Deps{}).firstRefresh(h, "imported"), New(Deps{}).firstRefresh(h, strings.ToUpper(grantID))} {
		if len(plain) != 43 || ReadRefresh(h, plain).GrantID != "" {
			t.Errorf("%q names its grant", plain)
		}
	}
}

// judged is a request that is answered, to be spoilt by a story.
func judged(e *Engine, at time.Time, grantType string) TokenInput {
	h, _ := e.Ring.Hasher(context.Background(), "t")
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	return TokenInput{
		Site:   Site{Tenant: "t", Issuer: "https://as.example", FHIRBase: "https://as.example/fhir"},
		Client: oauth.Client{ID: "app", Kind: oauth.ClientPublic},
		Form: url.Values{
			"grant_type": {grantType}, "code": {"the code"}, "redirect_uri": {"http://127.0.0.1:5000/cb"},
			"code_verifier": {verifier}, "refresh_token": {"the refresh token"},
		},
		Now:   at,
		Grant: oauth.Grant{Tenant: "t", ID: "g", PersonID: "p", ClientID: "app", Scopes: "openid patient/*.rs", Offline: true},
		Code: oauth.Code{
			Tenant: "t", Hash: CodeHash(h, "the code"), GrantID: "g", ClientID: "app", RedirectURI: "http://127.0.0.1:5000/cb",
			Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Nonce: "n", Expires: at.Add(time.Second),
		},
		Refresh: oauth.RefreshToken{Tenant: "t", Hash: RefreshHash(h, "the refresh token"), GrantID: "g", ClientID: "app", Expires: at.Add(time.Second)},
		Scopes:  "openid patient/*.rs", Expires: at.Add(time.Hour), RefreshEnds: at.Add(24 * time.Hour),
	}
}

// SMART AZ-15, AZ-16, PKCE-06, REF-01, REF-02, REF-08: everything that a code or
// a refresh token is bound to is judged here once more, whatever was judged in
// front; nothing is issued with a refusal, and only a replay writes.
func TestTokenRefuses(t *testing.T) {
	at := time.Date(2051, 5, 1, 0, 0, 0, 0, time.UTC)
	e := New(Deps{Ring: keys.NewRing(&secretStore{}, clock.Fixed(at))})
	for _, c := range []struct {
		name, grantType string
		spoil           func(*TokenInput)
		code            string
		ends            bool
	}{
		{"whole", "authorization_code", func(*TokenInput) {}, "", false},
		{"another code", "authorization_code", func(in *TokenInput) { in.Form.Set("code", "x") }, "code-unknown", false},
		{"no row", "authorization_code", func(in *TokenInput) { in.Code = oauth.Code{} }, "code-unknown", false},
		{"another client's code", "authorization_code", func(in *TokenInput) { in.Code.ClientID = "other" }, "code-unknown", false},
		{"another grant's code", "authorization_code", func(in *TokenInput) { in.Grant.ID = "h" }, "code-unknown", false},
		{"used", "authorization_code", func(in *TokenInput) { in.Code.Used = at }, "code-replayed", true},
		{"used and late", "authorization_code", func(in *TokenInput) { in.Code.Used, in.Code.Expires = at, at }, "code-replayed", true},
		{"late", "authorization_code", func(in *TokenInput) { in.Code.Expires = at }, "code-expired", false},
		{"another redirect_uri", "authorization_code", func(in *TokenInput) { in.Form.Set("redirect_uri", "http://127.0.0.1:5001/cb") }, "redirect-uri-mismatch", false},
		{"no redirect_uri", "authorization_code", func(in *TokenInput) { in.Form.Del("redirect_uri") }, "redirect-uri-mismatch", false},
		{"another verifier", "authorization_code", func(in *TokenInput) { in.Form.Set("code_verifier", strings.Repeat("w", 43)) }, "verifier-mismatch", false},
		{"the challenge as verifier", "authorization_code", func(in *TokenInput) { in.Form.Set("code_verifier", in.Code.Challenge) }, "verifier-mismatch", false},
		{"no verifier", "authorization_code", func(in *TokenInput) { in.Form.Del("code_verifier") }, "verifier-mismatch", false},
		{"no challenge", "authorization_code", func(in *TokenInput) { in.Code.Challenge = "" }, "verifier-mismatch", false},
		{"a backend's code", "authorization_code", func(in *TokenInput) { in.Client.Kind = oauth.ClientBackend }, "grant-type-not-registered", false},

		{"whole", "refresh_token", func(*TokenInput) {}, "", false},
		{"another token", "refresh_token", func(in *TokenInput) { in.Form.Set("refresh_token", "x") }, "refresh-unknown", false},
		{"no row", "refresh_token", func(in *TokenInput) { in.Refresh = oauth.RefreshToken{} }, "refresh-unknown", false},
		{"another client's token", "refresh_token", func(in *TokenInput) { in.Refresh.ClientID = "other" }, "refresh-unknown", false},
		{"another grant's token", "refresh_token", func(in *TokenInput) { in.Grant.ID = "h" }, "refresh-unknown", false},
		{"again", "refresh_token", func(in *TokenInput) { in.Replayed = true }, "refresh-replayed", true},
		{"rotated without a successor", "refresh_token", func(in *TokenInput) { in.Refresh.Rotated = at }, "refresh-replayed", true},
		{"again and late", "refresh_token", func(in *TokenInput) { in.Replayed, in.Refresh.Expires = true, at }, "refresh-replayed", true},
		{"late", "refresh_token", func(in *TokenInput) { in.Refresh.Expires = at }, "refresh-expired", false},
		{"not kept", "refresh_token", func(in *TokenInput) { in.Grant.Offline = false }, "grant-type-not-registered", false},

		{"an app for itself", "client_credentials", func(*TokenInput) {}, "grant-type-not-registered", false},
		{"a backend", "client_credentials", func(in *TokenInput) { in.Client.Kind, in.Grant = oauth.ClientBackend, oauth.Grant{} }, "", false},
		{"password", "password", func(*TokenInput) {}, "grant-type-unsupported", false},
		{"nothing", "", func(*TokenInput) {}, "grant-type-unsupported", false},
	} {
		in := judged(e, at, c.grantType)
		c.spoil(&in)
		out, err := e.Token(t.Context(), in)
		got := ""
		if err != nil {
			got = errs.As(err).Code
		}
		if got != c.code || (out.AccessToken == "") != (c.code != "") || out.TokenID == "" && c.code == "" {
			t.Errorf("%s, %s: %q, want %q; %+v", c.grantType, c.name, got, c.code, out)
		}
		if want := (Writes{RevokeGrant: in.Grant.ID, Reason: c.code}); c.ends && !reflect.DeepEqual(out.Writes, want) || !c.ends && err != nil && !reflect.DeepEqual(out.Writes, Writes{}) {
			t.Errorf("%s, %s: writes %+v", c.grantType, c.name, out.Writes)
		}
	}
}

// SMART OID-04, OID-09, REF-07: what each grant type yields and changes.
func TestTokenIssues(t *testing.T) {
	at := time.Date(1999, 5, 1, 0, 0, 0, 0, time.UTC)
	e := New(Deps{Ring: keys.NewRing(&secretStore{}, clock.Fixed(at))})
	h, _ := e.Ring.Hasher(t.Context(), "t")
	out, err := e.Token(t.Context(), judged(e, at, "authorization_code"))
	if err != nil || out.IDToken == "" || out.RefreshToken == "" || out.Writes.UseCode == nil || out.Writes.UseCode.Hash != CodeHash(h, "the code") {
		t.Fatalf("code: %+v %v", out, err)
	}
	want := oauth.Rotation{Tenant: "t", GrantID: "g", ClientID: "app", To: RefreshHash(h, out.RefreshToken), At: at, Expires: at.Add(24 * time.Hour)}
	if out.Writes.Refresh == nil || *out.Writes.Refresh != want {
		t.Errorf("code: %+v", out.Writes.Refresh)
	}
	var id idClaims
	part := strings.Split(out.IDToken, ".")[1]
	raw, _ := base64.RawURLEncoding.DecodeString(part)
	sum := sha256.Sum256([]byte(out.AccessToken))
	if err := json.Unmarshal(raw, &id); err != nil || id.Nonce != "n" || id.Audience != "app" || id.Subject != "p" ||
		id.ATHash != base64.RawURLEncoding.EncodeToString(sum[:16]) {
		t.Errorf("id_token %s %v", raw, err)
	}
	told := judged(e, at, "authorization_code")
	told.Client.BackchannelLogoutURI, told.Grant.SessionHash, told.Grant.ACR, told.Grant.AuthTime = "https://app.example/out", "h", "acr", at
	if out, err = e.Token(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	var access accessClaims
	for token, into := range map[string]any{out.IDToken: &id, out.AccessToken: &access} {
		raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err := json.Unmarshal(raw, into); err != nil {
			t.Error(err)
		}
	}
	if id.SessionID != oauth.SessionID("h") || id.AuthTime != at.Unix() || access.ACR != "acr" || access.AuthTime != at.Unix() {
		t.Errorf("the log-in is not told: %+v %+v", id, access)
	}
	visit := judged(e, at, "authorization_code")
	visit.Grant.Offline, visit.Scopes = false, "patient/*.rs"
	if out, err = e.Token(t.Context(), visit); err != nil || out.IDToken != "" || out.RefreshToken != "" || out.Writes.Refresh != nil {
		t.Errorf("for a visit: %+v %v", out, err)
	}
	again := judged(e, at, "refresh_token")
	out, err = e.Token(t.Context(), again)
	next := Successors(h, "g", "the refresh token", at)[0]
	want.From, want.To = again.Refresh.Hash, RefreshHash(h, next)
	if err != nil || out.IDToken != "" || out.RefreshToken != next || out.Writes.Refresh == nil || *out.Writes.Refresh != want {
		t.Errorf("refresh: %+v %v", out, err)
	}
	lost := judged(e, at, "refresh_token")
	lost.Refresh.Rotated, lost.Successor = at, "its successor"
	if out, err = e.Token(t.Context(), lost); err != nil || out.RefreshToken != "its successor" || !reflect.DeepEqual(out.Writes, Writes{}) {
		t.Errorf("a lost answer: %+v %v", out, err)
	}
	again.Client.RefreshIDToken = true
	if out, err = e.Token(t.Context(), again); err != nil || out.IDToken == "" {
		t.Errorf("refresh of a client that wants an id_token: %v", err)
	}
}
