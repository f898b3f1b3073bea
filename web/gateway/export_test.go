package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/gateway"
)

// exported runs an export to its manifest.
func (w *world) exported(token, path string) []struct{ Type, URL string } {
	w.t.Helper()
	r := w.get(token, path, "Prefer: respond-async").want(202)
	status := strings.TrimPrefix(r.header.Get("Content-Location"), base)
	w.get(token, status).want(202)
	r = w.get(token, status).want(200)
	var m struct {
		RequiresAccessToken bool
		Output              []struct{ Type, URL string }
	}
	if err := json.Unmarshal([]byte(r.raw), &m); err != nil || !m.RequiresAccessToken || strings.Contains(r.raw, "count") {
		w.t.Fatal(err, r.raw)
	}
	return m.Output
}

// SMART M-19, BLK-02, BLK-03, BLK-04, BLK-08.
func TestExport(t *testing.T) {
	w := newWorld(t)
	w.system("lab", "system/Observation.rs?category="+obsCategory+"|laboratory")
	w.system("other", "system/Observation.rs")
	w.system("all", "system/*.rs")
	files := w.exported("lab", "/Patient/$export")
	if len(files) != 1 || files[0].Type != "Observation" {
		t.Fatal(files)
	}
	path := strings.TrimPrefix(files[0].URL, base)
	r := w.get("lab", path).want(200)
	if r.header.Get("Content-Type") != "application/fhir+ndjson" || strings.Contains(r.raw, `"vital-signs"`) || strings.Count(r.raw, "\n") != 5 {
		t.Error(r.header, r.raw)
	}
	if e := w.log.last(); e.Count == 0 || e.Patient == "" {
		t.Errorf("%+v", e)
	}
	w.get("other", path).want(404)
	w.get("", path).want(401)
	w.get("lab", path+"x").want(404)
	for _, refused := range []string{"/$export?_type=Patient", "/Group/ward/$export", "/$export?_typeFilter=Observation%3Fpatient.name%3Dx", "/$export?_typeFilter=Patient%3Fname%3Dx"} {
		w.get("lab", refused, "Prefer: respond-async").want(403)
	}
	w.get("lab", "/$export").want(400)
	w.get("lab", "/$export?patient=x", "Prefer: respond-async").want(400)
	for _, f := range w.exported("all", "/$export") {
		if f.Type == "Task" || f.Type == "AuditEvent" || f.Type == "Consent" {
			t.Error(f)
		}
	}
	status := strings.TrimPrefix(w.get("lab", "/$export", "Prefer: respond-async").want(202).header.Get("Content-Location"), base)
	w.do("other", "DELETE", status, "").want(404)
	w.do("lab", "DELETE", status, "").want(202)
	w.get("lab", status).want(404)
}

// D14: the RelatedPersons of an export are Mandate's own records, and only
// those of members.
func TestExportOfRelatedPersons(t *testing.T) {
	w := newWorld(t)
	w.upstream("PUT", "/Group/ward", `{"resourceType":"Group","id":"ward","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/rosa"}}]}`)
	w.upstream("PUT", "/RelatedPerson/rosa-elena", `{"resourceType":"RelatedPerson","id":"rosa-elena","patient":{"reference":"Patient/rosa"},"name":[{"family":"`+canary+`"}]}`)
	w.store.relate(t, "rosa-elena", "Elena")
	w.system("group", "system/Group.rs system/RelatedPerson.rs")
	files := w.exported("group", "/Group/ward/$export?_type=RelatedPerson")
	if len(files) != 1 {
		t.Fatal(files)
	}
	r := w.get("group", strings.TrimPrefix(files[0].URL, base)).want(200)
	if strings.Contains(r.raw, canary) || strings.Count(r.raw, "\n") != 1 || !strings.Contains(r.raw, "Elena") {
		t.Error(r.raw)
	}
	w.system("none", "system/Group.rs system/Patient.rs")
	for _, f := range w.exported("none", "/Group/ward/$export") {
		if f.Type == "RelatedPerson" {
			t.Error("exported without its scope")
		}
	}
}

// SMART BLK-07: a group's export keeps to its members, and needs the scope.
func TestGroupExport(t *testing.T) {
	w := newWorld(t)
	w.upstream("PUT", "/Group/ward", `{"resourceType":"Group","id":"ward","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/rosa"}}]}`)
	w.system("group", "system/Group.rs system/Observation.rs")
	files := w.exported("group", "/Group/ward/$export?_type=Observation")
	if len(files) != 1 {
		t.Fatal(files)
	}
	r := w.get("group", strings.TrimPrefix(files[0].URL, base)).want(200)
	if strings.Contains(r.raw, "Patient/ines") || !strings.Contains(r.raw, "Patient/rosa") {
		t.Error(r.raw)
	}
}

// GW-26: a token that ends while the upstream still sends lets no line out.
func TestTokenEndsDuringAnExportFile(t *testing.T) {
	w := newWorld(t)
	w.system("lab", "system/Observation.rs")
	path := strings.TrimPrefix(w.exported("lab", "/$export?_type=Observation")[0].URL, base)
	w.meanwhile(func(*http.Request) { delete(w.verifier, "lab") })
	if r := w.get("lab", path).want(401); strings.Contains(r.raw, "rosa-note") {
		t.Error(r.raw)
	}
}

// ending stands for a token that ends after it was verified some times.
type ending struct {
	verifier
	left int
}

func (e *ending) Presented(ctx context.Context, tenant string, p oauth.Presentation) (gateway.Bearer, string, error) {
	b, err := e.VerifyAccessToken(ctx, tenant, p.Token)
	return b, "", err
}

func (e *ending) VerifyAccessToken(ctx context.Context, tenant, raw string) (gateway.Bearer, error) {
	if e.left--; e.left < 0 {
		raw = ""
	}
	return e.verifier.VerifyAccessToken(ctx, tenant, raw)
}

// A file that breaks off leaves one event for the lines that went and one for
// the refusal, and none that says it was whole.
func TestBrokenExportFile(t *testing.T) {
	w := newWorld(t)
	for i := range 1001 {
		id := fmt.Sprintf("more-%d", i)
		w.upstream("PUT", "/Observation/"+id, observation(id, "rosa", "laboratory", labelN))
	}
	w.system("lab", "system/Observation.rs")
	path := strings.TrimPrefix(w.exported("lab", "/$export?_type=Observation")[0].URL, base)
	w.deps.Verifier = &ending{verifier: w.verifier, left: 2}
	w.rebuild()
	before := len(w.log.events)
	r := w.get("lab", path)
	var outcomes []audit.Outcome
	delivered := 0
	for _, e := range w.log.events[before:] {
		outcomes = append(outcomes, e.Outcome)
		delivered += e.Count
	}
	lines := strings.Count(r.raw, "\n")
	if len(outcomes) < 2 || outcomes[len(outcomes)-1] != audit.MinorFailure || slices.Contains(outcomes[:len(outcomes)-1], audit.MinorFailure) {
		t.Errorf("the outcomes are %v", outcomes)
	}
	if lines == 0 || lines >= 1001 || delivered != lines {
		t.Errorf("%d lines left and %d are recorded", lines, delivered)
	}
}
