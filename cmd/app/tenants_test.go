package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// crossing is what one tenant gave, carried to another.
type crossing struct {
	from, to  *server
	w         twins
	g, opaque *kit.Grant
}

// Part 5, D13: what one tenant gave is refused at the other, in both directions,
// and stays good where it came from.
func TestWhatOneTenantGaveIsRefusedAtTheOther(t *testing.T) {
	home, acme, w := houses(t)
	for name, x := range map[string]crossing{
		"default at acme": {home, acme, w, home.launched(t, w.secret), home.launched(t, w.opaque)},
		"acme at default": {acme, home, w, acme.launched(t, w.secret), acme.launched(t, w.opaque)},
	} {
		for what, story := range map[string]func(*testing.T){
			"access token":  x.accessToken,
			"revocation":    x.revocation,
			"refresh token": x.refreshToken,
			"code":          x.code,
			"assertion":     x.assertion,
			"launch handle": x.launchHandle,
			"session":       x.session,
			"admin token":   x.adminToken,
		} {
			t.Run(name+" "+what, story)
		}
	}
}

// accessToken: it is no token at the other, not even to introspection.
func (x crossing) accessToken(t *testing.T) {
	for _, g := range []*kit.Grant{x.g, x.opaque} {
		x.from.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
		x.to.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
		for at, want := range map[*server]bool{x.from: true, x.to: false} {
			res, err := at.Introspect(t.Context(), x.w.secret, g.Access())
			if err != nil || res.Status != http.StatusOK || res.JSON()["active"] != want {
				t.Errorf("introspected at %s: %s %v", at.Issuer, res.Body, err)
			}
		}
	}
}

// revocation: the other cannot end it.
func (x crossing) revocation(t *testing.T) {
	if res, err := x.to.RevokeToken(t.Context(), x.w.secret, x.g.Access()); err != nil || res.Status >= 500 {
		t.Fatal(res, err)
	}
	x.from.fetch(t, x.g.Access(), "Patient/rosa", http.StatusOK)
	if res, err := x.to.RevokeToken(t.Context(), x.w.opaque, x.opaque.Access()); err != nil || res.Status >= 500 {
		t.Fatal(res, err)
	}
	x.from.fetch(t, x.opaque.Access(), "Patient/rosa", http.StatusOK)
}

// refreshToken: it is unknown at the other, and not used up by the try.
func (x crossing) refreshToken(t *testing.T) {
	if res := x.to.refreshed(t, x.g, x.g.RefreshToken(), http.StatusBadRequest); res.Text("error") != "invalid_grant" {
		t.Error(res)
	}
	x.from.refreshed(t, x.g, x.g.RefreshToken(), http.StatusOK)
}

// code: it is unknown at the other, and not used up by the try.
func (x crossing) code(t *testing.T) {
	c, err := x.from.Code(t.Context(), kit.Launch{Client: x.w.secret, Scope: twinScope, Visit: kit.Visit{Browser: x.from.browser("rosa")}})
	if err != nil {
		t.Fatal(err)
	}
	form := kit.CodeForm(c.Code, c.Redirect, c.Verifier)
	if res, err := x.to.Call(t.Context(), x.to.Config.Token, x.w.secret, form); err != nil || res.Text("error") != "invalid_grant" {
		t.Errorf("%s %v", res, err)
	}
	if res, err := x.from.Call(t.Context(), x.from.Config.Token, x.w.secret, form); err != nil || res.Status != http.StatusOK {
		t.Errorf("the try elsewhere used the code up: %s %v", res, err)
	}
}

// assertion: it names endpoints of one tenant only (RFC 7523 §3).
func (x crossing) assertion(t *testing.T) {
	signed, err := x.w.keys.Sign(x.from.NewAssertion(x.w.keys, "ES384"))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_assertion_type": {kit.AssertionType}, "client_assertion": {signed}}
	if res := x.to.do(t, kit.Request{URL: x.to.Config.Token, Form: form}); res.Text("error") != "invalid_client" {
		t.Error(res)
	}
	if res := x.from.do(t, kit.Request{URL: x.from.Config.Token, Form: form}); res.Text("error") != "invalid_grant" {
		t.Errorf("not even taken at home: %s", res)
	}
}

// launchHandle: it is unknown at the other.
func (x crossing) launchHandle(t *testing.T) {
	handle := x.from.handle(t, x.w.secret.ID, map[string]any{"patient": "rosa"})
	ask := func(s *server) (*kit.Answer, url.Values) {
		req := s.AuthorizeRequest(x.w.secret, "launch patient/Patient.rs", s.NewVerifier())
		req.Set("launch", handle)
		return s.answered(t, req, kit.Visit{Browser: s.browser("rosa")}), req
	}
	a, req := ask(x.to)
	x.to.wantError(t, a, req, "invalid_request")
	if a, _ := ask(x.from); a.Code() == "" {
		t.Error(a)
	}
}

// session: the cookie signs nobody in at the other, under whatever name.
func (x crossing) session(t *testing.T) {
	b := x.from.browser("rosa")
	if p, err := b.SignIn(t.Context(), x.from.at("/home")); err != nil || p.Status != http.StatusOK {
		t.Fatal(p, err)
	}
	cookie := regexp.MustCompile(`mandate_session[a-z_]*=([^;]+)`).FindStringSubmatch(b.Cookies(x.from.at("/home")))
	thief := x.to.browser("rosa")
	for _, cookieName := range []string{"mandate_session", "mandate_session_acme"} {
		if err := thief.Plant(x.to.Issuer, cookieName, cookie[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, visitor := range []*kit.Browser{b, thief} {
		p, err := visitor.Open(t.Context(), x.to.at("/home"), "")
		if err != nil || p.FormWith("password") == nil || !strings.HasPrefix(p.URL, x.to.Issuer+"/signin?") {
			t.Errorf("%s %v", p.Response, err)
		}
	}
}

// adminToken: it opens one administration API only.
func (x crossing) adminToken(t *testing.T) {
	for _, path := range []string{"/clients", "/grants?patient=rosa", "/audit"} {
		if res := x.to.do(t, kit.Request{URL: x.to.AdminAPI.URL + path, Bearer: x.from.AdminAPI.Token}); res.Status != http.StatusUnauthorized {
			t.Error(res)
		}
		if res := x.to.do(t, kit.Request{URL: x.to.AdminAPI.URL + path, Bearer: x.to.AdminAPI.Token}); res.Status != http.StatusOK {
			t.Error(res)
		}
	}
}

// Part 5, D13: people, clients and grants of one tenant are invisible to the
// other.
func TestTenantsDoNotSeeOneAnother(t *testing.T) {
	home, acme, w := houses(t)
	g := acme.launched(t, w.secret)
	if res := acme.fetch(t, g.Access(), "Patient/rosa", http.StatusOK); !strings.Contains(string(res.Body), "Elsewhere") {
		t.Errorf("not from the upstream of acme: %s", res.Body)
	}
	newest := acme.newest(t, "rosa")
	if slices.ContainsFunc(home.grants(t, "rosa"), func(g grantRow) bool { return g.ID == newest.ID }) {
		t.Error("the default tenant sees a grant of acme")
	}
	if len(acme.events(t, "grant="+acme.newest(t, "rosa").ID)) == 0 || len(home.events(t, "grant="+acme.newest(t, "rosa").ID)) != 0 {
		t.Error("the audit logs are not apart")
	}
	if res := acme.admin(t, "GET", "/clients", "", nil); strings.Contains(string(res.Body), "demo-app") || !strings.Contains(string(res.Body), "twin") {
		t.Errorf("clients of acme: %s", res.Body)
	}
	// A client of the default tenant is nobody at acme.
	req := acme.AuthorizeRequest(home.Client("public"), twinScope, acme.NewVerifier())
	if res := acme.get(t, acme.Config.Authorize+"?"+req.Encode()); res.Status != http.StatusBadRequest {
		t.Error(res)
	}
	diary, _ := home.ClientByID("demo-symmetric")
	if res, err := acme.Call(t.Context(), acme.Config.Token, diary, url.Values{"grant_type": {"client_credentials"}}); err != nil || res.Text("error") != "invalid_client" {
		t.Errorf("%s %v", res, err)
	}
	// Rosa's password at the default tenant opens nothing at acme.
	stranger := acme.NewBrowser(home.Person("rosa"))
	if p, err := stranger.SignIn(t.Context(), acme.at("/home")); err == nil && p.FormWith("password") == nil {
		t.Errorf("signed in at acme with a password of the default tenant: %s", p.Response)
	}
	var kids []string
	for _, s := range []*server{home, acme} {
		var set struct {
			Keys []struct {
				KID string `json:"kid"`
			} `json:"keys"`
		}
		if err := json.Unmarshal(s.get(t, "/jwks").Body, &set); err != nil || len(set.Keys) == 0 {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if slices.Contains(kids, k.KID) {
				t.Errorf("both tenants have the key %s", k.KID)
			}
			kids = append(kids, k.KID)
		}
	}
}

var addresses = regexp.MustCompile(`(?:href|src|action|formaction|content)="(/[^"]*)"`)

// D13: whatever a page of a tenant links, loads, posts or redirects to stays
// below the tenant's own path.
func TestPagesStayBelowTheirTenant(t *testing.T) {
	home, acme, w := houses(t)
	acme.launched(t, w.secret)
	b := acme.browser("rosa")
	if p, err := b.SignIn(t.Context(), acme.at("/home")); err != nil || !strings.Contains(p.Text(), "Rosa of Acme") || !strings.Contains(p.Text(), "Acme Hospice") {
		t.Fatal(p, err)
	}
	seen, queue := map[string]bool{}, []string{
		"/t/acme", "/t/acme/", "/t/acme/home", "/t/acme/signin", "/t/acme/signin?next=%2Fhome", "/t/acme/staff", "/t/acme/nowhere",
		"/t/acme/signed-out", "/t/acme/authorize?client_id=nobody", "/t/acme/flow/none", "/t/acme/apps?lang=es",
	}
	pages := 0
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		if !strings.HasPrefix(path, "/t/acme") {
			t.Errorf("a page of acme leads to %s", path)
			continue
		}
		res, err := b.Raw(t.Context(), kit.Request{URL: home.at(path), Header: http.Header{"Accept": {"text/html"}}})
		if err != nil {
			t.Fatal(err)
		}
		if to := res.Header.Get("Location"); to != "" {
			queue = append(queue, to)
		}
		if res.Media() != "text/html" {
			if res.Status >= 400 {
				t.Errorf("%s is linked and gives %d", path, res.Status)
			}
			continue
		}
		pages++
		for _, m := range addresses.FindAllStringSubmatch(string(res.Body), -1) {
			if next, _, _ := strings.Cut(strings.ReplaceAll(m[1], "&amp;", "&"), "#"); !strings.HasSuffix(next, "/signout") {
				queue = append(queue, next)
			}
		}
	}
	if pages < 15 {
		t.Errorf("only %d pages were seen: %v", pages, seen)
	}
	if err := b.SignOut(t.Context(), acme.at("/home")); err != nil {
		t.Error(err)
	}
	if p, err := b.Open(t.Context(), acme.at("/home"), ""); err != nil || p.FormWith("password") == nil {
		t.Errorf("still signed in: %s %v", p.Response, err)
	}
}

// A browser is signed in at each tenant apart: one log-in ends no other.
func TestOneBrowserAtTwoTenants(t *testing.T) {
	home, acme, _ := houses(t)
	b := home.browser("rosa")
	if _, err := b.SignIn(t.Context(), home.at("/home")); err != nil {
		t.Fatal(err)
	}
	b.Person = acme.Person("rosa")
	if _, err := b.SignIn(t.Context(), acme.at("/home")); err != nil {
		t.Fatal(err)
	}
	if err := b.SignOut(t.Context(), acme.at("/home")); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[*server]bool{home: true, acme: false} {
		p, err := b.Open(t.Context(), s.at("/home"), "")
		if err != nil || (p.FormWith("password") == nil) != want {
			t.Errorf("signed in at %s is not %v: %s %v", s.Issuer, want, p.Response, err)
		}
	}
}

// A log-in leads to nothing of another tenant.
func TestLogInStaysBelowItsTenant(t *testing.T) {
	home, acme, _ := houses(t)
	for _, next := range []string{"/home", "/t/default/home", "/t/acme/../../home", "/t/acmes/home", "//evil.example"} {
		p, err := acme.browser("rosa").SignIn(t.Context(), acme.at("/signin?next="+url.QueryEscape(next)))
		if err != nil || p.URL != acme.at("/home") {
			t.Errorf("next=%s led to %s %v", next, p.URL, err)
		}
	}
	if p, err := home.browser("rosa").SignIn(t.Context(), home.at("/signin?next=/t/acme/home")); err != nil || p.URL != home.at("/home") {
		t.Errorf("the default tenant led to %s %v", p.URL, err)
	}
}

// RFC 8414 §3.1, OIDC Discovery §4: the metadata of an issuer with a path is
// found behind the path and between host and path, and names only itself.
func TestDiscoveryOfATenant(t *testing.T) {
	home, acme, _ := houses(t)
	for _, place := range []string{
		"/t/acme/.well-known/openid-configuration", "/t/acme/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration/t/acme", "/.well-known/oauth-authorization-server/t/acme",
		"/t/acme/fhir/.well-known/smart-configuration",
	} {
		res := home.get(t, place)
		if res.Status != http.StatusOK || res.Text("issuer") != acme.Issuer {
			t.Errorf("%s: %s %q", place, res, res.Text("issuer"))
		}
		for name, v := range res.JSON() {
			if text, ok := v.(string); ok && strings.HasPrefix(text, "http") && !strings.HasPrefix(text, acme.Issuer) {
				t.Errorf("%s: %s is %s", place, name, text)
			}
		}
	}
	for _, place := range []string{"/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/t/default"} {
		if res := home.get(t, place); res.Text("issuer") != home.Issuer {
			t.Errorf("%s: %s", place, res)
		}
	}
	if res := home.get(t, "/.well-known/oauth-authorization-server/t/acme/fhir"); res.Status != http.StatusNotFound {
		t.Error(res)
	}
	// The default tenant answers below /t/ too, under its one name (D13).
	alias := strings.Replace(home.FHIRBase, "/fhir", "/t/default/fhir", 1)
	if res := home.get(t, alias+"/.well-known/smart-configuration"); string(res.Body) != string(home.get(t, home.FHIRBase+"/.well-known/smart-configuration").Body) {
		t.Error(res)
	}
	req := home.AuthorizeRequest(home.Client("public"), "launch/patient patient/Patient.rs", home.NewVerifier())
	req.Set("aud", alias)
	if a := home.answered(t, req, kit.Visit{Browser: home.browser("noah")}); a.Code() == "" {
		t.Error(a)
	}
	g := home.granted(t, kit.Launch{Client: home.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: home.browser("noah")}})
	res := home.do(t, kit.Request{URL: alias + "/Patient?_id=noah", Bearer: g.Access()})
	if res.Status != http.StatusOK || strings.Contains(string(res.Body), "/t/default") || !strings.Contains(string(res.Body), home.FHIRBase+"/Patient/noah") {
		t.Errorf("%s %s", res, res.Body)
	}
}

// Part 5: running processes follow the tenants of their store, and nobody can
// tell a disabled tenant from one that never was.
func TestRunningNodesFollowTheTenants(t *testing.T) {
	dsn := testpg.Start(t)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	node := func() *server { return start(t, func(c *app.Config) { c.Database, c.Keys = dsn, kek }) }
	one, two := node(), node()
	w := makeTwins(t)
	one.served(t, "acme", false)
	furnish(t, newHospital(t).URL+"/fhir", w, "--database", dsn, "--keys", kek)
	acme := tenantOf(t, one, "acme", w)
	g := acme.launched(t, w.secret)
	tenantOf(t, two, "acme", w)
	list := must(t, "tenant", "list", "--database", dsn, "--keys", kek)
	for _, word := range []string{"default", "acme", "active", "/t/acme/fhir", "Acme Hospice"} {
		if !strings.Contains(list, word) {
			t.Errorf("the list does not say %s: %s", word, list)
		}
	}
	must(t, "tenant", "disable", "acme", "--database", dsn, "--keys", kek)
	one.served(t, "acme", false)
	two.served(t, "acme", false)
	for _, path := range []string{"", "/", "/home", "/signin", "/jwks", "/token", "/fhir", "/fhir/Patient/rosa", "/fhir/metadata", "/.well-known/openid-configuration"} {
		disabled, unknown := one.get(t, "/t/acme"+path), one.get(t, "/t/nobody"+path)
		same := strings.ReplaceAll(string(disabled.Body), "acme", "nobody")
		if disabled.Status != http.StatusNotFound || unknown.Status != http.StatusNotFound || withoutCode(same) != withoutCode(string(unknown.Body)) {
			t.Errorf("%s: %s, %s", path, disabled, unknown)
		}
	}
	if res := one.do(t, kit.Request{URL: acme.FHIRBase + "/Patient/rosa", Bearer: g.Access()}); res.Status != http.StatusNotFound || res.Text("resourceType") != "OperationOutcome" {
		t.Errorf("%s %s", res, res.Body)
	}
	must(t, "tenant", "enable", "acme", "--database", dsn, "--keys", kek)
	one.served(t, "acme", true)
	acme.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	must(t, "tenant", "edit", "acme", "--name", "Acme at Home", "--database", dsn, "--keys", kek)
	for _, s := range []*server{one, two} {
		s.shows(t, "/t/acme/help", "Acme at Home")
	}
	acme.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
}

// shows waits until a page says something.
func (s *server) shows(t *testing.T, path, says string) {
	t.Helper()
	deadline := time.After(6 * time.Second)
	for !strings.Contains(string(s.get(t, path).Body), says) {
		select {
		case <-deadline:
			t.Fatalf("%s does not say %q", path, says)
		case <-time.After(pollEvery):
		}
	}
}

// withoutCode takes out of a page what differs with each request.
func withoutCode(page string) string {
	return regexp.MustCompile(`\b[0-9a-f]{4}-[0-9a-f]{4}\b|name="csrf" value="[^"]*"`).ReplaceAllString(page, "")
}

// A tenant that cannot be is refused with a sentence, and changes nothing.
func TestTenantsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	const upstream = "http://localhost:1/fhir"
	must(t, "tenant", "add", "acme", "--name", "Acme", "--upstream", upstream, "--data", dir)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"twice":            {[]string{"add", "acme", "--name", "Acme", "--upstream", upstream}, "already"},
		"the default":      {[]string{"add", "default", "--name", "Acme", "--upstream", upstream}, "default tenant"},
		"disable default":  {[]string{"disable", "default"}, "default tenant"},
		"a path":           {[]string{"add", "a/b", "--name", "Acme", "--upstream", upstream}, "lower-case"},
		"no upstream":      {[]string{"add", "other", "--name", "Acme", "--upstream", "fhir"}, "base URL"},
		"no reference":     {[]string{"add", "other", "--name", "Acme", "--upstream", upstream, "--organization-ref", "Acme"}, "Organization/1"},
		"disable a typing": {[]string{"disable", "acne"}, "no such tenant"},
		"edit nothing":     {[]string{"edit", "acme"}, "nothing to change"},
		"edit a typing":    {[]string{"edit", "acne", "--name", "Acme"}, "no such tenant"},
		"edit the default": {[]string{"edit", "default", "--name", "Acme"}, "default tenant"},
		"edit no upstream": {[]string{"edit", "acme", "--upstream", "fhir"}, "base URL"},
	} {
		code, _, errOut := cli(t, append(append([]string{"tenant"}, c.args...), "--data", dir)...)
		if code != 1 || !strings.Contains(errOut, c.says) {
			t.Errorf("%s: %d %s", name, code, errOut)
		}
	}
	if code, _, errOut := account(t, "a long enough passphrase\n", "--data", dir, "--tenant", "acne", "--username", "x", "--name", "X", "--role", "patient"); code != 1 || !strings.Contains(errOut, "no such tenant") {
		t.Errorf("an account at a tenant that is none: %d %s", code, errOut)
	}
	if list := must(t, "tenant", "list", "--data", dir); strings.Count(list, "\n") != 3 {
		t.Errorf("%s", list)
	}
	// A tenant whose upstream is down takes nothing else with it.
	s := startIn(t, filepath.Dir(dir), func(c *app.Config) { c.Data = dir })
	s.served(t, "acme", true)
	if res := s.get(t, "/t/acme/help"); res.Status != http.StatusOK || !strings.Contains(string(res.Body), "Acme") {
		t.Error(res)
	}
}
