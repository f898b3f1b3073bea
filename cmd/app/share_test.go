package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity"
)

// proven opens a page, and proves the second factor where that is asked first.
func (s teller) proven(b *kit.Browser, path string) *kit.Page {
	s.t.Helper()
	page, err := b.Open(s.t.Context(), s.at(path), "")
	if err == nil && strings.Contains(page.URL, "/signin/code") {
		page, err = b.SignIn(s.t.Context(), s.at(path))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

// typed gives what a field of a page holds.
func (s teller) typed(p *kit.Page, field string) string {
	s.t.Helper()
	f := p.FormWith(field)
	if f == nil {
		s.t.Fatalf("no field %q (%d %s): %s", field, p.Status, p.URL, p.Text())
	}
	return f.Field(field).Value
}

// secured signs somebody in who has a password only, and who sets a code app up on
// the way to inviting somebody.
func (s teller) secured(username string) *kit.Browser {
	s.t.Helper()
	b := s.browser(username)
	led, err := b.SignIn(s.t.Context(), s.at("/people/invite"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.says(led, "You need a second way to prove who you are", "Then you go on where you were.")
	app, err := b.Open(s.t.Context(), s.at("/factors/app?"+strings.SplitN(led.URL, "?", 2)[1]), "")
	if err != nil {
		s.t.Fatal(err)
	}
	b.Person.TOTPSecret = s.typed(app, "secret")
	code, err := kit.TOTP(b.Person.TOTPSecret, s.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	back := s.press(b, app, "", url.Values{"code": {code}, "name": {"Phone"}})
	if !strings.Contains(back.URL, "/signin/code") || !strings.Contains(back.URL, "invite") {
		s.t.Errorf("after a code app was added: %s", back.URL)
	}
	s.says(s.proven(b, "/people/invite"), "Whom do you want to let in?")
	return b
}

// LC-01, SM-02, SP-20: to share asks for two factors of the last five minutes.
// What was typed waits meanwhile, and taking away never asks.
func TestSharingAsksForAFreshProof(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	stale := func() { s.forward(t, identity.ShareWithin+time.Second) }

	// A form that waited too long is there again after the proof.
	form := s.proven(rosa, "/people/invite")
	stale()
	asked := s.press(rosa, form, "", url.Values{"name": {"Bea Brook"}, "email": {"bea@example.org"}, "relation": {"FRND"}})
	if !strings.Contains(asked.URL, "/signin/code") || strings.Contains(asked.URL, "Bea") {
		t.Fatalf("a late invitation leads to %s", asked.URL)
	}
	back := s.proven(rosa, "/people/invite")
	if s.typed(back, "name") != "Bea Brook" || s.typed(back, "email") != "bea@example.org" {
		t.Errorf("what was typed is lost: %s", back.Body)
	}
	invited := s.press(rosa, back, "", nil)
	s.says(invited, "Bea Brook is invited.")
	if again := s.proven(rosa, "/people/invite"); s.typed(again, "name") != "" {
		t.Error("a draft comes twice")
	}
	id := caseAt.FindStringSubmatch(invited.URL)[1]
	bea := s.enrolled(s.letter("bea@example.org"), "bea@example.org", sixDigits.FindString(invited.Text()), "bea")
	s.proofedBy(hale, id)

	share := "/people/" + id + "/share"
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	seen := s.fill(rosa, share, "look", url.Values{"kind": {"medicines", "conditions"}, "until": {until}, "urgent": {"yes"}})
	stale()
	if p := s.press(rosa, seen, "yes", nil); !strings.Contains(p.URL, "/signin/code") {
		t.Fatalf("a late yes leads to %s", p.URL)
	}
	seen = s.proven(rosa, share)
	s.says(seen, "What would Bea Brook see?", "Medicines", "Conditions")
	s.says(s.press(rosa, seen, "yes", nil), "Bea Brook has access until")

	// Less, a pause and an end need nothing; more does.
	stale()
	less := s.fill(rosa, share, "look", url.Values{"kind": {"medicines"}})
	s.says(s.press(rosa, less, "yes", nil), "Bea Brook has access until")
	more := s.fill(rosa, share, "look", url.Values{"kind": {"medicines", "conditions"}})
	if p := s.press(rosa, more, "yes", nil); !strings.Contains(p.URL, "/signin/code") {
		t.Errorf("more is given without a proof: %s", p.Text())
	}
	mine := "/people/" + id
	s.says(s.straight(rosa, mine+"/pause"), "rests now")
	if p := s.open(t, rosa, mine+"/resume"); p.FormWith("code") == nil {
		t.Errorf("an access is opened again without a proof: %s", p.Text())
	}
	s.says(s.straight(rosa, mine+"/revoke"), "You ended the access of Bea Brook.")

	s.acceptingAsks(rosa, bea)
}

// straight says yes to a question that asks for no proof first.
func (s teller) straight(b *kit.Browser, path string) *kit.Page {
	s.t.Helper()
	page, err := b.Open(s.t.Context(), s.at(path), "")
	if err != nil || page.FormWith("code") != nil {
		s.t.Fatalf("%s asks first: %v", path, err)
	}
	return s.press(b, page, "yes", nil)
}

// acceptingAsks invites a person who has an account already.
func (s teller) acceptingAsks(rosa, bea *kit.Browser) {
	s.t.Helper()
	s.open(s.t, bea, "/helping")
	_, link, code := s.invited(rosa, "Bea Bright", "bright@example.org")
	s.forward(s.t, identity.ShareWithin+time.Second)
	page, err := bea.Open(s.t.Context(), s.at(link), "")
	if err != nil || !strings.Contains(page.URL, "/signin/code") {
		s.t.Fatalf("to accept needs no proof: %s %v", page.URL, err)
	}
	if page.Status != http.StatusOK {
		s.t.Error(page.Status)
	}
	if page, err = bea.SignIn(s.t.Context(), page.URL); err == nil && page.FormWith("email") == nil {
		s.t.Fatal(page.URL, page.Text())
	}
	page, err = bea.Open(s.t.Context(), s.at(link), "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.says(s.press(bea, page, "check", url.Values{"email": {"bright@example.org"}, "code": {code}}), "Nothing is open yet")
}
