package label_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/label"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
)

func load(t *testing.T, files ...label.File) *access.Labelling {
	t.Helper()
	l, err := label.Load(files...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func scan(t *testing.T, text string) *fhir.Resource {
	t.Helper()
	r, err := view.Scan([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

func codes(labels []fhir.Coding) string {
	var out []string
	for _, l := range labels {
		out = append(out, l.Code)
	}
	return strings.Join(out, " ")
}

// SI-02: what palliative care is careful about is sensitive by default, where
// the source did not say otherwise.
func TestPalliative(t *testing.T) {
	l := load(t, label.Palliative())
	note := func(system, code, meta string) string {
		return `{"resourceType":"DocumentReference","id":"n"` + meta + `,"type":{"coding":[{"system":"` + system + `","code":"` + code + `"}]}}`
	}
	normal := `,"meta":{"security":[{"system":"` + fhir.SystemConfidentiality + `","code":"N"}]}`
	handled := `,"meta":{"security":[{"system":"` + fhir.SystemActCode + `","code":"NORDSCLCD"}]}`
	const icd, loinc, rx = "http://hl7.org/fhir/sid/icd-10-cm", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
	for text, want := range map[string]string{
		note(icd, "Z63.8", ""):       "R PSY unclassified family-conflict",
		note(icd, "Z63.8", handled):  "R PSY unclassified family-conflict",
		note(icd, "Z63.8", normal):   " ",
		note(loinc, "Z63.8", ""):     " ",
		note(loinc, "75328-5", ""):   "R unclassified prognosis",
		note(loinc, "81378-2", ""):   "R unclassified goals-of-care",
		note(loinc, "28653-4", ""):   "R PSY unclassified psychosocial",
		note(rx, "7052", ""):         " ",
		note(loinc, "11506-3", ""):   " ",
		`{"resourceType":"Patient"}`: " ",
		`{"resourceType":"Condition","code":{"coding":[{"system":"` + icd + `","code":"Z63.8"},{"system":"` + loinc + `","code":"75328-5"}]}}`:                                                           "R PSY unclassified prognosis family-conflict",
		`{"resourceType":"MedicationRequest","medicationCodeableConcept":{"coding":[{"system":"` + rx + `","code":"7052"}]}}`:                                                                            "R DRGIS unclassified controlled-drugs",
		`{"resourceType":"MedicationRequest","medicationReference":{"reference":"#m"},"contained":[{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"` + rx + `","code":"7052"}]}}]}`:   "R DRGIS unclassified controlled-drugs",
		`{"resourceType":"MedicationRequest","medicationReference":{"reference":"#m"},"contained":[{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"` + rx + `","code":"313782"}]}}]}`: " ",
	} {
		labels, sets := l.Of(scan(t, text))
		if got := codes(labels) + " " + strings.Join(sets, " "); got != want {
			t.Errorf("%s\ngot %q, want %q", text, got, want)
		}
	}
	if !strings.HasPrefix(l.Version, "palliative-2+") {
		t.Errorf("version %s", l.Version)
	}
}

// A file adds, replaces and leaves out; the version changes with every text.
func TestFilesOverlay(t *testing.T) {
	own := label.File{Name: "own.json", Text: []byte(`{"version":"lake-3","sets":[
		{"name":"prognosis","off":true},
		{"name":"family-conflict","codes":[{"system":"urn:lake","codes":["quarrel"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VIO"}],"whole":true},
		{"name":"vitals","types":["Observation"],"codes":[{"system":"urn:lake","codes":["pulse"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}],"whole":true}]}`)}
	l, shipped := load(t, label.Palliative(), own), load(t, label.Palliative())
	var names []string
	for _, s := range l.Sets() {
		names = append(names, s.Name)
	}
	if slices.Contains(names, "prognosis") || !slices.Contains(names, "vitals") || len(names) != len(shipped.Sets()) {
		t.Errorf("%v", names)
	}
	if labels, _ := l.Of(scan(t, `{"resourceType":"Condition","code":{"coding":[{"system":"urn:lake","code":"quarrel"}]}}`)); codes(labels) != "VIO" {
		t.Errorf("%v", labels)
	}
	if labels, _ := l.Of(scan(t, `{"resourceType":"Observation","code":{"coding":[{"system":"urn:lake","code":"pulse"}]}}`)); codes(labels) != "N" {
		t.Errorf("%v", labels)
	}
	if l.Version == shipped.Version || !strings.Contains(l.Version, "lake-3") {
		t.Errorf("version %s", l.Version)
	}
	if l := load(t); l.Sets() != nil {
		t.Errorf("%v", l.Sets())
	}
}

// Every fault of every file is told at once.
func TestFaults(t *testing.T) {
	_, err := label.Load(
		label.File{Name: "a.json", Text: []byte(`{"version":"1","sets":[{"name":"Bad Name","codes":[],"labels":[]},{"name":"x","off":true},
			{"name":"y","types":["observation"],"codes":[{"system":"","codes":["1"]}],"labels":[{"system":"urn:x","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"Q"}]}]}`)},
		label.File{Name: "b.json", Text: []byte(`{"version":"1","sets":[],"more":1}`)},
		label.File{Name: "c.json", Text: []byte(`{"sets":[{"name":"z","codes":[{"system":"s","codes":["c"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]},{"name":"z","off":true}]} x`)},
		label.File{Name: "d.json", Text: []byte(`{"sets":[]}`)},
	)
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"a.json: sets[0]", "small letters", "codes is empty", "labels is empty", "no such set", `"observation" is no resource type`, "codes[0] needs", "labels[0]", "labels[1]", "b.json", "c.json: there is text", "d.json: version is missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in\n%v", want, err)
		}
	}
}

// Each code that comes with Mandate names the public text in which it was found,
// and the file says how far it was reviewed.
func TestShippedCodesNameTheirSource(t *testing.T) {
	var doc struct {
		Review string
		Sets   []struct {
			Name  string
			Codes []struct{ System, Source string }
		}
	}
	if err := json.Unmarshal(label.Palliative().Text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Sets {
		for _, c := range s.Codes {
			if c.Source == "" {
				t.Errorf("%s: codes of %s without a source", s.Name, c.System)
			}
		}
	}
	if l := load(t, label.Palliative(), label.File{Name: "own.json", Text: []byte(`{"version":"1","sets":[]}`)}); doc.Review == "" ||
		!strings.Contains(l.Review, doc.Review) || !strings.Contains(l.Review, "own.json: does not say") {
		t.Errorf("%q", l.Review)
	}
}
