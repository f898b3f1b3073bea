package udap

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	clientURI = "https://clinic.example/client"
	listURI   = "http://community.example/list.crl"
	community = "https://community.example/"
	endpoint  = "https://mandate.example/udap/register"
)

// world is a community with an authority, its revocation list and a clock.
type world struct {
	t     *testing.T
	clock *clock.Movable
	root  Credential
	other Credential
	trust *Trust
	// list is what the host of lists serves; nil while it is away.
	list    []byte
	fetches int
	serial  int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Movable{}}
	w.root, w.other = w.authority("Community"), w.authority("Somebody else")
	w.trust = &Trust{
		Clock:       w.clock,
		Communities: []Community{{URI: community, Anchors: w.root.Chain, CRL: CRLNamed}},
		Lists: NewLists(ListsConfig{Clock: w.clock, Refresh: time.Minute, Grace: time.Hour, Fetch: func(context.Context, string, int64) ([]byte, error) {
			w.fetches++
			if w.list == nil {
				return nil, errors.New("away")
			}
			return w.list, nil
		}}),
	}
	return w
}

func (w *world) key(curve elliptic.Curve) *ecdsa.PrivateKey {
	w.t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func (w *world) certificate(template *x509.Certificate, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	w.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) template(name string) *x509.Certificate {
	w.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(w.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Clinic"}},
		NotBefore: w.clock.Now().Add(-time.Hour), NotAfter: w.clock.Now().Add(90 * 24 * time.Hour),
	}
}

func (w *world) authority(name string) Credential {
	key, x := w.key(elliptic.P256()), w.template(name)
	x.IsCA, x.BasicConstraintsValid, x.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	return Credential{Chain: []*x509.Certificate{w.certificate(x, x, key.Public(), key)}, Key: key}
}

// member issues a certificate for the client, after bend.
func (w *world) member(by Credential, bend func(*x509.Certificate)) Credential {
	u, err := url.Parse(clientURI)
	if err != nil {
		w.t.Fatal(err)
	}
	key, x := w.key(elliptic.P256()), w.template("Client")
	x.URIs, x.KeyUsage = []*url.URL{u}, x509.KeyUsageDigitalSignature
	if bend != nil {
		bend(x)
	}
	return Credential{Chain: []*x509.Certificate{w.certificate(x, by.Chain[0], key.Public(), by.Key)}, Key: key}
}

func named(x *x509.Certificate) { x.CRLDistributionPoints = []string{listURI} }

// publish makes a list, after bend, with the certificates on it.
func (w *world) publish(by Credential, bend func(*x509.RevocationList), revoked ...Credential) {
	w.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: w.clock.Now(), NextUpdate: w.clock.Now().Add(24 * time.Hour)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Chain[0].SerialNumber, RevocationTime: w.clock.Now()})
	}
	if bend != nil {
		bend(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Chain[0], by.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.list = der
}

// verify gives the code of the refusal, "" for a trusted certificate.
func (w *world) verify(c Credential) string {
	w.t.Helper()
	m, err := w.trust.Verify(context.Background(), c.Chain, "")
	if err == nil && (m.Community.URI != community || len(m.Chain) < 2) {
		w.t.Errorf("trusted by %s through %d certificates", m.Community.URI, len(m.Chain))
	}
	return code(err)
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}
