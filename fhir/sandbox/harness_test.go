package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/sandbox"
)

const base = "http://fhir.test/fhir"

// world is a running sandbox with a clock that the test moves.
type world struct {
	t       *testing.T
	handler http.Handler
	now     time.Time
}

// seed is a small ward: Rosa, with a record; Ines, with almost none.
var seed = []string{
	`{"resourceType":"Organization","id":"lakeside","name":"Lakeside Palliative"}`,
	`{"resourceType":"Practitioner","id":"chen","name":[{"family":"Chen","given":["Li"]}]}`,
	`{"resourceType":"Patient","id":"rosa","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},
  "identifier":[{"system":"urn:mrn","value":"100"}],"name":[{"use":"official","family":"Álvarez","given":["Rosa","Maria"]}],
  "gender":"female","birthDate":"1947-03-05","telecom":[{"system":"phone","value":"555-0100"},{"system":"email","value":"rosa@example.org"}],
  "extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3"}}]}],"managingOrganization":{"reference":"Organization/lakeside"},"generalPractitioner":[{"reference":"Practitioner/chen"}]}`,
	`{"resourceType":"Patient","id":"ines","identifier":[{"system":"urn:mrn","value":"200"}],"name":[{"family":"Diaz","given":["Ines"]}],"gender":"female","birthDate":"1950"}`,
	`{"resourceType":"Encounter","id":"visit","status":"finished","class":{"code":"HH"},"subject":{"reference":"Patient/rosa"},"period":{"start":"2026-10-01T09:00:00Z","end":"2026-10-01T10:00:00Z"}}`,
	`{"resourceType":"Observation","id":"pain","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],
  "code":{"coding":[{"system":"http://loinc.org","code":"72514-3"}]},"subject":{"reference":"Patient/rosa"},"encounter":{"reference":"Encounter/visit"},
  "effectiveDateTime":"2026-10-01T09:30:00Z","valueQuantity":{"value":7,"system":"http://unitsofmeasure.org","code":"{score}"}}`,
	`{"resourceType":"Observation","id":"hiv","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},
  "status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
  "code":{"coding":[{"system":"http://loinc.org","code":"75622-1"}]},"subject":{"reference":"Patient/rosa"},"effectiveDateTime":"2026-09"}`,
	`{"resourceType":"Observation","id":"weight","status":"amended","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
  "code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"Patient/ines"},"performer":[{"reference":"Patient/rosa"}],"effectiveDateTime":"2026-11-02","valueQuantity":{"value":61.5,"unit":"kg"}}`,
	`{"resourceType":"Medication","id":"morphine","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"7052"}]},"manufacturer":{"reference":"Organization/lakeside"}}`,
	`{"resourceType":"MedicationRequest","id":"mr","status":"active","intent":"order","medicationReference":{"reference":"Medication/morphine"},"subject":{"reference":"Patient/rosa"},"authoredOn":"2026-10-05","performer":{"identifier":{"system":"urn:plan","value":"9"}},"requester":{"reference":"Practitioner/chen"}}`,
	`{"resourceType":"Provenance","id":"prov","target":[{"reference":"Observation/pain"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Practitioner/chen"}}]}`,
	`{"resourceType":"Group","id":"ward","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/rosa"}}]}`,
	`{"resourceType":"Binary","id":"note","contentType":"text/plain","data":"aGVsbG8="}`,
}

func resources(t testing.TB, texts []string) []sandbox.Resource {
	t.Helper()
	var out []sandbox.Resource
	for _, text := range texts {
		var r struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, sandbox.Resource{Type: r.ResourceType, ID: r.ID, JSON: []byte(text)})
	}
	return out
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	var err error
	w.handler, err = sandbox.New(sandbox.Config{
		BaseURL: base, Now: func() time.Time { return w.now }, Seed: resources(t, seed),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// answer is a response with its body decoded.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends a request; headers come as "Name: value".
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	address := path
	if !strings.HasPrefix(path, "http") {
		address = base + path
	}
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := rec.Result()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{t: w.t, status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") && !strings.Contains(res.Header.Get("Content-Type"), "ndjson") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			w.t.Fatalf("%s %s: body is not JSON: %v\n%s", method, path, err, raw)
		}
	}
	return a
}

func (w *world) get(path string, headers ...string) answer {
	w.t.Helper()
	return w.do("GET", path, "", headers...)
}

// want checks the status and passes the answer on.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	if status >= 400 && a.body["resourceType"] != "OperationOutcome" {
		a.t.Fatalf("an error without OperationOutcome: %s", a.raw)
	}
	return a
}

// at digs into the decoded body by member names and array indexes.
func (a answer) at(path ...any) any {
	var v any = a.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// ids lists "mode Type/id" of a Bundle's entries, without "match ".
func (a answer) ids() []string {
	a.t.Helper()
	out := []string{}
	entries, _ := a.body["entry"].([]any)
	for i := range entries {
		name := a.text("entry", i, "resource", "resourceType") + "/" + a.text("entry", i, "resource", "id")
		if mode := a.text("entry", i, "search", "mode"); mode != "" && mode != "match" {
			name = mode + " " + name
		}
		out = append(out, name)
	}
	return out
}

func (a answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

// link gives the URL of a Bundle link.
func (a answer) link(relation string) string {
	links, _ := a.body["link"].([]any)
	for i := range links {
		if a.text("link", i, "relation") == relation {
			return a.text("link", i, "url")
		}
	}
	return ""
}

// finds checks which resources a search finds, in any order.
func (w *world) finds(search string, want ...string) {
	w.t.Helper()
	got := w.get(search).want(200).ids()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s\n got %v\nwant %v", search, got, want)
	}
}

func query(s string) string { return url.QueryEscape(s) }
