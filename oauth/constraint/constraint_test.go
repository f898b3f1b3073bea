package constraint_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth/constraint"
)

const endpoint = "https://as.example/token"

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// signed makes a proof with any header and any claims.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, header, claims map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for name, value := range header {
		if value != nil {
			opts.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// public gives a key as the value of jwk.
func public(t *testing.T, key crypto.Signer) map[string]any {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func with(base map[string]any, changes map[string]any) map[string]any {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

func claims() map[string]any {
	return map[string]any{"jti": "id-1", "htm": "POST", "htu": endpoint, "iat": noon().Unix()}
}

func use() constraint.Use {
	return constraint.Use{Method: "POST", URLs: []string{endpoint}, Now: noon()}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

// RFC 9449 §4.3: every algorithm that discovery lists works, and gives the
// thumbprint of RFC 7638.
func TestEveryAlgorithm(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.Signer{"ES256": p256(t), "ES384": p384, "EdDSA": edwards, "PS256": rsaKey, "RS256": rsaKey}
	if len(constraint.Algorithms()) != len(keys) {
		t.Errorf("%v", constraint.Algorithms())
	}
	for _, alg := range constraint.Algorithms() {
		key := keys[alg]
		raw := signed(t, jose.SignatureAlgorithm(alg), key, map[string]any{"typ": "dpop+jwt", "jwk": public(t, key)}, claims())
		p, err := constraint.Check([]string{raw}, use())
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
		if err != nil || p.Thumbprint != base64.RawURLEncoding.EncodeToString(sum) || p.ID != "id-1" || !p.Until.Equal(noon().Add(constraint.MaxAge)) {
			t.Errorf("%s: %+v %v", alg, p, err)
		}
	}
}

// RFC 9449 §4.3: each check has its cause; nothing of a bad proof passes.
func TestHostileProofs(t *testing.T) {
	key := p256(t)
	head := map[string]any{"typ": "dpop+jwt", "jwk": public(t, key)}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) // weak on purpose
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := func(header, body map[string]any) string {
		return signed(t, jose.ES256, key, with(head, header), with(claims(), body))
	}
	hmacKey := []byte(strings.Repeat("k", 32))
	private := with(public(t, key), map[string]any{"d": "AQAB"})
	parts := strings.Split(good(nil, nil), ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none","jwk":{}}`)) + "." + parts[1] + "."
	other := strings.Split(good(nil, map[string]any{"jti": "id-2"}), ".")
	for name, x := range map[string]struct {
		raw  []string
		code string
	}{
		"none at all":             {nil, "dpop-proof-missing"},
		"two headers":             {[]string{good(nil, nil), good(nil, nil)}, "dpop-proof-repeated"},
		"two in one header":       {[]string{good(nil, nil) + ", " + good(nil, nil)}, "dpop-proof-repeated"},
		"empty":                   {[]string{""}, "dpop-proof-malformed"},
		"no JWT":                  {[]string{"garbage"}, "dpop-proof-malformed"},
		"too long":                {[]string{good(nil, map[string]any{"x": strings.Repeat("x", 8<<10)})}, "dpop-proof-malformed"},
		"four parts":              {[]string{good(nil, nil) + ".x"}, "dpop-proof-malformed"},
		"another typ":             {[]string{good(map[string]any{"typ": "JWT"}, nil)}, "dpop-proof-typ"},
		"no typ":                  {[]string{good(map[string]any{"typ": nil}, nil)}, "dpop-proof-typ"},
		"alg none":                {[]string{none}, "dpop-proof-alg"},
		"alg HS256":               {[]string{signed(t, jose.HS256, hmacKey, head, claims())}, "dpop-proof-alg"},
		"alg ES512":               {[]string{parts[0][:0] + base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"ES512","jwk":{}}`)) + ".e30.AA"}, "dpop-proof-alg"},
		"critical extension":      {[]string{base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":{},"crit":["x"]}`)) + ".e30.AA"}, "dpop-proof-malformed"},
		"no key":                  {[]string{good(map[string]any{"jwk": nil}, nil)}, "dpop-proof-key"},
		"a private key":           {[]string{good(map[string]any{"jwk": private}, nil)}, "dpop-proof-key-private"},
		"a symmetric key":         {[]string{good(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}, nil)}, "dpop-proof-key-private"},
		"a key for encryption":    {[]string{good(map[string]any{"jwk": with(public(t, key), map[string]any{"use": "enc"})}, nil)}, "dpop-proof-key"},
		"a point off the curve":   {[]string{good(map[string]any{"jwk": with(public(t, key), map[string]any{"x": "AAAA"})}, nil)}, "dpop-proof-key"},
		"a huge key":              {[]string{good(map[string]any{"jwk": with(public(t, key), map[string]any{"kid": strings.Repeat("k", 5000)})}, nil)}, "dpop-proof-key"},
		"a weak RSA key":          {[]string{good(map[string]any{"jwk": public(t, weak)}, nil)}, "dpop-proof-key"},
		"another curve":           {[]string{good(map[string]any{"jwk": public(t, p384)}, nil)}, "dpop-proof-key"},
		"the key of another":      {[]string{good(map[string]any{"jwk": public(t, p256(t))}, nil)}, "dpop-proof-signature"},
		"claims of another proof": {[]string{parts[0] + "." + other[1] + "." + parts[2]}, "dpop-proof-signature"},
		"jti missing":             {[]string{good(nil, map[string]any{"jti": nil})}, "dpop-proof-jti"},
		"jti too long":            {[]string{good(nil, map[string]any{"jti": strings.Repeat("j", 257)})}, "dpop-proof-jti"},
		"jti a number":            {[]string{good(nil, map[string]any{"jti": 7})}, "dpop-proof-claims"},
		"nonce too long":          {[]string{good(nil, map[string]any{"nonce": strings.Repeat("n", 513)})}, "dpop-proof-claims"},
		"htm missing":             {[]string{good(nil, map[string]any{"htm": nil})}, "dpop-proof-htm"},
		"htm another":             {[]string{good(nil, map[string]any{"htm": "GET"})}, "dpop-proof-htm"},
		"htm in small letters":    {[]string{good(nil, map[string]any{"htm": "post"})}, "dpop-proof-htm"},
		"htu missing":             {[]string{good(nil, map[string]any{"htu": nil})}, "dpop-proof-htu"},
		"htu another host":        {[]string{good(nil, map[string]any{"htu": "https://evil.example/token"})}, "dpop-proof-htu"},
		"htu another path":        {[]string{good(nil, map[string]any{"htu": "https://as.example/introspect"})}, "dpop-proof-htu"},
		"htu plain http":          {[]string{good(nil, map[string]any{"htu": "http://as.example/token"})}, "dpop-proof-htu"},
		"htu a path":              {[]string{good(nil, map[string]any{"htu": "/token"})}, "dpop-proof-htu"},
		"iat missing":             {[]string{good(nil, map[string]any{"iat": nil})}, "dpop-proof-iat"},
		"iat a text":              {[]string{good(nil, map[string]any{"iat": "now"})}, "dpop-proof-iat"},
		"iat long ago":            {[]string{good(nil, map[string]any{"iat": noon().Unix() - 61})}, "dpop-proof-old"},
		"iat ahead":               {[]string{good(nil, map[string]any{"iat": noon().Unix() + 61})}, "dpop-proof-early"},
		"iat beyond time":         {[]string{good(nil, map[string]any{"iat": 1e300})}, "dpop-proof-iat"},
	} {
		p, err := constraint.Check(x.raw, use())
		if code(err) != x.code || !errs.Is(err, errs.InvalidDPoPProof) || p != (constraint.Proof{}) {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
}

// RFC 9449 §4.3 items 9 and 12: addresses are compared in their normal form,
// and a token's proof is for that token.
func TestAddressAndToken(t *testing.T) {
	key := p256(t)
	proofs := func(changes map[string]any) []string {
		return []string{signed(t, jose.ES256, key, map[string]any{"typ": "dpop+jwt", "jwk": public(t, key)}, with(claims(), changes))}
	}
	for htu, own := range map[string]string{
		"HTTPS://AS.example:443/token":                 endpoint,
		"https://as.example/token?x=1#y":               endpoint,
		"https://as.example/fhir/Patient/a%7eb":        "https://as.example/fhir/Patient/a~b?_count=1",
		"https://as.example":                           "https://as.example/",
		"http://localhost:8080/fhir/%24export":         "http://localhost:8080/fhir/$export",
		"https://as.example/t/acme/fhir/Patient/a%2Fb": "https://as.example/t/acme/fhir/Patient/a%2fb",
	} {
		u := use()
		u.URLs = []string{"https://elsewhere.example/", own}
		if _, err := constraint.Check(proofs(map[string]any{"htu": htu}), u); err != nil {
			t.Errorf("%s is not %s: %v", htu, own, err)
		}
	}
	for htu, own := range map[string]string{
		"https://as.example/fhir/Patient/a/b":      "https://as.example/fhir/Patient/a%2Fb",
		"https://as.example/fhir/../token":         endpoint,
		"https://user@as.example/token":            endpoint,
		"https://as.example:444/token":             endpoint,
		"https://as.example/token/":                endpoint,
		"https://as.example/Token":                 endpoint,
		"ftp://as.example/token":                   "ftp://as.example/token",
		"https://as.example/fhir/Patient/%zz":      "https://as.example/fhir/Patient/%zz",
		"https://as.example/fhir//Patient":         "https://as.example/fhir/Patient",
		"https://as.example.evil.example/token":    endpoint,
		"https://as.example\\@evil.example/token":  endpoint,
		"https://as.example/token\x00":             endpoint,
		"https://as.example/token/%2e%2e/register": "https://as.example/register",
	} {
		u := use()
		u.URLs = []string{own}
		if _, err := constraint.Check(proofs(map[string]any{"htu": htu}), u); code(err) != "dpop-proof-htu" {
			t.Errorf("%s is %s: %v", htu, own, err)
		}
	}
	u := use()
	u.AccessToken = "the-token"
	for ath, want := range map[any]string{constraint.Hash("the-token"): "", constraint.Hash("another"): "dpop-proof-ath", nil: "dpop-proof-ath", "": "dpop-proof-ath"} {
		if _, err := constraint.Check(proofs(map[string]any{"ath": ath}), u); code(err) != want {
			t.Errorf("ath %v: %v", ath, err)
		}
	}
}

// RFC 9449 §11.1: a node takes a proof once for as long as it could pass, and
// forgets it later.
func TestSeenOnce(t *testing.T) {
	var seen constraint.Seen
	p := constraint.Proof{Thumbprint: "key", ID: "id"}
	at := func(d time.Duration) time.Time { return noon().Add(d) }
	if err := seen.Note(p, at(0)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{0, time.Second, constraint.MaxAge + constraint.MaxSkew - time.Second, constraint.MaxAge + constraint.MaxSkew} {
		if err := seen.Note(p, at(d)); code(err) != "dpop-proof-replayed" {
			t.Errorf("after %s: %v", d, err)
		}
	}
	if err := seen.Note(constraint.Proof{Thumbprint: "other", ID: "id"}, at(0)); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := seen.Note(p, at(time.Hour)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// RFC 9449 §8: nodes that share the hash key know one another's nonces, for some
// minutes.
func TestNonce(t *testing.T) {
	h, other := ids.Hasher{Key: []byte("key")}, ids.Hasher{Key: []byte("another")}
	nonce := constraint.Nonce(h, noon())
	for d, want := range map[time.Duration]bool{0: true, 4 * time.Minute: true, 9 * time.Minute: true, 10 * time.Minute: false, -time.Minute: true, -6 * time.Minute: false} {
		if constraint.Known(h, nonce, noon().Add(d)) != want {
			t.Errorf("after %s it is not %v", d, want)
		}
	}
	if constraint.Known(other, nonce, noon()) || constraint.Known(h, "", noon()) || constraint.Known(h, nonce+"A", noon()) {
		t.Error("a nonce that was not given out is known")
	}
	if constraint.Nonce(h, noon().Add(5*time.Minute)) == nonce {
		t.Error("it does not change")
	}
}
