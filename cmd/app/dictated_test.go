package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// friend gets somebody access to Rosa's medicines, and gives the case, the friend's
// browser and the Consent.
func (s teller) friend(rosa, hale *kit.Browser, name, username string) (id string, b *kit.Browser, consent string) {
	s.t.Helper()
	email := username + "@example.org"
	id, link, code := s.invited(rosa, name, email)
	b = s.enrolled(link, email, code, username)
	s.proofedBy(hale, id)
	builder := s.proven(rosa, "/people/"+id+"/share")
	seen := s.press(rosa, builder, "look", url.Values{"kind": {"medicines"}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}, "urgent": {"yes"}})
	s.says(s.press(rosa, seen, "yes", nil), name+" has access until")
	all := s.ceremonies(rosa, "")
	return id, b, all[len(all)-1].Extension[0].ValueReference.Reference
}

// CPA LC-10, PV-03: a patient who has no computer at hand ends an access by telling
// staff: in person, on paper, or on the phone after reading a code. It ends at once, the
// patient hears of it, and the Provenance says who pressed, for whom, by which channel
// and how the caller was known. A code of somebody else ends nothing, and neither does
// the word of the patient what rests on a legal paper.
func TestThePatientEndsAnAccessByTellingStaff(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa := s.secured("rosa")
	hale, osei := s.clinicians()
	first, bea, consent := s.friend(rosa, hale, "Bea Brook", "bea")
	at := "/staff/people/" + first + "/dictated"
	page := s.open(t, hale, at)
	s.says(page, "End the access of Bea Brook for Rosa Alvarez?", "Only when the patient says so.")
	s.says(s.fill(hale, at, "yes", url.Values{"channel": {""}}), "Choose one from the list.")
	elena := eightDigits.FindString(s.open(t, s.browser("elena"), "/call-code").Text())
	for _, typed := range []url.Values{
		{"channel": {"PHONE"}}, {"channel": {"PHONE"}, "username": {"rosa"}, "code": {"0000 0000"}},
		{"channel": {"PHONE"}, "username": {"elena"}, "code": {elena}},
	} {
		if p := s.fill(hale, at, "yes", typed); p.Status != http.StatusBadRequest || !strings.Contains(p.Text(), "We cannot tell who calls.") || strings.Contains(string(p.Body), elena) {
			t.Errorf("%v: %d %s", typed, p.Status, p.Text())
		}
	}
	if p := s.fill(hale, at, "no", url.Values{"channel": {"FACE"}}); p.Status != http.StatusOK {
		t.Error(p.Status)
	}
	if !s.opens(bea) {
		t.Fatal("it ended without the patient's word")
	}
	code := eightDigits.FindString(s.open(t, rosa, "/call-code").Text())
	s.fill(hale, at, "yes", url.Values{"channel": {"PHONE"}, "username": {"rosa"}, "code": {code}})
	s.ended(rosa, hale, bea, consent, `"PHONE"`, "AuditEvent/")
	s.says(s.open(t, rosa, "/people"), "You ended the access of Bea Brook.")
	s.says(s.open(t, rosa, "/messages"), "Bea Brook")

	second, cleo, paper := s.friend(rosa, hale, "Cleo Cole", "cleo")
	s.fill(osei, "/staff/people/"+second+"/dictated", "yes", url.Values{"channel": {"WRITTEN"}, "quiet": {"yes"}})
	s.ended(rosa, osei, cleo, paper, `"WRITTEN"`)

	agent, _ := s.agent(hale, osei, "Ann Alvarez", "ann", nil)
	s.fill(hale, "/staff/people/"+agent+"/activate", "yes", nil)
	if p := s.open(t, hale, "/staff/people/"+agent+"/dictated"); p.Status != http.StatusConflict {
		t.Errorf("what rests on a legal paper: %d", p.Status)
	}
}

// ended wants an access to be over, and told so in the Provenance of its end.
func (s teller) ended(rosa, staff, helper *kit.Browser, consent string, tells ...string) {
	s.t.Helper()
	if s.opens(helper) {
		s.t.Errorf("%s still opens", consent)
	}
	s.holds("the Consent", s.consentAt(rosa, consent), `"inactive"`)
	all := s.finds(staff, "Provenance?patient=rosa&target="+consent)
	last := all[len(all)-1].Raw
	s.holds("the Provenance", last, append(tells, `"UPDATE"`, `"PATRQT"`, `"reference":"Patient/rosa"`, `"author"`, `"enterer"`)...)
}
