package app_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// walk is what one story did: the pages and interfaces that took what it posted, and
// whether it moved the clock.
type walk struct {
	mu    sync.Mutex
	paths []string
	clock bool
}

// walks are those that are on, by the name of the test.
var walks sync.Map

func walkOf(t *testing.T) *walk {
	t.Helper()
	// A story may have parts of its own.
	for name := t.Name(); ; name = name[:strings.LastIndex(name, "/")] {
		if w, on := walks.Load(name); on {
			out, _ := w.(*walk)
			return out
		}
		if !strings.Contains(name, "/") {
			return nil
		}
	}
}

func (w *walk) posted(method, path string, status int) {
	if w == nil || method != http.MethodPost || status >= http.StatusBadRequest {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	path, _, _ = strings.Cut(path, "?")
	w.paths = append(w.paths, path)
}

// Advance moves the clock, and notes that it did.
func (s *server) Advance(ctx context.Context, d time.Duration) error {
	if s.walk != nil {
		s.walk.mu.Lock()
		s.walk.clock = true
		s.walk.mu.Unlock()
	}
	return s.Target.Advance(ctx, d)
}

// took reports whether something was posted to a path of the list.
func (w *walk) took(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	pattern := strings.NewReplacer(`\{id\}`, `[0-9a-f]{32}`, `\{secret\}`, `[^/]+`).Replace(regexp.QuoteMeta(path))
	is := regexp.MustCompile("^" + pattern + "$")
	for _, p := range w.paths {
		if is.MatchString(p) {
			return true
		}
	}
	return false
}

// chapter is a story with the events that it walks through, as lifecycle.Rows names
// them; what comes of each the story wants itself.
type chapter struct {
	story  func(*testing.T)
	events []string
}

func chapters() map[string]chapter {
	return map[string]chapter{
		"a friend": {TestAPatientLetsAFriendIn, []string{
			"invite a person", "accept with an own account", "proof the identity in person", "confirm with functions, kinds and an end",
			"take it back within ten minutes", "begin after ten minutes", "pause", "go on after a pause", "revoke, also quietly",
		}},
		"what happens": {TestWhatHappensToAnAccess, []string{
			"send the invitation again", "share less or more", "wish for a renewal",
			"renew: the same, less, or stop", "resign", "say that something feels wrong", "release a hold", "end an access with the relationship",
			"end the sessions and apps of an account that others use", "mark an access as entered in error",
			"take a death back that was noted in error",
		}},
		"from before":      {TestARelationFromBeforeIsTakenOver, []string{"take over a person from before there was a list"}},
		"asked first":      {TestAPatientIsAskedFirst, []string{"ask to help somebody, with a paper", "look for the patient, who is asked first", "let somebody go on who asked"}},
		"silence":          {TestSilenceIsNoConsent, []string{"pass it on to staff without an answer, and end it"}},
		"papers":           {TestPapersOfAnAgent, []string{"put in a picture of the paper", "scan a paper, and read what was put in"}},
		"turned away":      {turnedAway, []string{"say no to who asked", "let somebody go on whose patient cannot be asked", "turn the person away"}},
		"an end and heirs": {heirs, []string{"end at the agreed time", "ask for a renewal 30, 14 and 3 days before the end", "begin the access of an executor after a death"}},
		"blocked":          {TestABlockedPersonSeesWhatAStrangerSees, []string{"shut a person out who never had access", "take that back"}},
		"told staff":       {TestThePatientEndsAnAccessByTellingStaff, []string{"end it because the patient says so: in person, by phone, on paper"}},
		"a former helper":  {TestABlockedHelperSeesWhatAFormerHelperSees, []string{"shut a person out for good"}},
		"an agent": {TestAnAgentWakesAndSleeps, []string{
			"put a person on a patient's list", "put in a legal instrument", "verify it by a second person, by a checklist",
			"find that the patient cannot decide, by two clinicians", "choose a short time until the review",
			"find that the patient can decide again", "return to sleep when the review did not come",
			"warn the agent and the team 7 and 2 days before the review",
		}},
		"alternates": {TestAnAlternateStandsIn, []string{"begin the access of an alternate, when whoever is named before cannot act"}},
		"together": {TestTwoAgentsActTogether, []string{
			"ask for something together, the first of two", "say yes to it, the second of two", "say no to it", "do what two asked for",
		}},
		"a denial": {TestADenialToARepresentativeIsReviewed, []string{"hold"}},
		"a guardian": {TestAnAgentAndAGuardian, []string{
			"begin an access on an instrument in effect", "look at it again, by two clinicians, without a gap",
			"say that agent and patient do not agree", "say so as the agent", "say so for them", "settle it",
			"put in a guardian with a court date", "begin the access of a guardian, and let agents rest", "let an agent go on",
			"note a death, by two: what there was can still be read", "end what there was to read after a death",
		}},
		"a child": {TestAChildBecomesATeenager, []string{
			"vouch for somebody without papers, by two", "put in the papers of a parent of a minor", "give a parent less on the birthday", "end it before, by law",
		}},
		"a witness": {TestADyingPatientEnrolsBeforeAWitness, []string{"set up an own account with a teenager who has none"}},
		"a teenager": {TestATeenagerComesOfAge, []string{
			"choose what a parent may see, the first signature", "sign too, the second signature", "end the access of a parent when the child comes of age",
		}},
		"the registration": {TestTheRegistrationSpeaks, []string{
			"proof the identity at a distance", "end it because the registration says so", "report a death from the registration",
			"merge two records, and take it back", "let an access go on after a merge",
			"hand agreements on to another custodian, or ask anew", "agree to the new custodian",
		}},
		"a template": {TestWithdrawnTemplateEndsAccess, []string{"withdraw a template: mandate consent withdraw-template"}},
		"a pack":     {TestAChangedPackNarrowsAtOnceAndNeverWidens, []string{"apply a changed jurisdiction pack: what is less holds at once"}},
	}
}

// LC-01 … LC-30: every event that "mandate lifecycle list" names is walked through, at
// the page or interface that it names, or by the clock alone; an event without a story
// fails, and a story without its event.
func TestEveryEventOfTheLifeCycle(t *testing.T) {
	rows := map[string][]lifecycle.Row{}
	for _, r := range lifecycle.Rows() {
		rows[r.Event] = append(rows[r.Event], r)
	}
	walked := map[string]bool{}
	for name, c := range chapters() {
		full := t.Name() + "/" + strings.ReplaceAll(name, " ", "_")
		w := &walk{}
		walks.Store(full, w)
		ran := false
		t.Run(name, func(t *testing.T) {
			ran = true
			c.story(t)
		})
		walks.Delete(full)
		for _, event := range c.events {
			walked[event] = true
			if len(rows[event]) == 0 {
				t.Errorf("%s walks through %q, which the list does not name", name, event)
			}
			for _, r := range rows[event] {
				switch {
				case !ran: // left out by who runs the test
				case r.Path != "" && !w.took(r.Path):
					t.Errorf("%s: %s %q is told to be at %s, where nothing was posted", name, r.ID, event, r.Path)
				case r.Who == "clock" && r.ID != "LC-26" && !w.clock:
					t.Errorf("%s: %s %q without moving the clock", name, r.ID, event)
				}
			}
		}
	}
	for event, all := range rows {
		if !walked[event] {
			t.Errorf("no story walks through %s %q", all[0].ID, event)
		}
	}
}

// LC-02, LC-04: the patient says no, staff let somebody go on after a silence, and turn
// somebody away; nothing is open by any of it.
func turnedAway(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, _ := s.clinicians()
	rosa := s.secured("rosa")
	number, born := s.numberOf(rosa, "rosa")
	_, ann := s.listed(hale, "joaquin", "Ann Alvarez", "ann")
	ask := func() string {
		s.asks(ann, "Rosa Alvarez", born, number)
		s.within("the question", func() bool { return strings.Contains(s.open(t, rosa, "/people").Text(), "asks to help you.") })
		return caseAt.FindStringSubmatch(string(s.fetches(rosa, "/people").Body))[1]
	}
	id := ask()
	s.says(s.fill(rosa, "/people/"+id+"/refuse", "yes", nil), "has no access any more")
	if text := s.open(t, ann, asking).Text(); !strings.Contains(text, "You asked to help Rosa Alvarez") {
		t.Errorf("a no is told: %s", text)
	}
	id = ask()
	at := "/staff/people/" + id
	s.until(s.Now().AddDate(0, 0, 8))
	hale, _ = s.clinicians()
	s.within("the work of staff", func() bool {
		return strings.Contains(s.open(t, hale, "/staff/people").Text(), "Ann Alvarez asks to help Rosa Alvarez.")
	})
	s.says(s.fill(hale, at+"/admit", "yes", nil), "Nobody has checked yet who it is.")
	s.says(s.fill(hale, at+"/reject", "yes", url.Values{"reason": {"documents"}}), "has ended")
	s.says(s.open(t, ann, "/helping/"+id), "has ended")
}

// LC-07, LC-09, LC-25: an access ends at the agreed second, and a renewal is asked for
// before; an executor has none while the
// patient lives, and has it when two have noted the death.
func heirs(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Bereavement = 20 }), t}
	hale, _ := s.clinicians()
	rosa := s.secured("rosa")
	s.open(t, rosa, "/people")
	share := func(id string, days int) {
		seen := s.fill(rosa, "/people/"+id+"/share", "look", url.Values{"kind": {"medicines"}, "until": {s.Now().AddDate(0, 0, days).Format(time.DateOnly)}, "urgent": {"yes"}})
		s.says(s.press(rosa, seen, "yes", nil), "has access until")
	}
	id, bea := s.listed(hale, "rosa", "Bea Brook", "bea")
	s.proofedBy(hale, id)
	share(id, 1)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: bea, Patient: "Rosa Alvarez"}})
	s.until(s.Now().AddDate(0, 0, 2))
	if s.reads(g) {
		t.Error("an access that came to its end reads")
	}
	s.says(s.open(t, bea, "/helping/"+id), "ended on")

	hale, _ = s.clinicians()
	cid, _ := s.listed(hale, "rosa", "Cal Cole", "cal")
	s.proofedBy(hale, cid)
	s.open(t, rosa, "/people")
	share(cid, 90)
	s.until(s.Now().AddDate(0, 0, 61))
	s.within("the question", func() bool {
		return strings.Contains(s.open(t, rosa, "/messages").Text(), "The access of Cal Cole ends soon.")
	})
	hale, osei := s.clinicians()
	eid, eve := s.listed(hale, "rosa", "Eve Eads", "eve")
	s.proofedBy(hale, eid)
	s.papers(hale, osei, eid, url.Values{"instrument": {"EXCEST"}, "trigger": {"immediate"}})
	s.says(s.fill(hale, "/staff/people/"+eid+"/activate", "yes", nil), "only after a death")
	s.fill(hale, "/staff/people/"+cid+"/died", "yes", nil)
	s.says(s.fill(osei, "/staff/people/"+cid+"/died", "yes", nil), "can look at the record")
	s.says(s.fill(hale, "/staff/people/"+eid+"/activate", "yes", nil), "helps Rosa Alvarez until")
	if !s.reads(s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: eve, Patient: "Rosa Alvarez"}})) {
		t.Error("an executor cannot read")
	}
}
