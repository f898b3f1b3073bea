package devkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"time"
)

// The lives of a development community's certificates.
const (
	anchorLife = 10 * 365 * 24 * time.Hour
	serverLife = 365 * 24 * time.Hour
)

// Community is a UDAP trust community whose authority's key is public: whoever
// reads it may admit members.
type Community struct {
	// Certificate and PrivateKey are the anchor in PEM, ServerKey the key of the
	// server's own certificates.
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"private_key"`
	ServerKey   string `json:"server_key"`
}

// MakeCommunity makes an authority. Errors: errs.Internal.
func MakeCommunity(now time.Time) (Community, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Community{}, failed(err)
	}
	// Clients need not know more than RS256.
	server, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Community{}, failed(err)
	}
	anchor := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMicro()), Subject: pkix.Name{CommonName: "Mandate development community", Organization: []string{"Mandate development"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(anchorLife), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, anchor, anchor, key.Public(), key)
	if err != nil {
		return Community{}, failed(err)
	}
	c := Community{Certificate: armour("CERTIFICATE", der)}
	if c.PrivateKey, err = armourKey(key); err != nil {
		return Community{}, err
	}
	c.ServerKey, err = armourKey(server)
	return c, err
}

// Anchor gives the authority's certificate and key. Errors: errs.Internal.
func (c Community) Anchor() (*x509.Certificate, crypto.Signer, error) {
	block, _ := pem.Decode([]byte(c.Certificate))
	if block == nil {
		return nil, nil, failed(nil)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, failed(err)
	}
	key, err := signer(c.PrivateKey)
	return cert, key, err
}

// Server issues a certificate for the server whose FHIR base is given, in a SAN
// URI. Errors: errs.Internal.
func (c Community) Server(base string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	anchor, authority, err := c.Anchor()
	if err != nil {
		return nil, nil, err
	}
	key, err := signer(c.ServerKey)
	if err != nil {
		return nil, nil, err
	}
	name, err := url.Parse(base)
	if err != nil {
		return nil, nil, failed(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMicro() + 1), Subject: pkix.Name{CommonName: "Mandate development server"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(serverLife), URIs: []*url.URL{name},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, anchor, key.Public(), authority)
	if err != nil {
		return nil, nil, failed(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, failed(err)
	}
	return cert, key, nil
}

func signer(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, failed(nil)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, failed(err)
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, failed(nil)
	}
	return s, nil
}

func armourKey(key any) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", failed(err)
	}
	return armour("PRIVATE KEY", der), nil
}

func armour(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
