package gateway_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// logShelf is an audit log, newest first.
type logShelf []audit.Event

func (l logShelf) Audits(_ context.Context, f audit.Filter) ([]audit.Event, error) {
	var out []audit.Event
	for _, e := range l {
		behind := f.Before.IsZero() || e.Time.Before(f.Before) || e.Time.Equal(f.Before) && f.BeforeID != "" && e.ID < f.BeforeID
		if !behind || f.Patient != "" && e.Patient != f.Patient || f.PersonID != "" && e.PersonID != f.PersonID ||
			len(f.Kinds) > 0 && !slices.Contains(f.Kinds, e.Kind) || e.Time.Before(f.Since) || !f.Until.IsZero() && e.Time.After(f.Until) {
			continue
		}
		if out = append(out, e); len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

func (l logShelf) StoredAudits(_ context.Context, _ string, ids []string) ([]audit.Stored, error) {
	for _, e := range l {
		if slices.Contains(ids, e.ID) {
			return []audit.Stored{{Event: e, State: audit.Whole}}, nil
		}
	}
	return nil, nil
}

// withLog gives a world whose log knows of Rosa's and Ines's records, and the
// ids of its events by name.
func withLog(t *testing.T) *world {
	w := newWorld(t)
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var log logShelf
	add := func(id string, day int, change func(e *audit.Event)) {
		e := audit.Event{ID: id, Tenant: "default", Time: noon.AddDate(0, 0, -day).Add(-time.Duration(len(log)) * time.Microsecond), Kind: audit.FHIRRead, Action: "R", Outcome: audit.Success,
			PersonID: "elena", ClientID: "app", Patient: "rosa", Network: "203.0.113.9", GrantID: "g", Consents: []string{"Consent/e1/_history/2"},
			Resource: fhir.Reference{Type: "Observation", ID: "lab"}, Capacity: daughter()}
		change(&e)
		log = append(log, e)
	}
	add("daughter", 0, func(*audit.Event) {})
	add("own", 1, func(e *audit.Event) { e.PersonID, e.Capacity = "person", self("rosa") })
	add("refused", 2, func(e *audit.Event) { e.Kind, e.Outcome, e.Reason = audit.FHIRRefused, audit.MinorFailure, "no-scope" })
	add("searched", 3, func(e *audit.Event) { e.Kind, e.Action, e.Query = audit.FHIRSearch, "E", "code=x" })
	add("alert", 3, func(e *audit.Event) { e.Kind, e.Patient = audit.AuditAlert, "" })
	add("token", 3, func(e *audit.Event) { e.Kind = audit.TokenIssued })
	add("ines", 4, func(e *audit.Event) { e.Patient, e.PersonID, e.Capacity = "ines", "ines", self("ines") })
	w.deps.Owned = &fhirapi.Service{File: w.store, Consents: w.store, Relations: w.store,
		Log: fhirapi.Log{Events: log, AsOf: func(context.Context) (time.Time, error) { return noon, nil }, Names: fhirevent.Names{Issuer: "https://as.example", Site: "as.example", FHIRBase: base}}}
	w.rebuild()
	w.token("rosa", "patient/AuditEvent.rs", self("rosa"))
	w.system("office", "system/AuditEvent.rs")
	return w
}

func logIDs(r reply) string {
	var out []string
	for _, id := range r.ids() {
		out = append(out, strings.TrimPrefix(id, "AuditEvent/"))
	}
	return strings.Join(out, " ")
}

// AR-08, TR-14: patients read who looked at their own record, compliance
// systems all of it; a proxy, a clinician and an app with a scope for
// everything read nothing.
func TestWhoReadsTheLog(t *testing.T) {
	w := withLog(t)
	if got := logIDs(w.get("rosa", "/AuditEvent").want(200)); got != "daughter own refused searched" {
		t.Errorf("Rosa: %s", got)
	}
	// A page says up to when the log was complete.
	if got := w.get("rosa", "/AuditEvent").header.Get("Mandate-As-Of"); got != "2026-11-22T12:00:00Z" {
		t.Errorf("as of %q", got)
	}
	if got := logIDs(w.get("office", "/AuditEvent").want(200)); got != "daughter own refused searched alert token ines" {
		t.Errorf("the office: %s", got)
	}
	w.get("rosa", "/AuditEvent/own").want(200)
	for _, id := range []string{"ines", "token", "alert", "none"} {
		w.get("rosa", "/AuditEvent/"+id).want(404)
	}
	w.get("office", "/AuditEvent/alert").want(200)
	if got := w.get("rosa", "/AuditEvent/daughter").want(200).raw; strings.Contains(got, "203.0.113.9") {
		t.Error("the patient learns from where another person works")
	}
	if got := w.get("rosa", "/AuditEvent/own").raw; !strings.Contains(got, "203.0.113.9") {
		t.Error("the patient's own address is missing")
	}
	w.store.consent(t, example(t, "e1.json"))
	w.asDaughter("patient/AuditEvent.rs")
	w.token("everything", "patient/*.rs", self("rosa"))
	w.token("chen", "user/AuditEvent.rs", practitioner())
	w.token("reader", "patient/AuditEvent.r", self("rosa"))
	w.system("all", "system/*.rs")
	for _, token := range []string{"elena", "everything", "chen", "all"} {
		w.get(token, "/AuditEvent").want(403)
		w.get(token, "/AuditEvent/own").want(403)
	}
	w.get("reader", "/AuditEvent").want(403)
	w.get("reader", "/AuditEvent/own").want(200)
	for _, method := range []string{"POST /AuditEvent", "PUT /AuditEvent/own", "DELETE /AuditEvent/own"} {
		verb, path, _ := strings.Cut(method, " ")
		if r := w.do("office", verb, path, `{"resourceType":"AuditEvent","id":"own"}`, "Content-Type: application/fhir+json"); r.status < 400 {
			t.Errorf("%s: %d", method, r.status)
		}
	}
}

// What can be asked, and that the answer is R4.
func TestSearchingTheLog(t *testing.T) {
	w := withLog(t)
	r4, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"patient=rosa&date=2026-11-22":                             "daughter",
		"patient=Patient/ines":                                     "ines",
		"entity=Patient/ines":                                      "ines",
		"entity=Observation/lab&date=le2026-11-19":                 "alert token ines",
		"date=ge2026-11-20&date=lt2026-11-22":                      "own refused",
		"date=gt2026-11-21":                                        "daughter",
		"agent=RelatedPerson/rosa-elena&action=E":                  "searched",
		"agent:identifier=https://as.example|person":               "own",
		"agent:identifier=ines":                                    "ines",
		"outcome=4":                                                "refused",
		"type=rest&subtype=search-type":                            "searched",
		"type=http://dicom.nema.org/resources/ontology/DCM|110113": "alert",
		"subtype=read&patient=rosa":                                "daughter own refused",
		"_id=own,ines":                                             "own ines",
		"patient=nobody":                                           "",
	} {
		pairs, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		r := w.get("office", "/AuditEvent?"+pairs.Encode()).want(200)
		if got := logIDs(r); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		var bundle struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal([]byte(r.raw), &bundle); err != nil {
			t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			if err := r4.ValidateType(e.Resource, "AuditEvent"); err != nil {
				t.Errorf("%s: %v", query, err)
			}
		}
	}
	if got := logIDs(w.get("rosa", "/AuditEvent?patient=ines").want(200)); got != "" {
		t.Errorf("Rosa sees %s", got)
	}
	if got := logIDs(w.get("rosa", "/Patient/rosa/AuditEvent?outcome=4").want(200)); got != "refused" {
		t.Errorf("the compartment: %s", got)
	}
	for _, query := range []string{"site=x", "date=soon", "date=ap2026", "agent:missing=true"} {
		if r := w.get("office", "/AuditEvent?"+query); r.status != 400 {
			t.Errorf("%s: %d", query, r.status)
		}
	}
	w.get("office", "/AuditEvent?_summary=count").want(422)
}

// Pages follow one another without a gap, and each look is itself recorded as
// one (AU-20).
func TestPagesOfTheLog(t *testing.T) {
	w := withLog(t)
	var got []string
	path := "/AuditEvent?_count=2"
	for range 5 {
		r := w.get("office", path).want(200)
		got = append(got, logIDs(r))
		if e := w.log.last(); e.Kind != audit.AuditRead || e.Action != "R" || e.ClientID != "backend-office" {
			t.Errorf("%+v", e)
		}
		next := r.link("next")
		if next == "" {
			break
		}
		path = strings.TrimPrefix(next, base)
	}
	if want := "daughter own|refused searched|alert token|ines"; strings.Join(got, "|") != want {
		t.Errorf("%v", got)
	}
	w.log.down = true
	w.get("office", "/AuditEvent").want(503)
}

// TR-17: who gets an event finds the profile that it claims at the FHIR base,
// by id and by URL, without a token; other definitions stay behind one.
func TestProfilesAreServed(t *testing.T) {
	w := withLog(t)
	var err error
	if w.deps.Definitions, err = fhirevent.Definitions(); err != nil {
		t.Fatal(err)
	}
	w.rebuild()
	for _, d := range w.deps.Definitions {
		if got := w.get("", "/"+d.Type+"/"+d.ID).want(200); got.raw != string(d.JSON) {
			t.Errorf("%s: %s", d.URL, got.raw)
		}
		found := w.get("", "/"+d.Type+"?url="+url.QueryEscape(d.URL+"|1.0.0")).want(200)
		if ids := found.ids(); len(ids) != 1 || ids[0] != d.Type+"/"+d.ID {
			t.Errorf("%s: %v", d.URL, ids)
		}
	}
	event := w.get("rosa", "/AuditEvent/daughter").want(200).raw
	if !strings.Contains(event, fhirevent.ProfileEvent) {
		t.Error(event)
	}
	w.get("", "/StructureDefinition/mandate-audit-event?_format=xml").want(406)
	w.get("", "/StructureDefinition/other").want(401)
	w.get("", "/StructureDefinition").want(401)
	w.get("", "/CodeSystem?url=https://other.example").want(401)
	w.do("", "DELETE", "/StructureDefinition/mandate-audit-event", "").want(401)
	if m := w.get("", "/metadata").want(200).raw; strings.Count(m, `"type":"StructureDefinition"`) != 1 || !strings.Contains(m, fhirevent.ProfileDecision) {
		t.Error("the CapabilityStatement does not tell")
	}
}
