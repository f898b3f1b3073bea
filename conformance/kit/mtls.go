package kit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
)

// The ways of authentication of RFC 8705 §2.
const (
	MethodTLS       = "tls_client_auth"
	MethodTLSOfSelf = "self_signed_tls_client_auth"
)

// Aliases are the endpoints for clients that show a certificate (RFC 8705 §5).
type Aliases struct {
	Token      string `json:"token_endpoint"`
	Introspect string `json:"introspection_endpoint"`
	Revoke     string `json:"revocation_endpoint"`
	Push       string `json:"pushed_authorization_request_endpoint"`
}

// Pair is a certificate with its private key, both in PEM.
type Pair struct {
	Certificate string `json:"tls_certificate,omitempty"`
	Key         string `json:"tls_certificate_key,omitempty"`
}

// TLS is what a client has of certificates.
type TLS struct {
	// AuthMethod is told of clients that authenticate by a certificate;
	// CertificateBound ones get tokens that are bound to theirs.
	AuthMethod       string `json:"token_endpoint_auth_method,omitempty"`
	TLSDNS           string `json:"tls_client_auth_san_dns,omitempty"`
	CertificateBound bool   `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Pair
	// Profile is the security profile to which the client is held.
	Profile string `json:"security_profile,omitempty"`
}

// Profiled gives the app that is held to the FAPI 2.0 security profile and
// proves itself by a method, "" for an assertion.
func (t *Target) Profiled(method string) Client {
	for _, c := range t.Clients {
		if c.Profile == "fapi2" && c.AuthMethod == method && len(c.RedirectURIs) > 0 {
			return c
		}
	}
	return Client{}
}

// Certified gives the client with a way of authentication by certificate, or a
// public one that is bound to it.
func (t *Target) Certified(method string) Client {
	for _, c := range t.Clients {
		if c.CertificateBound && c.Certificate != "" && (c.AuthMethod == method || method == "" && c.Kind == "public") {
			return c
		}
	}
	return Client{}
}

// certifies reports whether the target has every client that the rows about
// certificates need, and says where certificates are asked for.
func (t *Target) certifies() bool {
	return t.Config.Aliases.Token != "" && t.Certified(MethodTLS).ID != "" && t.Certified(MethodTLSOfSelf).ID != "" && t.Certified("").ID != ""
}

// Showing gives the target as a client with a certificate reaches it: at the
// endpoints for that, with the certificate shown. The zero Pair shows none.
func (t *Target) Showing(p Pair) (*Target, error) {
	transport, ok := t.HTTP.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("the target has no connection of its own")
	}
	transport = transport.Clone()
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if own := transport.TLSClientConfig; own != nil {
		conf = own.Clone()
	}
	if p.Certificate != "" {
		cert, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
		if err != nil {
			return nil, fmt.Errorf("the certificate of a client cannot be read: %w", err)
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	transport.TLSClientConfig = conf
	root, err := url.Parse(t.Config.Aliases.Token)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(t.FHIRBase)
	if err != nil {
		return nil, err
	}
	out := &Target{Ready: t.Ready, Config: t.Config, OpenID: t.OpenID, clock: t.clock, browsers: map[string]*Browser{}, tokens: map[string]*Grant{}}
	out.offset = t.Now().Sub(t.clock.Now())
	out.HTTP = &http.Client{Transport: transport, Timeout: t.HTTP.Timeout, CheckRedirect: t.HTTP.CheckRedirect}
	a := t.Config.Aliases
	out.Config.Token, out.Config.Introspect, out.Config.Revoke, out.Config.Push = a.Token, a.Introspect, a.Revoke, a.Push
	out.FHIRBase = root.Scheme + "://" + root.Host + base.Path
	return out, nil
}

// Thumbprint gives the value of x5t#S256 (RFC 8705 §3.1).
func (p Pair) Thumbprint() string {
	sum := sha256.Sum256(p.DER())
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// DER gives the certificate itself.
func (p Pair) DER() []byte {
	block, _ := pem.Decode([]byte(p.Certificate))
	if block == nil {
		return nil
	}
	return block.Bytes
}

// Header gives the certificate as a proxy hands it on (RFC 9440 §2).
func (p Pair) Header() string { return ":" + base64.StdEncoding.EncodeToString(p.DER()) + ":" }

// JWKS gives a key set with the certificate in it, as a client registers one
// that nobody vouches for (RFC 8705 §2.2.2).
func (p Pair) JWKS(kid string) (json.RawMessage, error) {
	cert, err := x509.ParseCertificate(p.DER())
	if err != nil {
		return nil, err
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: cert.PublicKey, KeyID: kid, Certificates: []*x509.Certificate{cert}}}})
}

// ClientAuthority signs client certificates.
type ClientAuthority struct {
	// Certificate is its own, in PEM.
	Certificate string
	cert        *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewClientAuthority makes an authority. Errors: those of the machine.
func NewClientAuthority() (*ClientAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), randomness{})
	if err != nil {
		return nil, err
	}
	a := &ClientAuthority{key: key}
	t := certificate("Self-test authority")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage, t.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	der, err := x509.CreateCertificate(randomness{}, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// Pair makes a certificate for a DNS name; an authority that is nil makes one
// that nobody vouches for.
func (a *ClientAuthority) Pair(name string) (Pair, error) {
	return a.pair(name, x509.ExtKeyUsageClientAuth)
}

// ServerPair makes a certificate by which a server of that name proves itself.
func (a *ClientAuthority) ServerPair(name string) (Pair, error) {
	return a.pair(name, x509.ExtKeyUsageServerAuth)
}

func (a *ClientAuthority) pair(name string, usage x509.ExtKeyUsage) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), randomness{})
	if err != nil {
		return Pair{}, err
	}
	t := certificate(name)
	t.DNSNames, t.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{usage}
	parent, signer := t, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(randomness{}, t, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}

// certificate gives a template that stays valid whatever rows do to the clock.
func certificate(name string) *x509.Certificate {
	now := clock.System{}.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(randomness{}.Bytes(16)), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// byCertificate reports whether a client authenticates by its certificate.
func (c Client) byCertificate() bool {
	return slices.Contains([]string{MethodTLS, MethodTLSOfSelf}, c.AuthMethod)
}

// OffersTLS reports whether the server says that clients may authenticate by a
// certificate.
func (c Configuration) OffersTLS() bool {
	return slices.ContainsFunc(c.TokenAuthMethods, func(m string) bool { return strings.HasSuffix(m, MethodTLS) })
}
