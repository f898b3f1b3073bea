package journey

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// upstream is an OpenID provider at which people sign in: oidc-provider of npm.
type upstream struct {
	t      *testing.T
	issuer string
	in     io.WriteCloser
	out    *bufio.Scanner
	dir    string
	key    *ecdsa.PrivateKey
}

// newUpstream starts a provider and ends it with the test.
func newUpstream(t *testing.T) *upstream {
	t.Helper()
	if shared.fault != nil {
		t.Fatal(shared.fault)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "provider.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", script)
	c.Stderr = os.Stderr
	u := &upstream{t: t, dir: t.TempDir()}
	if u.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// It ends when its input does.
	t.Cleanup(func() {
		_ = u.in.Close()
		_ = c.Wait()
	})
	u.out = bufio.NewScanner(out)
	u.issuer = u.line()
	return u
}

func (u *upstream) line() string {
	u.t.Helper()
	if !u.out.Scan() {
		u.t.Fatalf("the provider ended: %v", u.out.Err())
	}
	return u.out.Text()
}

// describe writes the file that describes the provider to the server, with a key of
// its own.
func (u *upstream) describe(more map[string]any) string {
	u.t.Helper()
	var err error
	if u.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		u.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(u.key)
	if err != nil {
		u.t.Fatal(err)
	}
	file := map[string]any{
		"id": "ehr", "name": "Lakeside EHR", "for": []string{"patients", "staff"}, "issuer": u.issuer, "client_id": "mandate",
		"client_auth": "private_key_jwt", "key_file": "key.pem", "key_id": "k1", "logout": true,
	}
	for k, v := range more {
		file[k] = v
	}
	raw, err := json.Marshal(file)
	if err != nil {
		u.t.Fatal(err)
	}
	path := filepath.Join(u.dir, "ehr.json")
	for name, text := range map[string][]byte{path: raw, filepath.Join(u.dir, "key.pem"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	return path
}

// knows tells the provider of the server and of its people.
func (u *upstream) knows(w *world, people map[string]map[string]string) {
	u.t.Helper()
	root := w.ready.Issuer + "/signin/with/ehr"
	line, err := json.Marshal(map[string]any{"people": people, "client": map[string]any{
		"client_id": "mandate", "redirect_uris": []string{root + "/callback"}, "token_endpoint_auth_method": "private_key_jwt",
		"token_endpoint_auth_signing_alg": "ES256", "backchannel_logout_uri": root + "/logout", "backchannel_logout_session_required": true,
		"post_logout_redirect_uris": []string{w.ready.Issuer + "/signed-out"},
		"jwks":                      jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: u.key.Public(), KeyID: "k1", Use: "sig", Algorithm: "ES256"}}},
	}})
	if err != nil {
		u.t.Fatal(err)
	}
	if _, err := u.in.Write(append(line, '\n')); err != nil {
		u.t.Fatal(err)
	}
	if said := u.line(); said != "ready" {
		u.t.Fatalf("the provider says %q", said)
	}
}

// signInAt signs a person in at the provider to which the tab was sent.
func (b *tab) signInAt(name string) {
	b.t.Helper()
	b.until("the provider's sign-in", "!!document.querySelector('input[name=login]')")
	b.fill("input[name=login]", name)
	b.fill("input[name=password]", "any")
	b.click("button[type=submit]")
	b.until("the provider's question", "!document.querySelector('input[name=login]') && !!document.querySelector('button[type=submit]')")
	b.click("button[type=submit]")
}

const elsewhereButton = "main a.button[href*='/signin/with/ehr']"

// mrn gives the record number of a patient of the record behind.
func (w *world) mrn(patient string) string {
	w.t.Helper()
	_, raw := w.get(w.ready.Upstream+"/Patient/"+patient, "")
	var p struct {
		Identifier []struct{ System, Value string } `json:"identifier"`
	}
	if err := json.Unmarshal(raw, &p); err != nil || len(p.Identifier) == 0 {
		w.t.Fatalf("Patient/%s: %v %s", patient, err, raw)
	}
	return p.Identifier[0].Value
}

// NI-14, SMART peers 28: people sign in where their account is. A patient is found
// by her record number and signed out when she signs out there; staff who proved a
// password there prove their second factor here; whoever the rules are not sure of
// waits until staff have looked.
func TestPeopleSignInAtAnotherProvider(t *testing.T) {
	u := newUpstream(t)
	w := newWorld(t, "--identity-provider", u.describe(map[string]any{
		"people": []map[string]any{
			{"attribute": "fhirUser", "as": "reference"},
			{"attribute": "mrn", "as": "Patient", "system": "https://mandate.example/id/mrn"},
		},
	}))
	u.knows(w, map[string]map[string]string{
		"rosa-at-ehr": {"mrn": w.mrn("rosa")},
		"hale-at-ehr": {"fhirUser": w.ready.FHIRBase + "/Practitioner/dr-hale"},
		"twin":        {"mrn": w.mrn("rosa"), "birthdate": "1900-01-01", "name": "A Twin"},
		"nobody":      {"mrn": "MRN-0"},
		"noah-at-ehr": {"name": "Noah"},
	})
	rosaAtEHR(w, u)
	linksAtEHR(w)
	haleAtEHR(w)
	strangersAtEHR(w)
}

func rosaAtEHR(w *world, u *upstream) {
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/apps")
	b.until("the sign-in page", "location.pathname === '/signin'")
	b.says("Sign in with Lakeside EHR")
	b.inspect("federation-1-signin")
	b.click(elsewhereButton)
	b.signInAt("rosa-at-ehr")
	b.until("the page that was asked for", "location.pathname === '/apps'")
	// The link is an authenticator of hers, and she was told of it.
	b.visit("/factors")
	b.says("Sign-in with another account", "Lakeside EHR")
	// She signs out there.
	other := b.another()
	other.visit(u.issuer + "/session/end")
	other.until("the provider's question", "!!document.querySelector('button[name=logout]')")
	other.click("button[name=logout]")
	other.until("the end there", "!document.querySelector('button[name=logout]')")
	b.visit("/apps")
	b.until("the sign-in page", "location.pathname === '/signin'")
	// Once more, and out from here: the other site can be left too.
	b.click(elsewhereButton)
	b.signInAt("rosa-at-ehr")
	b.until("the page that was asked for", "location.pathname === '/apps'")
	b.click(".tools button.link")
	b.heading("You are signed out")
	b.says("You may still be signed in at Lakeside EHR.")
	b.inspect("federation-4-signed-out")
	b.click("main a.button[href*='/session/end']")
	b.until("the provider's question", "!!document.querySelector('button[name=logout]')")
}

// linksAtEHR: whoever is signed in links an account of the provider by proving
// both; it then lets her in. An account that is somebody's is not taken over.
func linksAtEHR(w *world) {
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/factors/link")
	b.signIn("noah")
	b.heading("Use another account to sign in")
	b.inspect("federation-5-link")
	b.click(elsewhereButton)
	b.signInAt("noah-at-ehr")
	b.heading("My devices and sign-in")
	b.says("Saved. You can use it now to sign in.", "Lakeside EHR")
	b.click(".tools button.link")
	b.heading("You are signed out")
	b.visit("/apps")
	b.click(elsewhereButton)
	b.until("the page that was asked for", "location.pathname === '/apps'")
	thief := w.newBrowser()
	thief.preload(shared.axe)
	thief.visit("/factors/link")
	thief.signIn("joaquin")
	thief.until("the accounts to link", "location.pathname === '/factors/link'")
	thief.click(elsewhereButton)
	thief.signInAt("noah-at-ehr")
	thief.until("the refusal", "document.querySelector('h1') && location.pathname.endsWith('/callback')")
	thief.inspect("federation-6-linked")
	thief.visit("/factors")
	if strings.Contains(thief.text("main"), "Lakeside EHR") {
		thief.t.Error("an account that is somebody else's was linked")
	}
}

func haleAtEHR(w *world) {
	b := w.newBrowser()
	b.visit("/staff")
	b.click(elsewhereButton)
	b.signInAt("hale-at-ehr")
	b.secondFactor("hale")
	b.until("the console", "location.pathname === '/staff' && !document.querySelector('#f-password')")
}

func strangersAtEHR(w *world) {
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/signin")
	b.click(elsewhereButton)
	b.signInAt("nobody")
	b.heading("We did not find your account here")
	b.inspect("federation-2-nobody")
	twin := w.newBrowser()
	twin.preload(shared.axe)
	twin.visit("/signin")
	twin.click(elsewhereButton)
	twin.signInAt("twin")
	twin.heading("We need to check who you are")
	twin.inspect("federation-3-review")
	// Staff look, and say who it is; the person is in the next time.
	admin := w.newBrowser()
	admin.preload(shared.axe)
	admin.visit("/staff")
	admin.signIn("admin")
	admin.until("the console", "location.pathname === '/staff' && !document.querySelector('#f-password')")
	admin.visit("/operator/sign-ins")
	admin.heading("Sign-ins to check")
	admin.says("A Twin", "1900-01-01", "Patient/rosa", "Lakeside EHR")
	admin.inspect("federation-7-cases")
	admin.click("main section a.go")
	admin.heading("Who is this?")
	admin.fill("#f-username", "joaquin")
	admin.inspect("federation-8-case")
	admin.click("button[value=link]")
	admin.heading("Sign-ins to check")
	admin.says("Nobody is waiting.")
	twin.visit("/apps")
	twin.click(elsewhereButton)
	twin.until("the page that was asked for", "location.pathname === '/apps'")
}
