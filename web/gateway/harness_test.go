package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/fhir/sandbox"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/fhirapi"
	"github.com/mandate-health/mandate/web/gateway"
	"github.com/mandate-health/mandate/web/problem"
)

const base = "https://as.example/fhir"

// canary stands in every record of the other patient. It must never appear in
// an answer to somebody who acts for Rosa.
const canary = "CANARY-INES"

const obsCategory = "http://terminology.hl7.org/CodeSystem/observation-category"

func observation(id, patient, category, extra string) string {
	return `{"resourceType":"Observation","id":"` + id + `"` + extra + `,"status":"final","category":[{"coding":[{"system":"` + obsCategory +
		`","code":"` + category + `"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"1"}],"text":"` + patient + `-note"},"subject":{"reference":"Patient/` + patient + `"}}`
}

const (
	labelHIV = `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}`
	labelN   = `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}`
)

// seed is two patients, Rosa and Ines, whose records cross in every way that
// the rows know of.
func seed() []string {
	return []string{
		`{"resourceType":"Patient","id":"rosa"` + labelN + `,"name":[{"family":"Alvarez"}]}`,
		`{"resourceType":"Patient","id":"ines","name":[{"family":"` + canary + `"}],"link":[{"other":{"reference":"Patient/rosa"},"type":"seealso"}]}`,
		`{"resourceType":"Practitioner","id":"chen","name":[{"family":"Chen"}]}`,
		`{"resourceType":"Practitioner","id":"hidden-doc","name":[{"family":"` + canary + `"}]}`,
		`{"resourceType":"Organization","id":"lakeside","name":"Lakeside"}`,
		observation("lab", "rosa", "laboratory", labelN),
		observation("lab2", "rosa", "laboratory", labelN),
		observation("vital", "rosa", "vital-signs", labelN),
		strings.Replace(observation("hiv", "rosa", "laboratory", labelHIV), "rosa-note", "SECRET-HIV", 1),
		strings.Replace(observation("ines-lab", "ines", "laboratory", ""), "ines-note", canary, 1),
		// Written by Rosa about Ines: in the compartment, not about her.
		strings.Replace(observation("ines-by-rosa", "ines", "laboratory", `,"performer":[{"reference":"Patient/rosa"}]`), "ines-note", canary, 1),
		`{"resourceType":"Condition","id":"cancer"` + labelN + `,"code":{"text":"cancer"},"subject":{"reference":"Patient/rosa"},"asserter":{"reference":"Practitioner/chen"}}`,
		`{"resourceType":"Condition","id":"hiv-condition"` + labelHIV + `,"code":{"text":"SECRET-HIV"},"subject":{"reference":"Patient/rosa"},"asserter":{"reference":"Practitioner/hidden-doc"}}`,
		`{"resourceType":"Condition","id":"foreign","code":{"text":"` + canary + `"},"subject":{"reference":"https://other.example/fhir/Patient/rosa"}}`,
		`{"resourceType":"Binary","id":"rosa-pdf","contentType":"text/plain","data":"aGVsbG8="}`,
		`{"resourceType":"Binary","id":"ines-pdf","contentType":"text/plain","data":"` + canary + `AAA="}`,
		`{"resourceType":"Binary","id":"orphan","contentType":"text/plain","data":"` + canary + `AAA="}`,
		`{"resourceType":"DocumentReference","id":"rosa-doc"` + labelN + `,"status":"current","subject":{"reference":"Patient/rosa"},"content":[{"attachment":{"url":"Binary/rosa-pdf"}}]}`,
		`{"resourceType":"DocumentReference","id":"ines-doc","status":"current","subject":{"reference":"Patient/ines"},"content":[{"attachment":{"url":"Binary/ines-pdf"}}]}`,
		`{"resourceType":"Provenance","id":"of-lab","target":[{"reference":"Observation/lab"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Practitioner/chen"}}]}`,
		`{"resourceType":"Provenance","id":"of-hiv","target":[{"reference":"Observation/hiv"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"display":"SECRET-HIV"}}]}`,
		`{"resourceType":"Provenance","id":"of-both","target":[{"reference":"Observation/lab"},{"reference":"Observation/ines-lab"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"display":"` + canary + `"}}]}`,
		`{"resourceType":"Group","id":"ward","type":"person","actual":true,"name":"` + canary + `","member":[{"entity":{"reference":"Patient/rosa"}},{"entity":{"reference":"Patient/ines"}}]}`,
		`{"resourceType":"MedicationRequest","id":"mr"` + labelN + `,"status":"active","intent":"order","medicationCodeableConcept":{"text":"morphine"},"subject":{"reference":"Patient/rosa"},"requester":{"reference":"Practitioner/chen"}}`,
		`{"resourceType":"Bundle","id":"old","type":"collection","entry":[{"resource":{"resourceType":"Patient","name":[{"family":"` + canary + `"}]}}]}`,
		`{"resourceType":"Task","id":"task","status":"requested","intent":"order","description":"` + canary + `","for":{"reference":"Patient/rosa"}}`,
		`{"resourceType":"RelatedPerson","id":"upstream-rp","patient":{"reference":"Patient/rosa"},"name":[{"family":"` + canary + `"}]}`,
	}
}

// world is a gateway in front of a sandbox.
type world struct {
	t        testing.TB
	handler  http.Handler
	deps     gateway.Deps
	clock    *clock.Movable
	verifier verifier
	loader   *loader
	log      *recorder
	store    *records
	up       *httptest.Server
	// asked counts the requests that reached the upstream.
	asked *[]string
	mu    sync.Mutex
	// before runs when the upstream is asked.
	before func(r *http.Request)
	// torn says that an answer may break off.
	torn bool
}

// meanwhile sets what happens when the upstream is asked.
func (w *world) meanwhile(before func(r *http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, resources(t))
}

// newWorldOf is a gateway before the given records.
func newWorldOf(t testing.TB, records []sandbox.Resource) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Movable{}, verifier: verifier{}, loader: &loader{relations: map[string]proxy.RelatedPerson{}}, log: &recorder{}, asked: new([]string)}
	w.clock.Set(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	var inner http.Handler
	w.up = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		*w.asked = append(*w.asked, r.Method+" "+r.URL.RequestURI())
		before := w.before
		w.mu.Unlock()
		if before != nil {
			before(r)
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.up.Close)
	var err error
	if inner, err = sandbox.New(sandbox.Config{BaseURL: w.up.URL + "/r4", Now: w.clock.Now, Seed: records}); err != nil {
		t.Fatal(err)
	}
	client, err := upstream.New(upstream.Config{Base: w.up.URL + "/r4"})
	if err != nil {
		t.Fatal(err)
	}
	validator, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	w.store = newRecords(t)
	w.deps = gateway.Deps{
		Tenant: "default", Base: base, BasePath: "/fhir", Verifier: w.verifier,
		OAuth:     gateway.OAuth{Authorize: "https://as.example/authorize", Token: "https://as.example/token", Capabilities: []string{"launch-ehr"}},
		Authority: &authority.Loader{Policies: w.loader, Proxies: w.loader, Clock: w.clock},
		Upstream:  client, Owned: &fhirapi.Service{File: w.store, Consents: w.store, Relations: w.store}, Validator: validator,
		Recorder: w.log, Origins: &origins{open: map[string]bool{"https://app.example": true, "https://two.example": true}}, Problems: problem.New(problem.Config{Issuer: "https://as.example"}),
		Clock: w.clock, Hasher: ids.Hasher{Key: []byte("test")},
	}
	w.rebuild()
	return w
}

// rebuild makes the gateway anew from its changed neighbours.
func (w *world) rebuild() { w.handler = gateway.New(w.deps) }

func resources(t testing.TB) []sandbox.Resource {
	t.Helper()
	var out []sandbox.Resource
	for _, text := range seed() {
		var r struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err, text)
		}
		out = append(out, sandbox.Resource{Type: r.ResourceType, ID: r.ID, JSON: []byte(text)})
	}
	return out
}

// token registers a token of a person.
func (w *world) token(name, scopes string, capacity fhir.Capacity, topics ...string) {
	patient := capacity.Patient
	w.verifier[name] = gateway.Bearer{
		Client: oauth.Client{ID: "app", AllowedOrigins: []string{"https://app.example"}}, Scopes: scopes, JTI: "jti-" + name,
		Grant: oauth.Grant{
			ID: "grant-" + name, PersonID: "person", ClientID: "app", Capacity: capacity, Scopes: scopes, Topics: topics,
			Context: oauth.Context{Patient: patient}, Ends: w.clock.Now().Add(time.Hour), ConsentID: "approval", ConsentVersion: 1,
		},
	}
}

func self(patient string) fhir.Capacity {
	return fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: patient}, Patient: patient, Purpose: "PATRQT"}
}

func practitioner() fhir.Capacity {
	return fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: fhir.Reference{Type: "Practitioner", ID: "chen"}, Purpose: "TREAT"}
}

func daughter() fhir.Capacity {
	return fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"}, Patient: "rosa", Purpose: "FAMRQT", Relationship: "DAUC"}
}

func (w *world) system(name, scopes string) {
	w.verifier[name] = gateway.Bearer{Client: oauth.Client{ID: "backend-" + name}, Scopes: scopes, JTI: "jti-" + name, System: true}
}

// consents makes the policy of Rosa from resources.
func (w *world) consents(texts ...string) { w.consentsOf("rosa", texts...) }

// consentsOf does so for another patient.
func (w *world) consentsOf(patient string, texts ...string) {
	var all []consent.Consent
	for i, text := range texts {
		c, err := consent.Parse([]byte(text))
		if err != nil {
			w.t.Fatal(err)
		}
		c.Version = i + 1
		all = append(all, c)
	}
	w.loader.policy = consent.Compile(patient, int64(len(texts)), all, consent.Options{})
}

// example reads one of the shared examples from the tree.
func example(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// asDaughter puts Elena in force with the consent E1 (medicines and
// appointments).
func (w *world) asDaughter(scopes string) {
	w.consents(example(w.t, "e1.json"))
	w.loader.relations["rosa-elena"] = proxy.RelatedPerson{ID: "rosa-elena", Patient: "rosa", Active: true}
	w.token("elena", scopes, daughter())
}

// reply is an answer of the gateway.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (w *world) do(token, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://as.example/fhir"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
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
	out := reply{t: w.t, status: res.StatusCode, header: res.Header, raw: string(raw)}
	if len(raw) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") && !strings.Contains(res.Header.Get("Content-Type"), "ndjson") {
		if err := json.Unmarshal(raw, &out.body); err != nil && !w.torn {
			w.t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	if strings.Contains(out.raw, w.up.URL) {
		w.t.Errorf("%s %s tells where the upstream is: %s", method, path, out.raw)
	}
	return out
}

func (w *world) get(token, path string, headers ...string) reply {
	w.t.Helper()
	return w.do(token, "GET", path, "", headers...)
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.raw)
	}
	if status >= 400 && r.body["resourceType"] != "OperationOutcome" {
		r.t.Fatalf("an error without OperationOutcome: %s", r.raw)
	}
	return r
}

// ids lists "Type/id" of a bundle, includes behind a plus.
func (r reply) ids() []string {
	out := []string{}
	entries, _ := r.body["entry"].([]any)
	for _, e := range entries {
		m, _ := e.(map[string]any)
		res, _ := m["resource"].(map[string]any)
		search, _ := m["search"].(map[string]any)
		name := res["resourceType"].(string) + "/" + res["id"].(string)
		if search["mode"] == "include" {
			name = "+" + name
		}
		out = append(out, name)
	}
	return out
}

func (r reply) link(relation string) string {
	links, _ := r.body["link"].([]any)
	for _, l := range links {
		m, _ := l.(map[string]any)
		if m["relation"] == relation {
			return strings.TrimPrefix(m["url"].(string), base)
		}
	}
	return ""
}

// code gives the cause code of a refusal.
func (r reply) code() string {
	issues, _ := r.body["issue"].([]any)
	if len(issues) == 0 {
		return ""
	}
	raw, _ := json.Marshal(issues[0])
	var i struct {
		Details struct{ Coding []fhir.Coding }
	}
	if json.Unmarshal(raw, &i) != nil || len(i.Details.Coding) == 0 {
		return ""
	}
	return i.Details.Coding[0].Code
}

// verifier knows tokens by name.
type verifier map[string]gateway.Bearer

func (v verifier) Presented(ctx context.Context, tenant string, p oauth.Presentation) (gateway.Bearer, string, error) {
	b, err := v.VerifyAccessToken(ctx, tenant, p.Token)
	return b, "", err
}

func (v verifier) VerifyAccessToken(_ context.Context, _, raw string) (gateway.Bearer, error) {
	b, ok := v[raw]
	if !ok {
		return gateway.Bearer{}, errs.New(errs.Unauthenticated, "token-invalid", "The token is not valid.")
	}
	return b, nil
}

// loader is the standing of Rosa's proxies.
type loader struct {
	policy    *consent.Policy
	relations map[string]proxy.RelatedPerson
}

func (l *loader) PolicyFor(context.Context, string, string) (*consent.Policy, error) {
	return l.policy, nil
}

func (l *loader) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	rp, ok := l.relations[id]
	if !ok {
		return proxy.RelatedPerson{}, errs.New(errs.NotFound, "related-person-not-found", "none")
	}
	return rp, nil
}

// recorder keeps events, or fails.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	down   bool
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return errs.New(errs.Unavailable, "audit-full", "full")
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) last() audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return audit.Event{}
	}
	return r.events[len(r.events)-1]
}

// origins knows where apps run, and how often it was asked.
type origins struct {
	open  map[string]bool
	asked atomic.Int64
}

func (o *origins) Registered(_ context.Context, _, origin string) (bool, error) {
	o.asked.Add(1)
	return o.open[origin], nil
}

// upstream changes a record behind the gateway's back.
func (w *world) upstream(method, path, body string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.up.URL+"/r4"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/fhir+json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d", method, path, res.StatusCode)
	}
}
