package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/oauth"
)

// RFC 8628: a bedside screen is let in by a person elsewhere. The pages name the
// screen and warn; the answer comes with context, id_token and refresh token; a
// second answer and a second use give nothing.
func TestABedsideScreen(t *testing.T) {
	s := start(t, nil)
	ctx := t.Context()
	screen := s.DeviceClient()
	begun, err := s.BeginDevice(ctx, screen, "openid fhirUser launch/patient offline_access patient/Patient.rs")
	if err != nil || begun.Status != http.StatusOK {
		t.Fatal(begun, err)
	}
	code, shown := begun.Text("device_code"), begun.Text("user_code")
	poll := func(want string) *kit.Response {
		t.Helper()
		res, err := s.Poll(ctx, screen, code)
		if err != nil || res.Text("error") != want {
			t.Fatal(res, err)
		}
		return res
	}
	poll("authorization_pending")
	poll("slow_down")
	b := s.browser("rosa")
	s.devicePageWarns(t, b, shown)
	a, err := s.Connect(ctx, begun.Text("verification_uri"), " "+strings.ToLower(shown), kit.Visit{Browser: b})
	if err != nil || a.ConsentPage == nil {
		t.Fatal(a, err)
	}
	text := strings.ReplaceAll(a.ConsentPage.Text(), "\u00a0", " ")
	if !strings.Contains(text, "Bedside Screen asks from another screen") || !strings.Contains(text, shown) {
		t.Errorf("the consent page does not name the screen: %s", text)
	}
	if done := a.Last.Text(); a.Last.Status != http.StatusOK || !strings.Contains(done, "You allowed Bedside Screen") || !strings.Contains(done, "other screen goes on") {
		t.Errorf("%s", done)
	}
	again, err := s.Connect(ctx, begun.Text("verification_uri"), shown, kit.Visit{Browser: s.browser("elena")})
	if err != nil || again.Last.Status != http.StatusUnprocessableEntity || again.ConsentPage != nil {
		t.Error(again, err)
	}
	got := poll("")
	if got.Text("patient") != "rosa" || got.Text("refresh_token") == "" || got.Text("id_token") == "" {
		t.Fatal(got)
	}
	s.fetch(t, got.Text("access_token"), "Patient/rosa", http.StatusOK)
	next, err := s.Refresh(ctx, screen, got.Text("refresh_token"), "")
	if err != nil || next.Status != http.StatusOK {
		t.Fatal(next, err)
	}
	if row := s.newest(t, "rosa"); row.Client != "demo-bedside" {
		t.Errorf("%+v", row)
	}
	poll("invalid_grant")
	s.fetch(t, next.Text("access_token"), "Patient/rosa", http.StatusUnauthorized)
}

// devicePageWarns opens the page as a scanned link does: the code is only shown,
// with a warning, and a form from elsewhere begins nothing.
func (s *server) devicePageWarns(t *testing.T, b *kit.Browser, shown string) {
	t.Helper()
	page := s.open(t, b, "/device?user_code="+shown)
	if text := page.Text(); !strings.Contains(text, "Go on only if it shows this code") || !strings.Contains(text, "send you this code") {
		t.Errorf("the page does not warn: %s", text)
	}
	if f := page.FormWith("user_code").Field("user_code"); f.Value != shown || f.Label == "" {
		t.Errorf("%+v", f)
	}
	forged := page.FormWith("user_code")
	v := forged.Values(nil)
	v.Set("csrf", "x")
	if p, err := b.Post(t.Context(), forged, v, ""); err != nil || p.Status != http.StatusForbidden {
		t.Error(p, err)
	}
}

// A screen that nobody lets in is told so, and its codes end.
func TestAScreenThatIsNotLetIn(t *testing.T) {
	s := start(t, nil)
	ctx := t.Context()
	screen := s.DeviceClient()
	begin := func() *kit.Response {
		t.Helper()
		res, err := s.BeginDevice(ctx, screen, "launch/patient patient/Patient.rs")
		if err != nil || res.Status != http.StatusOK {
			t.Fatal(res, err)
		}
		return res
	}
	wants := func(code, want string) {
		t.Helper()
		if res, err := s.Poll(ctx, screen, code); err != nil || res.Status != http.StatusBadRequest || res.Text("error") != want {
			t.Error(res, err)
		}
	}
	denied := begin()
	a, err := s.Connect(ctx, denied.Text("verification_uri"), denied.Text("user_code"), kit.Visit{Browser: s.browser("rosa"), Deny: true})
	if err != nil || !strings.Contains(a.Last.Text(), "Nothing was shared") {
		t.Fatal(a, err)
	}
	wants(denied.Text("device_code"), "access_denied")
	late := begin()
	if err := s.Advance(ctx, oauth.DeviceLife+time.Second); err != nil {
		t.Fatal(err)
	}
	wants(late.Text("device_code"), "expired_token")
	a, err = s.Connect(ctx, late.Text("verification_uri"), late.Text("user_code"), kit.Visit{Browser: s.browser("rosa")})
	if err != nil || a.Last.Status != http.StatusUnprocessableEntity {
		t.Error(a, err)
	}
	wants("no-such-code", "invalid_grant")
}
