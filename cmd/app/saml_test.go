package app_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml/samlidp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// samlIDP is a SAML identity provider at which people sign in.
type samlIDP struct {
	*samlidp.Server
	url string
	dir string
}

// pair makes a key and a certificate of it.
func pair(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
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

// newSAML starts a provider of users, each with the password "any".
func newSAML(t *testing.T, users ...string) *samlIDP {
	t.Helper()
	i := &samlIDP{dir: t.TempDir()}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { i.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	i.url = web.URL
	base, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	key, cert := pair(t)
	if i.Server, err = samlidp.New(samlidp.Options{
		URL: *base, Key: key, Certificate: cert, Store: &samlidp.MemoryStore{}, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}); err != nil {
		t.Fatal(err)
	}
	i.IDP.SignatureMethod = dsig.RSASHA256SignatureMethod
	for _, u := range users {
		i.put(t, "/users/"+u, map[string]string{"name": u, "password": "any", "email": u + "@example.com"})
	}
	return i
}

func (i *samlIDP) put(t *testing.T, path string, body any) {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, i.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Fatalf("%s: %d", path, res.StatusCode)
	}
}

// describe writes the file that describes the provider to the server.
func (i *samlIDP) describe(t *testing.T, more map[string]any) string {
	t.Helper()
	key, cert := pair(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]any{
		"protocol": "saml", "id": "hospital", "name": "Lakeside Hospital", "for": []string{"patients", "staff"},
		"entity_id": i.url + "/metadata", "metadata_url": i.url + "/metadata", "key_file": "key.pem", "certificate_file": "cert.pem", "subject": "uid",
		"people": []map[string]any{{"attribute": "uid", "as": "username"}},
	}
	for k, v := range more {
		file[k] = v
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(i.dir, "hospital.json")
	for name, text := range map[string][]byte{
		path: raw, filepath.Join(i.dir, "key.pem"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		filepath.Join(i.dir, "cert.pem"): pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// away goes to the provider, signs in there as a user and gives the form that the
// provider lets the browser post.
func (i *samlIDP) away(s teller, b *kit.Browser, user, query string) *kit.Form {
	s.t.Helper()
	if _, err := b.Raw(s.t.Context(), kit.Request{URL: i.url + "/login", Form: url.Values{"user": {user}, "password": {"any"}}}); err != nil {
		s.t.Fatal(err)
	}
	p, err := b.Open(s.t.Context(), s.Ready.Issuer+"/signin/with/hospital"+query, "")
	if err != nil {
		s.t.Fatal(err)
	}
	f := p.FormWith("SAMLResponse")
	if f == nil {
		s.t.Fatalf("the provider shows %s", p.Body)
	}
	return f
}

// posted posts an answer as browsers do from another site: without cookies. It gives
// the address to which the browser is sent on, and what it shows otherwise.
func (s teller) posted(at string, answer url.Values) (to, text string) {
	s.t.Helper()
	res, err := s.NewBrowser(kit.Person{}).Raw(s.t.Context(), kit.Request{
		URL: at, Form: answer, Header: http.Header{"Origin": {"https://idp.example"}, "Sec-Fetch-Site": {"cross-site"}, "Accept": {"text/html"}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(res.Header.Values("Set-Cookie")) > 0 {
		s.t.Error("a post without cookies replaces those of the browser")
	}
	return res.Header.Get("Location"), kit.Text(res.Body)
}

// NI-14: people sign in at a SAML provider (crewjam/saml/samlidp): the request is
// signed, the assertion encrypted, and the browser comes back to where it was going.
func TestPeopleSignInBySAML(t *testing.T) {
	idp := newSAML(t, "rosa", "stranger")
	s := teller{start(t, func(c *app.Config) { c.Federation.Providers = []string{idp.describe(t, nil)} }), t}
	idp.registered(s)
	b := s.NewBrowser(s.Person("rosa"))
	f := idp.away(s, b, "rosa", "?next=%2Fapps")
	to, text := s.posted(f.Action, f.Values(nil))
	if to == "" {
		t.Fatalf("no way back: %s\n%s", text, s.out)
	}
	p, err := b.Open(t.Context(), to, "")
	if err != nil || !strings.HasSuffix(p.URL, "/apps") {
		t.Fatalf("%v %s\n%s\n%s", err, p.URL, p.Text(), s.out)
	}
}

// registered lets the provider know of the server.
func (i *samlIDP) registered(s teller) {
	s.t.Helper()
	own, err := s.NewBrowser(kit.Person{}).Open(s.t.Context(), s.Ready.Issuer+"/signin/with/hospital/metadata", "")
	if err != nil || !strings.HasPrefix(own.Header.Get("Content-Type"), "application/samlmetadata+xml") {
		s.t.Fatalf("%v %v", err, own)
	}
	i.put(s.t, "/services/mandate", own.Body)
}

// why gives the reasons of failed log-ins, the newest first.
func (s teller) why() (out []string) {
	for _, e := range s.events(s.t, "kind=login.failed&limit=5") {
		out = append(out, e.Reason)
	}
	return out
}

// NI-14: what does not count is told in the same words, recorded with its reason, and
// signs nobody in: changed, signed by SHA-1, posted again, brought by another browser,
// asked for by nobody.
func TestBadSAMLAnswersSignNobodyIn(t *testing.T) {
	idp := newSAML(t, "rosa")
	s := teller{start(t, func(c *app.Config) { c.Federation.Providers = []string{idp.describe(t, nil)} }), t}
	idp.registered(s)
	b := s.NewBrowser(s.Person("rosa"))
	refused := func(what, text, reason string) {
		t.Helper()
		if !strings.Contains(text, "You are not signed in yet") || strings.Contains(text, "signature") {
			t.Errorf("%s shows %s", what, text)
		}
		if all := s.why(); len(all) == 0 || all[0] != reason {
			t.Errorf("%s is recorded as %v instead of %s", what, all, reason)
		}
	}
	comes := func(b *kit.Browser, to string) *kit.Page {
		t.Helper()
		p, err := b.Open(t.Context(), to, "")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	f := idp.away(s, b, "rosa", "")
	raw, err := base64.StdEncoding.DecodeString(f.Field("SAMLResponse").Value)
	if err != nil {
		t.Fatal(err)
	}
	changed := base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte("status:Success"), []byte("status:Requester"), 1))
	_, text := s.posted(f.Action, url.Values{"SAMLResponse": {changed}})
	refused("a changed answer", text, "answer-signature")
	_, text = s.posted(f.Action, url.Values{"SAMLResponse": {"PGE+"}})
	refused("no answer", text, "answer-unreadable")

	// The same answer twice: the second time the browser has nothing to come for it with.
	to, _ := s.posted(f.Action, f.Values(nil))
	thief := s.NewBrowser(kit.Person{})
	refused("an answer of another browser", comes(thief, to).Text(), "upstream-state")
	if to, _ = s.posted(f.Action, f.Values(nil)); comes(b, to).Status != http.StatusOK {
		t.Error("the right browser is not let in")
	}
	to, _ = s.posted(f.Action, f.Values(nil))
	refused("an answer again", comes(b, to).Text(), "upstream-state")

	idp.IDP.SignatureMethod = dsig.RSASHA1SignatureMethod
	f = idp.away(s, b, "rosa", "")
	_, text = s.posted(f.Action, f.Values(nil))
	refused("SHA-1", text, "answer-signature")
	idp.put(t, "/shortcuts/mandate", map[string]any{"service_provider": s.Ready.Issuer + "/signin/with/hospital/metadata"})
	idp.IDP.SignatureMethod = dsig.RSASHA256SignatureMethod
	p, err := b.Open(t.Context(), idp.url+"/login/mandate", "")
	if err != nil || p.FormWith("SAMLResponse") == nil {
		t.Fatalf("%v %s", err, p.Body)
	}
	_, text = s.posted(f.Action, p.FormWith("SAMLResponse").Values(nil))
	refused("an answer to no request", text, "answer-unasked")
}

// Operators see what the provider has to know, and what is wrong before people meet it.
func TestOperatorsTrySAMLProviders(t *testing.T) {
	idp := newSAML(t)
	good := idp.describe(t, nil)
	code, out, errOut := cli(t, "idp", "list", "--identity-provider", good, "--public-url", "http://localhost:9000")
	if code != 0 || !strings.Contains(out, "http://localhost:9000/signin/with/hospital/metadata") || !strings.Contains(out, "http://localhost:9000/signin/with/hospital/acs") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
	if code, out, errOut = cli(t, "idp", "test", "hospital", "--identity-provider", good); code != 0 || !strings.Contains(out, "answers as it should") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
	for what, more := range map[string]map[string]any{
		"does not describe": {"entity_id": "https://other.example"}, "metadata cannot be read": {"metadata_url": idp.url + "/nothing"},
		"neither openid nor saml": {"protocol": "wsfed"}, "amr: SAML states": {"assurance": []map[string]any{{"amr": []string{"mfa"}, "level": 2}}},
		"no certificate in PEM": {"certificate_file": "key.pem.txt"},
	} {
		path := idp.describe(t, more)
		if err := os.WriteFile(filepath.Join(idp.dir, "key.pem.txt"), []byte("none"), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errOut := cli(t, "idp", "test", "hospital", "--identity-provider", path); code == 0 || !strings.Contains(errOut, what) {
			t.Errorf("%s: %d %s", what, code, errOut)
		}
	}
}
