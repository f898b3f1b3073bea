package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// guardian lets staff put in a guardian of Rosa's and gives the address of the case
// for staff, and the guardian's browser.
func (s teller) guardian(hale, osei *kit.Browser) (at string, ann *kit.Browser) {
	s.t.Helper()
	s.open(s.t, hale, "/staff")
	s.open(s.t, osei, "/staff")
	page := s.fill(hale, "/staff/people/register", "yes", url.Values{"patient": {"rosa"}, "name": {"Ann Alvarez"}, "email": {"ann@example.org"}, "relation": {"SIS"}})
	at = "/staff/people/" + caseAt.FindStringSubmatch(page.URL)[1]
	ann = s.enrolled(s.letter("ann@example.org"), "ann@example.org", sixDigits.FindString(page.Text()), "ann")
	s.proofedBy(hale, strings.TrimPrefix(at, "/staff/people/"))
	s.fill(hale, at+"/attest", "yes", url.Values{"instrument": {"GUARD"}, "trigger": {"immediate"}})
	s.checked(osei, at)
	s.says(s.fill(osei, at+"/activate", "yes", nil), "Ann Alvarez helps Rosa Alvarez")
	return at, ann
}

// matterAt gives the address of the one matter on the list.
func (s teller) matterAt(b *kit.Browser) string {
	s.t.Helper()
	body := string(s.open(s.t, b, "/staff/matters").Body)
	_, rest, found := strings.Cut(body, `class="go" href="`)
	if !found {
		s.t.Fatalf("nothing to decide: %s", body)
	}
	at, _, _ := strings.Cut(rest, `"`)
	return at
}

// Who opened a page in the moment of an access's beginning finds it good when they send
// it: that the clock has noted it since is no change by somebody else.
func TestAPageOutlivesTheNoteOfABeginning(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.browser("hale"), s.browser("osei")
	at, _ := s.guardian(hale, osei)
	page := s.proven(hale, at+"/hold")
	if err := s.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if s.events(t, "kind=proxy.step&limit=1")[0].Detail["act"] == "begin" {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	s.says(s.press(hale, page, "yes", url.Values{"ground": {"171.201"}}), "rests")
}

// TF-22, IB-01, IB-05: no denial to somebody who stands in the patient's shoes without
// a ground of the law; it opens a review with a clock, which somebody else decides, and
// what is late is said and recorded. The representative can ask for another look.
func TestADenialToARepresentativeIsReviewed(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.browser("hale"), s.browser("osei")
	at, ann := s.guardian(hale, osei)
	s.says(s.fill(hale, at+"/hold", "yes", url.Values{"ground": {""}}), "Choose one from the list.")
	s.says(s.open(t, hale, at), "Ann Alvarez helps Rosa Alvarez")
	s.says(s.fill(hale, at+"/hold", "yes", url.Values{"ground": {"171.201"}}), "rests")
	s.says(s.open(t, hale, "/staff"), "Reviews and disputes")
	s.says(s.open(t, osei, "/staff/matters"), "Review for Rosa Alvarez: somebody was kept out", "Decide by")
	review := s.matterAt(osei)
	s.says(s.open(t, hale, review), "You took part in this.", "45 CFR 171.201")
	if p := s.open(t, ann, review); p.Status != http.StatusForbidden {
		t.Errorf("the representative at the matter: %d", p.Status)
	}
	s.says(s.fill(osei, review, "", url.Values{"outcome": {"upheld"}, "ground": {""}}), "Choose one from the list.")
	s.says(s.fill(osei, review, "", url.Values{"outcome": {"upheld"}, "ground": {"164.502g5"}}), "The person stays out", "164.502(g)(5)", "Dr. Osei")
	s.says(s.open(t, osei, "/staff/matters"), "Nobody")

	mine := "/helping/" + strings.TrimPrefix(at, "/staff/people/")
	s.says(s.open(t, ann, mine), "Ask us to look again")
	s.fill(ann, mine+"/recheck", "yes", nil)
	if p := s.fill(ann, mine+"/recheck", "yes", nil); p.Status != http.StatusConflict || !strings.Contains(p.Text(), "Somebody looks at this already") {
		t.Errorf("asked twice: %d %s", p.Status, p.Text())
	}
	if err := s.Advance(t.Context(), 17*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	// One node warns soon after.
	for range 100 {
		if s.events(t, "kind=matter.step&limit=50")[0].Detail["act"] == "overdue" {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	late := s.browser("osei")
	s.open(t, late, "/staff")
	s.says(s.open(t, late, "/staff/matters"), "This is late.")
	s.says(s.fill(late, s.matterAt(late), "", url.Values{"outcome": {"lifted"}}), "The person gets access")
	s.told(map[string]int{"open 171.201": 1, "decide 164.502g5": 1, "ask ": 1, "decide ": 1, "overdue ": 1})
}

// told wants so many events of matters.
func (s teller) told(want map[string]int) {
	s.t.Helper()
	got := map[string]int{}
	for _, e := range s.events(s.t, "kind=matter.step") {
		got[e.Detail["act"]+" "+e.Detail["ground"]]++
	}
	for what, n := range want {
		if got[what] != n {
			s.t.Errorf("%d events of %q, want %d: %v", got[what], what, n, got)
		}
	}
}

// LC-17: a dispute between two who help one patient is put on the list, and decided by
// somebody else.
func TestADisputeIsDecidedByAnother(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale, osei := s.secured("rosa"), s.browser("hale"), s.browser("osei")
	at, _ := s.guardian(hale, osei)
	s.says(s.open(t, hale, at), "Two people do not agree")
	open := "/staff/matters/open/" + strings.TrimPrefix(at, "/staff/people/")
	s.says(s.open(t, hale, open), "Nobody else helps this patient.")
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	s.enrolled(link, "bea@example.org", code, "bea")
	s.says(s.fill(hale, open, "", url.Values{"other": {"nobody"}}), "Choose one from the list.")
	s.says(s.fill(hale, open, "", url.Values{"other": {id}}), "People who help Rosa Alvarez do not agree", "You took part in this.")
	s.says(s.fill(osei, s.matterAt(osei), "", url.Values{"outcome": {"referred"}}), "Ethics, privacy or a court decides")
	s.told(map[string]int{"open ": 1, "decide ": 1})
}
