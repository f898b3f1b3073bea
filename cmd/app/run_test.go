package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/testpg"
)

// Every fault of a configuration is told at once.
func TestConfigFaults(t *testing.T) {
	good := app.Config{Listen: "127.0.0.1:0", Data: "d", Dev: true}
	tests := []struct {
		name   string
		change func(*app.Config)
		faults []string
	}{
		{"development", func(*app.Config) {}, nil},
		{"public URL", func(c *app.Config) { c.PublicURL = "https://ehr.example/" }, nil},
		{"all at once", func(c *app.Config) {
			c.Listen, c.PublicURL, c.Data, c.OrganizationRef = "8080", "ehr.example", "", "hill"
		}, []string{"listen", "public_url", "data", "organization_ref"}},
		{"a path in the URL", func(c *app.Config) { c.PublicURL = "https://ehr.example/mandate" }, []string{"public_url"}},
		{"another scheme", func(c *app.Config) { c.PublicURL = "ftp://ehr.example" }, []string{"public_url"}},
		{"serve", func(c *app.Config) {
			c.Dev, c.Upstream, c.PublicURL, c.AcceptFileKeys = false, "http://fhir", "https://ehr.example", true
		}, nil},
		{"serve bare", func(c *app.Config) { c.Dev = false }, []string{"upstream", "public_url", "keys"}},
		{"no such keys", func(c *app.Config) { c.Keys = "paper:drawer" }, []string{"keys"}},
		{"keys in a file", func(c *app.Config) { c.Dev, c.Upstream, c.PublicURL = false, "http://fhir", "https://ehr.example" }, []string{"keys"}},
		{"serve over http", func(c *app.Config) {
			c.Dev, c.Upstream, c.PublicURL, c.AcceptFileKeys = false, "http://fhir", "http://ehr.example", true
		}, []string{"public_url"}},
		{"serve as in development", func(c *app.Config) {
			c.Dev, c.Upstream, c.PublicURL, c.Reset, c.AcceptFileKeys = false, "http://fhir", "https://ehr.example", true, true
		}, []string{"reset"}},
	}
	for _, test := range tests {
		c := good
		test.change(&c)
		err := c.Validate()
		if (err == nil) != (test.faults == nil) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for _, flag := range test.faults {
			if !strings.Contains(err.Error(), flag) {
				t.Errorf("%s: %v does not name %s", test.name, err, flag)
			}
		}
		if err != nil && len(strings.Split(err.Error(), "\n")) != len(test.faults) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// cli runs a command line and gives its status, output and error output.
func cli(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startDeadline)
	defer cancel()
	var out, errOut bytes.Buffer
	code := app.CLI(ctx, args, &out, &errOut)
	return code, out.String(), errOut.String()
}

// A start that cannot succeed ends with one line that says what to do.
func TestStartThatCannotSucceed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "x")
	tests := []struct {
		name string
		args []string
		says []string
	}{
		{"port taken", []string{"--listen", taken.Addr().String(), "--data", dir}, []string{taken.Addr().String(), "--listen"}},
		{"folder is a file", []string{"--data", file}, []string{file}},
		{"folder in use", []string{"--data", shared(t).data}, []string{shared(t).data, "in use"}},
		{"no PostgreSQL", []string{"--database", "postgres://nobody:secret@127.0.0.1:1/none"}, []string{"PostgreSQL", "127.0.0.1:1", "--database"}},
		{"clients without kind", []string{"--data", dir, "--client", write("c1", `[{"client_id":"a"}]`)}, []string{"c1", "client 1", "kind"}},
		{"clients without list", []string{"--data", dir, "--client", write("c2", `{"client_id":"a"}`)}, []string{"c2", "list"}},
		{"client without id", []string{"--data", dir, "--client", write("c3", `[{"client_id":"a","kind":"public"},{"kind":"public"}]`)}, []string{"c3", "client 2", "client_id"}},
		{"symmetric without secret", []string{"--data", dir, "--client", write("c4", `[{"client_id":"a","kind":"symmetric"}]`)}, []string{"client_secret"}},
		{"asymmetric without keys", []string{"--data", dir, "--client", write("c5", `[{"client_id":"a","kind":"backend"}]`)}, []string{"jwks"}},
		{"both kinds of keys", []string{"--data", dir, "--client", write("c6", `[{"client_id":"a","kind":"backend","jwks":{"keys":[]},"jwks_uri":"https://a.example/jwks"}]`)}, []string{"jwks_uri"}},
		{"network in words", []string{"--data", dir, "--trusted-proxy", "home"}, []string{"--trusted-proxy"}},
	}
	for _, test := range tests {
		code, _, errOut := cli(t, append([]string{"dev", "--listen", "127.0.0.1:0"}, test.args...)...)
		last := strings.TrimSpace(errOut)
		if code != 1 || !strings.HasPrefix(last, "mandate: ") || strings.Contains(last, "\n") || strings.Contains(last, "secret@") {
			t.Errorf("%s: status %d, %s", test.name, code, errOut)
		}
		for _, word := range test.says {
			if !strings.Contains(last, word) {
				t.Errorf("%s: %q does not say %q", test.name, last, word)
			}
		}
	}
}

// The command line explains itself.
func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"help"}} {
		code, out, _ := cli(t, args...)
		for _, command := range []string{"dev", "serve", "routes", "selftest", "version"} {
			if code != 0 || !strings.Contains(out+" ", "\n  "+command) {
				t.Errorf("%v: status %d, no %s in %s", args, code, command, out)
			}
		}
	}
	if code, out, _ := cli(t, "version"); code != 0 || !strings.HasPrefix(out, "mandate "+app.Version) {
		t.Error(code, out)
	}
	for _, args := range [][]string{{"fly"}, {"dev", "--speed"}, {"dev", "--client", "/no/such/file"}} {
		if code, _, errOut := cli(t, args...); code != 2 || !strings.Contains(errOut, " --help") {
			t.Errorf("%v: status %d, %s", args, code, errOut)
		}
	}
}

// Item 1: every route is printed with its facts; a route without a credential
// says why, and development routes say that they are.
func TestRoutesAreListed(t *testing.T) {
	code, out, errOut := cli(t, "routes", "--json")
	var list []struct{ Method, Path, Auth, PHI, Owner, Reason string }
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil {
		t.Fatal(code, err, errOut)
	}
	seen := map[string]string{}
	for _, r := range list {
		if r.Method == "" || r.Auth == "" || r.PHI == "" || r.Owner == "" || r.Auth == "none" && r.Reason == "" {
			t.Errorf("%+v", r)
		}
		if _, twice := seen[r.Method+" "+r.Path]; twice {
			t.Errorf("%s %s is registered twice", r.Method, r.Path)
		}
		seen[r.Method+" "+r.Path] = r.Auth
	}
	for _, route := range []string{"GET /authorize", "POST /authorize", "POST /token", "POST /introspect", "POST /revoke", "POST /launch", "GET /fhir/.well-known/smart-configuration", "GET /fhir/metadata", "POST /apps/{id}/end"} {
		if seen[route] == "" {
			t.Errorf("%s is not listed", route)
		}
	}
	if code, out, _ := cli(t, "routes"); code != 0 || len(strings.Split(strings.TrimSpace(out), "\n")) != len(list) {
		t.Errorf("the table for people has other lines: %d", code)
	}
}

// A server that starts again on its data folder knows people, clients, grants
// and keys: what was issued before works after, with TOTP codes used once.
func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	address := freeAddress(t)
	first := startIn(t, dir, func(c *app.Config) { c.Listen = address })
	g := first.granted(t, kit.Launch{Client: first.Client("symmetric"), Scope: "launch/patient openid offline_access patient/Patient.rs", Visit: kit.Visit{Browser: first.browser("rosa")}})
	b := first.browser("noah")
	if _, err := b.SignIn(t.Context(), first.at("/home")); err != nil {
		t.Fatal(err)
	}
	keys := first.get(t, first.Config.JWKSURI).Body
	grants := first.grants(t, "rosa")
	first.stop(t)
	second := startIn(t, dir, func(c *app.Config) { c.Listen = address })
	second.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	second.refreshed(t, g, g.RefreshToken(), http.StatusOK)
	if !bytes.Equal(keys, second.get(t, second.Config.JWKSURI).Body) {
		t.Error("the keys changed")
	}
	if after := second.grants(t, "rosa"); len(after) != len(grants) || after[0].ID != grants[0].ID {
		t.Errorf("grants before %v, after %v", grants, after)
	}
	if c, _ := second.ClientByID(g.Client.ID); c.Secret != g.Client.Secret {
		t.Error("the secrets of the demo clients changed")
	}
	if p, err := b.Open(t.Context(), second.at("/home"), ""); err != nil || p.Status != http.StatusOK || !strings.Contains(p.Text(), "Noah") {
		t.Errorf("the log-in is gone: %s %v", p.Response, err)
	}
	second.stop(t)
	third := startIn(t, dir, func(c *app.Config) { c.Listen, c.Reset = address, true })
	third.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	if n := len(third.grants(t, "rosa")); n != 0 {
		t.Errorf("%d grants after --reset", n)
	}
}

// freeAddress gives an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Item 3: --tls serves HTTPS under an authority whose file is in the ready
// file; who does not know it does not connect.
func TestTLS(t *testing.T) {
	s := start(t, func(c *app.Config) { c.TLS = true })
	if !strings.HasPrefix(s.Issuer, "https://") || s.CAFile == "" {
		t.Fatalf("%s under %q", s.Issuer, s.CAFile)
	}
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	res := s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	if res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over HTTPS")
	}
	page := s.get(t, "/signin")
	for _, c := range page.Header.Values("Set-Cookie") {
		if !strings.Contains(c, "Secure") {
			t.Errorf("cookie %q over HTTPS", c)
		}
	}
	if _, err := http.Get(s.Issuer + "/healthz"); err == nil {
		t.Error("a stranger trusts the certificate")
	}
	if plain := s.get(t, strings.Replace(shared(t).Issuer, "https", "http", 1)+"/healthz"); plain.Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS over HTTP (D15)")
	}
}

// Item 3: two nodes on one PostgreSQL share log-ins, grants and revocation.
func TestTwoNodesOnOneDatabase(t *testing.T) {
	dsn := testpg.Start(t)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	node := func() *server { return start(t, func(c *app.Config) { c.Database, c.Keys = dsn, kek }) }
	one, two := node(), node()
	if one.Issuer == two.Issuer {
		t.Fatal("one node")
	}
	b := one.browser("rosa")
	g := one.granted(t, kit.Launch{Client: one.Client("symmetric"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: b}})
	if ids := two.grants(t, "rosa"); len(ids) != 1 || ids[0].ID != one.newest(t, "rosa").ID {
		t.Fatalf("the second node knows %v", ids)
	}
	// The log-in's cookies hold for every port of localhost.
	if p, err := b.Open(t.Context(), two.at("/home"), ""); err != nil || p.Status != http.StatusOK || !strings.Contains(p.Text(), "Rosa") {
		t.Errorf("not signed in at the second node: %s %v", p.Response, err)
	}
	other, _ := two.ClientByID(g.Client.ID)
	res, err := two.Refresh(t.Context(), other, g.RefreshToken(), "")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	two.admin(t, "POST", "/grants/"+two.newest(t, "rosa").ID+"/revoke", "", nil)
	deadline := time.After(5 * time.Second)
	for one.fhir(t, g.Access(), "Patient/rosa").Status != http.StatusUnauthorized {
		select {
		case <-deadline:
			t.Fatal("the first node still answers five seconds after the revocation (D17)")
		case <-time.After(pollEvery):
		}
	}
	one.refreshed(t, g, res.Text("refresh_token"), http.StatusBadRequest)
}

// Item 3: the ready file and the start message tell who can log in where.
func TestStartTellsWhatToTry(t *testing.T) {
	s := shared(t)
	for _, word := range []string{s.Issuer, s.FHIRBase, s.Upstream, s.DemoApp, s.EHRSimulator, "rosa", "elena", "hale"} {
		if !strings.Contains(s.out.String(), word) {
			t.Errorf("the message does not say %s", word)
		}
	}
	info, err := os.Stat(s.file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the ready file holds secrets and has mode %v", info.Mode())
	}
	if !strings.HasPrefix(s.Issuer, "http://localhost:") || s.FHIRBase != s.Issuer+"/fhir" {
		t.Errorf("%s %s", s.Issuer, s.FHIRBase)
	}
	roles := []string{}
	for _, p := range s.People {
		roles = append(roles, p.Role)
		if (p.TOTPSecret == "") != (p.Role == "patient") {
			t.Errorf("%s, a %s, has the secret %q", p.Username, p.Role, p.TOTPSecret)
		}
	}
	for _, role := range []string{"patient", "proxy", "clinician", "admin"} {
		if !slices.Contains(roles, role) {
			t.Errorf("nobody is a %s", role)
		}
	}
}

// Item 3: --client registers more clients, which work at once.
func TestClientFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clients.json")
	text := `[{"client_id":"mine","kind":"symmetric","client_secret":"a-long-secret-of-mine","redirect_uris":["https://mine.example/cb"],"scopes":"launch/patient patient/Patient.rs","client_name":"My App"}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) { c.ClientFiles = []string{file} })
	mine, ok := s.ClientByID("mine")
	if !ok || mine.Secret != "a-long-secret-of-mine" {
		t.Fatalf("%+v", mine)
	}
	g := s.granted(t, kit.Launch{Client: mine, Scope: "launch/patient offline_access patient/Patient.rs patient/Observation.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	if !slices.Equal(g.Scopes(), []string{"launch/patient", "patient/Patient.rs"}) || g.RefreshToken() != "" {
		t.Errorf("beyond the registration: %v", g.Scopes())
	}
	if !strings.Contains(g.Answer.ConsentPage.Text(), "My App") {
		t.Error("the consent page does not name the app")
	}
}

// A person who leaves out what the maker calls necessary is asked once more,
// with the maker's reason; going back or going on are both possible.
func TestLeavingOutWhatTheMakerNeeds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clients.json")
	text := `[{"client_id":"mine","kind":"public","redirect_uris":["https://mine.example/cb"],"scopes":["launch/patient","patient/*.rs"],"required_scopes":{"patient/Observation.rs":"It draws your blood pressure"}}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) { c.ClientFiles = []string{file} })
	mine, _ := s.ClientByID("mine")
	b := s.browser("rosa")
	s.open(t, b, "/home")
	req := s.AuthorizeRequest(mine, "launch/patient patient/Observation.rs patient/Condition.rs", s.NewVerifier())
	page, err := b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), mine.RedirectURIs[0])
	if err != nil || page.ConsentForm() == nil {
		t.Fatal(page.Response, err)
	}
	f := page.ConsentForm()
	f.Tick("kind.Observation", false)
	press := func(f *kit.Form, button string) *kit.Page {
		t.Helper()
		p, err := b.Submit(t.Context(), f, f.Button(button), mine.RedirectURIs[0])
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	warned := press(f, "allow")
	i := slices.IndexFunc(warned.Forms, func(f *kit.Form) bool { return f.Field("confirmed") != nil })
	if warned.Back != nil || i < 0 || !strings.Contains(warned.Text(), "It draws your blood pressure") {
		t.Fatalf("not asked once more: %s %s", warned.Response, warned.Text())
	}
	if back := press(warned.Forms[i], "back"); back.ConsentForm() == nil {
		t.Errorf("no way back: %s", back.Response)
	}
	if n := len(s.grants(t, "rosa")); n != 0 {
		t.Errorf("%d grants before the answer", n)
	}
	if done := press(warned.Forms[i], "allow"); done.Back == nil || done.Back.Query().Get("code") == "" {
		t.Fatal(done.Response)
	}
	if g := s.newest(t, "rosa"); g.Scope != "launch/patient patient/Condition.rs" {
		t.Errorf("granted %s", g.Scope)
	}
}
