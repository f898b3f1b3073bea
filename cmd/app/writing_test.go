package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// CPA PV-06, TR-35: what a proxy writes names the proxy, and a Provenance says that it
// was written for the patient, in which version, with which app and under what; a
// message that is refused leaves none.
func TestWhoWritesForAPatientIsTold(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	id, ann := s.agent(hale, osei, "Ann Alvarez", "ann", url.Values{})
	s.fill(hale, "/staff/people/"+id+"/activate", "yes", nil)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines + " patient/Communication.c", Visit: kit.Visit{Browser: ann, Patient: "Rosa Alvarez", Consent: func(f *kit.Form) {
		f.Tick("act.Communication", true)
	}}})
	before := len(s.finds(hale, "Provenance?patient=rosa"))
	write := func(patient string) *kit.Response {
		t.Helper()
		res, err := s.Write(t.Context(), g.Access(), http.MethodPost, "Communication", map[string]any{
			"resourceType": "Communication", "status": "completed", "subject": map[string]string{"reference": "Patient/" + patient},
			"payload": []any{map[string]string{"contentString": "She slept well."}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := write("noah"); res.Status != http.StatusForbidden {
		t.Errorf("about another patient: %d", res.Status)
	}
	if now := len(s.finds(hale, "Provenance?patient=rosa")); now != before {
		t.Errorf("what was refused left %d records", now-before)
	}
	res := write("rosa")
	if res.Status != http.StatusCreated {
		t.Fatal(res, string(res.Body))
	}
	_, made, _ := strings.Cut(res.Header.Get("Location"), "/fhir/")
	target, _, _ := strings.Cut(made, "/_history/")
	found := s.finds(hale, "Provenance?patient=rosa&target="+target)
	if len(found) != 1 {
		t.Fatalf("%d records of %s", len(found), target)
	}
	s.holds("the Provenance", found[0].Raw, `"`+made+`"`, `"CREATE"`, `"onBehalfOf":{"reference":"Patient/rosa"}`, `"author"`, `"RelatedPerson/`, s.Client("public").ID, `"policy":["Consent/`)
	if p := s.looks(ann, "Provenance/"+found[0].ID); p.Status != http.StatusNotFound {
		t.Errorf("the writer reads the record: %d", p.Status)
	}
}
