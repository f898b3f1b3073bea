package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// explained is the answer to a question about a decision.
type explained struct {
	Decision, Sentence, Rule, Code, Request, Resource string
	Details, Scopes, Consents                         []string
	Relationship                                      *struct {
		Reference string
		InForce   bool `json:"in_force"`
	}
	Event *struct {
		Outcome, Rule, Code                string
		Acting, Patient, Relation, Purpose string
		Scopes, Consents, Gone             []string
		Same                               bool `json:"same_now"`
	}
}

// whyOf asks the command line.
func (s *server) whyOf(t *testing.T, args ...string) (x explained) {
	t.Helper()
	out := must(t, append([]string{"explain", "--json", "--data", s.data}, args...)...)
	if err := json.Unmarshal([]byte(out), &x); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return x
}

// EV-15, TF-20: an operator at two in the morning asks why an app sees what it
// sees, and gets scope, consent version, relationship and rule, as the gateway
// decides; nothing of the record but ids; and the question is in the log.
func TestOperatorAsksWhy(t *testing.T) {
	s := start(t, nil)
	elena := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	row := s.newest(t, "rosa")
	for request, want := range map[string]string{
		"GET /MedicationRequest?status=active": "permit", "GET /Appointment": "permit", "GET /Patient/rosa": "permit",
		"GET /Goal": "deny scope no-scope", "GET /MedicationRequest?patient.name=x": "deny parameter parameter-not-allowed",
		"GET /Patient/noah/MedicationRequest": "deny compartment outside-compartment", "DELETE /MedicationRequest/x": "deny scope no-scope",
	} {
		x := s.whyOf(t, "--grant", row.ID, "--request", request)
		if got := strings.TrimSpace(x.Decision + " " + x.Rule + " " + x.Code); got != want {
			t.Errorf("%s: %s, want %s: %s", request, got, want, x.Sentence)
		}
		status := http.StatusOK
		if strings.HasPrefix(request, "GET") {
			if res := s.fhir(t, elena.Access(), strings.TrimPrefix(request, "GET /")); (res.Status == status) != (x.Decision == "permit") {
				t.Errorf("%s: explained as %s, answered with %s", request, x.Decision, res)
			}
		}
	}
	x := s.whyOf(t, "--grant", row.ID, "--request", "GET /MedicationRequest?status=active")
	if !slices.Contains(x.Scopes, "patient/MedicationRequest.rs") || x.Relationship == nil || !x.Relationship.InForce ||
		!slices.ContainsFunc(x.Consents, func(c string) bool {
			return strings.HasPrefix(c, "Consent/") && strings.Contains(c, "/_history/")
		}) {
		t.Errorf("%+v", x)
	}

	// What happened, and what would happen now.
	s.fetch(t, elena.Access(), "Goal", http.StatusForbidden)
	s.fetch(t, elena.Access(), "MedicationRequest", http.StatusOK)
	var log struct {
		Events []struct{ ID, Kind string }
	}
	s.admin(t, "GET", "/audit?grant="+row.ID+"&limit=2", "", &log)
	refused, searched := s.whyOf(t, "--event", log.Events[1].ID), s.whyOf(t, "--event", log.Events[0].ID)
	if refused.Event == nil || refused.Event.Rule != "scope" || refused.Event.Code != "no-scope" || !refused.Event.Same || refused.Decision != "deny" {
		t.Errorf("%+v %+v", refused, refused.Event)
	}
	if e := searched.Event; e == nil || e.Outcome != "permit" || !e.Same || !slices.Equal(e.Scopes, []string{"patient/MedicationRequest.rs"}) || e.Acting != "RelatedPerson/rosa-elena" ||
		e.Patient != "Patient/rosa" || e.Purpose == "" || len(e.Consents) == 0 || len(e.Gone) != 0 {
		t.Errorf("%+v %+v", searched, e)
	}
	must(t, "grant", "revoke", row.ID, "--data", s.data)
	searched = s.whyOf(t, "--event", log.Events[0].ID)
	if searched.Event.Same || searched.Decision != "deny" || searched.Code != "grant-revoked" || !slices.Equal(searched.Event.Scopes, []string{"patient/MedicationRequest.rs"}) {
		t.Errorf("%+v %+v", searched, searched.Event)
	}
	s.saysThen(t, log.Events[0].ID)

	asked := s.events(t, "kind=audit.read&grant="+row.ID+"&limit=500")
	if len(asked) < 7 {
		t.Errorf("%d questions are in the log", len(asked))
	}
	for _, args := range [][]string{
		{"--grant", row.ID}, {"--grant", "nobody", "--request", "/Goal"}, {"--event", "nobody"}, {"--client", s.Client("public").ID, "--request", "/Goal"},
		{"--grant", row.ID, "--request", "FETCH /Goal"}, {"--grant", row.ID, "--request", "/Nothing"},
	} {
		if code, out, errOut := cli(t, append([]string{"explain", "--data", s.data}, args...)...); code == 0 || errOut == "" {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
}

// saysThen wants the words to say what decided then, beside what would now.
func (s *server) saysThen(t *testing.T, event string) {
	t.Helper()
	if out := must(t, "explain", "--event", event, "--data", s.data); !strings.Contains(out, "By scope patient/MedicationRequest.rs") ||
		!strings.Contains(out, "RelatedPerson/rosa-elena acted for Patient/rosa as ") || !strings.Contains(out, "decided otherwise now") {
		t.Error(out)
	}
}

// A command beside a server that is stopped judges the request, and says that it
// could not look at the resource; it never passes for a permit.
func TestWhyWithoutTheServer(t *testing.T) {
	s := start(t, nil)
	s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	row := s.newest(t, "rosa")
	s.stop(t)
	if x := s.whyOf(t, "--grant", row.ID, "--request", "GET /Patient/noah"); x.Decision != "undecided" || !strings.Contains(x.Sentence, "Patient/noah itself may be seen was not judged") {
		t.Errorf("%+v", x)
	}
	if x := s.whyOf(t, "--grant", row.ID, "--request", "GET /Goal"); x.Decision != "deny" || x.Rule != "scope" {
		t.Errorf("%+v", x)
	}
}

// Beside a stopped server too, what nobody labelled is classified by the value
// sets (SI-02): the command hides what the gateway hides.
func TestWhyByValueSetsWithoutTheServer(t *testing.T) {
	h := newHospital(t)
	pills := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fhir/MedicationRequest/m1" {
			h.Config.Handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = w.Write([]byte(`{"resourceType":"MedicationRequest","id":"m1","status":"active","intent":"order","subject":{"reference":"Patient/rosa"},` +
			`"medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"7052"}]}}`))
	}))
	t.Cleanup(pills.Close)
	s := start(t, func(c *app.Config) { c.Upstream, c.Labels.ValueSets = pills.URL+"/fhir", "palliative" })
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/MedicationRequest.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.fetch(t, g.Access(), "MedicationRequest/m1", http.StatusNotFound)
	row := s.newest(t, "rosa")
	s.stop(t)
	conf := filepath.Join(t.TempDir(), "mandate.toml")
	if err := os.WriteFile(conf, []byte("upstream = \""+pills.URL+"/fhir\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if x := s.whyOf(t, "--config", conf, "--grant", row.ID, "--request", "GET /MedicationRequest/m1"); x.Decision != "deny" || x.Rule != "label" {
		t.Errorf("%+v", x)
	}
}

// grantLists lists grants both ways.
func (d *driver) grantLists(t *testing.T, row grantRow) {
	t.Helper()
	d.call(t, apiCase{op: "listGrants", query: "patient=" + row.Patient, status: 200})
	d.call(t, apiCase{op: "listGrants", query: "client_id=" + row.Client + "&live=true&after=" + row.ID, status: 200})
}

// explanations asks the API why, about a grant, a token and an event.
func (d *driver) explanations(t *testing.T, g *kit.Grant, row grantRow) {
	t.Helper()
	d.fetch(t, g.Access(), "Patient/rosa", http.StatusNotFound)
	var log struct{ Events []struct{ ID string } }
	d.admin(t, "GET", "/audit?grant="+row.ID+"&kind=fhir.refused", "", &log)
	for _, body := range []string{
		`{"grant":"` + row.ID + `","request":"GET /Patient/noah"}`, `{"token":"` + g.Access() + `","request":"/Patient/rosa"}`,
		`{"token":"x","request":"/Patient/noah"}`, `{"grant":"` + row.ID + `","request":"PUT /Patient/noah"}`,
	} {
		d.call(t, apiCase{op: "explainRequest", body: body, status: 200})
	}
	d.call(t, apiCase{op: "explainRequest", body: `{"request":"/Patient/noah"}`, status: 400})
	d.call(t, apiCase{op: "explainEvent", id: log.Events[0].ID, status: 200, keep: func(r *kit.Response) {
		if text := string(r.Body); strings.Contains(text, "Rosa") || !strings.Contains(text, "outside-compartment") {
			t.Error(text)
		}
	}})
	d.call(t, apiCase{op: "explainEvent", id: "none", status: 404})
}
