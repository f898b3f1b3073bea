package protocol_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/oauth"
)

const signedMedia = "application/token-introspection+jwt"

// RFC 9701 §4, §5: who accepts a signed answer gets one for itself alone, with the
// algorithm that it registered; of the token nothing stands among its own claims,
// and it is no token itself.
func TestSignedIntrospection(t *testing.T) {
	w := newWorld(t)
	token := w.request("/token", codeForm(w.code(w.grantOf("web"))), basic("web", secretA)).str("access_token")
	ask := func(token, accept string) answer {
		return w.request("/introspect", url.Values{"token": {token}}, basic("web", secretA), header("Accept", accept))
	}
	plain := ask(token, "application/json")
	for _, alg := range []string{"RS256", "ES256"} {
		w.change("web", func(c *oauth.Client) { c.IntrospectionAlg = alg })
		a := ask(token, "application/json;q=0.5, "+signedMedia)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != signedMedia || a.header.Get("Cache-Control") != "no-store" || !strings.Contains(a.header.Get("Vary"), "Accept") {
			t.Fatalf("%s: %d %v %s", alg, a.status, a.header, a.raw)
		}
		h, c := claims(t, a.raw)
		if h["alg"] != alg || h["typ"] != "token-introspection+jwt" || c["iss"] != w.site.Issuer || c["aud"] != "web" || c["iat"] == nil || c["sub"] != nil || c["exp"] != nil || c["scope"] != nil {
			t.Errorf("%s: %v %v", alg, h, c)
		}
		told, _ := c["token_introspection"].(map[string]any)
		if told["active"] != true || told["sub"] != plain.body["sub"] || told["scope"] != plain.body["scope"] || told["patient"] != "rosa" || len(told) != len(plain.body) {
			t.Errorf("%s: %v, as JSON %v", alg, told, plain.body)
		}
		if w.active(a.raw) {
			t.Errorf("%s: the answer is taken for a token", alg)
		}
		_, c = claims(t, ask("unknown", signedMedia).raw)
		if told, _ := c["token_introspection"].(map[string]any); told["active"] != false || len(told) != 1 {
			t.Errorf("%s: %v", alg, c)
		}
	}
	for _, accept := range []string{"", "*/*", "application/*", "application/jwt", signedMedia + ";q=0", signedMedia + "; q=0.00", "garbage;;;"} {
		if a := ask(token, accept); a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || a.body["active"] != true {
			t.Errorf("%q: %d %s", accept, a.status, a.raw)
		}
	}
	// A refusal is JSON.
	a := w.request("/introspect", url.Values{"token": {token}}, basic("web", "wrong"), header("Accept", signedMedia))
	w.expect("a wrong secret", a, http.StatusUnauthorized, "invalid_client")
}
