package clientauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// The limits of an assertion (SMART ASY-09).
const (
	maxAssertion = 16 << 10
	maxLife      = 5 * time.Minute
	maxSkew      = time.Minute
	maxJTI       = 256
	minRSABits   = 2048
)

// accepted are the signature algorithms of client assertions; which of them a
// client may use is said by its registration (oauth.Client.Signs).
var accepted = []jose.SignatureAlgorithm{jose.RS384, jose.ES384, jose.PS256, jose.ES256}

// claims are those of a client assertion. iat and nbf are optional (D11).
type claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.Audience     `json:"aud"`
	Expiry    *jwt.NumericDate `json:"exp"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	ID        string           `json:"jti"`
}

// assertion verifies private_key_jwt (SMART ASY-01…ASY-15). Nothing of the
// assertion is believed before its signature but the client it names.
func (a *Authenticator) assertion(ctx context.Context, req Request, cred credential) (Result, error) {
	if carriesCertificates(cred.assertion) {
		if res, known, err := a.certified(ctx, req, cred); known || err != nil {
			return res, err
		}
	}
	token, header, err := parseAssertion(cred.assertion)
	if err != nil {
		return Result{}, err
	}
	var said claims
	if err := token.UnsafeClaimsWithoutVerification(&said); err != nil {
		return Result{}, errAssertion("assertion-malformed", "its claims cannot be read")
	}
	if said.Issuer == "" || !plain(said.Issuer) || said.Issuer != said.Subject {
		return Result{}, errAssertion("assertion-issuer", "iss and sub must both be the client_id")
	}
	if named := req.Form.Get("client_id"); named != "" && named != said.Issuer {
		return Result{}, errMismatch()
	}
	c, err := a.client(ctx, req.Tenant, said.Issuer)
	if err != nil {
		return Result{}, err
	}
	if c.Kind != oauth.ClientAsymmetric && c.Kind != oauth.ClientBackend || c.ByCertificate() {
		return Result{}, errs.New(errs.InvalidClient, "method-not-registered", "This client is not registered for keys.")
	}
	if c.UDAP != nil {
		return Result{}, errAssertion("assertion-certificate", "its header has no x5c, and this client is known by its certificate")
	}
	if !c.Signs(header.Algorithm) {
		return Result{}, errAssertion("assertion-algorithm", "it is signed with an algorithm for which this client is not registered")
	}
	if jku, present := header.ExtraHeaders["jku"]; present && (c.JWKSURI == "" || jku != c.JWKSURI) {
		return Result{}, errAssertion("assertion-jku", "jku is not the registered URL")
	}
	key, err := a.key(ctx, c, header)
	if err != nil {
		return Result{}, err
	}
	// What was read above is what is verified: the token has one payload.
	if err := token.Claims(key); err != nil {
		return Result{}, errAssertion("assertion-signature", "its signature does not match")
	}
	audiences := req.Audiences
	if c.FAPI2() {
		// FAPI 2.0 §5.3.2.1: the issuer alone, so that an assertion serves here only.
		audiences = []string{req.Issuer}
		if len(said.Audience) > 1 {
			return Result{}, errAssertion("assertion-audience", "aud must be the issuer, and nothing beside it")
		}
	}
	if err := said.check(audiences, a.Clock.Now()); err != nil {
		return Result{}, err
	}
	return Result{Client: c, Method: PrivateKeyJWT, Assertion: &Assertion{
		Issuer: said.Issuer, JTI: said.ID, Expires: said.Expiry.Time().Add(maxSkew),
	}}, nil
}

// parseAssertion reads the JWT and the parts of its header that must be
// there (SMART ASY-03).
func parseAssertion(raw string) (*jwt.JSONWebToken, jose.Header, error) {
	if len(raw) > maxAssertion {
		return nil, jose.Header{}, errAssertion("assertion-malformed", "it is too long")
	}
	token, err := jwt.ParseSigned(raw, accepted)
	if err != nil || len(token.Headers) != 1 {
		return nil, jose.Header{}, errAssertion("assertion-malformed", "it is not a JWT signed with RS384, ES384, PS256 or ES256")
	}
	header := token.Headers[0]
	if header.KeyID == "" {
		return nil, jose.Header{}, errAssertion("assertion-kid", "its header has no kid")
	}
	// General OAuth clients leave typ out; none may say that it is another kind
	// of token.
	if typ, told := header.ExtraHeaders[jose.HeaderType]; told && !isJWT(typ) {
		return nil, jose.Header{}, errAssertion("assertion-typ", "the typ of its header must be JWT")
	}
	return token, header, nil
}

// isJWT reports whether a typ says no more than that it is a JWT.
func isJWT(typ any) bool {
	text, _ := typ.(string)
	return strings.EqualFold(text, "JWT")
}

// check judges the claims at now. An assertion may end at most five minutes
// ahead, and a minute later for clocks that are fast.
func (c claims) check(audiences []string, now time.Time) error {
	named := slices.ContainsFunc(c.Audience, func(aud string) bool { return slices.Contains(audiences, aud) })
	switch {
	case !named:
		return errAssertion("assertion-audience", "aud must be the URL of the token endpoint, or the issuer")
	case c.Expiry == nil:
		return errAssertion("assertion-expiry", "exp is missing")
	case !now.Before(c.Expiry.Time()):
		return errAssertion("assertion-expired", "it has expired")
	case c.Expiry.Time().After(now.Add(maxLife + maxSkew)):
		return errAssertion("assertion-expiry", "exp is more than five minutes ahead")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(maxSkew)):
		return errAssertion("assertion-early", "nbf is in the future")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(maxSkew)):
		return errAssertion("assertion-early", "iat is in the future")
	case c.ID == "" || len(c.ID) > maxJTI || !plain(c.ID):
		return errAssertion("assertion-jti", "jti must have 1 to 256 characters")
	}
	return nil
}

// key finds the one registered key that the header names, asking the
// client's URL again when the kid is unknown.
func (a *Authenticator) key(ctx context.Context, c oauth.Client, header jose.Header) (any, error) {
	if c.JWKSURI == "" {
		return pick(a.sets.of(c.JWKS), header)
	}
	set, err := a.Keys.Set(ctx, c.JWKSURI, header.KeyID)
	if err != nil {
		return nil, err
	}
	return pick(set, header)
}

// pick chooses by kid and matching kty; exactly one key must remain (SMART
// ASY-06). Keys without use are taken, keys for encryption are not (D11).
func pick(set []jose.JSONWebKey, header jose.Header) (any, error) {
	var found []any
	for _, k := range set {
		if k.KeyID == header.KeyID && (k.Use == "" || k.Use == "sig") && fits(k.Key, header.Algorithm) {
			found = append(found, k.Key)
		}
	}
	switch len(found) {
	case 0:
		return nil, errAssertion("assertion-key-unknown", "no registered key has its kid and type")
	case 1:
		return found[0], nil
	}
	return nil, errAssertion("assertion-key-ambiguous", "several registered keys have its kid and type")
}

func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")) && k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return alg == string(jose.ES384) && k.Curve == elliptic.P384() || alg == string(jose.ES256) && k.Curve == elliptic.P256()
	}
	return false
}

// parseSet reads the public keys of a key set. Keys of types not known here
// and private keys are passed over (SMART REG-06).
func parseSet(raw []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil {
		return nil
	}
	var keys []jose.JSONWebKey
	for _, one := range set.Keys {
		var k jose.JSONWebKey
		if !private(one) && k.UnmarshalJSON(one) == nil && k.IsPublic() && k.Valid() {
			keys = append(keys, k)
		}
	}
	return keys
}

// private reports whether a JWK holds private or symmetric members. It is
// asked before the key is parsed, because parsing a private key of unknown
// origin is costly.
func private(jwk []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(jwk, &members) != nil {
		return true
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, present := members[name]; present {
			return true
		}
	}
	return false
}

func errAssertion(code, why string) error {
	return errs.New(errs.InvalidClient, code, "The client assertion is refused: "+why+".")
}
