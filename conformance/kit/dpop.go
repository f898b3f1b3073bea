package kit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"
)

// BoundClient gives an app that must send a DPoP proof.
func (t *Target) BoundClient() Client {
	for _, c := range t.Clients {
		if c.DPoPBound && len(c.RedirectURIs) > 0 {
			return c
		}
	}
	return Client{}
}

// NoncedClient gives a backend service whose proofs need a nonce.
func (t *Target) NoncedClient() Client {
	for _, c := range t.Clients {
		if c.DPoPNonce && c.Kind == "backend" && len(c.PrivateJWKS) > 0 {
			return c
		}
	}
	return Client{}
}

// Prover holds a DPoP key and makes proofs with it (RFC 9449).
type Prover struct {
	t   *Target
	key *ecdsa.PrivateKey
	// Nonce goes into every proof when it is not empty.
	Nonce string
}

// NewProver makes a key. Errors: those of the machine.
func (t *Target) NewProver() (*Prover, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), randomness{})
	return &Prover{t: t, key: key}, err
}

// Public gives the key as it stands in a proof.
func (p *Prover) Public() jose.JSONWebKey { return jose.JSONWebKey{Key: p.key.Public()} }

// Private gives the key with its private half.
func (p *Prover) Private() jose.JSONWebKey { return jose.JSONWebKey{Key: p.key} }

// Thumbprint gives that of RFC 7638.
func (p *Prover) Thumbprint() string {
	key := p.Public()
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Proof makes a good proof for a request; rows bend it before they sign it.
// token is the access token that is presented, "" at the token endpoint.
func (p *Prover) Proof(method, address, token string) Assertion {
	claims := map[string]any{"jti": p.t.Random(), "htm": method, "htu": address, "iat": p.t.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if p.Nonce != "" {
		claims["nonce"] = p.Nonce
	}
	return Assertion{Algorithm: "ES256", Header: map[string]any{"kid": nil, "typ": "dpop+jwt", "jwk": p.Public()}, Claims: claims}
}

// Sign signs a proof with the key.
func (p *Prover) Sign(proof Assertion) (string, error) { return proof.SignWith(p.key, "") }

// Token sends a form to the token endpoint as a client, with a good proof.
func (p *Prover) Token(ctx context.Context, c Client, form url.Values) (*Response, error) {
	proof, err := p.Sign(p.Proof(http.MethodPost, p.t.Config.Token, ""))
	if err != nil {
		return nil, err
	}
	return p.t.TokenWith(ctx, c, form, proof)
}

// TokenWith sends a form to the token endpoint with proofs as they are.
func (t *Target) TokenWith(ctx context.Context, c Client, form url.Values, proofs ...string) (*Response, error) {
	r, err := t.As(c, Request{URL: t.Config.Token, Form: form, Header: http.Header{"Dpop": proofs}})
	if err != nil {
		return nil, err
	}
	return t.Do(ctx, r)
}

// FHIR reads a path below the FHIR base with a good proof.
func (p *Prover) FHIR(ctx context.Context, token, path string) (*Response, error) {
	address := p.t.FHIRBase + "/" + path
	proof, err := p.Sign(p.Proof(http.MethodGet, address, token))
	if err != nil {
		return nil, err
	}
	return p.t.FHIRWith(ctx, "DPoP", token, path, proof)
}

// FHIRWith reads a path with a token under a scheme and proofs as they are.
func (t *Target) FHIRWith(ctx context.Context, scheme, token, path string, proofs ...string) (*Response, error) {
	return t.Do(ctx, Request{URL: t.FHIRBase + "/" + path, Header: http.Header{"Authorization": {scheme + " " + token}, "Dpop": proofs}})
}

// Launch walks a launch and redeems the code with a good proof. Errors: no code,
// or no token.
func (p *Prover) Launch(ctx context.Context, l Launch) (*Grant, error) {
	g, err := p.t.Code(ctx, l)
	if err != nil {
		return nil, err
	}
	if g.Response, err = p.Token(ctx, l.Client, CodeForm(g.Code, g.Redirect, g.Verifier)); err != nil {
		return nil, err
	}
	return g, g.redeemed()
}
