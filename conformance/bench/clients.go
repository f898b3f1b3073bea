package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// Who sends the requests. The names are registered at the start of the server
// and told to the floor.
const (
	backendID   = "bench-backend"
	appID       = "bench-app"
	secretID    = "bench-secret"
	es256ID     = "bench-es256"
	opaqueID    = "bench-opaque"
	appRedirect = "http://127.0.0.1:9/callback"
	// assertionLife stays inside the five minutes that SMART allows.
	assertionLife  = 4*time.Minute + 30*time.Second
	assertionType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	backendScope   = "system/Observation.rs"
	leanScope      = "openid fhirUser launch/patient patient/Patient.rs"
	appScope       = "openid fhirUser launch/patient patient/Patient.rs patient/Observation.rs"
	offlineScope   = appScope + " offline_access"
	algRS384       = "RS384"
	algES384       = "ES384"
	rsaBits        = 2048
	registeredName = "Benchmark"
)

// clients are the credentials of the benchmark.
type clients struct {
	secret string
	keys   map[string]crypto.Signer
	public json.RawMessage
}

// newClients makes keys for both algorithms of SMART backend services.
func newClients(src ids.Source) (*clients, error) {
	// Since Go 1.26 the random source given here is not used.
	rs, err := rsa.GenerateKey(nil, rsaBits)
	if err != nil {
		return nil, err
	}
	es, err := ecdsa.GenerateKey(elliptic.P384(), nil)
	if err != nil {
		return nil, err
	}
	c := &clients{secret: src.Secret(), keys: map[string]crypto.Signer{algRS384: rs, algES384: es}}
	var set jose.JSONWebKeySet
	for alg, key := range c.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: alg, Algorithm: alg, Use: "sig"})
	}
	c.public, err = json.Marshal(set)
	return c, err
}

// registration is one client as the files of `mandate dev --client` write it.
type registration struct {
	ClientID     string          `json:"client_id"`
	Kind         string          `json:"kind"`
	Secret       string          `json:"client_secret,omitempty"`
	JWKS         json.RawMessage `json:"jwks,omitempty"`
	RedirectURIs []string        `json:"redirect_uris,omitempty"`
	Scopes       string          `json:"scopes,omitempty"`
	Name         string          `json:"client_name"`
	Publisher    string          `json:"publisher"`
	Introspect   bool            `json:"introspect,omitempty"`
	ForItself    bool            `json:"client_credentials_by_secret,omitempty"`
	IDTokenAlg   string          `json:"id_token_signed_response_alg,omitempty"`
	TokenFormat  string          `json:"access_token_format,omitempty"`
}

// write puts the registrations into a file.
func (c *clients) write(path string) error {
	raw, err := json.Marshal([]registration{ //nolint:gosec // a secret of this run, for the server of this run
		{ClientID: backendID, Kind: "backend", JWKS: c.public, Scopes: backendScope, Name: registeredName, Publisher: registeredName},
		{ClientID: appID, Kind: "symmetric", Secret: c.secret, RedirectURIs: []string{appRedirect}, Name: registeredName, Publisher: registeredName, Introspect: true},
		{ClientID: es256ID, Kind: "symmetric", Secret: c.secret, RedirectURIs: []string{appRedirect}, Name: registeredName, Publisher: registeredName, IDTokenAlg: "ES256"},
		{ClientID: opaqueID, Kind: "symmetric", Secret: c.secret, RedirectURIs: []string{appRedirect}, Name: registeredName, Publisher: registeredName, TokenFormat: "opaque"},
		{ClientID: secretID, Kind: "symmetric", Secret: c.secret, Scopes: backendScope, Name: registeredName, Publisher: registeredName, ForItself: true},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// assertions signs client_credentials requests ahead, each with an assertion of
// its own (RFC 7523, SMART ASY). They are good for four and a half minutes.
func (c *clients) assertions(alg, audience string, n int, clk clock.Clock, src ids.Source) ([]string, error) {
	key := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: c.keys[alg], KeyID: alg}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	now := clk.Now()
	forms := make([]string, n)
	faults := make([]error, runtime.NumCPU())
	var all sync.WaitGroup
	for w := range faults {
		all.Go(func() {
			for i := w; i < n && faults[w] == nil; i += len(faults) {
				forms[i], faults[w] = assertionForm(signer, audience, now, src)
			}
		})
	}
	all.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, fmt.Errorf("an assertion was not signed: %w", err)
		}
	}
	return forms, nil
}

func assertionForm(signer jose.Signer, audience string, now time.Time, src ids.Source) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": backendID, "sub": backendID, "aud": audience, "jti": src.ID(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return "", err
	}
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {backendScope},
		"client_assertion_type": {assertionType}, "client_assertion": {compact},
	}.Encode(), nil
}
