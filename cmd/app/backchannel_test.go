package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// claims reads a JWT without verifying it.
func claims(t *testing.T, token string) (header, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, into := range []*map[string]any{&header, &body} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, body
}

// OpenID Connect Back-Channel Logout: an app that registered an address is told
// of the end of the session, again when it did not hear, and can tell which of
// its id_tokens it is about. Apps that did not register are told nothing and get
// no sid.
func TestAppsAreToldOfTheLogOut(t *testing.T) {
	heard, refuse := make(chan string, 10), true
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.PostFormValue("logout_token")
		if refuse {
			refuse = false
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(receiver.Close)
	file := filepath.Join(t.TempDir(), "clients.json")
	told := kit.Client{ID: "told", Kind: "public", RedirectURIs: []string{"https://told.example/cb"}}
	raw, err := json.Marshal([]any{map[string]any{
		"client_id": told.ID, "kind": told.Kind, "redirect_uris": told.RedirectURIs, "backchannel_logout_uri": receiver.URL + "/logout",
	}})
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(cfg *app.Config) { cfg.ClientFiles = []string{file} })
	b := s.browser("rosa")
	const scope = "openid launch/patient patient/Patient.rs"
	_, id := claims(t, s.granted(t, kit.Launch{Client: told, Scope: scope, Visit: kit.Visit{Browser: b}}).Text("id_token"))
	_, other := claims(t, s.granted(t, kit.Launch{Client: s.Client("public"), Scope: scope, Visit: kit.Visit{Browser: b}}).Text("id_token"))
	if id["sid"] == nil || other["sid"] != nil {
		t.Errorf("sid %v and %v", id["sid"], other["sid"])
	}
	if err := b.SignOut(t.Context(), s.Console, s.Config.Management); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	hear := func() map[string]any {
		select {
		case token := <-heard:
			header, body := claims(t, token)
			if header["typ"] != "logout+jwt" {
				t.Error(header)
			}
			return body
		case <-ctx.Done():
			t.Fatalf("the app was not told\n%s", s.out)
		}
		return nil
	}
	first, again := hear(), hear()
	events, _ := first["events"].(map[string]any)
	if first["sid"] != id["sid"] || first["sub"] != id["sub"] || first["aud"] != told.ID || first["iss"] != s.Config.Issuer ||
		first["jti"] == nil || first["jti"] != again["jti"] || first["nonce"] != nil || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("%v, then %v", first, again)
	}
}
