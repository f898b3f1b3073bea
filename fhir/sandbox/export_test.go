package sandbox_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEverythingAboutOnePatient(t *testing.T) {
	w := newWorld(t)
	rosa := []string{
		"Patient/rosa", "Encounter/visit", "Group/ward", "MedicationRequest/mr", "Observation/pain", "Observation/hiv",
		"Observation/weight", "Provenance/prov", "Medication/morphine", "Organization/lakeside", "Practitioner/chen",
	}
	w.finds("/Patient/rosa/$everything", rosa...)
	w.finds("/Patient/rosa/$everything?_type=Encounter,Medication", "Encounter/visit", "Medication/morphine")
	w.finds("/Patient/rosa/$everything?_since=2026-11-23")
	w.finds("/Patient/ines/$everything", "Patient/ines", "Observation/weight")
	a := w.get("/Patient/rosa/$everything?_count=4").want(200)
	if len(a.ids()) != 4 || a.at("total") != float64(len(rosa)) || !strings.Contains(a.link("next"), "_offset=4") {
		t.Errorf("got %s", a.raw)
	}
	w.get("/Patient/nobody/$everything").want(404)
	w.get("/Patient/rosa/$everything?start=2026").want(400)
	w.get("/Patient/rosa/$everything?_type=Sweet").want(400)
}

// What moves on or only links leaves the record.
func TestEverythingFollowsChanges(t *testing.T) {
	w := newWorld(t)
	w.do("PUT", "/Patient/ines", `{"resourceType":"Patient","id":"ines","link":[{"other":{"reference":"Patient/rosa"},"type":"seealso"}]}`).want(200)
	w.do("PUT", "/Provenance/prov", `{"resourceType":"Provenance","id":"prov","target":[{"reference":"Observation/weight"}]}`).want(200)
	w.do("DELETE", "/Observation/weight", "").want(204)
	w.finds("/Patient/rosa/$everything?_type=Patient,Provenance,Observation", "Patient/rosa", "Observation/pain", "Observation/hiv")
}

const async = "Prefer: respond-async"

// exported kicks an export off, waits for it and gives its manifest and its
// resources, type by type.
func (w *world) exported(path string) (manifest answer, files map[string][]string) {
	w.t.Helper()
	a := w.get(path, async, "Accept: application/fhir+json").want(202)
	status := a.header.Get("Content-Location")
	progress := w.get(status).want(202)
	if progress.header.Get("X-Progress") == "" || progress.header.Get("Retry-After") == "" {
		w.t.Errorf("the status says nothing: %v", progress.header)
	}
	manifest = w.get(status).want(200)
	files = make(map[string][]string)
	output, _ := manifest.at("output").([]any)
	for i := range output {
		file := w.get(manifest.text("output", i, "url"), "Accept: application/fhir+ndjson").want(200)
		if file.header.Get("Content-Type") != "application/fhir+ndjson" {
			w.t.Errorf("Content-Type %s", file.header.Get("Content-Type"))
		}
		for line := range strings.Lines(file.raw) {
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				w.t.Fatalf("%q: %v", line, err)
			}
			if r.ResourceType != manifest.text("output", i, "type") {
				w.t.Errorf("%s in the file of %s", r.ResourceType, manifest.text("output", i, "type"))
			}
			files[r.ResourceType] = append(files[r.ResourceType], r.ID)
		}
		if count := manifest.at("output", i, "count"); count != float64(len(files[manifest.text("output", i, "type")])) {
			w.t.Errorf("count %v", count)
		}
	}
	return manifest, files
}

// SMART BLK-*: the shape of a bulk export, from kick-off to files.
func TestSystemExport(t *testing.T) {
	w := newWorld(t)
	manifest, files := w.exported("/$export")
	if manifest.at("requiresAccessToken") != true || manifest.text("transactionTime") != "2026-11-22T12:00:00.000Z" ||
		manifest.text("request") != base+"/$export" || manifest.at("error") == nil {
		t.Errorf("manifest %s", manifest.raw)
	}
	total := 0
	for _, ids := range files {
		total += len(ids)
	}
	if total != len(seed) {
		t.Errorf("%d resources of %d", total, len(seed))
	}
}

func TestExportIsNarrowed(t *testing.T) {
	w := newWorld(t)
	if _, files := w.exported("/$export?_type=Patient,Group"); len(files) != 2 {
		t.Errorf("_type: %v", files)
	}
	if _, files := w.exported("/$export?_typeFilter=" + query("Observation?status=final&patient=Patient/rosa") + "&_type=Observation"); !slices.Equal(files["Observation"], []string{"pain", "hiv"}) {
		t.Errorf("_typeFilter: %v", files)
	}
	w.now = w.now.Add(time.Hour)
	w.do("PUT", "/Basic/b", `{"resourceType":"Basic","id":"b"}`).want(201)
	w.do("PUT", "/Binary/note", `{"resourceType":"Binary","id":"note"}`).want(200)
	if _, files := w.exported("/$export?_since=2026-11-22T12:30:00Z"); len(files) != 2 || len(files["Basic"]) != 1 || len(files["Binary"]) != 1 {
		t.Errorf("_since: %v", files)
	}
	_, files := w.exported("/Group/ward/$export")
	if !slices.Equal(files["Patient"], []string{"rosa"}) || !slices.Equal(files["Practitioner"], []string{"chen"}) || files["Binary"] != nil {
		t.Errorf("group: %v", files)
	}
	_, files = w.exported("/Patient/$export")
	if len(files["Patient"]) != 2 || len(files["Observation"]) != 3 {
		t.Errorf("patients: %v", files)
	}
	a := w.do("POST", "/Patient/$export", `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/ines"}},{"name":"_type","valueString":"Patient"}]}`, async).want(202)
	w.get(a.header.Get("Content-Location"))
	if m := w.get(a.header.Get("Content-Location")).want(200); m.at("output", 0, "count") != 1.0 || m.at("output", 1) != nil {
		t.Errorf("one patient: %s", m.raw)
	}
}

func TestExportRefusals(t *testing.T) {
	w := newWorld(t)
	w.get("/$export").want(400)
	w.get("/$export?_type=Sweet", async).want(400)
	w.get("/$export?_outputFormat=csv", async).want(400)
	w.get("/$export?_outputFormat=application/fhir%2Bndjson", async).want(202)
	w.get("/$export?_since=soon", async).want(400)
	w.get("/$export?_typeFilter=Observation%3Fflavour=x", async).want(400)
	w.get("/$export?_typeFilter=Sweet", async).want(400)
	w.get("/$export?_sweet=1", "Prefer: respond-async, handling=strict").want(400)
	w.get("/Group/nobody/$export", async).want(404)
	w.get("/Observation/$export", async).want(404)
	w.do("POST", "/Group/ward/$export", `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/ines"}}]}`, async).want(400)
	w.do("POST", "/$export", `{"resourceType":"Patient"}`, async).want(400)
	w.get("/bulk/nobody").want(404)
}

func TestExportIsCancelled(t *testing.T) {
	w := newWorld(t)
	status := w.get("/$export", async).want(202).header.Get("Content-Location")
	w.get(status + "/Patient.ndjson").want(200)
	w.get(status + "/Sweet.ndjson").want(404)
	w.do("POST", status, "").want(405)
	w.do("DELETE", status, "").want(202)
	w.get(status).want(404)
	w.get(status + "/Patient.ndjson").want(404)
	w.do("DELETE", status, "").want(404)
}

// An export shows the moment of its kick-off.
func TestExportIsASnapshot(t *testing.T) {
	w := newWorld(t)
	w.do("PUT", "/Patient/ines", `{"resourceType":"Patient","id":"ines","birthDate":"1951"}`).want(200)
	status := w.get("/$export?_type=Patient", async).want(202).header.Get("Content-Location")
	w.do("PUT", "/Patient/ines", `{"resourceType":"Patient","id":"ines","active":false}`).want(200)
	w.do("DELETE", "/Patient/rosa", "").want(204)
	file := w.get(status + "/Patient.ndjson").want(200)
	if strings.Contains(file.raw, "active") || !strings.Contains(file.raw, "1951") || !strings.Contains(file.raw, `"rosa"`) || strings.Count(file.raw, "\n") != 2 {
		t.Errorf("got %s", file.raw)
	}
}
