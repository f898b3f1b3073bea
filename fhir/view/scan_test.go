package view

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

const labResult = `{
  "resourceType": "Observation", "id": "hb-1",
  "meta": {"versionId": "3", "lastUpdated": "2026-03-05T10:00:00.000Z",
    "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"],
    "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N", "display": "normal"},
                 {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]},
  "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">H\u00e4moglobin 11.9 g\/dl \ud83d\ude00</div>"},
  "status": "final",
  "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]},
               {"coding": [{"code": "local"}, {"system": "no-code"}], "text": "words"}],
  "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}], "text": "Hb"},
  "subject": {"reference": "Patient/rosa", "display": "Rosa"},
  "encounter": {"reference": "Encounter/e1/_history/2"},
  "effectiveDateTime": "2026-03-05",
  "performer": [{"reference": "Practitioner/p1"}, {"reference": "https://other.example/Practitioner/p2"}],
  "valueQuantity": {"value": 11.9, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
  "referenceRange": [{"low": {"value": -1.2e+1}, "high": {"value": 16}}],
  "component": [{"code": {"coding": [{"system": "x", "code": "secret"}]}}]
}`

func mustScan(t testing.TB, raw string) fhir.Resource {
	t.Helper()
	r, err := Scan([]byte(raw))
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return r
}

func TestScanReadsTheHotFields(t *testing.T) {
	r := mustScan(t, labResult)
	day, _ := fhir.ParseDate("2026-03-05")
	practitioner := []fhir.Reference{{Type: "Practitioner", ID: "p1"}}
	rosa := []fhir.Reference{{Type: "Patient", ID: "rosa"}}
	want := fhir.Resource{
		Type: "Observation", ID: "hb-1", VersionID: "3",
		LastUpdated: time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC),
		Labels:      []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "N"}, {System: fhir.SystemActCode, Code: "HIV"}},
		Profiles:    []string{"http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"},
		Subjects:    []string{"rosa"},
		Authors:     practitioner,
		Tokens: map[string][]fhir.Coding{
			"status":   {{Code: "final"}},
			"category": {{System: "http://terminology.hl7.org/CodeSystem/observation-category", Code: "laboratory"}, {Code: "local"}},
			"code":     {{System: "http://loinc.org", Code: "718-7"}},
		},
		References: map[string][]fhir.Reference{
			"subject": rosa, "patient": rosa, "performer": practitioner, "encounter": {{Type: "Encounter", ID: "e1"}},
		},
		Dates: map[string][]fhir.Period{"date": {day}},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	// The type may stand behind what needs it.
	moved := strings.Replace(labResult, `"resourceType": "Observation", `, "", 1)
	moved = strings.TrimSuffix(moved, "}") + `, "resource\u0054ype": "Observation"}`
	if again := mustScan(t, moved); !reflect.DeepEqual(again, want) {
		t.Errorf("another order of members gave %+v", again)
	}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		row, raw string
		subjects string
		foreign  bool
	}{
		{"a patient is about itself", `{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/b"}}]}`, "a", false},
		{"SMART TRP-23: absolute", `{"resourceType":"Observation","subject":{"reference":"https://other/Patient/a"}}`, "", true},
		{"TRP-23: urn", `{"resourceType":"Observation","subject":{"reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}}`, "", true},
		{"TRP-23: versioned is the same patient", `{"resourceType":"Observation","subject":{"reference":"Patient/a/_history/1"}}`, "a", false},
		{"by identifier", `{"resourceType":"Observation","subject":{"identifier":{"system":"s","value":"v"}}}`, "", true},
		{"conditional", `{"resourceType":"Observation","subject":{"reference":"Patient?identifier=1"}}`, "", true},
		{"contained", `{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}`, "", true},
		{"SMART CMP-14: a group", `{"resourceType":"Observation","subject":{"reference":"Group/g"}}`, "", true},
		{"dot segments", `{"resourceType":"Observation","subject":{"reference":"Patient/../Patient/b"}}`, "", true},
		{"present but unreadable", `{"resourceType":"Observation","subject":null}`, "", true},
		{"absent", `{"resourceType":"Observation"}`, "", false},
		{"CMP-10: performer is not about", `{"resourceType":"Observation","subject":{"reference":"Patient/b"},"performer":[{"reference":"Patient/a"}]}`, "b", false},
		{"GW-24: who else was observed", `{"resourceType":"Observation","subject":{"reference":"Patient/a"},"focus":[{"reference":"Patient/b"}]}`, "a b", false},
		{"GW-24: a focus on a thing is about nobody else", `{"resourceType":"Observation","subject":{"reference":"Patient/a"},"focus":[{"reference":"Device/d"}]}`, "a", false},
		{"CMP-10: policy holder is not about", `{"resourceType":"Coverage","beneficiary":{"reference":"Patient/b"},"policyHolder":{"reference":"Patient/a"},"subscriber":{"reference":"Patient/a"}}`, "b", false},
		{"CMP-11: several patients", `{"resourceType":"Group","member":[{"entity":{"reference":"Patient/a"}},{"entity":{"reference":"Patient/b"}},{"entity":{"reference":"Patient/a"}}]}`, "a b", false},
		{"appointment with a practitioner", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Practitioner/x"}},{"actor":{"type":"Practitioner","identifier":{"value":"1"}}}]}`, "a", false},
		{"appointment with a foreign patient", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"https://o/Patient/b"}}]}`, "a", true},
		{"appointment with names only", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"display":"Room 1"}}]}`, "a", false},
		{"appointment with somebody by identifier", `{"resourceType":"Appointment","participant":[{"actor":{"identifier":{"value":"1"},"display":"X"}}]}`, "", true},
		{"an observation with a name only", `{"resourceType":"Observation","subject":{"display":"Rosa"}}`, "", true},
		{"a foreign patient that claims another type", `{"resourceType":"Appointment","participant":[{"actor":{"type":"Practitioner","reference":"https://o/Patient/b"}}]}`, "", true},
		{"CMP-13: provenance of a record", `{"resourceType":"Provenance","target":[{"reference":"Observation/o"}]}`, "", false},
		{"audit event: the agent is not about", `{"resourceType":"AuditEvent","agent":[{"who":{"reference":"Patient/a"}}],"entity":[{"what":{"reference":"Patient/b"}}]}`, "b", false},
		{"CMP-15: device", `{"resourceType":"Device","patient":{"reference":"Patient/b"}}`, "b", false},
		{"CMP-15: task", `{"resourceType":"Task","for":{"reference":"Patient/b"}}`, "b", false},
		{"CMP-12: person", `{"resourceType":"Person","link":[{"target":{"reference":"Patient/a"}}]}`, "", false},
	} {
		r := mustScan(t, c.raw)
		if got := strings.Join(r.Subjects, " "); got != c.subjects || r.ForeignSubject != c.foreign {
			t.Errorf("%s: subjects %q foreign %v", c.row, got, r.ForeignSubject)
		}
	}
}

func TestAuthorsTargetsAndContained(t *testing.T) {
	r := mustScan(t, `{"resourceType":"Provenance","target":[{"reference":"Observation/o"},{"reference":"urn:uuid:1"}],
		"agent":[{"who":{"reference":"RelatedPerson/elena"}}]}`)
	if len(r.Targets) != 2 || r.Targets[0].String() != "Observation/o" || !r.Targets[1].IsZero() {
		t.Errorf("Provenance targets: %v", r.Targets)
	}
	if len(r.Authors) != 1 || r.Authors[0].String() != "RelatedPerson/elena" {
		t.Errorf("Provenance authors: %v", r.Authors)
	}
	r = mustScan(t, `{"resourceType":"DocumentReference","content":[{"attachment":{"url":"Binary/b"}},{"attachment":{"url":"https://other/x.pdf"}}]}`)
	if len(r.Targets) != 1 || r.Targets[0].String() != "Binary/b" {
		t.Errorf("DocumentReference targets: %v", r.Targets)
	}
	r = mustScan(t, `{"resourceType":"Composition","section":[{"entry":[{"reference":"Condition/1"}],"section":[{"section":[{"entry":[{"reference":"Condition/2"},{"reference":"#c"}]}]}]}]}`)
	if len(r.Targets) != 2 || r.Targets[1].ID != "2" {
		t.Errorf("Composition targets: %v", r.Targets)
	}
	r = mustScan(t, `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/a"},"data":"QQ=="}`)
	if len(r.Targets) != 1 || r.Targets[0].String() != "Patient/a" {
		t.Errorf("Binary targets: %v", r.Targets)
	}
	r = mustScan(t, `{"resourceType":"MedicationRequest","contained":[{"resourceType":"Medication","id":"m","meta":{"security":[{"code":"R"}]},"code":{"coding":[{"code":"c"}]}}],
		"medicationReference":{"reference":"#m"},"dosageInstruction":[],"encounter":{"reference":"Encounter/e"}}`)
	if len(r.Contained) != 1 || r.Contained[0].Type != "Medication" || r.Contained[0].Labels[0].Code != "R" || r.Contained[0].Tokens["code"][0].Code != "c" {
		t.Errorf("contained: %+v", r.Contained)
	}
	// SMART CMP-14: "patient" reads the subject only when it is a Patient.
	group := mustScan(t, `{"resourceType":"Observation","subject":{"reference":"Group/g"}}`)
	if group.References["patient"] != nil || len(group.References["subject"]) != 1 {
		t.Errorf("a Group is a patient: %v", group.References)
	}
	if _, has := r.References["medication"]; has || r.References["encounter"][0].ID != "e" {
		t.Errorf("references: %v", r.References)
	}
}

func TestPeriods(t *testing.T) {
	r := mustScan(t, `{"resourceType":"Encounter","period":{"start":"2026-03","end":"2026-04-01T10:00:00+02:00"},"class":{"system":"s","code":"AMB"}}`)
	p := r.Dates["date"][0]
	if !p.Start.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) || !p.Contains(time.Date(2026, 4, 1, 8, 0, 0, 5, time.UTC)) || p.Contains(time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("period: %v", p)
	}
	if r.Tokens["class"][0] != (fhir.Coding{System: "s", Code: "AMB"}) {
		t.Errorf("class: %v", r.Tokens)
	}
	if r = mustScan(t, `{"resourceType":"Encounter","period":{"start":"2026-03"}}`); !r.Dates["date"][0].End.IsZero() {
		t.Error("an open end was closed")
	}
	for _, bad := range []string{`{"start":"yesterday"}`, `{"start":"2026","end":"x"}`, `{}`, `{"event":["2026"]}`, `7`} {
		if r = mustScan(t, `{"resourceType":"Encounter","period":`+bad+`}`); len(r.Dates) != 0 {
			t.Errorf("%s became %v", bad, r.Dates)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for raw, code := range map[string]string{
		``:                                              "json-malformed",
		`{"resourceType":"Patient"`:                     "json-malformed",
		`{"resourceType":"Patient"} {}`:                 "json-malformed",
		`{"resourceType":"Patient",}`:                   "json-malformed",
		`{"resourceType":"Patient" "a":1}`:              "json-malformed",
		`{"a":1 "resourceType":"Patient"}`:              "json-malformed",
		`{"resourceType":"Patient","a":01}`:             "json-malformed",
		`{"resourceType":"Patient","a":+1}`:             "json-malformed",
		`{"resourceType":"Patient","a":1.}`:             "json-malformed",
		`{"resourceType":"Patient","a":nul}`:            "json-malformed",
		`{"resourceType":"Patient","a":"\x"}`:           "json-malformed",
		"{\"resourceType\":\"Patient\",\"a\":\"\x01\"}": "json-malformed",
		"{\"resourceType\":\"Patient\",\"a\":\"\xff\"}": "json-malformed",
		`{"resourceType":"Patient","a":"\u12g4"}`:       "json-malformed",
		`{"resourceType":"Patient","a":` + deep + `}`:   "json-depth",
		// Two readers could take different members for true.
		`{"resourceType":"Patient","id":"a","id":"b"}`:                                               "json-duplicate-key",
		`{"resourceType":"Patient","resourceType":"Group"}`:                                          "json-duplicate-key",
		`{"resourceType":"Patient","id":"a","i\u0064":"b"}`:                                          "json-duplicate-key",
		`{"resourceType":"Patient","meta":{"security":[],"security":[{"code":"R"}]}}`:                "json-duplicate-key",
		`{"resourceType":"Observation","subject":{"reference":"Patient/a","reference":"Patient/b"}}`: "json-duplicate-key",
		`{}`:                                    "resource-type",
		`{"resourceType":7}`:                    "resource-type",
		`{"resourceType":"../x"}`:               "resource-type",
		`[]`:                                    "resource-type",
		`"Patient"`:                             "resource-type",
		`{"resourceType":"Patient","id":"a/b"}`: "resource-id",
		`{"resourceType":"Patient","id":7}`:     "resource-id",
		`{"resourceType":"Patient","meta":7}`:   "resource-meta",
		`{"resourceType":"Patient","meta":{"security":{"code":"R"}}}`: "resource-meta",
		`{"resourceType":"Patient","meta":{"security":["R"]}}`:        "resource-meta",
		`{"resourceType":"Patient","contained":{}}`:                   "resource-type",
		`{"resourceType":"Patient","contained":[{}]}`:                 "resource-type",
	} {
		_, err := Scan([]byte(raw))
		if !errs.Is(err, errs.Invalid) || errs.As(err).Code != code {
			t.Errorf("%.80s: got %v, want %s", raw, err, code)
		}
	}
	// Many keys are compared as well.
	var b strings.Builder
	b.WriteString(`{"resourceType":"Patient"`)
	for i := range 100 {
		b.WriteString(`,"k` + strings.Repeat("x", i) + `":1`)
	}
	if _, err := Scan([]byte(b.String() + "}")); err != nil {
		t.Error(err)
	}
	if _, err := Scan([]byte(b.String() + `,"kx":2}`)); err == nil {
		t.Error("a repetition among many keys was not seen")
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(labResult))
	f.Add([]byte(`{"resourceType":"Bundle","type":"searchset","total":1,"link":[{"relation":"next","url":"x?a&b"}],"entry":[{"fullUrl":"u","resource":{"resourceType":"Patient","id":"a"},"search":{"mode":"match"}}]}`))
	f.Add([]byte(`{"resourceType":"Composition","section":[{"section":[{"entry":[{"reference":"A/b"}]}]}],"x":[1e5,-0.1,true,null,"\u00e9"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := Scan(raw)
		if err == nil && !json.Valid(raw) {
			t.Fatal("malformed JSON was read")
		}
		if err != nil && errs.As(err).Code == "json-malformed" && json.Valid(raw) && utf8.Valid(raw) {
			t.Fatal("well-formed JSON was refused")
		}
		all, err := StripLabels(raw, func(fhir.Coding) bool { return false })
		if err == nil {
			if !json.Valid(all) {
				t.Fatalf("stripping wrote %q", all)
			}
			if r, err := Scan(all); err == nil && len(r.Labels) > 0 {
				t.Fatalf("labels left in %q", all)
			}
		}
		if b, err := Entries(raw); err == nil {
			out := b.AppendTo(nil)
			again, err := Entries(out)
			if err != nil || !reflect.DeepEqual(again, b) {
				t.Fatalf("%q became %q: %v", raw, out, err)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	raw := []byte(labResult)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Scan(raw); err != nil {
			b.Fatal(err)
		}
	}
}
