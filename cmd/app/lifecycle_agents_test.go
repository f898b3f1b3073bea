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
)

// agent puts somebody on Rosa's list, whose paper two people check.
func (s teller) agent(hale, osei *kit.Browser, name, username string, paper url.Values) (id string, b *kit.Browser) {
	s.t.Helper()
	id, b = s.listed(hale, "rosa", name, username)
	s.proofedBy(hale, id)
	values := url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}}
	for k, v := range paper {
		values[k] = v
	}
	s.papers(hale, osei, id, values)
	return id, b
}

// filed gives the newest Consents about a patient, as staff read them at the FHIR
// base: the status of each by the place of its actor in the order of agents.
func (s teller) filed(patient string, statuses ...string) map[string][]string {
	s.t.Helper()
	token := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/Consent.rs", Visit: kit.Visit{Person: patient}}).Access()
	var bundle struct {
		Entry []struct {
			Resource struct {
				Status    string
				Provision struct {
					Actor []struct {
						Role struct{ Coding []struct{ Code string } }
					}
				}
			}
		}
	}
	body := s.fetch(s.t, token, "Consent?patient="+patient+"&status="+strings.Join(statuses, ","), http.StatusOK).Body
	if err := json.Unmarshal(body, &bundle); err != nil {
		s.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, e := range bundle.Entry {
		for _, a := range e.Resource.Provision.Actor {
			for _, c := range a.Role.Coding {
				if slices.Contains([]string{"75783-1", "75784-9", "75785-6"}, c.Code) {
					out[c.Code] = append(out[c.Code], e.Resource.Status)
				}
			}
		}
	}
	return out
}

// FX-26, FX-29: a paper names a daughter and a friend to stand in for her. The friend
// sleeps, as a Consent that opens nothing; she begins only when somebody says that the
// daughter cannot act, not while the daughter has access, and goes back to sleep when
// the daughter does.
func TestAnAlternateStandsIn(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	first, ann := s.agent(hale, osei, "Ann Alvarez", "ann", nil)
	second, bea := s.agent(hale, osei, "Bea Brook", "bea", url.Values{"place": {"1"}})
	at := "/staff/people/" + second
	s.says(s.open(t, hale, at), "First to stand in")
	if got := s.filed("rosa", "proposed"); len(got) != 1 || !slices.Equal(got["75784-9"], []string{"proposed"}) {
		t.Errorf("what sleeps: %v", got)
	}
	if s.opens(bea) {
		t.Error("a sleeping paper opens the record")
	}
	s.says(s.fill(hale, "/staff/people/"+first+"/activate", "yes", nil), "Ann Alvarez helps Rosa Alvarez")
	s.says(s.fill(hale, at+"/activate", "yes", nil), "Say that whoever is named before cannot act.")
	s.says(s.fill(hale, at+"/activate", "yes", url.Values{"unavailable": {"yes"}}), "Somebody who is named before has access now.")
	if s.opens(bea) || !s.opens(ann) {
		t.Error("the order is not kept")
	}

	s.fill(osei, "/staff/people/"+first+"/hold", "yes", url.Values{"ground": {"171.201"}})
	s.says(s.fill(hale, at+"/activate", "yes", url.Values{"unavailable": {"yes"}}), "Bea Brook helps Rosa Alvarez")
	if !s.opens(bea) || s.opens(ann) {
		t.Error("the one who stands in cannot look, or the one who is held can")
	}
	if got := s.filed("rosa", "active", "proposed"); len(got) != 1 || !slices.Equal(got["75784-9"], []string{"active"}) {
		t.Errorf("what is awake: %v", got)
	}
	s.says(s.fill(osei, "/staff/people/"+first+"/release", "yes", nil), "Ann Alvarez helps Rosa Alvarez")
	s.says(s.open(t, hale, at), "Somebody named before acts now", "First to stand in")
	if s.opens(bea) || !s.opens(ann) {
		t.Error("the one who stood in did not step back")
	}
	if got := s.filed("rosa", "active", "proposed"); !slices.Equal(got["75783-1"], []string{"active"}) || !slices.Equal(got["75784-9"], []string{"proposed"}) {
		t.Errorf("what sleeps again: %v", got)
	}
	var why []string
	for _, e := range s.events(t, "kind=proxy.step&limit=100") {
		if e.Detail["case"] == second && e.Detail["why"] != "" {
			why = append(why, e.Detail["why"])
		}
	}
	slices.Sort(why)
	if !slices.Equal(why, []string{"HPOWATT", "primary-available", "primary-unavailable"}) {
		t.Errorf("the reasons in the log: %v", why)
	}
}

// opens reports whether somebody gets a token about Rosa that reads her medicines.
func (s teller) opens(b *kit.Browser) bool {
	s.t.Helper()
	g, err := s.Launch(s.t.Context(), kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: b, Patient: "Rosa Alvarez"}})
	return err == nil && s.reads(g)
}

// FX-30: two daughters may act only together. Each looks alone and no token of one can
// write; what one asks for becomes the work of staff with the yes of the other, as a
// Task with both, and not once one of them is out.
func TestTwoAgentsActTogether(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	joint := url.Values{"joint": {"yes"}}
	first, ann := s.agent(hale, osei, "Ann Alvarez", "ann", joint)
	second, bea := s.agent(hale, osei, "Bea Alvarez", "bea", joint)
	s.fill(hale, "/staff/people/"+first+"/activate", "yes", nil)
	s.says(s.open(t, hale, "/staff/people/"+first), "Looks alone, acts only with another")
	s.says(s.open(t, ann, "/helping/"+first), "none of them has access now")
	if p := s.open(t, ann, "/helping/"+first+"/together"); p.Status != http.StatusNotFound {
		t.Errorf("alone: %d", p.Status)
	}
	s.fill(hale, "/staff/people/"+second+"/activate", "yes", nil)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines + " patient/Communication.c patient/Appointment.cu", Visit: kit.Visit{Browser: ann, Patient: "Rosa Alvarez"}})
	if scope := strings.Join(g.Scopes(), " "); !s.reads(g) || strings.Contains(scope, "Communication") || strings.Contains(scope, "Appointment") {
		t.Errorf("one alone looks and does not act: %q", scope)
	}
	note := map[string]any{"resourceType": "Communication", "status": "completed", "subject": map[string]string{"reference": "Patient/rosa"}}
	if res, err := s.Write(t.Context(), g.Access(), http.MethodPost, "Communication", note, nil); err != nil || res.Status != http.StatusForbidden {
		t.Errorf("one alone writes: %v %v", res, err)
	}
	if text := s.open(t, ann, "/helping/"+first).Text(); !strings.Contains(text, "Save and print") || strings.Contains(text, "Write to the care team") {
		t.Errorf("what one can do alone: %s", text)
	}

	ask := func(b *kit.Browser, id, act, field, value string) *kit.Page {
		t.Helper()
		return s.fill(b, "/helping/"+id+"/"+act, "yes", url.Values{field: {value}})
	}
	s.says(s.open(t, ann, "/helping/"+first), "Bea Alvarez", "two of you must ask for it")
	s.says(ask(ann, first, "together", "function", "billing"), "Choose one from the list.")
	s.says(ask(ann, first, "together", "function", "schedule"), "You have asked. Another must say yes by")
	if p := s.open(t, ann, "/helping/"+first+"/agree"); p.Status != http.StatusNotFound {
		t.Errorf("one says yes twice: %d", p.Status)
	}
	s.says(s.open(t, hale, "/staff/matters"), "Nobody")
	asked := s.waiting(hale)
	if p := s.open(t, hale, "/staff/matters/"+asked); p.Status != http.StatusNotFound {
		t.Errorf("staff see what one of two asks for: %d", p.Status)
	}
	s.says(s.open(t, bea, "/helping/"+second), "Ann Alvarez has asked. Say yes or no by")
	s.says(ask(bea, second, "agree", "asked", "nothing"), "Choose one from the list.")
	s.says(ask(bea, second, "agree", "asked", asked), "Two have asked.")
	s.says(s.open(t, hale, "/staff/matters"), "Two who help Rosa Alvarez ask for something", "See and change visits to come")

	s.bothOrNobody(hale, osei, second, asked)
	// What the other does not want is not done.
	s.says(ask(bea, second, "together", "function", "refill"), "You have asked.")
	refill := s.waiting(hale)
	s.says(ask(ann, first, "decline", "asked", refill), "helps Rosa Alvarez")
	if got := s.statuses(hale, "Task/case-"+refill+"-joint"); !slices.Equal(got, []string{"requested", "rejected"}) {
		t.Errorf("declined: %v", got)
	}
	s.says(ask(bea, second, "together", "function", "message"), "You have asked.")
	s.lapses("Task/case-" + s.waiting(hale) + "-joint")
}

// lapses lets time pass until nobody can answer any more.
func (s teller) lapses(task string) {
	s.t.Helper()
	s.until(s.Now().AddDate(0, 0, 17))
	hale := s.browser("hale")
	s.open(s.t, hale, "/staff")
	var got []string
	// One node looks soon after.
	for range 100 {
		if got = s.statuses(hale, task); len(got) > 1 {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	if !slices.Equal(got, []string{"requested", "cancelled"}) {
		s.t.Errorf("nobody answered: %v", got)
	}
}

// bothOrNobody lets staff do what two asked for, while both have access only.
func (s teller) bothOrNobody(hale, osei *kit.Browser, second, asked string) {
	t, task := s.t, "Task/case-"+asked+"-joint"
	t.Helper()
	// While one of them is held nobody does what both asked for.
	s.fill(osei, "/staff/people/"+second+"/hold", "yes", url.Values{"ground": {"171.201"}})
	matter := "/staff/matters/" + asked
	s.says(s.fill(hale, matter, "", url.Values{"outcome": {"done"}}), "Somebody who agreed can no longer act.")
	s.says(s.fill(osei, "/staff/people/"+second+"/release", "yes", nil), "Bea Alvarez helps Rosa Alvarez")
	s.says(s.fill(hale, matter, "", url.Values{"outcome": {"done"}}), "It is done", "Ann Alvarez", "Bea Alvarez")
	if got := s.statuses(hale, task); !slices.Equal(got, []string{"requested", "accepted", "completed"}) {
		t.Errorf("the Task: %v", got)
	}
	if raw := string(s.looks(hale, task).Body); strings.Count(raw, "approved-by") != 2 {
		t.Errorf("who agreed: %s", raw)
	}
}

// waiting gives the id of what one of two asks for.
func (s teller) waiting(hale *kit.Browser) string {
	s.t.Helper()
	for _, r := range s.finds(hale, "Task?patient=rosa") {
		if id, ok := strings.CutSuffix(r.ID, "-joint"); ok && r.Status == "requested" {
			return strings.TrimPrefix(id, "case-")
		}
	}
	s.t.Fatal("nothing waits")
	return ""
}
