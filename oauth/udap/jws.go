package udap

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// The limits of a JWT (UDP-16, UDP-25): in bytes, of its life, of the
// difference of clocks, and of a jti.
const (
	maxJWT  = 32 << 10
	maxLife = 5 * time.Minute
	maxSkew = time.Minute
	maxJTI  = 256
)

// HasCertificates reports whether the header of a compact JWS has an x5c: by
// that UDAP's JWTs are told from SMART's (UDP-36).
func HasCertificates(compact string) bool {
	head, _, ok := strings.Cut(compact, ".")
	if !ok || len(compact) > maxJWT {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		X5C json.RawMessage `json:"x5c"`
	}
	return err == nil && json.Unmarshal(raw, &header) == nil && header.X5C != nil
}

// Signed is a JWT whose signature is that of the first certificate in its
// header. Whether the certificate is trusted is not known yet.
type Signed struct {
	Certificates []*x509.Certificate
	payload      []byte
}

// ReadSigned reads a compact JWS with x5c and checks its signature (UDP-11).
// Errors: errs.Invalid with code udap-jwt; those of ParseX5C.
func ReadSigned(compact string) (Signed, error) {
	if len(compact) > maxJWT {
		return Signed{}, errJWT("it is too long")
	}
	object, err := jose.ParseSignedCompact(compact, accepted)
	if err != nil || len(object.Signatures) != 1 {
		return Signed{}, errJWT("it is not a JWS signed with RS256, ES256, RS384 or ES384")
	}
	header := object.Signatures[0].Protected
	certs, err := certificatesOf(compact)
	if err != nil {
		return Signed{}, err
	}
	if !fits(certs[0].PublicKey, header.Algorithm) {
		return Signed{}, errJWT("its algorithm does not go with the key of its certificate")
	}
	payload, err := object.Verify(certs[0].PublicKey)
	if err != nil {
		return Signed{}, errJWT("its signature is not that of its certificate")
	}
	return Signed{Certificates: certs, payload: payload}, nil
}

// certificatesOf reads the x5c of a header that parsed before.
func certificatesOf(compact string) ([]*x509.Certificate, error) {
	head, _, _ := strings.Cut(compact, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return nil, errJWT("its header cannot be read")
	}
	var header struct {
		X5C []string `json:"x5c"`
	}
	if strictjson.Check(raw) != nil || json.Unmarshal(raw, &header) != nil {
		return nil, errChain("udap-x5c", "x5c must be a list of certificates")
	}
	return ParseX5C(header.X5C)
}

// Claims reads the payload into a struct. Errors: errs.Invalid with code
// udap-jwt; those of strictjson.Check.
func (s Signed) Claims(into any) error {
	if err := strictjson.Check(s.payload); err != nil {
		return err
	}
	if json.Unmarshal(s.payload, into) != nil {
		return errJWT("its claims cannot be read")
	}
	return nil
}

// Standard are the claims that every JWT of UDAP has.
type Standard struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience jwt.Audience     `json:"aud"`
	Expiry   *jwt.NumericDate `json:"exp"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	ID       string           `json:"jti"`
}

// Check judges the claims at t for one of the audiences: issued and not expired,
// five minutes long at most, single use possible. Strings are compared as they
// are (UDP-13). Errors: errs.Invalid with code udap-jwt-issuer,
// udap-jwt-audience, udap-jwt-time or udap-jwt-jti.
func (s Standard) Check(audiences []string, t time.Time) error {
	switch {
	case s.Issuer == "" || s.Issuer != s.Subject:
		return errs.New(errs.Invalid, "udap-jwt-issuer", "The JWT is refused: iss and sub must both name the client.")
	case !slices.ContainsFunc(s.Audience, func(a string) bool { return slices.Contains(audiences, a) }):
		return errs.New(errs.Invalid, "udap-jwt-audience", "The JWT is refused: aud must be the URL of this endpoint.")
	case s.Expiry == nil || s.IssuedAt == nil:
		return errTime("exp and iat must both be there")
	case !t.Before(s.Expiry.Time()):
		return errTime("it has expired")
	case s.IssuedAt.Time().After(t.Add(maxSkew)):
		return errTime("iat is in the future")
	case s.Expiry.Time().Sub(s.IssuedAt.Time()) > maxLife || !s.Expiry.Time().After(s.IssuedAt.Time()):
		return errTime("exp must be at most five minutes after iat")
	case s.ID == "" || len(s.ID) > maxJTI || strings.ContainsFunc(s.ID, unicode.IsControl):
		return errs.New(errs.Invalid, "udap-jwt-jti", "The JWT is refused: jti must have 1 to 256 characters.")
	}
	return nil
}

// Until is how long the jti must be remembered.
func (s Standard) Until() time.Time { return s.Expiry.Time().Add(maxSkew) }

func errJWT(why string) error {
	return errs.New(errs.Invalid, "udap-jwt", "The JWT is refused: "+why+".")
}

func errTime(why string) error {
	return errs.New(errs.Invalid, "udap-jwt-time", "The JWT is refused: "+why+".")
}
