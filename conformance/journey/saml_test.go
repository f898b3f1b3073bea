package journey

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/crewjam/saml/samlidp"
	dsig "github.com/russellhaering/goxmldsig"
)

// samlKey makes a key and a certificate of it.
func samlKey(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "saml"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// newSAML starts a SAML provider and gives its address.
func newSAML(t *testing.T) string {
	t.Helper()
	var idp *samlidp.Server
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { idp.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	base, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	key, cert := samlKey(t)
	if idp, err = samlidp.New(samlidp.Options{
		URL: *base, Key: key, Certificate: cert, Store: &samlidp.MemoryStore{}, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}); err != nil {
		t.Fatal(err)
	}
	idp.IDP.SignatureMethod = dsig.RSASHA256SignatureMethod
	return web.URL
}

// samlFile writes the file that describes the provider to the server.
func samlFile(t *testing.T, idp string) string {
	t.Helper()
	dir := t.TempDir()
	key, cert := samlKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{
		"protocol": "saml", "id": "hospital", "name": "Lakeside Hospital", "for": []string{"patients"}, "entity_id": idp + "/metadata",
		"metadata_url": idp + "/metadata", "key_file": "key.pem", "certificate_file": "cert.pem", "subject": "uid",
		"people": []map[string]any{{"attribute": "uid", "as": "username"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hospital.json")
	for name, text := range map[string][]byte{
		path: raw, filepath.Join(dir, "key.pem"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		filepath.Join(dir, "cert.pem"): pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// samlPut tells the provider of a user or of the server.
func samlPut(t *testing.T, at string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Fatalf("%s: %d", at, res.StatusCode)
	}
}

// NI-14: in a real browser, whose cookies do not travel with a post from another
// site, the answer of a SAML provider finds its way: the log-in counts, where the
// person was going.
func TestABrowserComesBackFromSAML(t *testing.T) {
	idp := newSAML(t)
	w := newWorld(t, "--identity-provider", samlFile(t, idp))
	_, own := w.get(w.ready.Issuer+"/signin/with/hospital/metadata", "")
	samlPut(t, idp+"/services/mandate", own)
	samlPut(t, idp+"/users/rosa", []byte(`{"name":"rosa","password":"any","email":"rosa@example.com"}`))
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/apps")
	b.until("the sign-in page", "location.pathname === '/signin'")
	b.says("Sign in with Lakeside Hospital")
	b.click("main a.button[href*='/signin/with/hospital']")
	b.until("the provider's sign-in", "!!document.querySelector('input[name=user]')")
	b.fill("input[name=user]", "rosa")
	b.fill("input[name=password]", "any")
	b.click("input[type=submit]")
	b.until("the provider knows the person", "location.pathname === '/login' && !document.querySelector('input[name=user]')")
	b.visit("/apps")
	b.click("main a.button[href*='/signin/with/hospital']")
	b.until("the page that was asked for", "location.pathname === '/apps'")
	b.visit("/factors")
	b.says("Lakeside Hospital")
}
