package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// clinicians are two, signed in.
func (s teller) clinicians() (hale, osei *kit.Browser) {
	s.t.Helper()
	hale, osei = s.browser("hale"), s.browser("osei")
	s.open(s.t, hale, "/staff")
	s.open(s.t, osei, "/staff")
	return hale, osei
}

// listed lets staff put somebody on a patient's list, and makes the account.
func (s teller) listed(by *kit.Browser, patient, name, username string) (id string, b *kit.Browser) {
	s.t.Helper()
	email := username + "@example.org"
	page := s.fill(by, "/staff/people/register", "yes", url.Values{"patient": {patient}, "name": {name}, "email": {email}, "relation": {"PRN"}})
	m := caseAt.FindStringSubmatch(page.URL)
	if m == nil {
		s.t.Fatalf("not put on the list (%d): %s", page.Status, page.Text())
	}
	return m[1], s.enrolled(s.letter(email), email, sixDigits.FindString(page.Text()), username)
}

// papers are put in by one member of staff and checked by another.
func (s teller) papers(hale, osei *kit.Browser, id string, values url.Values) {
	s.t.Helper()
	at := "/staff/people/" + id
	s.says(s.fill(hale, at+"/attest", "yes", values), "waits for a second person")
	s.says(s.checked(osei, at), "checked by two people")
}

// born gives a patient's birth date, as the own app reads it.
func (s teller) born(patient string, by kit.Visit) time.Time {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/Patient.rs", Visit: by})
	var p struct{ BirthDate string }
	if err := json.Unmarshal(s.fetch(s.t, g.Access(), "Patient/"+patient, http.StatusOK).Body, &p); err != nil {
		s.t.Fatal(err)
	}
	day, err := time.Parse(time.DateOnly, p.BirthDate)
	if err != nil {
		s.t.Fatal(err)
	}
	return day
}

// until moves the clock to an instant.
func (s teller) until(at time.Time) {
	s.t.Helper()
	if err := s.Advance(s.t.Context(), at.Sub(s.Now())); err != nil {
		s.t.Fatal(err)
	}
}

const asksForNoah = "launch/patient openid fhirUser patient/Immunization.rs patient/Observation.rs patient/Patient.rs"

// may reports whether a helper of Noah reads a type with a fresh token.
func (s teller) may(b *kit.Browser, typ string) bool {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: asksForNoah, Visit: kit.Visit{Browser: b, Patient: "Noah Whitfield"}})
	return s.fhir(s.t, g.Access(), typ+"?patient=noah").Status == http.StatusOK
}

// LC-02, LC-20, LC-22: a parent whom two know reads all of a child's ordinary
// record until the birthday, by the zone of the patient, and less from then on; the
// law ends it before the child comes of age.
// CPA TF-13; FX-23.
func TestAChildBecomesATeenager(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Jurisdiction, c.TimeZone = "IE", "America/Chicago" }), t}
	hale, osei := s.clinicians()
	id, dee := s.listed(hale, "noah", "Dee Whitfield", "dee")
	at := "/staff/people/" + id
	s.says(s.fill(hale, at+"/vouch", "yes", url.Values{"reason": {"no-papers"}}), "Nobody has checked yet who it is.")
	s.says(s.fill(hale, at+"/vouch", "yes", url.Values{"reason": {"no-papers"}}), "You did the first part.")
	s.says(s.fill(osei, at+"/vouch", "yes", url.Values{"reason": {"no-papers"}}), "waits for a yes")
	s.papers(hale, osei, id, url.Values{"instrument": {"PRN"}, "trigger": {"immediate"}})
	s.says(s.fill(hale, at+"/activate", "yes", nil), "helps Noah Whitfield until")
	if !s.may(dee, "Observation") || !s.may(dee, "Immunization") {
		t.Error("a parent cannot read of the child")
	}
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	born := s.born("noah", kit.Visit{Person: "noah"})
	birthday := time.Date(born.Year()+16, born.Month(), born.Day(), 0, 0, 0, 0, chicago)
	s.until(birthday.Add(-time.Hour))
	if !s.may(dee, "Observation") {
		t.Error("closed before the birthday")
	}
	s.until(birthday.Add(time.Second))
	if s.may(dee, "Observation") || !s.may(dee, "Immunization") {
		t.Error("a parent of a teenager reads too much, or nothing")
	}
	hale, _ = s.clinicians()
	t.Log(s.open(t, hale, at).Text())
	hale, _ = s.clinicians()
	s.says(s.fill(hale, at+"/free", "yes", url.Values{"reason": {"emancipated"}}), "has ended")
	if p := s.open(t, dee, "/helping/"+id); p.Status != http.StatusOK {
		t.Error(p.Status)
	}
}

// LC-20, LC-21, FX-24, FX-33: a teenager and a parent both sign, and nothing is open
// with one signature; it ends on the birthday.
// CPA TF-13; FX-24, FX-33.
func TestATeenagerComesOfAge(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Jurisdiction = "GB-ENG" }), t}
	hale, osei := s.clinicians()
	noah := s.secured("noah")
	id, dee := s.listed(hale, "noah", "Dee Whitfield", "dee")
	s.proofedBy(hale, id)
	adult := s.born("noah", kit.Visit{Browser: noah}).AddDate(16, 0, 0)
	s.papers(hale, osei, id, url.Values{"instrument": {"PRN"}, "trigger": {"immediate"}})
	if p := s.open(t, hale, "/staff/people/"+id+"/activate"); p.Status != http.StatusConflict {
		t.Errorf("staff begin it alone: %d", p.Status)
	}
	share := "/people/" + id + "/share"
	last := adult.AddDate(0, 0, -1).Format(time.DateOnly)
	late := s.fill(noah, share, "look", url.Values{"kind": {"notes"}, "fn": {"message"}, "until": {last}})
	s.says(s.press(noah, late, "yes", nil), "A parent of a teenager cannot have all of this.")
	s.open(t, noah, "/people")
	seen := s.fill(noah, share, "look", url.Values{"kind": {"visits"}, "fn": {"message"}, "until": {last}})
	s.says(s.press(noah, seen, "yes", nil), "Dee Whitfield must still sign.")
	s.says(s.open(t, dee, "/helping/"+id), "One signature is missing.", "Visits and treatments")
	s.says(s.open(t, dee, "/helping/"+id+"/cosign"), "Here is what you both agree to.", "Visits and treatments", "Write to the care team")
	s.says(s.fill(dee, "/helping/"+id+"/cosign", "yes", nil), "will soon have access")
	// RS-06: both signatures are kept, and the parent reads neither.
	both := s.ceremonies(noah, "")
	if len(both) != 2 || both[0].Author.Reference != "Patient/noah" || !strings.HasPrefix(both[1].Author.Reference, "RelatedPerson/") {
		t.Errorf("%+v", both)
	}
	if got := s.ceremonies(dee, "?patient=noah"); len(got) != 0 {
		t.Errorf("a parent reads %+v", got)
	}
	s.until(s.Now().Add(11 * time.Minute))
	if !s.may(dee, "Immunization") || s.may(dee, "Observation") {
		t.Error("two signatures open too little, or too much")
	}
	s.until(adult.Add(time.Second))
	s.says(s.open(t, dee, "/helping/"+id), "ended")
	s.says(s.open(t, hale, "/staff/people/"+id), "ended on")
}

// LC-14, LC-17, LC-18, LC-23, FX-28: an agent whose paper leaves topics out; a
// disagreement; a second look; a guardian in the agent's place; a death after which
// what there was can be read for some days.
// CPA TF-11, TF-16; FX-27.
func TestAnAgentAndAGuardian(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Bereavement = 20 }), t}
	hale, osei := s.clinicians()
	rosa := s.secured("rosa")
	id, ann := s.listed(hale, "rosa", "Ann Alvarez", "ann")
	s.proofedBy(hale, id)
	at := "/staff/people/" + id
	s.papers(hale, osei, id, url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}, "powers": {"genetics"}})
	s.says(s.fill(hale, at+"/activate", "yes", nil), "says nothing about health records")
	s.says(s.open(t, hale, at), "Genes")
	s.papers(hale, osei, id, url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}, "powers": {"records", "genetics"}})
	s.says(s.fill(hale, at+"/activate", "yes", nil), "helps Rosa Alvarez until")
	launch := kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: ann, Patient: "Rosa Alvarez"}}
	g := s.granted(t, launch)
	if !s.reads(g) {
		t.Error("an agent in effect cannot read")
	}
	s.disagreeing(rosa, ann, hale, id)
	if !s.reads(g) {
		t.Error("a disagreement closes the record")
	}
	s.says(s.fill(hale, at+"/review", "yes", url.Values{"review": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}}), "Looked at again")

	gid, _ := s.listed(hale, "rosa", "Gus Guard", "gus")
	s.proofedBy(hale, gid)
	court := s.Now().AddDate(0, 3, 0).Format(time.DateOnly)
	s.papers(hale, osei, gid, url.Values{"instrument": {"GUARD"}, "trigger": {"immediate"}, "court": {court}, "suspends": {"yes"}})
	s.says(s.fill(hale, "/staff/people/"+gid+"/activate", "yes", nil), "helps Rosa Alvarez until")
	if s.reads(g) {
		t.Error("an agent reads beside a guardian who takes the place")
	}
	s.says(s.open(t, hale, "/staff/people"), "The access of Ann Alvarez for Rosa Alvarez rests now.")
	s.says(s.fill(hale, at+"/release", "yes", nil), "helps Rosa Alvarez until")

	s.fill(hale, at+"/died", "yes", nil)
	s.says(s.fill(osei, at+"/died", "yes", nil), "can look at the record of Rosa Alvarez until")
	s.says(s.open(t, hale, "/staff/people"), "After a death", "The access of Gus Guard for Rosa Alvarez rests now.")
	s.says(s.open(t, ann, "/helping/"+id), "We are sorry for your loss.")
	if g = s.granted(t, launch); !s.reads(g) {
		t.Error("what there was cannot be read after a death")
	}
	s.says(s.fill(osei, at+"/revive", "yes", nil), "helps Rosa Alvarez until")
	if s.reads(g) {
		t.Error("no new log-in is asked for")
	}
	s.fill(hale, at+"/died", "yes", nil)
	s.fill(osei, at+"/died", "yes", nil)
	s.until(s.Now().AddDate(0, 0, 21))
	s.says(s.open(t, ann, "/helping/"+id), "ended")
}

// disagreeing is LC-17: either says so, the other hears of it, staff settle it.
func (s teller) disagreeing(rosa, ann, hale *kit.Browser, id string) {
	s.t.Helper()
	at := "/staff/people/" + id
	for _, say := range []func() *kit.Page{
		func() *kit.Page { return s.fill(rosa, "/people/"+id+"/dispute", "yes", nil) },
		func() *kit.Page { return s.fill(ann, "/helping/"+id+"/dispute", "yes", nil) },
		func() *kit.Page { return s.fill(hale, at+"/dispute", "yes", nil) },
	} {
		if p := say(); p.Status != http.StatusOK {
			s.t.Error(p.Status)
		}
		s.says(s.open(s.t, hale, at), "They do not agree. Nothing can be changed.")
		s.says(s.fill(hale, at+"/settle", "yes", nil), "They agree again")
	}
}
