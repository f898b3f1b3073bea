package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

const day = 24 * time.Hour

// forward moves the clock of a story's own server.
func (s *server) forward(t *testing.T, d time.Duration) {
	t.Helper()
	if err := s.Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// The clock of a development server is moved by tests, not by whatever page is
// open in the developer's browser.
func TestNoOtherSiteMovesTheClock(t *testing.T) {
	s := start(t, nil)
	move := func(header http.Header) int {
		t.Helper()
		return s.do(t, kit.Request{Method: http.MethodPost, URL: s.Ready.Clock, Header: header, Body: strings.NewReader(`{"advance":"1s"}`)}).Status
	}
	if got := move(http.Header{"Origin": {"https://evil.example"}}); got != http.StatusForbidden {
		t.Errorf("another site: %d", got)
	}
	if got := move(nil); got != http.StatusOK {
		t.Errorf("a test: %d", got)
	}
}

// keep ticks how long access lasts; "" unticks it.
func keep(period string) func(*kit.Form) {
	return func(f *kit.Form) {
		f.Tick("keep", period != "")
		f.Choose("keep_for", period)
	}
}

// SMART US-01, US-02, US-12, SCP-20…SCP-22: how long an app may come back.
// One server, whose clock only goes forward.
func TestHowLongAnAppMayComeBack(t *testing.T) {
	s := start(t, nil)
	app := s.Client("symmetric")
	visit := func(scope string, consent func(*kit.Form)) *kit.Grant {
		t.Helper()
		return s.granted(t, kit.Launch{Client: app, Scope: scope, Visit: kit.Visit{Browser: s.browser("rosa"), Consent: consent}})
	}
	const scope = "launch/patient patient/Patient.rs offline_access"
	if g := visit("launch/patient patient/Patient.rs", nil); g.RefreshToken() != "" {
		t.Error("a refresh token that nobody asked for (SCP-22)")
	}
	off := visit(scope, keep(""))
	if off.RefreshToken() != "" || slices.Contains(off.Scopes(), "offline_access") {
		t.Error("offline_access was turned off (US-12):", off.Scopes())
	}
	s.fetch(t, off.Access(), "Patient/rosa", http.StatusOK)
	week, quarter := visit(scope, keep("1w")), visit(scope, keep("3m"))
	// The log-in that made the grants is over; the visit too.
	s.forward(t, time.Hour+time.Second)
	s.fetch(t, off.Access(), "Patient/rosa", http.StatusUnauthorized)
	weekToken := s.refreshed(t, week, week.RefreshToken(), http.StatusOK).Text("refresh_token")
	s.forward(t, 7*day)
	s.refreshed(t, week, weekToken, http.StatusBadRequest)
	token := quarter.RefreshToken()
	s.forward(t, 81*day)
	for range 3 {
		res := s.refreshed(t, quarter, token, http.StatusOK)
		s.fetch(t, res.Text("access_token"), "Patient/rosa", http.StatusOK)
		token = res.Text("refresh_token")
		s.forward(t, 89*day)
	}
	token = s.refreshed(t, quarter, token, http.StatusOK).Text("refresh_token")
	s.forward(t, 93*day)
	s.refreshed(t, quarter, token, http.StatusBadRequest)
}

// SMART SCP-21: online_access ends with the log-in; offline_access does not
// (SCP-20). A request that waits too long ends.
func TestSigningOutEndsOnlineAccess(t *testing.T) {
	s := start(t, nil)
	app := s.Client("symmetric")
	b := s.browser("rosa")
	launch := func(scope string) *kit.Grant {
		return s.granted(t, kit.Launch{Client: app, Scope: scope, Visit: kit.Visit{Browser: b}})
	}
	online, offline := launch("launch/patient patient/Patient.rs online_access"), launch("launch/patient patient/Patient.rs offline_access")
	token := s.refreshed(t, online, online.RefreshToken(), http.StatusOK).Text("refresh_token")
	home, err := b.Open(t.Context(), s.at("/home"), "")
	if err != nil {
		t.Fatal(err)
	}
	out := slices.IndexFunc(home.Forms, func(f *kit.Form) bool { return strings.HasSuffix(f.Action, "/signout") })
	if out < 0 {
		t.Fatal("no way to sign out")
	}
	if _, err := b.Submit(t.Context(), home.Forms[out], nil, ""); err != nil {
		t.Fatal(err)
	}
	s.refreshed(t, online, token, http.StatusBadRequest)
	s.refreshed(t, offline, offline.RefreshToken(), http.StatusOK)

	req := s.AuthorizeRequest(app, "launch/patient patient/Patient.rs", s.NewVerifier())
	waiting, err := b.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), app.RedirectURIs[0])
	if err != nil || waiting.FormWith("password") == nil {
		t.Fatal(waiting, err)
	}
	s.forward(t, 31*time.Minute)
	f := waiting.FormWith("password")
	f.Set("username", "rosa")
	f.Set("password", s.Person("rosa").Password)
	late, err := b.Submit(t.Context(), f, nil, app.RedirectURIs[0])
	if err != nil || late.Back != nil || late.ConsentForm() != nil {
		t.Errorf("a request of 31 minutes ago goes on: %s %v", late.Response, err)
	}
}

// A.10, SC-15…SC-17: a daughter gets what the Consent permits, no longer than
// it lasts, and nothing once it is withdrawn.
// CPA TF-04, TF-07; FX-01.
func TestProxyGrantFollowsTheConsent(t *testing.T) {
	s := start(t, nil)
	app := s.Client("symmetric")
	launch := func(person string) *kit.Grant {
		return s.granted(t, kit.Launch{
			Client: app, Scope: "launch/patient openid fhirUser offline_access patient/*.rs",
			Visit: kit.Visit{Browser: s.browser(person), Patient: "rosa"},
		})
	}
	elena, tomas := launch("elena"), launch("tomas")
	if elena.RefreshToken() != "" {
		t.Error("a view-only Consent gave a refresh token (SC-16)")
	}
	if tomas.RefreshToken() == "" {
		t.Fatal("a Consent that permits more gave no refresh token")
	}
	for _, g := range []*kit.Grant{elena, tomas} {
		for _, text := range g.Scopes() {
			if strings.Contains(text, "*") {
				t.Errorf("granted %s", text)
			}
		}
		s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	}
	s.fetch(t, elena.Access(), "Condition?patient=rosa", http.StatusForbidden)
	s.fetch(t, tomas.Access(), "Condition?patient=rosa", http.StatusOK)

	// Two minutes before the Consent ends a token lasts two minutes.
	end := s.consentEnd(t, "e2-husband-full-normal")
	token := tomas.RefreshToken()
	for s.Now().Add(60 * day).Before(end) {
		s.forward(t, 60*day)
		token = s.refreshed(t, tomas, token, http.StatusOK).Text("refresh_token")
	}
	s.forward(t, end.Sub(s.Now())-2*time.Minute)
	res := s.refreshed(t, tomas, token, http.StatusOK)
	if lasts, _ := res.JSON()["expires_in"].(float64); lasts > 120 || lasts < 60 {
		t.Errorf("expires_in %v, two minutes before the end", res.JSON()["expires_in"])
	}
	if g := s.newest(t, "rosa"); g.Ends.After(end) {
		t.Errorf("the grant ends %v, the Consent %v", g.Ends, end)
	}
	s.forward(t, 3*time.Minute)
	s.fetch(t, res.Text("access_token"), "Patient/rosa", http.StatusUnauthorized)
	s.refreshed(t, tomas, res.Text("refresh_token"), http.StatusBadRequest)
}

// CPA TR-26: a last day that is written as a day ends with its last instant where the
// patients live, in a Consent and in a relation alike, whatever offset stands elsewhere.
func TestALastDayEndsWhereThePatientLives(t *testing.T) {
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	for name, ends := range map[string]func(s *server, lastDay string) *kit.Response{
		"consent": func(s *server, lastDay string) *kit.Response {
			return s.put(t, "/consents/e1-daughter-meds-appts", `W/"1"`, s.amended(t, "rosa", "e1-daughter-meds-appts", func(m map[string]any) {
				m["provision"].(map[string]any)["period"].(map[string]any)["end"] = lastDay
			}))
		},
		"relation": func(s *server, lastDay string) *kit.Response {
			return s.put(t, "/related-persons/rosa-elena", `W/"1"`, []byte(`{"resourceType":"RelatedPerson","id":"rosa-elena","active":true,
				"patient":{"reference":"Patient/rosa"},"name":[{"text":"Elena Alvarez"}],"period":{"end":"`+lastDay+`"}}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *app.Config) { c.TimeZone = "Pacific/Auckland" })
			today := s.Now().In(zone)
			midnight := time.Date(today.Year(), today.Month(), today.Day()+1, 0, 0, 0, 0, zone)
			if res := ends(s, today.Format(time.DateOnly)); res.Status != http.StatusOK {
				t.Fatal(res.Status, string(res.Body))
			}
			s.forward(t, midnight.Sub(s.Now())-2*time.Minute)
			g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
			if lasts, _ := g.JSON()["expires_in"].(float64); lasts > 120 || lasts < 30 {
				t.Errorf("expires_in %v, two minutes before midnight", lasts)
			}
			s.fetch(t, g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
			s.forward(t, midnight.Sub(s.Now())+time.Second)
			s.fetch(t, g.Access(), "MedicationRequest?patient=rosa", http.StatusUnauthorized)
		})
	}
}

// amended gives a Consent of a patient with a change.
func (s *server) amended(t *testing.T, patient, id string, change func(map[string]any)) []byte {
	t.Helper()
	var list struct {
		Consents []map[string]any `json:"consents"`
	}
	s.admin(t, "GET", "/consents?patient="+patient, "", &list)
	i := slices.IndexFunc(list.Consents, func(c map[string]any) bool { return c["id"] == id })
	if i < 0 {
		t.Fatalf("%s is not there", id)
	}
	change(list.Consents[i])
	raw, err := json.Marshal(list.Consents[i])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// consentEnd gives when a Consent of rosa's ends.
func (s *server) consentEnd(t *testing.T, id string) time.Time {
	t.Helper()
	type row struct {
		ID        string `json:"id"`
		Provision struct {
			Period struct{ End time.Time } `json:"period"`
		} `json:"provision"`
	}
	var list struct {
		Consents []row `json:"consents"`
	}
	s.admin(t, "GET", "/consents?patient=rosa", "", &list)
	i := slices.IndexFunc(list.Consents, func(c row) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("%s is not there", id)
	}
	return list.Consents[i].Provision.Period.End
}

// SC-15, REV-04: a withdrawn Consent refuses the next FHIR call and the next
// refresh, and the people page says the same at once.
func TestWithdrawnConsent(t *testing.T) {
	s := start(t, nil)
	rosa := s.browser("rosa")
	people := func() string {
		p, err := rosa.SignIn(t.Context(), s.at("/people"))
		if err != nil || p.Status != http.StatusOK {
			t.Fatal(p, err)
		}
		return p.Text()
	}
	if text := people(); !strings.Contains(text, "Tomas") || !strings.Contains(text, "Elena") || strings.Contains(text, "Victor") {
		t.Errorf("people with access: %s", text)
	}
	g := s.granted(t, kit.Launch{
		Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/*.rs",
		Visit: kit.Visit{Browser: s.browser("tomas"), Patient: "rosa"},
	})
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	if res := s.admin(t, "POST", "/consents/e2-husband-full-normal/withdraw", "", nil); res.Status != http.StatusOK || !strings.Contains(string(res.Body), `"inactive"`) {
		t.Fatal(res)
	}
	for _, path := range []string{"Patient/rosa", "Patient?_id=rosa", "Condition?patient=rosa", "Patient/rosa/$everything"} {
		// US-03: a resource that may not be known to exist is not found.
		res := s.fhir(t, g.Access(), path)
		if hidden := path == "Patient/rosa" && res.Status == http.StatusNotFound; !hidden && res.Status != http.StatusForbidden && res.Status != http.StatusUnauthorized {
			t.Errorf("%s after the withdrawal", res)
		}
	}
	s.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	if text := people(); strings.Contains(text, "Tomas") || !strings.Contains(text, "Elena") {
		t.Errorf("people with access after the withdrawal: %s", text)
	}
	req := s.AuthorizeRequest(g.Client, "launch/patient patient/*.rs", s.NewVerifier())
	s.wantError(t, s.answered(t, req, kit.Visit{Browser: s.browser("tomas")}), req, "access_denied")
}

// An outbox notice tells the patient that a proxy connected an app.
func TestPatientIsToldOfAProxysApp(t *testing.T) {
	s := start(t, nil)
	s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	res := s.get(t, s.Outbox)
	var out struct {
		Notices []struct {
			Person   string `json:"person_id"`
			Template string `json:"template"`
		} `json:"notices"`
	}
	if err := json.Unmarshal(res.Body, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Notices) != 1 || out.Notices[0].Person != "demo-rosa" || out.Notices[0].Template != "app-connected-by-proxy" {
		t.Errorf("%+v", out)
	}
}
