package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// news tells what a registration feed heard, and gives how many accesses changed.
func (s teller) news(text string) int {
	s.t.Helper()
	var told struct{ Changed int }
	res := s.admin(s.t, http.MethodPost, "/people/events", text, nil)
	if err := json.Unmarshal(res.Body, &told); err != nil || res.Status != http.StatusOK {
		s.t.Fatalf("%s: %s %v", text, res, err)
	}
	return told.Changed
}

// reads reports whether a helper of a patient reads with a fresh token.
func (s teller) helps(b *kit.Browser, patient, name string) bool {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: b, Patient: name}})
	return s.fhir(s.t, g.Access(), "MedicationRequest?patient="+patient).Status == http.StatusOK
}

// LC-02, LC-19, LC-23, LC-27, LC-28: what a proofing service and a registration feed
// tell, each message twice.
// CPA TR-43.
func TestTheRegistrationSpeaks(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Bereavement = 20 }), t}
	hale, osei := s.clinicians()
	rosa := s.secured("rosa")
	s.open(t, rosa, "/people")
	for _, bad := range []string{`{"kind":"rain"}`, `{"kind":"death-reported"}`, `{"kind":"patient-merged","patient":"rosa","other":"rosa"}`, `{"kind":"death-reported","patient":"rosa","x":1}`} {
		if res := s.admin(t, http.MethodPost, "/people/events", bad, nil); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, res)
		}
	}
	id, bea := s.listed(hale, "rosa", "Bea Brook", "bea")
	if res := s.admin(t, http.MethodPost, "/people/"+id+"/proofing", `{"evidence":""}`, nil); res.Status != http.StatusBadRequest {
		t.Error(res)
	}
	if res := s.admin(t, http.MethodPost, "/people/"+id+"/proofing", `{"evidence":"ref-17"}`, nil); res.Status != http.StatusOK || !strings.Contains(string(res.Body), "proofed") {
		t.Fatal(res)
	}
	seen := s.fill(rosa, "/people/"+id+"/share", "look", url.Values{"kind": {"medicines"}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}, "urgent": {"yes"}})
	s.says(s.press(rosa, seen, "yes", nil), "Bea Brook has access until")
	cid, cal := s.listed(hale, "joaquin", "Cal Cole", "cal")
	s.proofedBy(hale, cid)
	s.papers(hale, osei, cid, url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}})
	s.says(s.fill(hale, "/staff/people/"+cid+"/activate", "yes", nil), "helps")
	joaquin := s.patientOf(cal)
	if !s.helps(bea, "rosa", "Rosa Alvarez") || !s.helps(cal, "joaquin", joaquin) {
		t.Fatal("nobody can help")
	}

	const merge = `{"kind":"patient-merged","patient":"rosa","other":"joaquin"}`
	if n := s.news(merge); n < 3 {
		t.Errorf("a merge changed %d", n)
	}
	if n := s.news(merge); n != 0 {
		t.Errorf("told again, it changed %d", n)
	}
	s.says(s.open(t, bea, "/helping/"+id), "not available now")
	s.says(s.open(t, hale, "/staff/people"), "The access of Cal Cole for Rosa Alvarez rests now.")
	s.says(s.fill(hale, "/staff/people/"+id+"/release", "yes", nil), "helps Rosa Alvarez until")
	if !s.helps(bea, "rosa", "Rosa Alvarez") {
		t.Error("cannot help although staff looked")
	}
	s.news(`{"kind":"patient-unmerged","patient":"rosa","other":"joaquin"}`)
	if !s.helps(cal, "joaquin", joaquin) {
		t.Error("cannot help as before the merge")
	}
	if text := s.open(t, hale, "/staff/people").Text(); strings.Contains(text, "Cal Cole for Rosa") {
		t.Error("what came by the merge is still there")
	}
	s.says(s.fill(rosa, "/people/"+id+"/pause", "yes", nil), "rests")
	s.news(merge)
	s.fill(hale, "/staff/people/"+id+"/release", "yes", nil)
	s.says(s.open(t, bea, "/helping/"+id), "not available now")
	s.says(s.fill(rosa, "/people/"+id+"/resume", "yes", nil), "Bea Brook has access until")
	s.news(`{"kind":"patient-unmerged","patient":"rosa","other":"joaquin"}`)
	s.handedOnAndParted(rosa, bea, cal, hale, id, cid)
}

// handedOnAndParted is another custodian, a death of one source and a bond that ends.
func (s teller) handedOnAndParted(rosa, bea, cal, hale *kit.Browser, id, cid string) {
	t := s.t
	t.Helper()
	joaquin := s.patientOf(cal)
	if n := s.news(`{"kind":"custodian-changed","transfer":true}`); n < 2 {
		t.Errorf("handed on: %d", n)
	}
	if !s.helps(bea, "rosa", "Rosa Alvarez") {
		t.Error("cannot help after the agreements went on")
	}
	s.news(`{"kind":"custodian-changed"}`)
	s.says(s.fill(rosa, "/people/"+id+"/resume", "yes", nil), "Bea Brook has access until")
	s.says(s.fill(hale, "/staff/people/"+cid+"/release", "yes", nil), "helps")

	if n := s.news(`{"kind":"death-reported","patient":"joaquin"}`); n != 1 || !s.helps(cal, "joaquin", joaquin) {
		t.Errorf("one source is enough: %d", n)
	}
	s.says(s.fill(hale, "/staff/people/"+cid+"/died", "yes", nil), "can look at the record")

	relation := s.relationOf("rosa")
	parted := `{"kind":"relationship-ended","patient":"rosa","relation":"` + relation + `"}`
	if first, second := s.news(parted), s.news(parted); first != 1 || second != 0 {
		t.Errorf("parted: %d, then %d", first, second)
	}
	s.says(s.open(t, rosa, "/people/"+id), "The bond has ended")
}

// patientOf gives the name of the one patient whom somebody helps.
func (s teller) patientOf(b *kit.Browser) string {
	s.t.Helper()
	_, name, ok := strings.Cut(s.open(s.t, b, "/helping").Text(), " helps ")
	name, _, until := strings.Cut(name, " until ")
	if !ok || !until {
		s.t.Fatal("helps nobody")
	}
	return name
}

var ownRelation = regexp.MustCompile(`RelatedPerson/([0-9a-f]{32})`)

// relationOf gives the RelatedPerson of the one grant about a patient that was made
// on the pages.
func (s teller) relationOf(patient string) string {
	s.t.Helper()
	m := ownRelation.FindSubmatch(s.admin(s.t, http.MethodGet, "/consents?patient="+patient, "", nil).Body)
	if m == nil {
		s.t.Fatal("nobody was let in on the pages")
	}
	return string(m[1])
}
