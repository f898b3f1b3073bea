package dataset

import (
	"bytes"
	"slices"
	"testing"
)

// shared are the types that are about no single patient.
var shared = []string{
	"Practitioner", "PractitionerRole", "Organization", "Location", "Medication", "Schedule", "Slot", "Group",
}

func labelsOf(h header) (conf string, topics []string) {
	for _, s := range h.Meta.Security {
		if s.System == sysConf {
			conf = s.Code
		} else {
			topics = append(topics, s.Code)
		}
	}
	return conf, topics
}

// LB-01: unlabelled is not ordinary, so both exist; and PC-21: what
// stigmatises is R.
func TestLabels(t *testing.T) {
	var clinical, unlabelled, mislabelled int
	topics := map[string]int{}
	for _, r := range Generate(testDay) {
		h := parse(t, r)
		conf, tags := labelsOf(h)
		switch {
		case slices.Contains(shared, r.Type) && (conf != "N" || len(tags) > 0):
			t.Errorf("%s/%s is %s %v, want N alone", r.Type, r.ID, conf, tags)
		case slices.Contains(shared, r.Type):
			continue
		case len(h.Meta.Security) == 0:
			unlabelled++
			if r.Type == "Patient" || r.Type == "RelatedPerson" || r.Type == "Provenance" {
				t.Errorf("%s/%s carries no label", r.Type, r.ID)
			}
		case conf != "N" && conf != "R":
			t.Errorf("%s/%s: confidentiality %q", r.Type, r.ID, conf)
		}
		clinical++
		for _, tag := range tags {
			topics[tag]++
			if conf == "N" && tag != "NOPAT" && tag != "PRS" {
				mislabelled++
				if r.ID != "rosa-cond-alcohol-mislabelled" {
					t.Errorf("%s/%s is N with %s", r.Type, r.ID, tag)
				}
			}
		}
	}
	if mislabelled != 1 {
		t.Errorf("%d mislabelled resources, want 1", mislabelled)
	}
	if share := float64(unlabelled) / float64(clinical); share < 0.015 || share > 0.022 {
		t.Errorf("%d of %d clinical resources carry no label: %.3f, want about 0.02", unlabelled, clinical, share)
	}
	for _, topic := range []string{"HIV", "PSY", "SUD", "ETH", "42CFRPart2", "SDV"} {
		if topics[topic] < 50 {
			t.Errorf("topic %s on %d resources, want at least 50", topic, topics[topic])
		}
	}
}

// 42 CFR 2.31 and example e6: provision.data names the programme as author, so
// the records name it too.
func TestPart2RecordsNameTheProgramme(t *testing.T) {
	programme := []byte(`"Organization/lakeside-recovery-part2"`)
	signing := []string{"MedicationRequest", "MedicationDispense", "Encounter", "Observation", "DiagnosticReport", "DocumentReference", "ServiceRequest", "Procedure", "CarePlan", "Communication"}
	seen := map[string]bool{}
	for _, r := range Generate(testDay) {
		_, tags := labelsOf(parse(t, r))
		if !slices.Contains(tags, "42CFRPart2") || !slices.Contains(signing, r.Type) {
			continue
		}
		seen[r.Type] = true
		if !bytes.Contains(r.JSON, programme) && r.ID != "rosa-part2-med-elsewhere" {
			t.Errorf("%s/%s does not name the programme", r.Type, r.ID)
		}
	}
	for _, typ := range signing {
		if !seen[typ] {
			t.Errorf("no Part 2 %s", typ)
		}
	}
}

// SMART US-17, US-18, US-20: every category a granular scope can name selects
// something, of more than one patient.
func TestEveryGranularCategoryIsPresent(t *testing.T) {
	want := []struct{ typ, system, code string }{
		{"Condition", "http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis"},
		{"Condition", "http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item"},
		{"Condition", "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern"},
		{"Observation", "http://terminology.hl7.org/CodeSystem/observation-category", "laboratory"},
		{"Observation", "http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs"},
		{"Observation", "http://terminology.hl7.org/CodeSystem/observation-category", "social-history"},
		{"Observation", "http://terminology.hl7.org/CodeSystem/observation-category", "survey"},
		{"Observation", "http://terminology.hl7.org/CodeSystem/observation-category", "procedure"},
		{"Observation", "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "sdoh"},
		{"DocumentReference", "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note"},
		{"DocumentReference", "http://loinc.org", "42348-3"},
		{"DiagnosticReport", "http://terminology.hl7.org/CodeSystem/v2-0074", "LAB"},
		{"DiagnosticReport", "http://loinc.org", "LP29684-5"},
		{"DiagnosticReport", "http://loinc.org", "LP29708-2"},
		{"DiagnosticReport", "http://loinc.org", "LP7839-6"},
		{"CarePlan", "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan"},
	}
	patients := make([]map[string]bool, len(want))
	for _, r := range Generate(testDay) {
		h := parse(t, r)
		for i, w := range want {
			coding := []byte(`{"system":"` + w.system + `","code":"` + w.code + `"`)
			if r.Type == w.typ && bytes.Contains(h.Category, coding) {
				if patients[i] == nil {
					patients[i] = map[string]bool{}
				}
				patients[i][h.Subject.Reference] = true
			}
		}
	}
	for i, w := range want {
		if len(patients[i]) < 40 {
			t.Errorf("%s %s|%s: %d patients, want at least 40", w.typ, w.system, w.code, len(patients[i]))
		}
	}
}

// SMART US-18: an SDOH observation carries survey or social-history as well.
func TestSDOHObservationsCarryBothCategories(t *testing.T) {
	for _, r := range Generate(testDay) {
		h := parse(t, r)
		if r.Type == "Observation" && bytes.Contains(h.Category, []byte(`"sdoh"`)) &&
			!bytes.Contains(h.Category, []byte(`"survey"`)) && !bytes.Contains(h.Category, []byte(`"social-history"`)) {
			t.Errorf("Observation/%s is sdoh alone", r.ID)
		}
	}
}

// SMART US-26: _revinclude=Provenance:target finds one for each
// resource about a patient, and it is never more open than its target.
func TestProvenanceCoversTheChart(t *testing.T) {
	set := Generate(testDay)
	conf := map[string]string{}
	for _, r := range set {
		if r.Type == "Provenance" && r.ID != "e3-activation" {
			c, _ := labelsOf(parse(t, r))
			for _, part := range bytes.Split(r.JSON, []byte(`{"reference":"`))[1:] {
				target, _, _ := bytes.Cut(part, []byte{'"'})
				conf[string(target)] = c
			}
		}
	}
	for _, r := range set {
		if slices.Contains(shared, r.Type) || r.Type == "Provenance" || r.ID == "portal-authz" || r.ID == "rosa-capacity-20261114" {
			continue
		}
		own, _ := labelsOf(parse(t, r))
		switch got := conf[r.Type+"/"+r.ID]; {
		case got == "":
			t.Errorf("no Provenance for %s/%s", r.Type, r.ID)
		case own == "R" && got != "R":
			t.Errorf("Provenance of %s/%s is %s", r.Type, r.ID, got)
		}
	}
}
