package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

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
