package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/web/problem"
)

// connected makes a grant on a person's own record and gives its row.
func (s *server) connected(t *testing.T, b *kit.Browser, patient string) (*kit.Grant, grantRow) {
	t.Helper()
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/Patient.rs patient/Observation.rs", Visit: kit.Visit{Browser: b}})
	return g, s.newest(t, patient)
}

// open goes to a page as the browser's person.
func (s *server) open(t *testing.T, b *kit.Browser, path string) *kit.Page {
	t.Helper()
	if _, err := b.SignIn(t.Context(), s.at("/home")); err != nil {
		t.Fatal(err)
	}
	p, err := b.Open(t.Context(), s.at(path), "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// SMART REV-03, US-03, BP-04: ending an app on the page ends its tokens, its
// refresh tokens and the Consent, and all of it is recorded.
func TestEndingAConnectedApp(t *testing.T) {
	s := shared(t)
	b := s.browser("rosa")
	g, row := s.connected(t, b, "rosa")
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	if text := s.open(t, b, "/apps").Text(); !strings.Contains(text, "Care Planner") {
		t.Errorf("not listed: %s", text)
	}
	if text := s.open(t, b, "/apps/"+row.ID).Text(); !strings.Contains(text, "Care Planner") {
		t.Errorf("no page of its own: %s", text)
	}
	ask := s.open(t, b, "/apps/"+row.ID+"/end")
	i := slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button("end") != nil })
	if i < 0 {
		t.Fatal("nothing to end it with")
	}
	f := ask.Forms[i]
	if status := s.consentStatus(t, "rosa", row.Consent); status != "active" {
		t.Errorf("the Consent of the approval is %q", status)
	}
	// Asking, and any answer but "end", changes nothing.
	for _, change := range []func(url.Values){
		func(v url.Values) { v.Del("answer") }, func(v url.Values) { v.Set("answer", "keep") },
		func(v url.Values) { v.Del("csrf") }, func(v url.Values) { v.Set("csrf", "x") },
	} {
		v := f.Values(f.Button("end"))
		change(v)
		if _, err := b.Post(t.Context(), f, v, ""); err != nil {
			t.Fatal(err)
		}
		s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	}
	done, err := b.Submit(t.Context(), f, f.Button("end"), "")
	if err != nil || done.Status != http.StatusOK || !strings.HasPrefix(done.URL, s.at("/apps")) {
		t.Fatal(done, err)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	s.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	after := s.newest(t, "rosa")
	if after.ID != row.ID || after.Revoked.IsZero() {
		t.Errorf("%+v", after)
	}
	kinds := s.counted(t, row.ID)
	if kinds["grant.created"] != 1 || kinds["grant.revoked"] != 1 || kinds["consent.withdrawn"] != 1 || kinds["token.issued"] != 1 || kinds["token.refused"] == 0 {
		t.Errorf("recorded %v", kinds)
	}
	if status := s.consentStatus(t, "rosa", row.Consent); status != "inactive" {
		t.Errorf("the Consent of the approval is %q", status)
	}
	// Ending it again is no second event.
	if _, err := b.Submit(t.Context(), f, f.Button("end"), ""); err != nil {
		t.Fatal(err)
	}
	if n := s.counted(t, row.ID)["grant.revoked"]; n != 1 {
		t.Errorf("ended %d times", n)
	}
}

// counted gives how often each kind of event is recorded under a grant.
func (s *server) counted(t *testing.T, grant string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, e := range s.events(t, "grant="+grant) {
		out[e.Kind]++
	}
	return out
}

// consentStatus gives the status of a patient's Consent.
func (s *server) consentStatus(t *testing.T, patient, id string) string {
	t.Helper()
	var list struct {
		Consents []struct{ ID, Status string } `json:"consents"`
	}
	s.admin(t, "GET", "/consents?patient="+patient, "", &list)
	for _, c := range list.Consents {
		if c.ID == id {
			return c.Status
		}
	}
	return ""
}

// SMART REV-03, SC-20: withdrawing the Consent that records an approval ends
// the app's access, as ending the app on the page does.
func TestWithdrawingTheConsentOfAnApproval(t *testing.T) {
	s := shared(t)
	b := s.browser("rosa")
	g, row := s.connected(t, b, "rosa")
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	if res := s.admin(t, "POST", "/consents/"+row.Consent+"/withdraw", "", nil); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	s.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	if row := s.newest(t, "rosa"); row.Revoked.IsZero() {
		t.Error("the grant is still listed as standing")
	}
}

// A grant of somebody else does not exist: neither to see nor to end.
func TestAppsOfOthersDoNotExist(t *testing.T) {
	s := shared(t)
	g, row := s.connected(t, s.browser("rosa"), "rosa")
	noah := s.browser("noah")
	_, own := s.connected(t, noah, "noah")
	if strings.Contains(string(s.open(t, noah, "/apps").Body), row.ID) {
		t.Error("rosa's app on noah's page")
	}
	for _, id := range []string{row.ID, "made-up"} {
		for _, path := range []string{"/apps/" + id, "/apps/" + id + "/end"} {
			if p := s.open(t, noah, path); p.Status != http.StatusNotFound || strings.Contains(p.Text(), "Care Planner") {
				t.Errorf("%s: %s", path, p.Response)
			}
		}
	}
	ask := s.open(t, noah, "/apps/"+own.ID+"/end")
	f := ask.Forms[slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button("end") != nil })]
	f.Action = s.at("/apps/" + row.ID + "/end")
	if p, err := noah.Submit(t.Context(), f, f.Button("end"), ""); err != nil || p.Status != http.StatusNotFound {
		t.Error(p.Response, err)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
}

// A person sees and may end what a proxy connected on the own record; the
// proxy sees it too, another proxy does not (SC-20).
func TestPatientEndsAProxysApp(t *testing.T) {
	s := shared(t)
	elena := s.browser("elena")
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: elena, Patient: "rosa"}})
	row := s.newest(t, "rosa")
	rosa := s.browser("rosa")
	if text := s.open(t, rosa, "/apps/"+row.ID).Text(); !strings.Contains(text, "Elena") {
		t.Errorf("rosa is not told who connected it: %s", text)
	}
	if p := s.open(t, elena, "/apps/"+row.ID); p.Status != http.StatusOK {
		t.Error(p.Response)
	}
	if p := s.open(t, s.browser("tomas"), "/apps/"+row.ID); p.Status != http.StatusNotFound {
		t.Error(p.Response)
	}
	ask := s.open(t, rosa, "/apps/"+row.ID+"/end")
	f := ask.Forms[slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button("end") != nil })]
	if _, err := rosa.Submit(t.Context(), f, f.Button("end"), ""); err != nil {
		t.Fatal(err)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
}

// Nobody sees these pages without a log-in, and a GET changes nothing: leaving
// a request by its link needs the token in the link.
func TestPagesNeedALogIn(t *testing.T) {
	s := shared(t)
	for _, path := range []string{"/home", "/apps", "/apps/x", "/apps/x/end", "/activity", "/people", "/devices"} {
		if res := s.get(t, path); res.Status != http.StatusUnauthorized {
			t.Errorf("%s", res)
		}
		res := s.do(t, kit.Request{URL: s.at(path), Header: http.Header{"Accept": {"text/html"}}})
		if to := res.Header.Get("Location"); res.Status != http.StatusSeeOther || to != "/signin?next="+url.QueryEscape(path) {
			t.Errorf("%s: %d to %q", path, res.Status, to)
		}
	}
	if res := s.do(t, kit.Request{URL: s.at("/apps/x/end"), Form: url.Values{"answer": {"end"}}}); res.Status == http.StatusOK || strings.HasPrefix(res.Header.Get("Location"), "/apps") {
		t.Errorf("ended by nobody: %s", res)
	}
	b := s.browser("rosa")
	req := s.AuthorizeRequest(s.Client("public"), "launch/patient patient/Patient.rs", s.NewVerifier())
	redirect := req.Get("redirect_uri")
	page, err := b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), redirect)
	if err != nil {
		t.Fatal(err)
	}
	f := page.FormWith("password")
	if f == nil || f.Button("cancel") == nil {
		t.Fatal("no way back to the app")
	}
	here, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"", "?csrf=x"} {
		if p, err := b.Open(t.Context(), s.at("/flow/"+here.Query().Get("flow")+"/cancel"+query), redirect); err != nil || p.Back != nil || p.Status != http.StatusForbidden {
			t.Errorf("%q: %s %v", query, p.Response, err)
		}
	}
	p, err := b.Submit(t.Context(), f, f.Button("cancel"), redirect)
	if err != nil || p.Back == nil || p.Back.Query().Get("error") != "access_denied" || p.Back.Query().Get("state") != req.Get("state") {
		t.Errorf("%s %v", p.Response, err)
	}
}

// "Who looked at my record" tells who, through which app and what was refused,
// filters by day, and names a day it cannot read.
func TestActivityPage(t *testing.T) {
	s := shared(t)
	b := s.browser("noah")
	g, _ := s.connected(t, b, "noah")
	s.fetch(t, g.Access(), "Observation?patient=noah&_count=1", http.StatusOK)
	s.fetch(t, g.Access(), "Goal?patient=noah", http.StatusForbidden)
	text := s.open(t, b, "/activity").Text()
	if !strings.Contains(text, "Care Planner") || strings.Contains(text, "Rosa") {
		t.Errorf("activity: %s", text)
	}
	today := s.Now().Format("2006-01-02")
	for query, want := range map[string]bool{
		"from=" + today: true, "to=2020-01-01": false, "from=2999-01-01": false,
		"app=demo-symmetric": true, "app=demo-app": false, "person=demo-noah": true, "person=demo-rosa": false,
		"before=" + url.QueryEscape("2020-01-01T00:00:00Z"): false,
	} {
		p := s.open(t, b, "/activity?"+query)
		// The filter itself names apps; the list is what is counted.
		if got := strings.Contains(string(p.Body), `class="entry"`) || strings.Count(p.Text(), "Care Planner") > 1; got != want || p.Status != http.StatusOK {
			t.Errorf("%s: %t, %s", query, got, p.Response)
		}
	}
	if p := s.open(t, b, "/activity?from=yesterday&to=2026-13-01"); p.Status != http.StatusOK || strings.Count(string(p.Body), `aria-invalid="true"`) != 2 {
		t.Errorf("%s: days that cannot be read are not told", p.Response)
	}
	for path, who := range map[string]string{"/activity": "tomas", "/people": "tomas"} {
		if p := s.open(t, s.browser(who), path); p.Status != http.StatusForbidden {
			t.Errorf("%s has no record: %s", who, p.Response)
		}
	}
}

// The administration API opens to its token only, and tells no secrets.
func TestAdministrationAPI(t *testing.T) {
	s := shared(t)
	for _, token := range []string{"", "x", s.AdminAPI.Token + "x"} {
		for _, path := range []string{"/clients", "/grants?patient=rosa", "/audit", "/consents?patient=rosa"} {
			if res := s.do(t, kit.Request{URL: s.AdminAPI.URL + path, Bearer: token}); res.Status != http.StatusUnauthorized {
				t.Errorf("%s with %q: %s", path, token, res)
			}
		}
	}
	g, row := s.connected(t, s.browser("noah"), "noah")
	if res := s.do(t, kit.Request{URL: s.AdminAPI.URL + "/clients", Bearer: g.Access()}); res.Status != http.StatusForbidden {
		t.Errorf("an app's token: %s", res)
	}
	if res := s.admin(t, "GET", "/clients", "", nil); res.Status != http.StatusOK || !strings.Contains(string(res.Body), "demo-symmetric") || strings.Contains(string(res.Body), `secret"`) || strings.Contains(string(res.Body), "secret_hashes") {
		t.Errorf("%s", res.Body)
	}
	for path, want := range map[string]int{"/grants": 400, "/grants?patient=nobody": 200, "/consents?patient=rosa": 200, "/audit?patient=rosa": 200, "/nothing": 404} {
		if res := s.admin(t, "GET", path, "", nil); res.Status != want || want == 200 && res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s", path, res)
		}
	}
	if res := s.admin(t, "POST", "/grants/made-up/revoke", "", nil); res.Status != http.StatusNotFound {
		t.Error(res)
	}
	if res := s.admin(t, "POST", "/grants/"+row.ID+"/revoke", "", nil); res.Status != http.StatusOK || res.Text("reason") != "ended-by-operator" {
		t.Error(res)
	}
	s.fetch(t, g.Access(), "Patient/noah", http.StatusUnauthorized)
	s.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
}

// Every cause code has its page, which tells a developer the code, how an OAuth
// endpoint says it, and what to do; what is no code has none.
func TestEveryCauseHasItsPage(t *testing.T) {
	s := shared(t)
	for _, code := range problem.Codes() {
		res := s.do(t, kit.Request{URL: s.at("/docs/errors/" + code)})
		if res.Status != http.StatusOK || !strings.Contains(string(res.Body), "<code>"+code+"</code>") {
			t.Errorf("%s: %s", code, res)
		}
	}
	res := s.do(t, kit.Request{URL: s.at("/docs/errors/assertion-jti")})
	for _, want := range []string{"<code>invalid_client</code>", "<dd>401</dd>", "Give each assertion a jti of its own."} {
		if !strings.Contains(string(res.Body), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, code := range []string{"no-such-code", "%3Cscript%3E", "invalid_client"} {
		if res := s.do(t, kit.Request{URL: s.at("/docs/errors/" + code)}); res.Status != http.StatusNotFound {
			t.Errorf("%s: %s", code, res)
		}
	}
}

// Pages that everybody sees, and addresses that lead nowhere.
func TestPublicPages(t *testing.T) {
	s := shared(t)
	tests := []struct {
		method, path string
		status       int
		media        string
	}{
		{"GET", "/help", 200, "text/html"},
		{"GET", "/healthz", 200, "text/plain"},
		{"GET", "/readyz", 200, "text/plain"},
		{"GET", "/docs/errors/aud-unknown", 200, "text/html"},
		{"GET", "/nowhere", 404, "text/html"},
		{"GET", "/apps/", 404, "text/html"},
		{"POST", "/help", 405, "text/html"},
		{"GET", "/token", 405, "application/json"},
		{"GET", "/", 303, "text/html"},
		{"GET", "/assets/none.css", 404, ""},
	}
	for _, test := range tests {
		res := s.do(t, kit.Request{Method: test.method, URL: s.at(test.path)})
		if res.Status != test.status || test.media != "" && res.Media() != test.media {
			t.Errorf("%s %s: %d %s", test.method, test.path, res.Status, res.Media())
		}
		if test.media == "text/html" && test.status != 303 && !strings.Contains(kit.Text(res.Body), "+1 555 0100") {
			t.Errorf("%s names no telephone", test.path)
		}
	}
}
