package udap

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// CRLPolicy says what is asked of the revocation lists of a community.
type CRLPolicy string

// The policies. CRLOff is unsafe: a stolen key then works until its certificate
// ends.
const (
	// CRLRequired: every certificate below the anchor names a list.
	CRLRequired CRLPolicy = "required"
	// CRLNamed: lists are asked where a certificate names one.
	CRLNamed CRLPolicy = "named"
	CRLOff   CRLPolicy = "off"
)

// Community is a trust community: the circle of organizations whose
// certificates lead to the same anchors (UDP-10, UDP-12).
type Community struct {
	// URI names it; it is compared as a string (UDP-13).
	URI     string
	Anchors []*x509.Certificate
	CRL     CRLPolicy
	// Certifications are those that a registration must show by their URI, and
	// KnownCertifications those that are looked at (UDP-23).
	Certifications      []string
	KnownCertifications []string
	// Purposes bounds the purposes of use that a service may state; empty takes
	// every code of v3-PurposeOfUse (UDP-30).
	Purposes []string
	// Providers are the identity providers of the community at which people may
	// log in for here, by their URL or AnyProvider, with the rules that say who is
	// who; empty offers no tiered OAuth (UDP-32).
	Providers map[string][]PersonRule
	// Contacts and LogoURI are what this server tells a provider of itself.
	Contacts []string
	LogoURI  string
	// Server gives the certificate with which this server speaks to the
	// community as the one that a FHIR base names. Errors: errs.NotFound when
	// there is none for that base.
	Server func(base string) (Credential, error)
}

// PersonRule says how the subject of a provider is found among the people here.
type PersonRule string

// The rules. Each trusts the provider with every account that it can name.
const (
	// ByFHIRUser: the claim fhirUser is the URL of a resource at this FHIR base,
	// which stands for the person.
	ByFHIRUser PersonRule = "fhirUser"
	// ByUsername: the subject is the username.
	ByUsername PersonRule = "username"
)

// AnyProvider stands for every provider of a community.
const AnyProvider = "*"

// PeopleOf gives the rules for a provider, none where it may log nobody in.
func (c *Community) PeopleOf(provider string) []PersonRule {
	if rules, named := c.Providers[provider]; named {
		return rules
	}
	return c.Providers[AnyProvider]
}

// Credential is a certificate chain, leaf first, with the leaf's key.
type Credential struct {
	Chain []*x509.Certificate
	Key   crypto.Signer
}

// Validate reports whether the credential can sign for base at t: its leaf names
// base in a SAN URI and is within its life, and the key is the leaf's. Errors:
// errs.NotFound with code udap-server-base, errs.Invalid with
// udap-server-certificate.
func (c Credential) Validate(base string, t time.Time) error {
	if len(c.Chain) == 0 || c.Key == nil {
		return errs.New(errs.Invalid, "udap-server-certificate", "There is no server certificate.")
	}
	leaf := c.Chain[0]
	if !slices.Contains(URIs(leaf), base) {
		return errs.New(errs.NotFound, "udap-server-base", "No server certificate names this FHIR base in a SAN URI.")
	}
	public, comparable := c.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !comparable || !public.Equal(leaf.PublicKey):
		return errs.New(errs.Invalid, "udap-server-certificate", "The key is not that of the server certificate.")
	case t.Before(leaf.NotBefore) || t.After(leaf.NotAfter):
		return errs.New(errs.Invalid, "udap-server-certificate", "The server certificate is not valid now.")
	}
	_, err := algorithmOf(c.Key.Public())
	return err
}

// URIs gives the URIs among the subject's alternative names, as they stand in
// the certificate: they are compared as strings, never normalised (UDP-13).
func URIs(cert *x509.Certificate) []string {
	var out []string
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oidSAN) {
			out = append(out, sanURIs(ext.Value)...)
		}
	}
	return out
}

// Algorithms are the signatures of UDAP's JWTs (UDP-11).
func Algorithms() []string { return []string{"RS256", "ES256", "RS384", "ES384"} }

// accepted is Algorithms as the library wants them.
var accepted = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.RS384, jose.ES384}

// minRSA is the least RSA key in bits.
const minRSA = 2048

// fits reports whether a public key may verify an algorithm.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (alg == "RS256" || alg == "RS384") && strong(key)
	case *ecdsa.PublicKey:
		return strong(key) && (alg == "ES256" && k.Curve.Params().BitSize == 256 || alg == "ES384" && k.Curve.Params().BitSize == 384)
	}
	return false
}

// strong reports whether a key is one that we trust: RSA of 2048 bits or more,
// P-256 or P-384.
func strong(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		bits := k.Curve.Params().BitSize
		return bits == 256 || bits == 384
	}
	return false
}

// algorithmOf gives the algorithm with which this server signs by a key.
func algorithmOf(key any) (jose.SignatureAlgorithm, error) {
	for _, alg := range accepted {
		if fits(key, string(alg)) {
			return alg, nil
		}
	}
	return "", errs.New(errs.Invalid, "udap-server-certificate", "The server key must be RSA of 2048 bits or more, P-256 or P-384.")
}

// known gives the certifications that are looked at, required ones included.
func (c *Community) known() []string {
	out := slices.Clone(c.KnownCertifications)
	for _, uri := range c.Certifications {
		if !slices.Contains(out, uri) {
			out = append(out, uri)
		}
	}
	return out
}
