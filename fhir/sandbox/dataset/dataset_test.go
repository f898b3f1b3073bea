package dataset

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// testDay is an ordinary start: not the day the examples were written, and in
// the middle of a day, so that cutting to the day shows.
var testDay = time.Date(2027, 8, 3, 17, 45, 0, 0, time.FixedZone("", -5*3600))

// everything is what a development start stores in the two servers.
func everything(start time.Time) []Resource {
	return slices.Concat(Generate(start), Consents(start), Persons(start))
}

type header struct {
	ResourceType string
	ID           string
	Meta         struct {
		VersionID   string
		LastUpdated time.Time
		Profile     []string
		Security    []struct{ System, Code string }
	}
	Category json.RawMessage
	Subject  struct{ Reference string }
}

func parse(t testing.TB, r Resource) header {
	t.Helper()
	var h header
	if err := json.Unmarshal(r.JSON, &h); err != nil {
		t.Fatalf("%s/%s: %v", r.Type, r.ID, err)
	}
	return h
}

func find(t testing.TB, set []Resource, typ, id string) Resource {
	t.Helper()
	for _, r := range set {
		if r.Type == typ && r.ID == id {
			return r
		}
	}
	t.Fatalf("no %s/%s", typ, id)
	return Resource{}
}

func TestTheSetIsLargeEnoughAndCoversEveryType(t *testing.T) {
	counts := map[string]int{}
	set := Generate(testDay)
	size := 0
	for _, r := range set {
		counts[r.Type]++
		size += len(r.JSON)
	}
	t.Logf("%d resources, %d bytes each on average: %v", len(set), size/len(set), counts)
	if len(set) < 12_000 || len(set) > 14_500 {
		t.Errorf("%d resources, want 12,000 to 14,500", len(set))
	}
	want := map[string]int{
		"Patient": 40, "RelatedPerson": 40, "Practitioner": 5, "PractitionerRole": 5, "Organization": 3, "CareTeam": 40,
		"Encounter": 300, "Condition": 300, "Observation": 4000, "MedicationRequest": 300, "AllergyIntolerance": 40,
		"Immunization": 100, "Procedure": 100, "DiagnosticReport": 300, "DocumentReference": 300, "Binary": 300,
		"CarePlan": 40, "Goal": 100, "Appointment": 100, "Communication": 100, "Coverage": 40, "Device": 40,
		"ServiceRequest": 300, "MedicationDispense": 100, "Medication": 3, "Specimen": 300, "Location": 3,
		"QuestionnaireResponse": 40, "Group": 2, "Provenance": 300, "Schedule": 3, "Slot": 20, "MedicationStatement": 40, "Media": 40,
	}
	for typ, least := range want {
		if counts[typ] < least {
			t.Errorf("%d %s, want at least %d", counts[typ], typ, least)
		}
	}
	for typ := range counts {
		if _, known := want[typ]; !known && typ != "Consent" {
			t.Errorf("unexpected type %s", typ)
		}
	}
}

func TestTheSameDayGivesTheSameBytes(t *testing.T) {
	a, b := everything(testDay), everything(testDay.UTC().Truncate(24*time.Hour).Add(23*time.Hour))
	if len(a) != len(b) {
		t.Fatalf("%d and %d resources", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].JSON, b[i].JSON) {
			t.Fatalf("%s/%s differs:\n%s\n%s", a[i].Type, a[i].ID, a[i].JSON, b[i].JSON)
		}
	}
}

func TestHeadersAgreeWithTheResource(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range everything(testDay) {
		h := parse(t, r)
		if h.ResourceType != r.Type || h.ID != r.ID {
			t.Fatalf("%s/%s says it is %s/%s", r.Type, r.ID, h.ResourceType, h.ID)
		}
		if key := r.Type + "/" + r.ID; seen[key] {
			t.Errorf("%s twice", key)
		} else {
			seen[key] = true
		}
		if r.Type == "Consent" && h.Meta.VersionID == "" {
			continue // Mandate's own store gives these their version
		}
		if h.Meta.VersionID != "1" || h.Meta.LastUpdated.IsZero() || h.Meta.LastUpdated.After(testDay.UTC().Truncate(24*time.Hour)) {
			t.Errorf("%s/%s: version %q, last updated %s", r.Type, r.ID, h.Meta.VersionID, h.Meta.LastUpdated)
		}
	}
}

func TestRelatedPersonsAreTheHospitalsCopies(t *testing.T) {
	var upstream []Resource
	for _, r := range Generate(testDay) {
		if r.Type == "RelatedPerson" {
			upstream = append(upstream, r)
		}
	}
	own := RelatedPersons(testDay)
	if !slices.EqualFunc(upstream, own, func(a, b Resource) bool { return a.ID == b.ID && bytes.Equal(a.JSON, b.JSON) }) {
		t.Error("RelatedPersons and Generate disagree")
	}
	patients := map[string]bool{}
	for _, r := range own {
		var rp struct{ Patient struct{ Reference string } }
		if err := json.Unmarshal(r.JSON, &rp); err != nil {
			t.Fatal(err)
		}
		patients[rp.Patient.Reference] = true
	}
	for _, r := range Generate(testDay) {
		if r.Type == "Patient" && !patients["Patient/"+r.ID] {
			t.Errorf("Patient/%s has no RelatedPerson", r.ID)
		}
	}
}

// Every literal reference leads to a resource of the set; a versioned one to
// its resource.
func TestEveryReferenceResolves(t *testing.T) {
	set := everything(testDay)
	known := map[string]bool{}
	for _, r := range set {
		known[r.Type+"/"+r.ID] = true
	}
	missing := map[string]string{}
	for _, r := range set {
		rest := r.JSON
		for {
			_, after, ok := bytes.Cut(rest, []byte(`"reference":"`))
			if !ok {
				break
			}
			ref, tail, _ := bytes.Cut(after, []byte{'"'})
			target, _, _ := strings.Cut(string(ref), "/_history/")
			if !known[target] {
				missing[target] = r.Type + "/" + r.ID
			}
			rest = tail
		}
	}
	for _, target := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s (named by %s) does not exist", target, missing[target])
	}
}

// An Encounter, an order or a result must never be filed under a patient other
// than the one its Encounter is about.
func TestEncountersBelongToTheSubject(t *testing.T) {
	subject := map[string]string{}
	set := Generate(testDay)
	for _, r := range set {
		if r.Type == "Encounter" {
			subject["Encounter/"+r.ID] = parse(t, r).Subject.Reference
		}
	}
	for _, r := range set {
		var x struct {
			Subject, Patient, Encounter struct{ Reference string }
		}
		if r.Type == "Appointment" || r.Type == "Group" || json.Unmarshal(r.JSON, &x) != nil || x.Encounter.Reference == "" {
			continue
		}
		if who := x.Subject.Reference + x.Patient.Reference; who != subject[x.Encounter.Reference] {
			t.Errorf("%s/%s is about %s in an Encounter of %s", r.Type, r.ID, who, subject[x.Encounter.Reference])
		}
	}
}

func TestAttachmentsLeadToTheirBinary(t *testing.T) {
	set := Generate(testDay)
	binaries := map[string]bool{}
	for _, r := range set {
		if r.Type == "Binary" {
			binaries["Binary/"+r.ID] = true
		}
	}
	for _, r := range set {
		if r.Type != "DocumentReference" {
			continue
		}
		var d struct {
			Content []struct{ Attachment struct{ URL string } }
		}
		if err := json.Unmarshal(r.JSON, &d); err != nil {
			t.Fatal(err)
		}
		if !binaries[d.Content[0].Attachment.URL] {
			t.Errorf("DocumentReference/%s: no %s", r.ID, d.Content[0].Attachment.URL)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Generate(testDay)
	}
}
