package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// sealed is a client whose access tokens are opaque.
func sealed() (kit.Client, map[string]any) {
	c := kit.Client{ID: "sealed", Kind: "symmetric", Secret: "a secret of the sealed app", RedirectURIs: []string{"https://sealed.example/cb"}}
	return c, map[string]any{
		"client_id": c.ID, "kind": c.Kind, "client_secret": c.Secret, "redirect_uris": c.RedirectURIs, "access_token_format": "opaque",
	}
}

// startSealed starts a server with that client and gives its log as well.
func startSealed(t *testing.T) (*server, kit.Client) {
	t.Helper()
	c, registration := sealed()
	file := filepath.Join(t.TempDir(), "clients.json")
	raw, err := json.Marshal([]any{registration})
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return start(t, func(cfg *app.Config) { cfg.ClientFiles = []string{file} }), c
}

// told asks about a token as the sealed app.
func (s *server) told(t *testing.T, c kit.Client, token string) map[string]any {
	t.Helper()
	res, err := s.Introspect(t.Context(), c, token)
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	return res.JSON()
}

// wantDead wants a token to be nothing anywhere, and introspection not to say
// why (SMART INT-07).
func (s *server) wantDead(t *testing.T, what string, c kit.Client, token string) {
	t.Helper()
	if body := s.told(t, c, token); len(body) != 1 || body["active"] != false {
		t.Errorf("%s: %v", what, body)
	}
	if res := s.fhir(t, token, "Patient/rosa"); res.Status != http.StatusUnauthorized {
		t.Errorf("%s: %s", what, res)
	}
}

// D2, SMART INT-02…INT-06: a client that asks for opaque access tokens gets
// text that says nothing; introspection and the gateway treat it as they treat a
// signed one.
func TestOpaqueAccessToken(t *testing.T) {
	s, c := startSealed(t)
	launch := kit.Launch{Client: c, Scope: twinScope, Visit: kit.Visit{Browser: s.browser("rosa")}}
	g := s.granted(t, launch)
	token := g.Access()
	raw, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndex(token, "_")+1:])
	if strings.Contains(token, ".") || strings.Contains(string(raw), "rosa") || err == nil && json.Valid(raw) {
		t.Errorf("the token can be read: %s", token)
	}
	s.fetch(t, token, "Patient/rosa", http.StatusOK)
	opaque := s.told(t, c, token)
	launch.Client = s.Client("symmetric")
	signed := s.told(t, launch.Client, s.granted(t, launch).Access())
	for name, want := range signed {
		if got := opaque[name]; got == nil || name != "client_id" && name != "exp" && name != "iat" && got != want {
			t.Errorf("%s: %v, of a signed token %v", name, got, want)
		}
	}
	if opaque["client_id"] != c.ID || len(opaque) != len(signed) || opaque["token_type"] != "Bearer" {
		t.Errorf("%v", opaque)
	}
	left := time.Unix(int64(opaque["exp"].(float64)), 0).Sub(time.Unix(int64(opaque["iat"].(float64)), 0))
	if in, _ := g.JSON()["expires_in"].(float64); left != time.Duration(in)*time.Second {
		t.Errorf("it lives %s, and %v seconds were promised", left, in)
	}
	// INT-10: another app is told nothing of it.
	if body := s.told(t, s.Client("asymmetric"), token); len(body) != 1 {
		t.Errorf("%v", body)
	}
	// A refresh token is still told from it.
	if body := s.told(t, c, g.RefreshToken()); body["active"] != true || body["token_type"] != nil {
		t.Errorf("%v", body)
	}
	next := s.refreshed(t, g, g.RefreshToken(), http.StatusOK).Text("access_token")
	s.fetch(t, next, "Patient/rosa", http.StatusOK)
	s.stop(t)
	words := []string{token, token[len(token)-43:], next}
	filesSilent(t, s.data, words)
	silent(t, "the log", []byte(s.out.String()), words)
}

// D2, D3: whatever ends a signed token ends an opaque one, and what was changed
// in it makes it nothing.
func TestOpaqueAccessTokenEnds(t *testing.T) {
	s, c := startSealed(t)
	launch := kit.Launch{Client: c, Scope: twinScope, Visit: kit.Visit{Browser: s.browser("rosa")}}
	g := s.granted(t, launch)
	token := g.Access()
	for _, at := range []int{3, 14, 24, 40, 60, len(token) / 2, len(token) - 2} {
		changed := []byte(token)
		changed[at] ^= 1
		s.wantDead(t, "changed", c, string(changed))
	}
	s.wantDead(t, "cut", c, token[:len(token)-1])
	s.fetch(t, token, "Patient/rosa", http.StatusOK)

	// One alone by revocation, the others with the grant.
	next := s.refreshed(t, g, g.RefreshToken(), http.StatusOK)
	s.revoke(t, c, token)
	s.wantDead(t, "revoked", c, token)
	s.fetch(t, next.Text("access_token"), "Patient/rosa", http.StatusOK)
	s.revoke(t, c, next.Text("refresh_token"))
	s.wantDead(t, "its grant ended", c, next.Text("access_token"))

	g = s.granted(t, launch)
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	s.forward(t, time.Hour+time.Second)
	s.wantDead(t, "expired", c, g.Access())
}

// revoke ends a token by its client.
func (s *server) revoke(t *testing.T, c kit.Client, token string) {
	t.Helper()
	if res, err := s.RevokeToken(t.Context(), c, token); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
}

// D2: the form of tokens is chosen at registration, shown to operators, and a
// word that is none is refused before anything starts.
func TestTokenFormatIsRegistered(t *testing.T) {
	s, c := startSealed(t)
	var list struct {
		Clients []struct {
			ID     string `json:"client_id"`
			Format string `json:"access_token_format"`
		}
	}
	s.admin(t, "GET", "/clients", "", &list)
	for _, have := range list.Clients {
		if want := map[bool]string{true: "opaque"}[have.ID == c.ID]; have.Format != want {
			t.Errorf("%+v", have)
		}
	}
	if res := s.get(t, "/jwks"); strings.Contains(string(res.Body), "A256GCM") {
		t.Errorf("the key of handles is published: %s", res.Body)
	}
	s.stop(t)
	if out := must(t, "keys", "list", "--data", s.data); !strings.Contains(out, "access-handle") {
		t.Error(out)
	}
	// Every kind of key that there is can be rotated.
	for _, kind := range []string{"access-token", "id-token", "id-token-es256", "access-handle"} {
		must(t, "keys", "rotate", kind, "--data", s.data)
	}

	_, registration := sealed()
	registration["access_token_format"] = "reference"
	file := filepath.Join(t.TempDir(), "bad.json")
	raw, err := json.Marshal([]any{registration})
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := cli(t, "client", "add", file, "--data", s.data); code == 0 || !strings.Contains(errOut, "access_token_format must be jwt or opaque") {
		t.Errorf("%d %s", code, errOut)
	}
}
