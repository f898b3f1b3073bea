package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SMART AZ-05: with a bad client or redirect URI the browser stays here.
func TestBadAddresseeGetsAPage(t *testing.T) {
	s := shared(t)
	app := s.Client("public")
	bend := map[string]func(url.Values){
		"unknown client": func(v url.Values) { v.Set("client_id", "nobody") },
		"no client":      func(v url.Values) { v.Del("client_id") },
		"two clients":    func(v url.Values) { v.Add("client_id", app.ID) },
		"unregistered":   func(v url.Values) { v.Set("redirect_uri", "https://evil.example/cb") },
		"longer path":    func(v url.Values) { v.Set("redirect_uri", app.RedirectURIs[0]+"/x") },
		"no redirect":    func(v url.Values) { v.Del("redirect_uri") },
		"script":         func(v url.Values) { v.Set("redirect_uri", "javascript:alert(1)") },
		// RFC 9101: what is inside cannot be believed, nor what is outside.
		"unsigned object":     func(v url.Values) { v.Set("request", "eyJhbGciOiJub25lIn0.e30.") },
		"loopback over https": func(v url.Values) { v.Set("redirect_uri", "https://127.0.0.1/callback") },
	}
	for name, change := range bend {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req := s.AuthorizeRequest(app, "launch/patient patient/*.rs", s.NewVerifier())
			change(req)
			r := kit.Request{URL: s.Config.Authorize + "?" + req.Encode()}
			if method == http.MethodPost {
				r = kit.Request{URL: s.Config.Authorize, Form: req}
			}
			res := s.do(t, r)
			if method == http.MethodPost {
				res = s.get(t, s.at(res.Header.Get("Location")))
			}
			if res.Status != http.StatusBadRequest || res.Header.Get("Location") != "" || res.Media() != "text/html" {
				t.Errorf("%s %s: %d to %q", method, name, res.Status, res.Header.Get("Location"))
			}
			if body := string(res.Body); strings.Contains(body, `"https://evil.example`) || strings.Contains(body, `"javascript:`) {
				t.Errorf("%s %s: the page links to the address", method, name)
			}
		}
	}
}

// SMART AZ-03, AZ-07, AZ-08, AZ-11, AZ-13, AZ-14, PKCE-01, PKCE-04: everything
// else is told to the app.
func TestBadRequestIsToldToTheApp(t *testing.T) {
	s := shared(t)
	app := s.Client("public")
	tests := []struct {
		name, code string
		change     func(url.Values)
	}{
		{"aud of somebody else", "invalid_request", func(v url.Values) { v.Set("aud", "https://evil.example/fhir") }},
		{"aud that goes on", "invalid_request", func(v url.Values) { v.Set("aud", s.FHIRBase+"x") }},
		{"no aud", "invalid_request", func(v url.Values) { v.Del("aud") }},
		{"plain", "invalid_request", func(v url.Values) { v.Set("code_challenge_method", "plain") }},
		{"no method", "invalid_request", func(v url.Values) { v.Del("code_challenge_method") }},
		{"no challenge", "invalid_request", func(v url.Values) { v.Del("code_challenge") }},
		{"no state", "invalid_request", func(v url.Values) { v.Del("state") }},
		{"token", "unsupported_response_type", func(v url.Values) { v.Set("response_type", "token") }},
		{"two scopes", "invalid_request", func(v url.Values) { v.Add("scope", "openid") }},
		{"request_uri", "request_uri_not_supported", func(v url.Values) { v.Set("request_uri", "https://app.example/r") }},
		{"endless scope", "invalid_scope", func(v url.Values) { v.Set("scope", strings.Repeat("patient/*.rs", 900)) }},
		{"no scope", "invalid_scope", func(v url.Values) { v.Del("scope") }},
		{"value without the scope launch", "invalid_request", func(v url.Values) { v.Set("launch", "x") }},
		{"nobody signed in", "login_required", func(v url.Values) { v.Set("prompt", "none") }},
	}
	for _, test := range tests {
		req := s.AuthorizeRequest(app, "launch/patient patient/*.rs", s.NewVerifier())
		test.change(req)
		for _, post := range []bool{false, true} {
			s.wantError(t, s.answered(t, req, kit.Visit{Browser: s.browser("rosa"), Post: post}), req, test.code)
		}
	}
}

// SMART AZ-01, AZ-02, AZ-10, AZ-12, AZ-20: state comes back byte for byte, on
// success by both methods and on refusal.
func TestStateComesBackByteForByte(t *testing.T) {
	s := shared(t)
	for i, state := range []string{"+ %&=?#/\\\"'<>é\u2028" + strings.Repeat("x", 200), "%2B%20", "a"} {
		req := s.AuthorizeRequest(s.Client("public"), "launch/patient patient/Patient.rs", s.NewVerifier())
		req.Set("state", state)
		a := s.answered(t, req, kit.Visit{Person: "noah", Post: i == 0})
		if a.Code() == "" || a.Query.Get("state") != state || a.Query.Get("iss") != s.Issuer {
			t.Errorf("%s: %q", a, a.Query.Get("state"))
		}
		s.wantError(t, s.answered(t, req, kit.Visit{Person: "noah", Deny: true}), req, "access_denied")
	}
}

// SMART AZ-02, D9: a form from the app's site carries no cookie of ours; it is
// answered with a 303 to our own GET, which does.
func TestPostAuthorizeIsAnsweredWithOurOwnGet(t *testing.T) {
	s := shared(t)
	req := s.AuthorizeRequest(s.Client("public"), "launch/patient patient/Patient.rs", s.NewVerifier())
	res := s.do(t, kit.Request{URL: s.Config.Authorize, Form: req, Header: http.Header{"Origin": {"https://app.example"}, "Sec-Fetch-Site": {"cross-site"}}})
	to := res.Header.Get("Location")
	if res.Status != http.StatusSeeOther || !strings.HasPrefix(to, "/authorize?") || len(res.Header.Values("Set-Cookie")) != 0 {
		t.Errorf("%d to %q with cookies %q", res.Status, to, res.Header.Values("Set-Cookie"))
	}
	both := s.do(t, kit.Request{URL: s.Config.Authorize + "?state=other", Form: req})
	if both.Status != http.StatusBadRequest || both.Header.Get("Location") != "" {
		t.Errorf("parameters in the query beside the form: %d", both.Status)
	}
}

// SMART AZ-04, RFC 8252 §7.3: the port of a loopback address is free, for
// public clients.
func TestLoopbackRedirectPort(t *testing.T) {
	s := shared(t)
	req := s.AuthorizeRequest(s.Client("public"), "launch/patient patient/Patient.rs", s.NewVerifier())
	req.Set("redirect_uri", "http://127.0.0.1:53111/callback")
	if a := s.answered(t, req, kit.Visit{Person: "noah"}); a.Code() == "" {
		t.Error(a)
	}
}

// SMART PKCE-02, PKCE-03: the verifier must be the one of the challenge.
func TestVerifierMustFit(t *testing.T) {
	s := shared(t)
	for name, wrong := range map[string]func(string) string{
		"other":     func(string) string { return s.NewVerifier() },
		"challenge": kit.Challenge,
		"blank":     func(string) string { return "" },
		"longer":    func(v string) string { return v + "x" },
	} {
		g, err := s.Code(t.Context(), kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "noah"}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Call(t.Context(), s.Config.Token, g.Client, kit.CodeForm(g.Code, g.Redirect, wrong(g.Verifier)))
		if err != nil || res.Status != http.StatusBadRequest || res.Text("access_token") != "" {
			t.Errorf("%s: %s %v", name, res, err)
		}
	}
}

// SMART LAU-02: a handle works once, only for its app, and only for its user.
func TestLaunchHandleOverHTTP(t *testing.T) {
	s := shared(t)
	diary, planner := s.Client("public"), s.Client("symmetric")
	ask := func(c kit.Client, handle, person string) (*kit.Answer, url.Values) {
		req := s.AuthorizeRequest(c, "launch patient/Observation.rs", s.NewVerifier())
		req.Set("launch", handle)
		return s.answered(t, req, kit.Visit{Browser: s.browser(person)}), req
	}
	handle := s.handle(t, diary.ID, map[string]any{"patient": "rosa", "user": "Patient/rosa"})
	a, req := ask(planner, handle, "rosa")
	s.wantError(t, a, req, "invalid_request")
	a, req = ask(diary, handle, "noah")
	s.wantError(t, a, req, "access_denied")
	a, req = ask(diary, handle, "rosa")
	s.wantError(t, a, req, "invalid_request")
	a, _ = ask(diary, s.handle(t, diary.ID, map[string]any{"patient": "rosa", "user": "Patient/rosa"}), "rosa")
	if a.Code() == "" {
		t.Error(a)
	}
	a, req = ask(diary, s.handle(t, diary.ID, map[string]any{"patient": "noah"}), "rosa")
	s.wantError(t, a, req, "access_denied")
}

// SMART LAU-02: only an authenticated EHR client registers launches, and a
// body that is not understood is refused.
func TestRegisterLaunchOverHTTP(t *testing.T) {
	s := shared(t)
	post := func(id, secret, body string) *kit.Response {
		r := kit.Request{Method: http.MethodPost, URL: s.LaunchAPI.URL, Body: strings.NewReader(body), Type: "application/json"}
		if id != "" {
			r.Basic = &[2]string{id, secret}
		}
		return s.do(t, r)
	}
	ehr, _ := s.ClientByID(s.LaunchAPI.ClientID)
	planner := s.Client("symmetric")
	const good = `{"client_id":"demo-app","patient":"rosa"}`
	tests := []struct {
		name, id, secret, body string
		want                   int
	}{
		{"good", ehr.ID, ehr.Secret, good, http.StatusCreated},
		{"nobody", "", "", good, http.StatusUnauthorized},
		{"wrong secret", ehr.ID, "x", good, http.StatusUnauthorized},
		{"an app", planner.ID, planner.Secret, good, http.StatusForbidden},
		{"no JSON", ehr.ID, ehr.Secret, "launch", http.StatusBadRequest},
		{"two values", ehr.ID, ehr.Secret, good + good, http.StatusBadRequest},
		{"unknown member", ehr.ID, ehr.Secret, `{"client_id":"demo-app","pateint":"rosa"}`, http.StatusBadRequest},
		{"unknown app", ehr.ID, ehr.Secret, `{"client_id":"nobody"}`, http.StatusBadRequest},
		{"patient as reference", ehr.ID, ehr.Secret, `{"client_id":"demo-app","patient":"Patient/rosa"}`, http.StatusBadRequest},
		{"user as text", ehr.ID, ehr.Secret, `{"client_id":"demo-app","user":"rosa"}`, http.StatusBadRequest},
		{"too large", ehr.ID, ehr.Secret, `{"client_id":"demo-app","intent":"` + strings.Repeat("x", 70<<10) + `"}`, http.StatusRequestEntityTooLarge},
	}
	for _, test := range tests {
		res := post(test.id, test.secret, test.body)
		if res.Status != test.want {
			t.Errorf("%s: %s", test.name, res)
		}
		if test.want == http.StatusCreated && (res.Text("iss") != s.FHIRBase || !strings.Contains(res.Text("launch_url"), "launch="+res.Text("launch")) || res.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %s", test.name, res.Body)
		}
	}
}

// SMART CTX-21: two apps for two patients in one browser, interleaved: neither
// overwrites the other's context.
func TestInterleavedLaunchesKeepTheirPatients(t *testing.T) {
	s := shared(t)
	b := s.browser("hale")
	if _, err := b.SignIn(t.Context(), s.at("/staff")); err != nil {
		t.Fatal(err)
	}
	type launch struct {
		app      kit.Client
		patient  string
		verifier string
		page     *kit.Page
		code     string
	}
	launches := []*launch{{app: s.Client("public"), patient: "rosa"}, {app: s.Client("symmetric"), patient: "noah"}}
	for _, l := range launches {
		l.verifier = s.NewVerifier()
		req := s.AuthorizeRequest(l.app, "launch patient/Patient.rs", l.verifier)
		req.Set("launch", s.handle(t, l.app.ID, map[string]any{"patient": l.patient, "user": "Practitioner/dr-hale"}))
		var err error
		if l.page, err = b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), l.app.RedirectURIs[0]); err != nil || l.page.ConsentForm() == nil {
			t.Fatal(l.page, err)
		}
	}
	for _, l := range launches {
		f := l.page.ConsentForm()
		back, err := b.Submit(t.Context(), f, f.Button("allow"), l.app.RedirectURIs[0])
		if err != nil || back.Back == nil {
			t.Fatal(back, err)
		}
		l.code = back.Back.Query().Get("code")
	}
	for _, l := range slices.Backward(launches) {
		res, err := s.Call(t.Context(), s.Config.Token, l.app, kit.CodeForm(l.code, l.app.RedirectURIs[0], l.verifier))
		if err != nil || res.Text("patient") != l.patient {
			t.Errorf("%s: the app for %s got %q", res, l.patient, res.Text("patient"))
		}
		s.fetch(t, res.Text("access_token"), "Patient/"+l.patient, http.StatusOK)
	}
}

// A pending request belongs to its browser: who knows the address gets a page
// that tells nothing.
func TestPendingRequestOfAnotherBrowser(t *testing.T) {
	s := shared(t)
	victim, thief := s.browser("rosa"), s.browser("noah")
	req := s.AuthorizeRequest(s.Client("public"), "launch/patient patient/Patient.rs", s.NewVerifier())
	for _, b := range []*kit.Browser{victim, thief} {
		if _, err := b.SignIn(t.Context(), s.at("/home")); err != nil {
			t.Fatal(err)
		}
	}
	p, err := victim.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), req.Get("redirect_uri"))
	if err != nil || p.ConsentForm() == nil {
		t.Fatal(p, err)
	}
	flowURL := strings.TrimSuffix(p.URL, "/consent")
	for _, path := range []string{"", "/consent", "/patient", "/cancel"} {
		got, err := thief.Open(t.Context(), flowURL+path, req.Get("redirect_uri"))
		if err != nil || got.Back != nil || got.Status != http.StatusForbidden || strings.Contains(got.Text(), "Rosa") {
			t.Errorf("%s: %s %v", path, got.Response, err)
		}
	}
	f := p.ConsentForm()
	if got, err := thief.Submit(t.Context(), f, f.Button("allow"), req.Get("redirect_uri")); err != nil || got.Back != nil || got.Status != http.StatusForbidden {
		t.Errorf("%s %v", got.Response, err)
	}
	if got, err := victim.Submit(t.Context(), f, f.Button("allow"), req.Get("redirect_uri")); err != nil || got.Back == nil {
		t.Errorf("%s %v", got.Response, err)
	}
}

// SMART AZ-18, AZ-19, AZ-21: what can be done to the consent form.
func TestConsentFormTampering(t *testing.T) {
	s := shared(t)
	b := s.browser("rosa")
	app := s.Client("public")
	open := func(scope string) (*kit.Page, url.Values) {
		req := s.AuthorizeRequest(app, scope, s.NewVerifier())
		p, err := b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), app.RedirectURIs[0])
		if err != nil {
			t.Fatal(err)
		}
		return p, req
	}
	if _, err := b.SignIn(t.Context(), s.at("/home")); err != nil {
		t.Fatal(err)
	}
	other, _ := open("launch/patient patient/*.cruds")
	tests := []struct {
		name   string
		change func(url.Values)
		status int
	}{
		{"no form token", func(v url.Values) { v.Del("csrf") }, http.StatusForbidden},
		{"wrong form token", func(v url.Values) { v.Set("csrf", "x") }, http.StatusForbidden},
		{"no handle", func(v url.Values) { v.Del("handle") }, http.StatusConflict},
		{"handle of another request", func(v url.Values) { v.Set("handle", other.ConsentForm().Field("handle").Value) }, http.StatusConflict},
		{"nothing ticked", func(v url.Values) { v.Del("kind.Observation") }, http.StatusUnprocessableEntity},
		{"a narrowing without a category", func(v url.Values) { v.Set("kind.Observation.how", "only") }, http.StatusUnprocessableEntity},
	}
	before := len(s.grants(t, "rosa"))
	for _, test := range tests {
		p, _ := open("launch/patient patient/Observation.rs")
		f := p.ConsentForm()
		if f == nil {
			t.Fatalf("%s: no consent page but %s", test.name, p.Response)
		}
		v := f.Values(f.Button("allow"))
		test.change(v)
		got, err := b.Post(t.Context(), f, v, app.RedirectURIs[0])
		if err != nil || got.Back != nil || got.Status != test.status {
			t.Errorf("%s: %s %v", test.name, got.Response, err)
		}
	}
	if n := len(s.grants(t, "rosa")); n != before {
		t.Errorf("%d grants were made", n-before)
	}
	p, _ := open("launch/patient patient/Observation.rs")
	f := p.ConsentForm()
	v := f.Values(f.Button("allow"))
	v.Set("kind.Condition", "on")
	v.Set("act.Observation", "on")
	v.Set("act.any", "on")
	v.Set("topic.none", "on")
	v.Set("keep", "on")
	v.Set("scope", "patient/*.cruds")
	if got, err := b.Post(t.Context(), f, v, app.RedirectURIs[0]); err != nil || got.Back == nil {
		t.Fatal(got.Response, err)
	}
	if g := s.newest(t, "rosa"); g.Scope != "launch/patient patient/Observation.rs" {
		t.Errorf("granted %s", g.Scope)
	}
	if h := p.Header; h.Get("X-Frame-Options") == "" && !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Error("the consent page may be framed")
	}
}

// Pressing the button twice gives one grant.
func TestDoubleSubmitGivesOneGrant(t *testing.T) {
	s := shared(t)
	b := s.browser("joaquin")
	app := s.Client("public")
	if _, err := b.SignIn(t.Context(), s.at("/home")); err != nil {
		t.Fatal(err)
	}
	req := s.AuthorizeRequest(app, "launch/patient patient/Observation.rs", s.NewVerifier())
	p, err := b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), app.RedirectURIs[0])
	if err != nil || p.ConsentForm() == nil {
		t.Fatal(p, err)
	}
	before := len(s.grants(t, "joaquin"))
	f := p.ConsentForm()
	var answers sync.WaitGroup
	codes := make(chan string, 8)
	for range cap(codes) {
		answers.Go(func() {
			got, err := b.Post(t.Context(), f, f.Values(f.Button("allow")), app.RedirectURIs[0])
			if err != nil {
				t.Error(err)
				return
			}
			if got.Back != nil {
				codes <- got.Back.Query().Get("code")
			}
		})
	}
	answers.Wait()
	if n := len(s.grants(t, "joaquin")) - before; n != 1 || len(codes) != 1 {
		t.Errorf("%d grants, %d codes", n, len(codes))
	}
}

// SMART US-10, US-16: choosing sub-categories leaves no scope for the type.
func TestSubCategoriesOverHTTP(t *testing.T) {
	s := shared(t)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Observation.rs patient/Condition.rs", Visit: kit.Visit{
		Browser: s.browser("rosa"), Consent: func(f *kit.Form) {
			f.Choose("kind.Observation.how", "only")
			f.Tick("cat.Observation.laboratory", true)
			f.Tick("cat.Observation.vital-signs", true)
		},
	}})
	const category = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|"
	want := []string{"launch/patient", category + "laboratory", category + "vital-signs", "patient/Condition.rs"}
	if !slices.Equal(g.Scopes(), want) {
		t.Errorf("granted %q", g.Scopes())
	}
	s.fetch(t, g.Access(), "Observation?patient=rosa&category=laboratory&_count=1", http.StatusOK)
	s.fetch(t, g.Access(), "Goal?patient=rosa", http.StatusForbidden)
}

// SMART TOK-13, REF-01: a wildcard with one kind left out becomes a long grant
// that works, and works again after a refresh.
func TestSpeltOutWildcardWorks(t *testing.T) {
	s := shared(t)
	g := s.granted(t, kit.Launch{
		Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/*.r patient/*.s user/*.r user/*.s",
		Visit: kit.Visit{Browser: s.browser("rosa"), Consent: func(f *kit.Form) { f.Tick("kind.Condition", false) }},
	})
	if len(g.Scopes()) < 100 {
		t.Fatalf("%d scopes", len(g.Scopes()))
	}
	token := g.Access()
	for range 2 {
		s.fetch(t, token, "Observation?patient=rosa&_count=1", http.StatusOK)
		s.fetch(t, token, "Condition?patient=rosa", http.StatusForbidden)
		token = s.refreshed(t, g, g.RefreshToken(), http.StatusOK).Text("access_token")
	}
}
