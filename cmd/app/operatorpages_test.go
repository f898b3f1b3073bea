package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// decides opens the page that asks about an app, and answers.
func (s *server) decides(t *testing.T, b *kit.Browser, client, act, answer string) *kit.Page {
	t.Helper()
	ask := s.open(t, b, "/operator/clients/"+client+"/"+act)
	i := slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button(answer) != nil })
	if i < 0 {
		t.Fatalf("%s asks nothing: %s", act, ask.Text())
	}
	p, err := b.Submit(t.Context(), ask.Forms[i], ask.Forms[i].Button(answer), "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// REG-08: an operator sees what waits and for how many working days, checks the
// maker, lets the app work, sees why its requests fail, and stops it.
func TestOperatorDecidesAboutApps(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Registration.Mode = "approval" })
	res, c := s.jsonTo(t, "POST", s.Issuer+"/register", "", asks)
	if res.Status != http.StatusCreated {
		t.Fatal(res)
	}
	ada := s.browser("admin")
	says := func(p *kit.Page, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(p.Text(), want) {
				t.Errorf("%q is missing in %s", want, p.Text())
			}
		}
	}
	says(s.open(t, ada, "/staff"), "Apps")
	says(s.open(t, ada, "/operator/clients"), "Diary", "Check who makes it", "10 working days left", "Heart Diary")
	says(s.decides(t, ada, c.ID, "verify", "no"), "Waiting", "10 working days left")
	says(s.decides(t, ada, c.ID, "verify", "yes"), "Waiting", "5 working days left")
	says(s.decides(t, ada, c.ID, "approve", "yes"), "In use")
	says(s.open(t, ada, "/operator/clients/"+c.ID+"/approve"), "Somebody else changed this at the same time")

	diary := kit.Client{ID: c.ID, Kind: "symmetric", Secret: c.Secret, RedirectURIs: []string{"https://diary.example/cb"}}
	g := s.granted(t, kit.Launch{Client: diary, Scope: "launch/patient openid patient/Patient.rs patient/Obsrevation.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	says(s.open(t, ada, "/operator/clients/"+c.ID), "patient/Obsrevation.rs", "scope-unknown", "spelling", "Allowed")
	if text := s.open(t, ada, "/operator/clients/"+c.ID).Text(); strings.Contains(text, "Rosa") || strings.Contains(text, "rosa") {
		t.Errorf("an operator reads about a patient: %s", text)
	}
	says(s.decides(t, ada, c.ID, "disable", "yes"), "Stopped")
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	says(s.decides(t, ada, c.ID, "enable", "yes"), "In use")

	var kinds []string
	for _, e := range s.events(t, "client_id="+c.ID+"&kind=client.changed") {
		kinds = append(kinds, e.Reason)
		if e.PersonID == "" {
			t.Errorf("nobody did this: %+v", e)
		}
	}
	slices.Reverse(kinds)
	if want := []string{"client-maker-verified", "client-approved", "client-disabled", "client-enabled"}; !slices.Equal(kinds, want) {
		t.Errorf("recorded %v, not %v", kinds, want)
	}
}

// Nobody but an operator with a second factor sees the pages, and a form from
// elsewhere decides nothing.
func TestOperatorPagesAreForOperators(t *testing.T) {
	s := start(t, nil)
	id := s.Client("public").ID
	for who, want := range map[string]int{"rosa": http.StatusForbidden, "elena": http.StatusForbidden, "hale": http.StatusForbidden, "admin": http.StatusOK} {
		for _, path := range []string{"/operator/clients", "/operator/clients/" + id, "/operator/clients/" + id + "/disable"} {
			if p := s.open(t, s.browser(who), path); p.Status != want {
				t.Errorf("%s at %s: %d, not %d", who, path, p.Status, want)
			}
		}
	}
	ada := s.browser("admin")
	ask := s.open(t, ada, "/operator/clients/"+id+"/disable")
	f := ask.Forms[slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button("yes") != nil })]
	v := f.Values(f.Button("yes"))
	v.Set("csrf", "x")
	if p, err := ada.Post(t.Context(), f, v, ""); err != nil || p.Status == http.StatusOK {
		t.Error(p, err)
	}
	if p := s.open(t, ada, "/operator/clients/nobody"); p.Status != http.StatusNotFound {
		t.Error(p.Status)
	}
	if text := s.open(t, ada, "/operator/clients/"+id).Text(); !strings.Contains(text, "In use") {
		t.Errorf("a forged form stopped the app: %s", text)
	}
}
