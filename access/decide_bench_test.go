package access_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
)

// busy is a proxy with ten scopes, five consents of the patient and a
// prescription that the last of both permits.
func busy(t testing.TB) *access.Input {
	t.Helper()
	var scopes []string
	for _, typ := range []string{"Patient", "Condition", "Encounter", "Immunization", "Procedure", "Appointment"} {
		scopes = append(scopes, "patient/"+typ+".rs")
	}
	const category = "http://terminology.hl7.org/CodeSystem/observation-category|"
	for _, c := range []string{"vital-signs", "survey", "laboratory"} {
		scopes = append(scopes, "patient/Observation.rs?category="+category+c)
	}
	scopes = append(scopes, "patient/MedicationRequest.rs?category=http://terminology.hl7.org/CodeSystem/medicationrequest-category|community")
	set, err := scope.Parse(strings.Join(scopes, " "), scope.Limits{})
	if err != nil || len(set.Clinical) != 10 {
		t.Fatal(err, len(set.Clinical))
	}
	raw, err := os.ReadFile("testdata/e1.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []consent.Consent
	for i := range 5 {
		text := strings.NewReplacer("e1-daughter-meds-appts", fmt.Sprintf("c%d", i), "rosa-elena", []string{"one", "two", "three", "four", "rosa-elena"}[i]).Replace(string(raw))
		c, err := consent.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c.Version = 1
		all = append(all, c)
	}
	res, err := view.Scan([]byte(`{"resourceType":"MedicationRequest","id":"mr","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},
		"status":"active","intent":"order","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/medicationrequest-category","code":"community"}]}],
		"medicationCodeableConcept":{"text":"morphine"},"subject":{"reference":"Patient/rosa"},"authoredOn":"2026-10-01"}`))
	if err != nil {
		t.Fatal(err)
	}
	return &access.Input{
		Grant: access.GrantView{
			ID: "g", ClientID: "app", PersonID: "p", Patient: "rosa", Scopes: set.Clinical, Ends: now.Add(time.Hour),
			Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Patient: "rosa", Purpose: "FAMRQT", Relationship: "DAUC", Acting: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"}},
		},
		Policy: consent.Compile("rosa", 1, all, consent.Options{}), ProxyInForce: true, Resource: &res, Op: scope.Read, Now: now,
	}
}

// What is permitted takes no memory, so that a page of entries costs none.
func TestAPermitTakesNoMemory(t *testing.T) {
	in := busy(t)
	var d access.Decision
	if n := testing.AllocsPerRun(1000, func() { d.Decide(in) }); n != 0 || !d.Allow {
		t.Errorf("%v allocations, allowed %v, %+v", n, d.Allow, d)
	}
	if len(d.Consents) != 1 || len(d.Reasons) != 2 || len(d.Obligations) != 1 {
		t.Errorf("%+v", d)
	}
}

// What one decision says does not stay in the next one.
func TestADecisionForgetsTheOneBefore(t *testing.T) {
	in := busy(t)
	var d access.Decision
	d.Decide(in)
	in.ProxyInForce = false
	d.Decide(in)
	if fresh := access.Decide(*in); fmt.Sprint(d) != fmt.Sprint(fresh) || d.Allow {
		t.Errorf("%+v, from nothing %+v", d, fresh)
	}
}

func BenchmarkDecide(b *testing.B) {
	in := busy(b)
	var d access.Decision
	b.ReportAllocs()
	for b.Loop() {
		d.Decide(in)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
