package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/limit"
)

// SE-15, SMART CORS-02: who asks too often is told which limit was met and when
// to come back, and the page of a browser app can read it, preflight included.
// People's pages stay closed to other origins (CORS-03).
func TestRefusalsAreReadable(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Limits = limit.Config{Network: 1, SignIn: 1} })
	from := func(method, address string, form url.Values) *kit.Response {
		t.Helper()
		h := http.Header{"Origin": {"https://app.example"}}
		if method == http.MethodOptions {
			h.Set("Access-Control-Request-Method", "POST")
			h.Set("Access-Control-Request-Headers", "authorization,content-type")
		}
		return s.do(t, kit.Request{Method: method, URL: address, Header: h, Form: form})
	}
	over := func(class, method, address string, form url.Values) *kit.Response {
		t.Helper()
		for range 200 {
			res := from(method, address, form)
			if res.Status != http.StatusTooManyRequests {
				continue
			}
			if res.Header.Get("RateLimit-Policy") != `"`+class+`";q=2;w=2` || res.Header.Get("RateLimit") == "" || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %v", address, res.Header)
			}
			return res
		}
		t.Fatalf("%s %s is not limited", method, address)
		return nil
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	for class, at := range map[string]string{"network": s.Config.Token, "fhir": s.FHIRBase + "/Patient/rosa"} {
		method, form := http.MethodGet, url.Values(nil)
		if class == "network" {
			method, form = http.MethodPost, refresh
		}
		res := over(class, method, at, form)
		if res.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%s: a browser app cannot read %v", class, res.Header)
		}
		for range 5 {
			asked := from(http.MethodOptions, at, nil)
			if asked.Status != http.StatusNoContent || asked.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: a preflight gets %s", class, asked)
			}
			if asked.Header.Get("Access-Control-Allow-Origin") != "" && !strings.Contains(asked.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
				t.Errorf("%s: a preflight allows %v", class, asked.Header)
			}
		}
	}
	if res := over("network", http.MethodGet, s.Config.Authorize, nil); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page is open to other origins: %v", res.Header)
	}
}

// SE-15: whatever apps and browsers ask about one person shares one measure, so
// that nobody multiplies it with clients or addresses. Another person has another,
// and what was refused spent nothing.
func TestLimitOfOnePerson(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Limits = limit.Config{Person: 10} })
	scope := "launch/patient offline_access patient/Patient.rs"
	open := func(kind, person string) *kit.Grant {
		t.Helper()
		g, err := s.Launch(t.Context(), kit.Launch{Client: s.Client(kind), Scope: scope, Visit: kit.Visit{Person: person}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	rosa, elena, asks := open("public", "rosa"), open("symmetric", "elena"), open("symmetric", "rosa")
	browser := s.Browser("rosa").Cookies(s.Config.Authorize)
	call := func(endpoint string, g *kit.Grant, form url.Values) *kit.Response {
		t.Helper()
		res, err := s.Call(t.Context(), endpoint, g.Client, form)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	token := rosa.RefreshToken()
	for range 500 {
		res := call(s.Config.Token, rosa, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		if res.Status == http.StatusTooManyRequests {
			break
		}
		if res.Status != http.StatusOK {
			t.Fatal(res)
		}
		token = res.Text("refresh_token")
	}
	for what, res := range map[string]*kit.Response{
		"the token endpoint":         call(s.Config.Token, rosa, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}),
		"another app":                call(s.Config.Introspect, asks, url.Values{"token": {asks.Access()}}),
		"the authorization endpoint": s.do(t, kit.Request{URL: s.Config.Authorize, Header: http.Header{"Cookie": {browser}}}),
	} {
		if res.Status != http.StatusTooManyRequests || res.Header.Get("RateLimit-Policy") != `"person";q=20;w=2` || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %v", what, res, res.Header)
		}
	}
	if res := call(s.Config.Introspect, elena, url.Values{"token": {elena.Access()}}); res.Status != http.StatusOK {
		t.Errorf("another person: %s", res)
	}
	// A token that was used long before ends the connection all the same.
	if res := call(s.Config.Token, rosa, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rosa.RefreshToken()}}); res.Status != http.StatusBadRequest {
		t.Errorf("a replay: %s", res)
	}
}

// SE-15: what is asked at the FHIR base about one patient's record shares one
// measure, whoever asks; another record has another, and a page of a browser app
// can read the refusal.
func TestLimitOfOnePatient(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Limits = limit.Config{Patient: 1} })
	open := func(kind, person string) *kit.Grant {
		t.Helper()
		g, err := s.Launch(t.Context(), kit.Launch{Client: s.Client(kind), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: person}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	read := func(g *kit.Grant) *kit.Response {
		t.Helper()
		return s.do(t, kit.Request{URL: s.FHIRBase + "/Patient/" + g.Patient(), Header: http.Header{"Authorization": {"Bearer " + g.Access()}}})
	}
	one, two := open("public", "rosa"), open("symmetric", "rosa")
	var last *kit.Response
	for range 200 {
		if last = read(one); last.Status == http.StatusTooManyRequests {
			break
		}
	}
	if last.Status != http.StatusTooManyRequests || last.Header.Get("RateLimit-Policy") != `"patient";q=2;w=2` || last.Header.Get("Retry-After") == "" {
		t.Fatalf("%s %v", last, last.Header)
	}
	// What the clock gives back meanwhile is less than this.
	refused := false
	for range 20 {
		refused = refused || read(two).Status == http.StatusTooManyRequests
	}
	if !refused {
		t.Error("another app has a measure of its own")
	}
}

// SM-17: who floods an address with tries shuts nobody out of it who signed in on a
// device before: that one has a measure of its own, which nobody can make for
// themself, and which ends as well.
func TestAFloodShutsNoKnownDeviceOut(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Limits = limit.Config{SignIn: 1} })
	rosa := s.browser("rosa")
	if _, err := rosa.SignIn(t.Context(), s.at("/signin")); err != nil {
		t.Fatal(err)
	}
	if err := rosa.SignOut(t.Context(), s.at("/home")); err != nil {
		t.Fatal(err)
	}
	// limited reports whether one of some tries without a password is too many.
	limited := func(cookie string, tries int) bool {
		t.Helper()
		for range tries {
			res := s.do(t, kit.Request{Method: http.MethodPost, URL: s.at("/signin"), Header: http.Header{"Cookie": {cookie}}, Form: url.Values{}})
			if res.Status == http.StatusTooManyRequests {
				return true
			}
		}
		return false
	}
	kept := rosa.Cookies(s.at("/"))
	if !strings.Contains(kept, "mandate_device=") {
		t.Fatalf("the device is not known: %s", kept)
	}
	if !limited("", 200) {
		t.Fatal("the address is not limited")
	}
	for what, cookie := range map[string]string{
		"a stranger": "", "a device of one's own making": "mandate_device=" + strings.Repeat("A", 43),
		"a changed device": strings.Replace(kept, "mandate_device=", "mandate_device=A", 1),
	} {
		if !limited(cookie, 8) {
			t.Errorf("%s has a measure of its own", what)
		}
	}
	if p, err := rosa.SignIn(t.Context(), s.at("/signin")); err != nil || p.Status != http.StatusOK || p.SignInForm() != nil {
		t.Errorf("somebody on a known device is shut out: %v %v", p, err)
	}
	if !limited(kept, 200) {
		t.Error("the measure of a device does not end")
	}
}
