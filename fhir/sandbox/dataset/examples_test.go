package dataset

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// On the day they were written for, the examples stand as they were written.
var writtenDay = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestConsentsOnTheDayTheyWereWritten(t *testing.T) {
	var ids []string
	for _, c := range Consents(writtenDay) {
		ids = append(ids, c.ID)
	}
	want := []string{
		"e1-daughter-meds-appts", "e2-husband-full-normal", "e3-agent-springing", "e4-block-former-spouse",
		"e5-teen-mother-limited", "e6-part2-sister", "e7-executor", "e8-daughter-download",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("Consents are %v", ids)
	}
	e1 := find(t, Consents(writtenDay), "Consent", "e1-daughter-meds-appts")
	if !bytes.Contains(e1.JSON, []byte(`"period":{"start":"2026-11-02T10:15:00-06:00","end":"2027-05-02T23:59:59-05:00"}`)) {
		t.Errorf("period moved: %s", e1.JSON)
	}
}

// Dates move by whole days; clock times, zone offsets and ids stay.
func TestDatesMoveByWholeDays(t *testing.T) {
	set := everything(writtenDay.AddDate(0, 0, 100))
	for _, c := range []struct{ typ, id, want string }{
		{"Consent", "e1-daughter-meds-appts", `"period":{"start":"2027-02-10T10:15:00-06:00","end":"2027-08-10T23:59:59-05:00"}`},
		{"Consent", "e3-agent-springing", `{"url":"reviewDue","valueDate":"2027-03-24"}`},
		{"Consent", "e3-agent-springing", `"Observation/rosa-capacity-20261114"`},
		{"Consent", "e8-daughter-download", `"end":"2027-08-27T23:59:59-05:00"`},
		{"RelatedPerson", "rosa-marcus-executor", `"period":{"start":"2027-07-08"}`},
		{"Observation", "rosa-capacity-20261114", `"effectiveDateTime":"2027-02-22T15:40:00-06:00"`},
		{"Provenance", "e3-activation", `"recorded":"2027-02-22T16:05:02.114-06:00"`},
	} {
		if r := find(t, set, c.typ, c.id); !bytes.Contains(r.JSON, []byte(c.want)) {
			t.Errorf("%s/%s lacks %s:\n%s", c.typ, c.id, c.want, r.JSON)
		}
	}
}

// A text that names a year would be wrong after the shift, and every URI is
// under our own base.
func TestExamplesNameNoYearInProseAndNoForeignBase(t *testing.T) {
	for _, r := range slices.Concat(Consents(testDay), RelatedPersons(testDay), Persons(testDay)) {
		_, div, _ := strings.Cut(string(r.JSON), `"div":"`)
		div, _, _ = strings.Cut(div, `</div>`)
		div = strings.ReplaceAll(div, "http://www.w3.org/1999/xhtml", "")
		if strings.Contains(div, " 202") {
			t.Errorf("%s/%s: %s", r.Type, r.ID, div)
		}
		if bytes.Contains(r.JSON, []byte("example.org")) {
			t.Errorf("%s/%s names a foreign base", r.Type, r.ID)
		}
	}
}

// Decision vector T28: Noah is 18 on the day after his mother's access ends.
func TestNoahsBirthdayAgreesWithTheConsent(t *testing.T) {
	for _, start := range []time.Time{writtenDay, testDay, writtenDay.AddDate(1, 0, 0), writtenDay.AddDate(0, 0, 77)} {
		var noah struct{ BirthDate string }
		if err := json.Unmarshal(find(t, Generate(start), "Patient", "noah").JSON, &noah); err != nil {
			t.Fatal(err)
		}
		var e5 struct {
			Provision struct{ Period struct{ End time.Time } }
		}
		if err := json.Unmarshal(find(t, Consents(start), "Consent", "e5-teen-mother-limited").JSON, &e5); err != nil {
			t.Fatal(err)
		}
		born, err := time.Parse(time.DateOnly, noah.BirthDate)
		if err != nil {
			t.Fatal(err)
		}
		end := e5.Provision.Period.End.AddDate(0, 0, 1).Format(time.DateOnly)
		if got := born.AddDate(18, 0, 0).Format(time.DateOnly); got != end {
			t.Errorf("start %s: 18 on %s, access ends the day before %s", start.Format(time.DateOnly), got, end)
		}
	}
}

// CN-05, FX-02: e8 lets Elena keep what she sees of her father's record, with
// laboratory results alone among the Observations.
func TestTheDownloadConsent(t *testing.T) {
	e8 := string(find(t, Consents(testDay), "Consent", "e8-daughter-download").JSON)
	for _, want := range []string{
		`"code":"INFASO"`, `"patient":{"reference":"Patient/joaquin"}`, `"reference":"RelatedPerson/joaquin-elena"`,
		`"system":"https://mandate.example/fhir/CodeSystem/portal-function","code":"view"`,
		`"system":"https://mandate.example/fhir/CodeSystem/portal-function","code":"download"`,
		`"code":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"`,
		`"code":"MedicationRequest"`, `"code":"MedicationStatement"`, `"code":"MedicationDispense"`, `"code":"Medication"`,
		`"code":"AllergyIntolerance"`, `"code":"Condition"`, `"code":"Patient"`,
	} {
		if !strings.Contains(e8, want) {
			t.Errorf("e8 lacks %s", want)
		}
	}
	for _, not := range []string{"rosa", "schedule", "Appointment", `"code":"INFAO"`} {
		if strings.Contains(e8, not) {
			t.Errorf("e8 says %s", not)
		}
	}
}

// Rosa's chart is rich, and holds one record for each labelled case of the
// decision vectors.
func TestRosasChart(t *testing.T) {
	set := Generate(testDay)
	var prescriptions, labs, unlabelledPrescriptions int
	for _, r := range set {
		h := parse(t, r)
		if h.Subject.Reference != "Patient/rosa" {
			continue
		}
		switch {
		case r.Type == "MedicationRequest":
			prescriptions++
			if len(h.Meta.Security) == 0 {
				unlabelledPrescriptions++ // vector T04
			}
		case r.Type == "Observation" && bytes.Contains(h.Category, []byte(`"laboratory"`)):
			labs++
		}
	}
	if prescriptions < 35 || labs < 200 || unlabelledPrescriptions < 1 {
		t.Errorf("%d prescriptions (%d unlabelled), %d laboratory results; want 35 (1) and 200", prescriptions, unlabelledPrescriptions, labs)
	}
	for _, c := range []struct {
		typ, id, conf string
		topics        []string
	}{
		{"MedicationRequest", "rosa-hiv-med-001", "R", []string{"HIV"}},                             // T03
		{"Condition", "rosa-psy-cond", "R", []string{"PSY"}},                                        // T12, T14
		{"Condition", "rosa-cond-alcohol-mislabelled", "N", []string{"SUD"}},                        // T13
		{"MedicationRequest", "rosa-part2-med-001", "R", []string{"42CFRPart2", "OPIOIDUD"}},        // T15, T21
		{"Condition", "rosa-cond-dual", "R", []string{"PSY", "SUD"}},                                // T16
		{"DocumentReference", "rosa-psychotherapy-note", "R", []string{"PSYTHPN"}},                  // T17
		{"MedicationRequest", "rosa-part2-med-elsewhere", "R", []string{"42CFRPart2", "OPIOIDUD"}},  // T22
		{"MedicationRequest", "rosa-part2-med-hiv", "R", []string{"42CFRPart2", "OPIOIDUD", "HIV"}}, // T23
		{"Observation", "noah-lab-std", "R", []string{"STD"}},                                       // T26
		{"Observation", "noah-lab-private", "N", []string{"PRS"}},                                   // T27
		{"DiagnosticReport", "rosa-report-nopat", "N", []string{"NOPAT"}},                           // T30
		{"Encounter", "rosa-enc-current", "N", nil},                                                 // EHR launch
		{"DocumentReference", "hpoa-instrument-2019", "N", nil},                                     // e3
		{"Consent", "adi-agent-appointment-2019", "N", nil},                                         // e3
		{"Observation", "rosa-capacity-20261114", "R", nil},                                         // e3
	} {
		conf, topics := labelsOf(parse(t, find(t, set, c.typ, c.id)))
		if conf != c.conf || !slices.Equal(topics, c.topics) {
			t.Errorf("%s/%s is %s %v, want %s %v", c.typ, c.id, conf, topics, c.conf, c.topics)
		}
	}
	if now := find(t, set, "Encounter", "rosa-enc-current"); !bytes.Contains(now.JSON, []byte(`"status":"in-progress"`)) {
		t.Error("rosa-enc-current is over")
	}
}

func TestElenaIsOnePersonWithThreeIdentities(t *testing.T) {
	elena := Persons(testDay)
	if len(elena) != 1 || elena[0].ID != "elena" {
		t.Fatalf("Persons: %v", elena)
	}
	for _, link := range []string{"RelatedPerson/rosa-elena", "RelatedPerson/joaquin-elena", "Patient/elena-own"} {
		if !bytes.Contains(elena[0].JSON, []byte(link)) {
			t.Errorf("Person/elena lacks %s", link)
		}
	}
}
