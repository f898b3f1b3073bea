package oauth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

func hostileAssertions(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("backend")
	own, err := foreignKey()
	if err != nil {
		return err
	}
	public, err := client.PublicJWKS()
	if err != nil || len(public.Keys) == 0 {
		return err
	}
	registered := public.Keys[0]
	judge := func(what, signed string) {
		res, err := assert(ctx, t, signed, nil)
		if c.Note(err) {
			c.That((res.Status == http.StatusUnauthorized || res.Status == http.StatusBadRequest) && res.Text("error") == "invalid_client", "%s: %s", what, res)
			c.That(res.Text("error_description") != "" && res.Text("access_token") == "", "%s: %s", what, res)
		}
	}
	for what, bend := range bentAssertions(t, own) {
		a := t.NewAssertion(client, "ES384")
		bend(&a)
		signed, err := a.SignWith(own.Key, registered.KeyID)
		if what == "crit that nobody knows" || strings.HasPrefix(what, "claims:") {
			// By the right key: only what it says is wrong.
			signed, err = client.Sign(a)
		}
		if c.Note(err) {
			judge(what, signed)
		}
	}
	for what, secret := range publicSecrets(registered) {
		a := t.NewAssertion(client, "HS256")
		signed, err := a.SignWith(secret, registered.KeyID)
		if c.Note(err) {
			judge(what, signed)
		}
	}
	good, err := client.Sign(t.NewAssertion(client, "ES384"))
	if err != nil {
		return err
	}
	parts := strings.Split(good, ".")
	for what, bad := range map[string]string{
		"two parts": parts[0] + "." + parts[1], "four parts": good + "." + parts[2], "five parts": strings.Repeat(parts[0]+".", 4) + parts[0],
		"no signature": parts[0] + "." + parts[1] + ".", "a padded part": parts[0] + "=." + parts[1] + "." + parts[2],
		"another's payload":     parts[0] + "." + encode(`{"iss":"`+client.ID+`","sub":"`+client.ID+`"}`) + "." + parts[2],
		"a header of no object": encode(`[]`) + "." + parts[1] + "." + parts[2], "the JSON form": `{"payload":"` + parts[1] + `","signatures":[]}`,
		"deep claims": parts[0] + "." + encode(strings.Repeat("[", 5000)) + "." + parts[2], "nothing but dots": "....",
		"an endless one":      strings.Repeat("A", 20<<10) + "." + parts[1] + "." + parts[2],
		"none in odd letters": encode(`{"alg":"nOnE","kid":"`+registered.KeyID+`"}`) + "." + parts[1] + ".",
	} {
		judge(what, bad)
	}
	res, err := assert(ctx, t, good, url.Values{})
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "the good one afterwards: %s", res)
	}
	return c.Err()
}

// foreignKey gives a key for ES384 that no server knows.
func foreignKey() (jose.JSONWebKey, error) {
	raw, err := kit.MakeKeys("foreign")
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return jose.JSONWebKey{}, err
	}
	at := slices.IndexFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.Algorithm == "ES384" })
	if at < 0 {
		return jose.JSONWebKey{}, errors.New("there is no key for ES384")
	}
	return set.Keys[at], nil
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// bentAssertions bring a key of their own in each way that a JWS offers, or say
// what no assertion may.
func bentAssertions(t *kit.Target, own jose.JSONWebKey) map[string]func(*kit.Assertion) {
	header := func(name string, value any) func(*kit.Assertion) {
		return func(a *kit.Assertion) { a.Header = map[string]any{name: value} }
	}
	claim := func(name string, value any) func(*kit.Assertion) {
		return func(a *kit.Assertion) { a.Claims[name] = value }
	}
	return map[string]func(*kit.Assertion){
		"a key of its own":             func(*kit.Assertion) {},
		"a key in jwk":                 header("jwk", own.Public()),
		"a key at x5u":                 header("x5u", "https://evil.example/cert"),
		"a certificate in x5c":         header("x5c", []string{"AAAA"}),
		"a kid that leads to a file":   header("kid", "../../../../dev/null"),
		"a kid with a quote":           header("kid", "' OR '1'='1"),
		"crit that nobody knows":       header("crit", []string{"exp"}),
		"claims: another server":       claim("aud", "https://other.example/token"),
		"claims: audiences of no text": claim("aud", map[string]any{"a": 1}),
		"claims: good for a year":      claim("exp", t.Now().Add(365*24*time.Hour).Unix()),
		"claims: an end of no number":  claim("exp", "tomorrow"),
		"claims: an end beyond time":   claim("exp", 1e300),
		"claims: not yet good":         claim("nbf", t.Now().Add(time.Hour).Unix()),
		"claims: made tomorrow":        claim("iat", t.Now().Add(24*time.Hour).Unix()),
		"claims: an endless jti":       claim("jti", strings.Repeat("j", 5000)),
		"claims: no jti":               claim("jti", ""),
		"claims: a jti with NUL":       claim("jti", "j\x00"),
		"claims: a name with NUL":      func(a *kit.Assertion) { a.Claims["iss"], a.Claims["sub"] = "a\x00", "a\x00" },
		"claims: a jti of no text":     claim("jti", 7),
		"claims: another's subject":    claim("sub", "somebody"),
	}
}

// publicSecrets are the forms of a public key by which servers have been talked
// into taking it for a secret.
func publicSecrets(k jose.JSONWebKey) map[string][]byte {
	out := map[string][]byte{}
	if der, err := x509.MarshalPKIXPublicKey(k.Key); err == nil {
		out["HS256 under the public key's DER"] = der
		out["HS256 under the public key's PEM"] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	if raw, err := k.MarshalJSON(); err == nil {
		out["HS256 under the public JWK"] = raw
	}
	return out
}
