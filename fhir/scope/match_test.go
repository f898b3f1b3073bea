package scope

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

func observation() *fhir.Resource {
	day, _ := fhir.ParseDate("2026-03-05")
	return &fhir.Resource{
		Type: "Observation", ID: "o1",
		Tokens: map[string][]fhir.Coding{
			"category": {{System: obsCat, Code: "laboratory"}, {System: obsCat, Code: "vital-signs"}},
			"code":     {{System: "http://loinc.org", Code: "718-7"}, {Code: "local"}, {System: "http://empty"}},
			"status":   {{Code: "final"}},
		},
		References: map[string][]fhir.Reference{"encounter": {{Type: "Encounter", ID: "e1"}}},
		Dates:      map[string][]fhir.Period{"date": {day}},
	}
}

func TestMatches(t *testing.T) {
	for query, want := range map[string]bool{
		// SMART SCP-31, TRP-19: any coding, system and code together.
		"category=" + obsCat + "|vital-signs": true,
		"category=vital-signs":                true,
		"category=|vital-signs":               false,
		"category=" + obsCat + "|":            true,
		"category=" + obsCat + "|survey":      false,
		"category=Vital-Signs":                false,
		"code=|local":                         true,
		"code=local":                          true,
		"code=http://empty|":                  false,
		"code=|":                              false,
		"code=a|b|c":                          false,
		// SMART SCP-06: alternatives inside, conjunction across.
		"category=survey,laboratory":               true,
		"category=laboratory&category=vital-signs": true,
		"category=laboratory&category=survey":      false,
		"category=laboratory&status=final":         true,
		"category=laboratory&status=preliminary":   false,
		"encounter=Encounter/e1":                   true,
		"encounter=e1":                             true,
		"encounter=Patient/e1":                     false,
		"encounter=Encounter/e2":                   false,
		"date=2026":                                true,
		"date=2026-03-05":                          true,
		"date=2026-03-05T10:00:00Z":                false,
		"date=ge2026-03-05":                        true,
		"date=gt2026-03-05":                        false,
		"date=gt2026-03-04":                        true,
		"date=lt2026-03-06":                        true,
		"date=lt2026-03-05":                        false,
		"date=le2026-03-05":                        true,
		"date=ne2026":                              false,
		"date=ne2025":                              true,
		"date=sa2026-03-04":                        true,
		"date=sa2026-03-05":                        false,
		"date=eb2026-03-06":                        true,
		"date=eb2026-03-05":                        false,
		"date=ap2026-03-05":                        false,
		// SMART SCP-09: what cannot be evaluated matches nothing.
		"code:in=http://vs":   false,
		"category:not=survey": false,
		"patient.name=x":      false,
		"_security=N":         false,
		"unknown=1":           false,
	} {
		s, ok := ParseScope("patient/Observation.rs?" + query)
		if !ok {
			t.Errorf("%s: not read", query)
		}
		if got := s.Matches(observation()); got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	for text, want := range map[string]bool{
		"patient/Observation.r": true, "patient/*.r": true, "patient/Condition.r": false,
		"patient/*.r?category=laboratory": true, "patient/*.r?clinical-status=active": false,
	} {
		if s, _ := ParseScope(text); s.Matches(observation()) != want {
			t.Errorf("%s: not %v", text, want)
		}
	}
	if (Scope{Type: AnyType}).Matches(nil) {
		t.Error("nothing was matched")
	}
}

func TestOpenPeriods(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &fhir.Resource{Type: "Encounter", Dates: map[string][]fhir.Period{"date": {{Start: start}}}}
	for query, want := range map[string]bool{
		"date=2026": false, "date=gt2030": true, "date=lt2026": false, "date=eb2030": false, "date=sa2025": true, "date=ge2026": true,
	} {
		if s, _ := ParseScope("patient/Encounter.r?" + query); s.Matches(r) != want {
			t.Errorf("%s: not %v", query, want)
		}
	}
}

func TestSupported(t *testing.T) {
	// SMART SCP-09, US-09, US-20
	for text, want := range map[string]bool{
		lab: true,
		"patient/Condition.rs?category=" + condCat + "|encounter-diagnosis":                                                             true,
		"patient/DocumentReference.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note": true,
		"patient/Condition.rs?clinical-status=active&onset-date=ge2020":                                                                 true,
		"patient/MedicationRequest.rs?intent=order&status=active":                                                                       true,
		"patient/Observation.rs?encounter=Encounter/1":                                                                                  true,
		"patient/Observation.rs?encounter=http://x/Encounter/1":                                                                         false,
		"patient/Observation.rs?encounter=Encounter/1/_history/2":                                                                       false,
		"patient/Observation.rs?category=|":                                                                                             false,
		"patient/Observation.rs?date=tomorrow":                                                                                          false,
		"patient/Observation.rs?date=ap2026":                                                                                            false,
		"patient/Observation.rs?code:in=http://vs":                                                                                      false,
		"patient/Observation.rs?patient.name=x":                                                                                         false,
		"patient/Observation.rs?_security=R":                                                                                            false,
		"patient/Observation.rs?_filter=x":                                                                                              false,
		"patient/Observation.rs?value-quantity=5":                                                                                       false,
		"patient/Patient.rs?name=x":                                                                                                     false,
		"patient/*.rs?category=a":                                                                                                       false,
		"patient/*.rs":                                                                                                                  true,
	} {
		s, ok := ParseScope(text)
		if !ok || s.Supported() != want {
			t.Errorf("%s: read %v, supported %v", text, ok, s.Supported())
		}
	}
	if Supported(Param{Name: "category"}, "Observation") {
		t.Error("a parameter without values is supported")
	}
}

func BenchmarkMatches(b *testing.B) {
	s, _ := ParseScope(lab)
	r := observation()
	b.ReportAllocs()
	for b.Loop() {
		if !s.Matches(r) {
			b.Fatal("no match")
		}
	}
}
