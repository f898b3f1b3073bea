package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

const mediaSigned = "application/token-introspection+jwt"

// intSigned asks for a signed answer (RFC 9701) and checks it with the published
// keys.
func intSigned(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "symmetric", t.Patient(), appScope)
	if err != nil {
		return err
	}
	r, err := t.As(g.Client, kit.Request{URL: t.Config.Introspect, Form: url.Values{"token": {g.Access()}}, Header: http.Header{"Accept": {mediaSigned}}})
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, r)
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(res.Status == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), mediaSigned), "%s, %q", res, res.Header.Get("Content-Type")) {
		return c.Err()
	}
	published, err := t.Do(ctx, kit.Request{URL: t.Config.JWKSURI})
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(published.Body, &keys); err != nil {
		return err
	}
	signed, err := jose.ParseSignedCompact(string(res.Body), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if !c.Note(err) {
		return c.Err()
	}
	_, err = signed.Verify(keys)
	c.Note(err)
	var header struct{ Typ string }
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(string(res.Body), ".")[0])
	c.Note(json.Unmarshal(raw, &header))
	var claims struct {
		Iss, Aud, Sub string
		Iat           int64
		Token         map[string]any `json:"token_introspection"`
	}
	c.Note(json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims))
	c.That(header.Typ == "token-introspection+jwt", "typ is %q", header.Typ)
	c.That(claims.Iss == t.Config.Issuer && claims.Aud == g.Client.ID && claims.Iat > 0 && claims.Sub == "", "iss %q, aud %q, iat %d", claims.Iss, claims.Aud, claims.Iat)
	c.That(claims.Token["active"] == true && claims.Token["client_id"] == g.Client.ID, "it says active %v", claims.Token["active"])
	read, err := t.FHIR(ctx, string(res.Body), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "the answer is taken for a token: %s", read)
	}
	return c.Err()
}
