package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

const asking = "/helping/request"

// numberOf gives the record number and the birth date of a patient, as the own app
// reads them.
func (s teller) numberOf(b *kit.Browser, patient string) (number, born string) {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/Patient.rs", Visit: kit.Visit{Browser: b}})
	var p struct {
		BirthDate  string
		Identifier []struct {
			Value string
			Type  struct{ Coding []struct{ Code string } }
		}
	}
	if err := json.Unmarshal(s.fetch(s.t, g.Access(), "Patient/"+patient, http.StatusOK).Body, &p); err != nil {
		s.t.Fatal(err)
	}
	for _, i := range p.Identifier {
		for _, c := range i.Type.Coding {
			if c.Code == "MR" {
				number = i.Value
			}
		}
	}
	if number == "" {
		s.t.Fatal("no record number")
	}
	return number, p.BirthDate
}

// asks sends a request about somebody.
func (s teller) asks(b *kit.Browser, name, born, number string) *kit.Response {
	s.t.Helper()
	return s.sends(b, asking, url.Values{
		"name": {name}, "born": {born}, "number": {number}, "relation": {"SIS"}, "instrument": {"HPOWATT"},
	}, pdf("I name my sister"))
}

// within waits until a job of the server has done its part.
func (s teller) within(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			s.t.Fatalf("%s does not come", what)
		}
		if err := s.Advance(s.t.Context(), time.Second); err != nil {
			s.t.Fatal(err)
		}
	}
}

// LC-04, SP-04: somebody asks to help and puts a paper in; the patient is asked, no
// answer opens nothing, a yes begins what everybody goes through.
func TestAPatientIsAskedFirst(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	rosa := s.secured("rosa")
	number, born := s.numberOf(rosa, "rosa")
	_, ann := s.listed(hale, "joaquin", "Ann Alvarez", "ann")
	for name, c := range map[string][3]string{
		"no name": {" ", born, number}, "no day": {"Rosa Alvarez", "soon", number}, "no number": {"Rosa Alvarez", born, "a|b"},
	} {
		if res := s.asks(ann, c[0], c[1], c[2]); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, res.Status)
		}
	}
	if res := s.asks(ann, "rosa ALVAREZ", born, number); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	s.within("the question", func() bool {
		return strings.Contains(s.open(t, rosa, "/people").Text(), "Ann Alvarez asks to help you.")
	})
	id := caseAt.FindStringSubmatch(string(s.fetches(rosa, "/people").Body))[1]
	for _, path := range []string{"/helping", "/helping/" + id, "/helping/" + id + "/papers", "/records/DocumentReference", "/records/Task"} {
		if text := kit.Text(s.fetches(ann, path).Body); strings.Contains(text, "Rosa") || strings.Contains(text, "Patient/rosa") {
			t.Errorf("%s tells: %s", path, text)
		}
	}
	if text := s.open(t, hale, "/staff/people").Text(); strings.Contains(text, "asks to help") {
		t.Error("staff are asked before the patient")
	}
	if p := s.open(t, hale, "/staff/people/"+id+"/admit"); p.Status != http.StatusConflict {
		t.Errorf("staff answer for the patient: %d", p.Status)
	}
	s.says(s.fill(rosa, "/people/"+id+"/welcome", "yes", nil), "We must still check who it is.")
	s.says(s.open(t, ann, "/helping/"+id), "Please show two papers")
	s.says(s.open(t, ann, "/helping/"+id+"/papers"), "Save this file")
	s.handedOut(ann, s.paperOf(ann, "/helping/"+id+"/papers"), "I name my sister")
	s.proofedBy(hale, id)
	s.handedOut(osei, s.paperOf(osei, "/staff/people/"+id+"/papers"), "I name my sister")
	tasks := string(s.admin(t, http.MethodGet, "/records?patient=rosa&type=Task", "", nil).Body)
	if !strings.Contains(tasks, "case-"+id) {
		t.Errorf("no Task: %s", tasks)
	}
}

// LC-04, TF-14: whoever asks sees the same, byte by byte, when the patient shut the
// person out and when there is no such patient; and no more than five are taken.
func TestAskingTellsNothing(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, _ := s.clinicians()
	rosa := s.secured("rosa")
	number, born := s.numberOf(rosa, "rosa")
	s.says(s.fill(rosa, "/people/block", "", url.Values{"name": {"Vic Vale"}, "email": {"vvale1@example.org"}, "relation": {"FRND"}}), "Vic Vale")
	vic, sue := &twin{name: "Vic Vale", username: "vvale1"}, &twin{name: "Sue Song", username: "ssong2"}
	for _, w := range []*twin{vic, sue} {
		w.email = w.username + "@example.org"
		w.id, w.b = s.listed(hale, "joaquin", w.name, w.username)
	}
	look := func() {
		for _, w := range []*twin{vic, sue} {
			for _, path := range []string{asking, "/helping", "/messages", "/records/Task", "/records/DocumentReference", "/home"} {
				w.note(path, s.fetches(w.b, path))
			}
		}
		alike(t, vic, sue)
	}
	vic.note("send", s.asks(vic.b, "Rosa Alvarez", born, number))
	sue.note("send", s.asks(sue.b, "Rosa Alvarez", born, "X"+number))
	look()
	if err := s.Advance(t.Context(), 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	// The one of the third proves that both were looked for.
	_, ann := s.listed(hale, "joaquin", "Ann Alvarez", "ann")
	s.asks(ann, "Rosa Alvarez", born, number)
	s.within("the question", func() bool {
		return strings.Contains(s.open(t, rosa, "/people").Text(), "Ann Alvarez asks to help you.")
	})
	if text := s.open(t, rosa, "/people").Text(); strings.Contains(text, "Vic Vale asks") || strings.Contains(text, "Sue Song") {
		t.Errorf("a blocked person rings at the door: %s", text)
	}
	look()
	for range 4 {
		s.asks(vic.b, "Rosa Alvarez", born, number)
	}
	if res := s.asks(vic.b, "Rosa Alvarez", born, number); res.Status != http.StatusBadRequest || !strings.Contains(kit.Text(res.Body), "You have sent five") {
		t.Error(res)
	}
}

// LC-04: silence is no consent. After a week staff look at it too, after a month it is
// over, and nothing was ever open.
func TestSilenceIsNoConsent(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, _ := s.clinicians()
	rosa := s.secured("rosa")
	number, born := s.numberOf(rosa, "rosa")
	_, ann := s.listed(hale, "joaquin", "Ann Alvarez", "ann")
	s.asks(ann, "Rosa Alvarez", born, number)
	s.within("the question", func() bool { return strings.Contains(s.open(t, rosa, "/people").Text(), "asks to help you.") })
	id := caseAt.FindStringSubmatch(string(s.fetches(rosa, "/people").Body))[1]
	s.until(s.Now().AddDate(0, 0, 8))
	hale, _ = s.clinicians()
	s.within("the work of staff", func() bool {
		return strings.Contains(s.open(t, hale, "/staff/people").Text(), "Ann Alvarez asks to help Rosa Alvarez.")
	})
	if p := s.open(t, ann, "/helping/"+id); p.Status != http.StatusNotFound {
		t.Errorf("the one who asked sees the case: %d", p.Status)
	}
	s.handedOut(hale, s.paperOf(hale, "/staff/people/"+id+"/papers"), "I name my sister")
	s.until(s.Now().AddDate(0, 0, 23))
	hale, _ = s.clinicians()
	s.within("the end", func() bool {
		return strings.Contains(s.open(t, hale, "/staff/people/"+id).Text(), "Ended without an answer")
	})
	if text := s.open(t, ann, asking).Text(); strings.Contains(text, "You asked to help") {
		t.Errorf("the request is still told of: %s", text)
	}
}
