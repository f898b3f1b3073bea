package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// gate is a FHIR server over TLS that answers nobody who does not prove who they are:
// by a certificate of its authority, and by an access token that its own token
// endpoint gives to a backend service, or by a fixed header.
type gate struct {
	*httptest.Server
	hospital *hospital
	public   *ecdsa.PublicKey
	header   string
	issued   atomic.Int64
	strange  atomic.Int64
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "mandate" {
		g.strange.Add(1)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.URL.Path == "/token" {
		g.token(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer good" && (g.header == "" || r.Header.Get("X-Api-Key") != g.header) {
		g.strange.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.hospital.Config.Handler.ServeHTTP(w, r)
}

// token checks the assertion as another implementation would (SMART ASY).
func (g *gate) token(w http.ResponseWriter, r *http.Request) {
	if g.proves(r.FormValue("client_assertion")) && r.FormValue("scope") == "system/*.rs" {
		g.issued.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"good","token_type":"bearer","expires_in":300}`))
		return
	}
	g.strange.Add(1)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
}

func (g *gate) proves(text string) bool {
	part := strings.Split(text, ".")
	if len(part) != 3 {
		return false
	}
	var plain [3][]byte
	for i := range part {
		var err error
		if plain[i], err = base64.RawURLEncoding.DecodeString(part[i]); err != nil {
			return false
		}
	}
	var h struct{ Alg, Kid string }
	var c struct{ Iss, Sub, Aud, Jti string }
	if json.Unmarshal(plain[0], &h) != nil || json.Unmarshal(plain[1], &c) != nil || h.Alg != "ES384" || h.Kid != "k1" || len(plain[2]) != 96 {
		return false
	}
	sum := sha512.Sum384([]byte(part[0] + "." + part[1]))
	return c.Iss == "mandate" && c.Sub == "mandate" && c.Aud == g.URL+"/token" && c.Jti != "" &&
		ecdsa.Verify(g.public, sum[:], new(big.Int).SetBytes(plain[2][:48]), new(big.Int).SetBytes(plain[2][48:]))
}

// written puts a PEM file into a folder.
func written(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newGate starts the server with an authority of its own, and gives the settings by
// which Mandate proves itself.
func newGate(t *testing.T, dir string) (*gate, func(*app.Config)) {
	t.Helper()
	key := func(curve elliptic.Curve) (*ecdsa.PrivateKey, []byte) {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return k, der
	}
	own, ownDER := key(elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mandate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, own.Public(), own)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(certDER)
	if err != nil {
		t.Fatal(err)
	}
	signing, signingDER := key(elliptic.P384())
	g := &gate{hospital: newHospital(t), public: &signing.PublicKey}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	g.Server = httptest.NewUnstartedServer(g)
	g.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	g.StartTLS()
	t.Cleanup(g.Close)
	return g, func(c *app.Config) {
		c.Upstream = g.URL + "/fhir"
		c.UpstreamCA = written(t, dir, "ca.pem", "CERTIFICATE", g.Certificate().Raw)
		c.UpstreamCert, c.UpstreamKey = written(t, dir, "own.pem", "CERTIFICATE", certDER), written(t, dir, "own.key", "PRIVATE KEY", ownDER)
		c.FHIRServer.ClientKey = written(t, dir, "signing.key", "PRIVATE KEY", signingDER)
		c.FHIRServer.TokenURL, c.FHIRServer.ClientID, c.FHIRServer.KeyID, c.FHIRServer.Scope = g.URL+"/token", "mandate", "k1", "system/*.rs"
	}
}

// A FHIR server behind TLS gets a certificate and, from its own authorization server,
// an access token for a signed assertion: a started server reads through both, with
// one token for all.
func TestWeProveOurselvesToTheFHIRServer(t *testing.T) {
	g, proving := newGate(t, t.TempDir())
	s := start(t, proving)
	access := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}}).Access()
	for range 3 {
		if res := s.fetch(t, access, "Patient/rosa", http.StatusOK); !strings.Contains(string(res.Body), "Elsewhere") {
			t.Errorf("not from the hospital: %s", res.Body)
		}
	}
	if g.issued.Load() != 1 || g.strange.Load() != 0 {
		t.Errorf("%d tokens, %d requests without proof", g.issued.Load(), g.strange.Load())
	}
}

// The fixed header does as well where the server asks for that; without any proof
// nothing is read, and the answer says nothing of why.
func TestAFixedHeaderForTheFHIRServer(t *testing.T) {
	dir := t.TempDir()
	g, proving := newGate(t, dir)
	g.header = "XYZ"
	file := filepath.Join(dir, "header")
	if err := os.WriteFile(file, []byte("X-Api-Key: XYZ\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) {
		proving(c)
		c.FHIRServer = app.UpstreamConfig{HeaderFile: file}
	})
	access := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}}).Access()
	s.fetch(t, access, "Patient/rosa", http.StatusOK)
	g.header = "ABC"
	if res := s.fetch(t, access, "Patient/rosa", http.StatusBadGateway); strings.Contains(string(res.Body), "401") || strings.Contains(string(res.Body), g.URL) {
		t.Errorf("%s", res.Body)
	}
}
