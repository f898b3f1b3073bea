package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/sandbox"
	"github.com/mandate-health/mandate/fhir/sandbox/dataset"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/fhir/view"
)

// newWard is the gateway in front of the whole synthetic record set.
func newWard(t *testing.T) (*world, *upstream.Client) {
	t.Helper()
	w := newWorld(t)
	var seed []sandbox.Resource
	for _, r := range dataset.Generate(w.clock.Now()) {
		seed = append(seed, sandbox.Resource{Type: r.Type, ID: r.ID, JSON: r.JSON})
	}
	var inner http.Handler
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { inner.ServeHTTP(rw, r) }))
	t.Cleanup(up.Close)
	var err error
	if inner, err = sandbox.New(sandbox.Config{BaseURL: up.URL + "/r4", Now: w.clock.Now, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	client, err := upstream.New(upstream.Config{Base: up.URL + "/r4"})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Upstream = client
	w.rebuild()
	w.up = up
	return w, client
}

// everyPage follows the links of a search and gives what it found.
func (w *world) everyPage(token, path string) (ids []string) {
	w.t.Helper()
	for path != "" {
		r := w.get(token, path).want(200)
		ids = append(ids, r.ids()...)
		path = r.link("next")
	}
	return ids
}

// Over a whole synthetic hospital: what the token can fetch page by page is
// what the count says, what the consent page promised, and about nobody else.
func TestOverTheWard(t *testing.T) {
	w, client := newWard(t)
	const scopes = "patient/*.rs"
	w.token("rosa", scopes, self("rosa"))
	w.token("topics", scopes, self("rosa"), "MH", "SUD", "HIV", "SEX", "SDV", "GDIS", "R")
	types := []string{"Observation", "Condition", "MedicationRequest", "DocumentReference", "Encounter", "Appointment", "CareTeam", "Provenance"}
	req, err := scope.Parse(scopes, scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := preview.Count(t.Context(), client, access.Input{Now: w.clock.Now(), Grant: access.GrantView{
		Capacity: self("rosa"), Patient: "rosa", Scopes: req.Clinical,
	}}, types)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		found := w.everyPage("rosa", "/"+typ+"?_count=20")
		total := w.get("rosa", "/"+typ+"?_summary=count").want(200).body["total"]
		if len(found) == 0 || total != float64(len(found)) {
			t.Errorf("%s: %d found, total %v", typ, len(found), total)
		}
		if _, counted := compartment.SearchByPatient(typ); counted && counts.Ordinary[typ] != len(found) {
			t.Errorf("%s: the page said %d, the app fetches %d", typ, counts.Ordinary[typ], len(found))
		}
		if more := w.everyPage("topics", "/"+typ+"?_count=100"); len(more) < len(found) {
			t.Errorf("%s: %d with all topics, %d without", typ, len(more), len(found))
		}
	}
	w.aboutRosaOnly(w.get("topics", "/Patient/rosa/$everything").want(200))
}

// aboutRosaOnly reads the bundle as an app would.
func (w *world) aboutRosaOnly(r reply) {
	w.t.Helper()
	b, err := view.Entries([]byte(r.raw))
	if err != nil || len(b.Entries) < 50 {
		w.t.Fatalf("%d entries, %v", len(b.Entries), err)
	}
	for _, e := range b.Entries {
		res, err := view.Scan(e.Resource)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range res.Subjects {
			if s != "rosa" {
				w.t.Errorf("%s/%s is about %s", res.Type, res.ID, s)
			}
		}
		if strings.Contains(string(e.Resource), `"PSYTHPN"`) {
			w.t.Errorf("%s/%s left", res.Type, res.ID)
		}
	}
}
