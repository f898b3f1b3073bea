package clientauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/errs"
)

// certifiedBy are the algorithms of assertions that carry their certificate
// (UDP-11), beside those of registered keys.
var certifiedBy = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.RS384, jose.ES384}

// carriesCertificates reports whether the header of a JWT has an x5c. One that
// spells it with escapes has none: nobody does, and it is refused as without.
func carriesCertificates(compact string) bool {
	head, _, ok := strings.Cut(compact, ".")
	if !ok || len(compact) > maxAssertion {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !bytes.Contains(raw, []byte(`"x5c"`)) {
		return false
	}
	var header struct {
		X5C json.RawMessage `json:"x5c"`
	}
	return json.Unmarshal(raw, &header) == nil && header.X5C != nil
}

// certified authenticates a client that is known by its certificate. known is
// false for a client that is not: then the x5c says nothing, and the assertion is
// judged by the registered keys (UDP-36).
func (a *Authenticator) certified(ctx context.Context, req Request, cred credential) (res Result, known bool, err error) {
	token, err := jwt.ParseSigned(cred.assertion, certifiedBy)
	if err != nil {
		return Result{}, false, errAssertion("assertion-malformed", "it is not a JWT signed with RS256, ES256, RS384 or ES384")
	}
	var unverified claims
	if err := token.UnsafeClaimsWithoutVerification(&unverified); err != nil {
		return Result{}, false, errAssertion("assertion-malformed", "its claims cannot be read")
	}
	c, err := a.client(ctx, req.Tenant, unverified.Issuer)
	if err != nil || c.UDAP == nil {
		return Result{}, false, err
	}
	if named := req.Form.Get("client_id"); named != "" && named != c.ID {
		return Result{}, true, errMismatch()
	}
	if req.Form.Has("grant_type") && req.Form.Get("udap") != "1" {
		return Result{}, true, errs.New(errs.InvalidRequest, "udap-missing", "The parameter udap must be 1 for a client that is known by its certificate.")
	}
	if a.Certificates == nil {
		return Result{}, true, errAssertion("assertion-certificate", "no trust community is configured any more")
	}
	proof, err := a.Certificates.Assert(ctx, c, cred.assertion, req.Audiences)
	if err != nil {
		return Result{}, true, err
	}
	spent := &Assertion{Issuer: c.ID, JTI: proof.JTI, Expires: proof.Until}
	if !c.UDAP.Knows(proof.Chain) {
		spent.Chain = proof.Chain
	}
	return Result{Client: c, Method: PrivateKeyJWT, Assertion: spent, Extensions: proof.Extensions}, true, nil
}
