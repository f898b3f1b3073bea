package app_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// CPA TR-32, TR-47, TF-16, RC-06: who may begin by what has happened to the patient.
// While two find that the patient cannot decide, what the patient agrees to lets nobody
// in; an executor begins after a death only, whatever the paper says of its beginning;
// after it neither agent nor friend begins, nor goes on from a rest, also when the days
// of mourning are over, until the death is taken back.
func TestWhoMayBeginByWhatHasHappened(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Bereavement = 20 }), t}
	hale, osei := s.clinicians()
	rosa := s.secured("rosa")
	friend, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	s.enrolled(link, "bea@example.org", code, "bea")
	s.proofedBy(hale, friend)
	agent, ann := s.agent(hale, osei, "Ann Alvarez", "ann", url.Values{"trigger": {"capacity-loss"}})
	second, _ := s.agent(hale, osei, "Abe Alvarez", "abe", nil)
	executor, exe := s.agent(hale, osei, "Exe Alvarez", "exe", url.Values{"instrument": {"EXCEST"}, "trigger": {"capacity-loss"}})
	at := func(id, act string) string { return "/staff/people/" + id + "/" + act }
	determine := func(b *kit.Browser, id string) *kit.Page {
		return s.fill(b, at(id, "determine"), "yes", url.Values{"review": {s.Now().AddDate(0, 0, 60).Format(time.DateOnly)}})
	}
	share := func() *kit.Page {
		until := s.Now().AddDate(0, 2, 0).Format(time.DateOnly)
		return s.press(rosa, s.fill(rosa, "/people/"+friend+"/share", "look", url.Values{"kind": {"medicines"}, "until": {until}, "urgent": {"yes"}}), "yes", nil)
	}

	determine(hale, executor)
	s.says(determine(osei, executor), "This person has access only after a death.")
	if s.opens(exe) {
		t.Error("an executor of somebody who lives reads")
	}
	determine(hale, agent)
	s.says(determine(osei, agent), "Ann Alvarez helps Rosa Alvarez until")
	s.says(share(), "Two doctors noted that you need help to decide now.")
	s.says(s.fill(hale, at(agent, "restore"), "yes", nil), "has a checked legal right")
	s.says(share(), "Bea Brook has access until")
	s.says(s.fill(osei, at(friend, "hold"), "yes", nil), "rests now")

	determine(hale, agent)
	s.says(determine(osei, agent), "Ann Alvarez helps Rosa Alvarez until")
	s.fill(hale, at(agent, "died"), "yes", nil)
	s.says(s.fill(osei, at(agent, "died"), "yes", nil), "can look at the record of Rosa Alvarez until")
	const died = "A death was noted."
	for range 2 {
		s.says(s.fill(hale, at(second, "activate"), "yes", nil), died)
		s.says(s.fill(hale, at(friend, "release"), "yes", nil), died)
		// Once more when what there was can no longer be read.
		s.until(s.Now().AddDate(0, 0, 21))
		s.open(t, hale, "/staff")
		s.open(t, osei, "/staff")
	}
	s.says(s.open(t, ann, "/helping/"+agent), "ended")
	s.says(s.fill(hale, at(executor, "attest"), "yes", url.Values{"instrument": {"EXCEST"}, "trigger": {"immediate"}}), "waits for a second person")
	s.checked(osei, "/staff/people/"+executor)
	s.says(s.fill(hale, at(executor, "activate"), "yes", nil), "Exe Alvarez helps Rosa Alvarez until")
	if !s.opens(exe) {
		t.Error("an executor cannot read after a death")
	}

	s.fill(osei, at(agent, "revive"), "yes", nil)
	if p := s.open(t, exe, "/helping/"+executor); p.Status == http.StatusOK && s.opens(exe) {
		t.Error("an executor reads after a death was taken back")
	}
	s.says(s.open(t, hale, "/staff/people/"+agent), "ended")
	s.says(s.fill(hale, at(friend, "release"), "yes", nil), "Bea Brook helps Rosa Alvarez until")
}
