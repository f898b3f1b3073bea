package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// awaited opens a page until it says something.
func (s teller) awaited(b *kit.Browser, path, want string) *kit.Page {
	s.t.Helper()
	late, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p := s.open(s.t, b, path)
		if strings.Contains(p.Text(), want) {
			return p
		}
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("%q does not come: %s\n%s", want, p.Text(), s.out)
		}
	}
}

// SP-15, LC-06, TR-37: a patient is told once of the first look, once of each day
// where that was chosen, and nothing where nothing was; nobody else is told.
func TestAPatientIsToldOfLooks(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	bea := s.enrolled(link, "bea@example.org", code, "bea")
	s.says(s.fill(hale, "/staff/people/"+id+"/proof", "yes", url.Values{"document1": {"passport"}, "document2": {"driving-licence"}}), "waits for a yes")
	s.says(s.open(t, rosa, "/messages"), "Bea Brook has said yes to the invitation.", "We have checked who Bea Brook is.", "New")
	choice := url.Values{"kind": {"medicines"}, "fn": {}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}, "urgent": {"yes"}}
	s.says(s.press(rosa, s.fill(rosa, "/people/"+id+"/share", "look", choice), "yes", nil), "Bea Brook has access until")
	s.says(s.open(t, rosa, "/messages"), "Bea Brook gets access to parts of your record.")
	s.says(s.open(t, bea, "/messages"), "You get access to the record of Rosa Alvarez.")
	if strings.Contains(s.open(t, rosa, "/messages").Text(), "has looked") {
		t.Error("told of a look before there was one")
	}

	// Choices stand on one page; what is not on the list is refused.
	s.says(s.open(t, rosa, "/contact"), "What do you want to hear about Bea Brook?", "E-mails go to rosa@example.com.")
	if p := s.fill(rosa, "/contact", "", url.Values{"tell-" + id: {"loudly"}}); p.Status != http.StatusBadRequest {
		t.Errorf("a choice that is none: %d", p.Status)
	}
	s.says(s.fill(rosa, "/contact", "", url.Values{"tell-" + id: {"daily"}}), "Saved.")
	own := s.proven(bea, "/messages")
	for _, f := range own.Forms {
		f.Action = strings.Replace(f.Action, "/messages", "/contact", 1)
	}
	if p := s.press(bea, own, "", url.Values{"tell-" + id: {"never"}}); p.Status != http.StatusNotFound {
		t.Errorf("the proxy chose for the patient: %d", p.Status)
	}
	s.looking(rosa, bea)
}

// looking: the first look and the day are told once each, to the patient.
func (s teller) looking(rosa, bea *kit.Browser) {
	t := s.t
	t.Helper()
	g := s.granted(t, kit.Launch{
		Client: s.Client("public"), Scope: "launch/patient offline_access patient/MedicationRequest.rs",
		Visit: kit.Visit{Browser: bea, Patient: "Rosa Alvarez"},
	})
	s.fetch(t, g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	first := s.awaited(rosa, "/messages", "Bea Brook has looked at your record for the first time.")
	if strings.Contains(first.Text(), "looked at your record once") {
		t.Error("a day was told of before it was over")
	}
	s.says(s.press(rosa, first, "", nil), "Messages")
	if strings.Contains(s.open(t, rosa, "/messages").Text(), "New") {
		t.Error("read messages are new")
	}
	if err := s.Advance(t.Context(), 25*time.Hour); err != nil {
		t.Fatal(err)
	}
	rosa, bea = s.again(rosa), s.again(bea)
	day := s.awaited(rosa, "/messages", "Bea Brook looked at your record once, on")
	if n := strings.Count(day.Text(), "for the first time"); n != 1 {
		t.Errorf("the first look is told %d times", n)
	}
	// A day without looks is not told of, and no day twice.
	if err := s.Advance(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	rosa = s.again(rosa)
	s.open(t, rosa, "/messages")
	if n := strings.Count(s.open(t, rosa, "/messages").Text(), "looked at your record once"); n != 1 {
		t.Errorf("a day is told %d times", n)
	}
	if p := s.open(t, bea, "/messages"); strings.Contains(p.Text(), "looked at your record") {
		t.Errorf("the proxy reads the patient's messages: %s", p.Text())
	}
	// What leaves the portal names nobody and counts nothing.
	for _, inner := range []string{"Bea Brook", "Rosa"} {
		if strings.Contains(string(s.get(t, "/dev/outbox").Body), inner) {
			t.Errorf("the outbox says %s", inner)
		}
	}
}

// TR-37, SP-15: during a hold nobody is told anything.
func TestNothingIsToldDuringAHold(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	id, link, code := s.invited(rosa, "Bea Brook", "rosa@example.com")
	bea := s.enrolled(link, "rosa@example.com", code, "bea")
	s.fill(hale, "/staff/people/"+id+"/proof", "yes", url.Values{"document1": {"passport"}, "document2": {"driving-licence"}})
	choice := url.Values{"kind": {"medicines"}, "fn": {}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}, "urgent": {"yes"}}
	s.press(rosa, s.fill(rosa, "/people/"+id+"/share", "look", choice), "yes", nil)
	// CO-11: a mailbox that the other uses too gets nothing.
	s.says(s.open(t, rosa, "/contact"), "We send no e-mail to rosa@example.com, because somebody who helps you uses it too.")
	s.awaitedOutbox(`"channel":"portal: address-shared"`)
	before := strings.Count(s.open(t, bea, "/messages").Text(), "20")
	s.says(s.fill(hale, "/staff/people/"+id+"/hold", "yes", nil), "rests now")
	if after := strings.Count(s.open(t, bea, "/messages").Text(), "20"); after != before {
		t.Errorf("a hold is told of: %s", s.open(t, bea, "/messages").Text())
	}
}

// awaitedOutbox waits until the outbox holds something.
func (s teller) awaitedOutbox(want string) {
	s.t.Helper()
	late, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for !strings.Contains(string(s.get(s.t, "/dev/outbox").Body), want) {
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("%s does not come: %s", want, s.get(s.t, "/dev/outbox").Body)
		}
	}
}

// again signs somebody in anew, after the clock was moved.
func (s teller) again(b *kit.Browser) *kit.Browser { return s.NewBrowser(b.Person) }
