package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/fhir/codec"
)

// communication is what the stories look at of a notice.
type communication struct {
	ID, Status, Language, Sent, Received string
	Category                             []struct{ Coding []struct{ Code string } }
	Recipient, About                     []struct{ Reference string }
	Subject                              struct{ Reference string }
	Payload                              []struct{ ContentString string }
}

// notices reads what somebody was told, the newest first, and wants valid FHIR R4.
func (s teller) notices(b *kit.Browser, query string) (out []communication) {
	s.t.Helper()
	c, err := codec.New()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.finds(b, "Communication"+query) {
		var one communication
		if err := json.Unmarshal([]byte(r.Raw), &one); err != nil || len(one.Payload) != 1 || len(one.Recipient) != 1 || len(one.Category) != 1 {
			s.t.Fatal(err, r.Raw)
		}
		if err := c.ValidateType([]byte(r.Raw), "Communication"); err != nil {
			s.t.Errorf("%v: %s", err, r.Raw)
		}
		out = append(out, one)
	}
	return out
}

// sorted finds the newest notice of a sort.
func sorted(all []communication, kind string) (out communication) {
	for _, one := range all {
		if out.ID == "" && one.Category[0].Coding[0].Code == kind {
			out = one
		}
	}
	return out
}

// RS-10: what somebody was told is a Communication, in the words of the portal, for
// the addressee alone and for compliance; its status follows the delivery, and where
// nothing is told there is none.
func TestNoticesAreCommunications(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "bea"}
	id, link, code := s.invited(rosa, bea.name, bea.email)
	bea.b = s.enrolled(link, bea.email, code, bea.username)
	s.open(t, bea.b, "/helping")
	if got := s.notices(bea.b, ""); len(got) != 0 {
		t.Errorf("told before anything happened: %+v", got)
	}
	s.proofedBy(hale, id)
	look := s.fill(rosa, "/people/"+id+"/share", "look", url.Values{"kind": {"medicines"}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}, "urgent": {"yes"}})
	s.says(s.press(rosa, look, "yes", nil), "Bea Brook has access until")

	mine, hers := s.notices(rosa, "?recipient=Patient/rosa"), s.notices(bea.b, "")
	page := s.open(t, rosa, "/messages")
	for _, one := range mine {
		s.says(page, one.Payload[0].ContentString)
	}
	granted, given := sorted(mine, "grant"), sorted(hers, "grant")
	if granted.Payload[0].ContentString != "Bea Brook gets access to parts of your record." || granted.Subject.Reference != "Patient/rosa" || !strings.HasPrefix(granted.About[0].Reference, "RelatedPerson/") {
		t.Errorf("%+v", granted)
	}
	if given.Payload[0].ContentString != "You get access to the record of Rosa Alvarez." || !strings.HasPrefix(given.Recipient[0].Reference, "RelatedPerson/") || given.About != nil {
		t.Errorf("%+v", given)
	}
	s.delivered(rosa, granted.ID)
	s.foundBy(rosa, granted.ID)
	s.closedNotices(rosa, bea.b, hale, given.ID, granted.ID)

	// During a hold, and of a block, nothing is told; what was told stays as it was.
	before := len(s.notices(bea.b, ""))
	s.says(s.fill(rosa, "/people/"+id+"/worry", "yes", nil), "rests now")
	s.says(s.fill(rosa, "/people/"+id+"/block", "yes", nil), "Bea Brook")
	after := s.notices(bea.b, "")
	if len(after) != before || after[0].ID != hers[0].ID {
		t.Errorf("told of a hold or a block: %+v", after)
	}
	s.stated()
}

// sent waits until all that somebody was told is sent.
func (s teller) sent(b *kit.Browser) {
	s.t.Helper()
	late, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for slices.ContainsFunc(s.notices(b, ""), func(n communication) bool { return n.Status != "completed" }) {
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("notices are not sent\n%s", s.out)
		}
	}
}

// delivered waits until a notice was sent, and marks it as read.
func (s teller) delivered(b *kit.Browser, id string) {
	s.t.Helper()
	read := func() (one communication) {
		res := s.looks(b, "Communication/"+id)
		if err := json.Unmarshal(res.Body, &one); err != nil || res.Status != http.StatusOK {
			s.t.Fatal(err, res)
		}
		return one
	}
	s.sent(b)
	if one := read(); one.Status != "completed" || one.Sent == "" || one.Received != "" {
		s.t.Errorf("sent, and not read: %+v", one)
	}
	s.press(b, s.open(s.t, b, "/messages"), "", nil)
	if one := read(); one.Received == "" {
		s.t.Errorf("read: %+v", one)
	}
}

// foundBy searches by what the statement names.
func (s teller) foundBy(b *kit.Browser, id string) {
	s.t.Helper()
	day := s.Now().UTC().Format(time.DateOnly)
	next := s.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	for query, want := range map[string]bool{
		"?sent=" + day: true, "?sent=ge" + day + "&sent=lt" + next: true, "?sent=gt" + day: false, "?status=completed&recipient=Patient/rosa": true,
		"?recipient=Patient/joaquin": false, "?status=not-done": false, "?sent=le" + next: true,
	} {
		found := false
		for _, one := range s.notices(b, query) {
			found = found || one.ID == id
		}
		if found != want {
			s.t.Errorf("%s finds it: %v", query, found)
		}
	}
	for _, query := range []string{"?sent=soon", "?subject=Patient/rosa", "?status=a&status=b"} {
		if res := s.looks(b, "Communication"+query); res.Status != http.StatusBadRequest {
			s.t.Errorf("%s: %d", query, res.Status)
		}
	}
}

// closedNotices looks through the eyes of those who were not told.
func (s teller) closedNotices(rosa, bea, hale *kit.Browser, hers, mine string) {
	s.t.Helper()
	for _, one := range []struct {
		b  *kit.Browser
		id string
	}{{rosa, hers}, {bea, mine}, {hale, hers}, {hale, mine}} {
		for _, where := range []string{"", "/_history", "/_history/1"} {
			if res := s.looks(one.b, "Communication/"+one.id+where); res.Status != http.StatusNotFound {
				s.t.Errorf("%s reads what another was told: %d", one.b.Person.Username, res.Status)
			}
		}
	}
	if res := s.looks(s.NewBrowser(kit.Person{}), "Communication/"+mine); res.Status != http.StatusUnauthorized {
		s.t.Errorf("somebody reads it: %d", res.Status)
	}
	if got := s.finds(rosa, "Communication/"+mine+"/_history"); len(got) != 1 {
		s.t.Errorf("%d versions", len(got))
	}
	var list struct{ Records []record }
	s.admin(s.t, "GET", "/records?type=Communication&account=demo-rosa", "", &list)
	found := false
	for _, r := range list.Records {
		found = found || r.ID == mine
	}
	if !found {
		s.t.Errorf("compliance does not find it among %d", len(list.Records))
	}
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: rosa, Patient: "rosa"}})
	if res := s.fhir(s.t, g.Access(), "Communication/"+mine); res.Status < 400 {
		s.t.Error("the FHIR base has what Mandate told somebody")
	}
}

// stated: the statement of the address names what is there.
func (s teller) stated() {
	s.t.Helper()
	res := s.looks(s.NewBrowser(kit.Person{}), "metadata")
	c, err := codec.New()
	if err == nil {
		err = c.ValidateType(res.Body, "CapabilityStatement")
	}
	if err != nil || res.Status != http.StatusOK {
		s.t.Errorf("%d %v: %s", res.Status, err, res.Body)
	}
	s.holds("the statement", string(res.Body), `"type":"QuestionnaireResponse"`, `"type":"Communication"`, `"name":"recipient"`, `"name":"sent"`, `"4.0.1"`)
}
