package clientauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// signedObject signs a good request object with the algorithm.
func signedObject(t *testing.T, key any, alg jose.SignatureAlgorithm, bend func(map[string]any)) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iss": "app", "client_id": "app", "aud": []string{"https://as", "https://as/fhir"}, "exp": clock.System{}.Now().Add(time.Minute).Unix(),
		"state": "s", "max_age": 3600, "prompt": nil, "claims": map[string]any{"a": "b"},
	}
	if bend != nil {
		bend(claims)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// RFC 9101: parameters are the claims; the algorithm is the one that the client
// is registered for, and RS256 only then.
func TestRequestObject(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey.Public(), KeyID: "k"}, {Key: ecKey.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	a := &Authenticator{Clock: clock.System{}}
	open := func(registered, raw string) (map[string][]string, error) {
		return a.RequestObject(t.Context(), oauth.Client{ID: "app", JWKS: set, RequestObjectAlg: registered}, raw, "https://as")
	}
	got, err := open("", signedObject(t, ecKey, jose.ES256, nil))
	if err != nil || got["state"][0] != "s" || got["max_age"][0] != "3600" || got["claims"][0] != `{"a":"b"}` ||
		!slices.Equal(got["aud"], []string{"https://as/fhir"}) || got["iss"] != nil || got["prompt"] != nil {
		t.Fatal(got, err)
	}
	for _, test := range []struct {
		registered string
		alg        jose.SignatureAlgorithm
		key        any
		ok         bool
	}{
		{"", jose.PS256, rsaKey, true}, {"", jose.RS384, rsaKey, true}, {"", jose.RS256, rsaKey, false},
		{"RS256", jose.RS256, rsaKey, true}, {"PS256", jose.RS384, rsaKey, false}, {"ES256", jose.ES256, ecKey, true}, {"PS256", jose.ES256, ecKey, false},
	} {
		_, err := open(test.registered, signedObject(t, test.key, test.alg, nil))
		if (err == nil) != test.ok || err != nil && !errs.Is(err, errs.InvalidRequestObject) {
			t.Errorf("registered for %q, signed with %s: %v", test.registered, test.alg, err)
		}
	}
	for code, bend := range map[string]func(map[string]any){
		"request-object-audience": func(c map[string]any) { c["aud"] = "https://other" },
		"request-object-issuer":   func(c map[string]any) { c["iss"] = "other" },
		"request-object-subject":  func(c map[string]any) { c["sub"] = "app" },
		"request-object-expiry":   func(c map[string]any) { delete(c, "exp") },
		"request-object-expired":  func(c map[string]any) { c["exp"] = 1 },
		"request-object-early":    func(c map[string]any) { c["nbf"] = clock.System{}.Now().Add(time.Hour).Unix() },
		"request-object-nested":   func(c map[string]any) { c["request_uri"] = "x" },
		"request-object-client":   func(c map[string]any) { c["client_id"] = []string{"app", "other"} },
	} {
		if _, err := open("", signedObject(t, ecKey, jose.ES256, bend)); errs.As(err) == nil || errs.As(err).Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}
