package kit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Community is a trust community with the key of its authority, which lets
// checks admit members (UDP-12).
type Community struct {
	URI         string `json:"community"`
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"private_key"`
	// CRLRefresh is, in seconds, how late a revocation may count.
	CRLRefresh int `json:"crl_refresh"`
}

// Authority issues certificates.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Above leads to the anchor, without it; empty where this is the anchor.
	Above []*x509.Certificate
}

// Authority gives the authority of the community. Errors: it cannot be read.
func (c Community) Authority() (Authority, error) {
	cert, _ := pem.Decode([]byte(c.Certificate))
	key, _ := pem.Decode([]byte(c.PrivateKey))
	if cert == nil || key == nil {
		return Authority{}, errors.New("udap_ca is not in PEM")
	}
	parsed, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return Authority{}, fmt.Errorf("udap_ca: %w", err)
	}
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return Authority{}, fmt.Errorf("udap_ca: %w", err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return Authority{}, errors.New("udap_ca: the key cannot sign")
	}
	return Authority{Certificate: parsed, Key: signer}, nil
}

// NewAuthority makes an authority that nobody trusts.
func NewAuthority(now time.Time) (Authority, error) {
	key, err := ECKey(elliptic.P256())
	if err != nil {
		return Authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Somebody else"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := create(template, template, key.Public(), key)
	return Authority{Certificate: cert, Key: key}, err
}

// ECKey and RSAKey make keys.
func ECKey(curve elliptic.Curve) (crypto.Signer, error) {
	return ecdsa.GenerateKey(curve, randomness{})
}

// RSAKey makes a key of that many bits.
func RSAKey(bits int) (crypto.Signer, error) { return rsa.GenerateKey(randomness{}, bits) }

func serial() *big.Int { return new(big.Int).SetBytes(randomness{}.Bytes(12)) }

func create(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(randomness{}, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Member is who holds a certificate.
type Member struct {
	URI   string
	Chain []*x509.Certificate
	Key   crypto.Signer
}

// Issue makes a member named by a URI, with a P-256 key unless one is given. bend
// changes the certificate before it is signed; nil leaves it.
func (a Authority) Issue(uri string, now time.Time, key crypto.Signer, bend func(*x509.Certificate)) (Member, error) {
	if key == nil {
		var err error
		if key, err = ECKey(elliptic.P256()); err != nil {
			return Member{}, err
		}
	}
	name, err := url.Parse(uri)
	if err != nil {
		return Member{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Conformance client", Organization: []string{"Conformance Clinic"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), URIs: []*url.URL{name}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if bend != nil {
		bend(template)
	}
	cert, err := create(template, a.Certificate, key.Public(), a.Key)
	if err != nil {
		return Member{}, err
	}
	return Member{URI: uri, Key: key, Chain: append([]*x509.Certificate{cert}, a.Above...)}, nil
}

// Between makes an intermediate authority below this one.
func (a Authority) Between(now time.Time) (Authority, error) {
	key, err := ECKey(elliptic.P256())
	if err != nil {
		return Authority{}, err
	}
	cert, err := create(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Between"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, a.Certificate, key.Public(), a.Key)
	return Authority{Certificate: cert, Key: key, Above: append([]*x509.Certificate{cert}, a.Above...)}, err
}

// X5C gives the chain as a header has it.
func (m Member) X5C() []string {
	var out []string
	for _, c := range m.Chain {
		out = append(out, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return out
}

// Algorithm gives the algorithm of the member's key.
func (m Member) Algorithm() string {
	if k, ok := m.Key.(*ecdsa.PrivateKey); ok {
		if k.Curve == elliptic.P384() {
			return "ES384"
		}
		return "ES256"
	}
	return "RS256"
}

// Sign signs claims with the member's certificates in the header; a header of the
// assertion may replace them.
func (m Member) Sign(a Assertion) (string, error) {
	if a.Algorithm == "" {
		a.Algorithm = m.Algorithm()
	}
	header := map[string]any{"x5c": m.X5C(), "kid": nil}
	for name, value := range a.Header {
		header[name] = value
	}
	a.Header = header
	return a.SignWith(m.Key, "")
}

// CRLHost serves the revocation list of an authority at an address of this
// machine.
type CRLHost struct {
	authority Authority
	server    *http.Server
	address   string

	mu      sync.Mutex
	revoked []x509.RevocationListEntry
	made    time.Time
	away    bool
}

// ServeCRL begins to serve an empty list. Close ends it.
func (a Authority) ServeCRL(ctx context.Context, now time.Time) (*CRLHost, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &CRLHost{authority: a, address: "http://" + l.Addr().String() + "/list.crl", made: now}
	h.server = &http.Server{Handler: http.HandlerFunc(h.serve), ReadHeaderTimeout: time.Second}
	go func() { _ = h.server.Serve(l) }() // ends with Close
	return h, nil
}

// Address is what a certificate names as the place of its list.
func (h *CRLHost) Address() string { return h.address }

// Close ends the host.
func (h *CRLHost) Close() { _ = h.server.Close() }

// Revoke puts a certificate on the list.
func (h *CRLHost) Revoke(m Member, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked = append(h.revoked, x509.RevocationListEntry{SerialNumber: m.Chain[0].SerialNumber, RevocationTime: now})
	h.made = now
}

// Leave makes the host answer nothing any more.
func (h *CRLHost) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = true
}

func (h *CRLHost) serve(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	der, err := x509.CreateRevocationList(randomness{}, &x509.RevocationList{
		Number: big.NewInt(h.made.Unix()), ThisUpdate: h.made.Add(-time.Minute), NextUpdate: h.made.Add(24 * time.Hour), RevokedCertificateEntries: h.revoked,
	}, h.authority.Certificate, h.authority.Key)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(der)
}

// ReadJWS checks a compact JWS by the first certificate in its header, and gives
// the certificates and the payload.
func ReadJWS(compact string) ([]*x509.Certificate, []byte, error) {
	object, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.RS384, jose.ES384})
	if err != nil {
		return nil, nil, err
	}
	head, _, _ := strings.Cut(compact, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return nil, nil, err
	}
	var header struct {
		X5C [][]byte `json:"x5c"`
	}
	if err := json.Unmarshal(raw, &header); err != nil || len(header.X5C) == 0 {
		return nil, nil, errors.New("no x5c in the header")
	}
	var chain []*x509.Certificate
	for _, der := range header.X5C {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, err
		}
		chain = append(chain, cert)
	}
	payload, err := object.Verify(chain[0].PublicKey)
	return chain, payload, err
}
