package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// smallPatient is a child of sixteen months without an account.
const smallPatient = "p40"

// LC-20, FX-23, FX-24, SM-24: on the day on which the law of a place lets a child
// decide, a parent's access narrows, and parent and staff hear that the child, who has
// no account, can have one. Staff set it up in person; with it the young person signs
// what a parent may see, and the invitation is over.
func TestATeenagerGetsAnOwnAccount(t *testing.T) {
	packs := t.TempDir()
	ireland(t, packs, "2", "")
	s := teller{start(t, func(c *app.Config) { c.Jurisdiction, c.LawPacks = "IE", packs }), t}
	hale, osei := s.clinicians()
	id, dee := s.listed(hale, smallPatient, "Dee Marsh", "dee")
	at := "/staff/people/" + id
	s.proofedBy(hale, id)
	s.papers(hale, osei, id, url.Values{"instrument": {"PRN"}, "trigger": {"immediate"}})
	s.says(s.fill(hale, at+"/activate", "yes", nil), "helps Theo Marsh until")
	if p := s.open(t, hale, at); strings.Contains(p.Text(), "Set up an own account") {
		t.Error("a child is invited")
	}
	if !s.mayOfTheo(dee, "Observation") {
		t.Error("a parent cannot read of the child")
	}

	s.until(s.Now().AddDate(0, 9, 0))
	if s.mayOfTheo(dee, "Observation") || !s.mayOfTheo(dee, "Immunization") {
		t.Error("a parent of a teenager reads too much, or nothing")
	}
	hale, osei = s.clinicians()
	s.heardOf(dee, "Theo Marsh can have an own account now.")
	s.heardOf(hale, "A young person can have an own account now.")
	second, _ := s.listed(hale, smallPatient, "Sam Marsh", "sam")
	s.proofedBy(hale, second)
	s.papers(hale, osei, second, url.Values{"instrument": {"PRN"}, "trigger": {"immediate"}})
	s.says(s.open(t, hale, "/staff/people"), "Young people who need an own account")
	page := s.open(t, hale, at)
	s.says(page, "Set up an own account with the young person")
	begin := s.open(t, hale, "/staff/bedside?patient="+smallPatient)
	if got := s.typed(begin, "patient"); got != smallPatient {
		t.Errorf("the page is about %q", got)
	}

	theo := s.setUp(hale)
	if p := s.open(t, hale, at); strings.Contains(p.Text(), "Set up an own account") {
		t.Error("who has an account is invited again")
	}
	share := "/people/" + second + "/share"
	s.says(s.sees(theo, "/people"), "Sam Marsh")
	last := s.Now().AddDate(0, 3, 0).Format(time.DateOnly)
	seen := s.press(theo, s.sees(theo, share), "look", url.Values{"kind": {"results"}, "until": {last}})
	s.says(s.press(theo, seen, "yes", nil), "Sam Marsh must still sign.")
}

// setUp enrols Theo with a key before a clinician and gives his browser.
func (s teller) setUp(hale *kit.Browser) *kit.Browser {
	s.t.Helper()
	console := s.witness(hale, smallPatient)
	tablet, d := s.NewBrowser(kit.Person{}), s.key()
	page := s.answers(tablet, s.device(tablet, s.codeOn(console)), "", d.Create)
	s.says(s.formWith(hale, s.reopened(hale, console), "number", url.Values{"number": {numbers(page)[0]}}), "can sign in now")
	own := s.NewBrowser(kit.Person{})
	if home := s.answers(own, s.sees(own, "/signin"), "", d.Get); home.Status != http.StatusOK {
		s.t.Fatalf("the key opens nothing: %d %s", home.Status, home.Text())
	}
	return own
}

// heardOf waits for a message in the portal: the clock of one node notes it soon after.
func (s teller) heardOf(b *kit.Browser, text string) {
	s.t.Helper()
	for range 100 {
		if strings.Contains(s.open(s.t, b, "/messages").Text(), text) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	s.t.Errorf("%q is not told: %s", text, s.open(s.t, b, "/messages").Text())
}

// mayOfTheo reports whether a helper of Theo reads a type with a fresh token.
func (s teller) mayOfTheo(b *kit.Browser, typ string) bool {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: asksForNoah, Visit: kit.Visit{Browser: b, Patient: "Theo Marsh"}})
	return s.fhir(s.t, g.Access(), typ+"?patient="+smallPatient).Status == http.StatusOK
}
