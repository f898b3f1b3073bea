package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SE-15, WCAG 2.2.1: what somebody typed in a form that took longer than their log-in is
// there again after they signed in, for them alone, in their browser alone; after a
// sign-out nothing is.
func TestWhatIsTypedOutlivesTheLogIn(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa := s.secured("rosa")
	form := s.proven(rosa, "/people/invite")
	typed := url.Values{"name": {"Bea Brook"}, "email": {"bea@example.org"}, "relation": {"FRND"}}
	s.forward(t, 31*time.Minute)
	asked := s.press(rosa, form, "", typed)
	if asked.SignInForm() == nil || !strings.Contains(asked.URL, "next=%2Fpeople%2Finvite") || strings.Contains(asked.URL, "Bea") {
		t.Fatalf("a form of a log-in that ran out: %s %s", asked.URL, asked.Text())
	}
	back := s.proven(s.signedInAgain(rosa), "/people/invite")
	if s.typed(back, "name") != "Bea Brook" || s.typed(back, "email") != "bea@example.org" {
		t.Errorf("what was typed is lost: %s", back.Text())
	}
	s.says(s.press(rosa, back, "", nil), "Bea Brook is invited.")

	hale := s.browser("hale")
	if _, err := hale.SignIn(t.Context(), s.at("/staff/people")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who                       *kit.Browser
		path, press, field, value string
	}{
		{rosa, "/account/addresses", "", "address", "rosa@example.org"},
		{rosa, "/account/travel", "", "until", s.Now().AddDate(0, 0, 20).Format(time.DateOnly)},
		{rosa, "/people/block", "", "name", "Dan Drake"},
		{hale, "/staff/people/register", "yes", "name", "Eve Eder"},
		{hale, "/staff/people/adopt", "yes", "related", "rosa-elena"},
	} {
		page := s.signedInPage(c.who, c.path)
		s.forward(t, 31*time.Minute)
		if p := s.press(c.who, page, c.press, url.Values{c.field: {c.value}}); p.SignInForm() == nil {
			t.Fatalf("%s: %s", c.path, p.Text())
		}
		if got := s.typed(s.signedInPage(c.who, c.path), c.field); got != c.value {
			t.Errorf("%s: %q is kept", c.path, got)
		}
	}

	// Another person at the same browser finds nothing of it.
	page := s.proven(rosa, "/people/invite")
	s.forward(t, 31*time.Minute)
	s.press(rosa, page, "", url.Values{"name": {"Cal Crane"}})
	rosa.Person = s.Person("joaquin")
	if found := s.signedInPage(rosa, "/people"); strings.Contains(found.Text(), "Cal Crane") {
		t.Error("somebody else sees what was typed")
	}
	s.leftNothing()
}

// leftNothing posts with the cookie of a session that was signed out.
func (s teller) leftNothing() {
	s.t.Helper()
	b := s.browser("noah")
	page := s.signedInPage(b, "/account/travel")
	before := strings.Split(b.Cookies(s.at("/account")), "; ")
	if err := b.SignOut(s.t.Context(), s.at("/home")); err != nil {
		s.t.Fatal(err)
	}
	for _, cookie := range before {
		if name, value, _ := strings.Cut(cookie, "="); strings.Contains(name, "session") {
			if err := b.Plant(s.Issuer, name, value); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	f := page.FormWith("until")
	v := f.Values(nil)
	v.Set("until", "2027-01-01")
	res, err := b.Raw(s.t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{"Origin": {s.Issuer}, "Sec-Fetch-Site": {"same-origin"}}})
	if err != nil || res.Status == http.StatusSeeOther || strings.Contains(strings.Join(res.Header.Values("Set-Cookie"), " "), "draft") {
		s.t.Errorf("after a sign-out: %s %v", res, err)
	}
}

// signedInAgain signs somebody in, and gives their browser.
func (s teller) signedInAgain(b *kit.Browser) *kit.Browser {
	s.t.Helper()
	if p, err := b.Open(s.t.Context(), s.at("/home"), ""); err != nil || p.SignInForm() == nil {
		s.t.Fatal(p, err)
	}
	if _, err := b.SignIn(s.t.Context(), s.at("/home")); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// signedInPage gives a page to somebody who signs in for it.
func (s teller) signedInPage(b *kit.Browser, path string) *kit.Page {
	s.t.Helper()
	p, err := b.SignIn(s.t.Context(), s.at(path))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}
