package flow_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

const launchScope = "launch patient/Observation.rs"

// launch registers a context for the diary and gives its handle.
func (w *world) launch(user string, c oauth.Context) string {
	w.t.Helper()
	ref, _ := fhir.ParseReference(user)
	ticket, err := w.service.RegisterLaunch(w.t.Context(), flow.LaunchRequest{
		Tenant: tenant, EHR: w.clients["ehr"], ClientID: "diary", User: ref, Context: c,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ticket.Handle
}

// SMART LAU-01: the ticket opens the app's launch URL with iss and launch,
// beside the URL's own query, and what is stored is not the handle.
func TestRegisterLaunch(t *testing.T) {
	w := newWorld(t)
	ticket, err := w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{
		Tenant: tenant, EHR: w.clients["ehr"], ClientID: "diary", Context: oauth.Context{Patient: "rosa"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(ticket.URL)
	if err != nil || u.Host != "app.example" || u.Query().Get("iss") != base || u.Query().Get("launch") != ticket.Handle || u.Query().Get("skin") != "1" {
		t.Errorf("%s %v", ticket.URL, err)
	}
	if len(ticket.Handle) < 43 || !ticket.Expires.Equal(start.Add(5*time.Minute)) {
		t.Errorf("%d characters until %v", len(ticket.Handle), ticket.Expires)
	}
	for hash, l := range w.launches {
		if strings.Contains(hash, ticket.Handle) || l.EHRClient != "ehr" || l.Aud != base {
			t.Errorf("%+v", l)
		}
	}
	if e := w.events[0]; e.Kind != audit.LaunchRegistered || e.Patient != "rosa" || e.ClientID != "ehr" || e.Detail["app"] != "diary" {
		t.Errorf("%+v", e)
	}
	w.fails = "audit"
	if _, err := w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{Tenant: tenant, EHR: w.clients["ehr"], ClientID: "diary"}); err == nil || len(w.launches) != 1 {
		t.Errorf("without an event: %v, %d launches", err, len(w.launches))
	}
	if _, err := w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{Tenant: tenant, EHR: w.clients["diary"], ClientID: "diary"}); !errs.Is(err, errs.Forbidden) {
		t.Errorf("an app registered a launch: %v", err)
	}
	for _, app := range []string{"nobody", "closed", ""} {
		if _, err := w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{Tenant: tenant, EHR: w.clients["ehr"], ClientID: app}); !errs.Is(err, errs.Invalid) {
			t.Errorf("for %q: %v", app, err)
		}
	}
}

// SMART CTX-01, CTX-02, CTX-05, CTX-07, CTX-08, CTX-12.
func TestLaunchContextIsChecked(t *testing.T) {
	item := func(c oauth.ContextRef) oauth.Context {
		return oauth.Context{Patient: "rosa", FHIRContext: []oauth.ContextRef{c}}
	}
	tests := []struct {
		name    string
		context oauth.Context
		user    fhir.Reference
		fault   string
	}{
		{"empty", oauth.Context{}, fhir.Reference{}, ""},
		{"patient and encounter", oauth.Context{Patient: "rosa", Encounter: "e.1-a"}, fhir.Reference{Type: "Practitioner", ID: "hale"}, ""},
		{"image", item(oauth.ContextRef{Reference: "ImagingStudy/1"}), fhir.Reference{}, ""},
		{"canonical", item(oauth.ContextRef{Canonical: "http://x.example/q|1", Type: "Questionnaire"}), fhir.Reference{}, ""},
		{"second patient with a role", item(oauth.ContextRef{Reference: "Patient/noah", Role: "https://x.example/sibling"}), fhir.Reference{}, ""},
		{"style", oauth.Context{StyleURL: "https://ehr.example/style.json?v=2"}, fhir.Reference{}, ""},
		{"style is a script", oauth.Context{StyleURL: "javascript:alert(1)"}, fhir.Reference{}, "smart_style_url"},
		{"style is data", oauth.Context{StyleURL: "data:text/html,x"}, fhir.Reference{}, "smart_style_url"},
		{"style is relative", oauth.Context{StyleURL: "//ehr.example/style.json"}, fhir.Reference{}, "smart_style_url"},
		{"patient as reference", oauth.Context{Patient: "Patient/rosa"}, fhir.Reference{}, "patient"},
		{"patient elsewhere", oauth.Context{Patient: "../Patient"}, fhir.Reference{}, "patient"},
		{"encounter without patient", oauth.Context{Encounter: "e1"}, fhir.Reference{}, "encounter"},
		{"encounter as reference", oauth.Context{Patient: "rosa", Encounter: "Encounter/e1"}, fhir.Reference{}, "encounter"},
		{"user is no person", oauth.Context{}, fhir.Reference{Type: "Device", ID: "d"}, "user"},
		{"empty item", item(oauth.ContextRef{Type: "ImagingStudy"}), fhir.Reference{}, "fhirContext"},
		{"absolute reference", item(oauth.ContextRef{Reference: "https://evil.example/fhir/ImagingStudy/1"}), fhir.Reference{}, "fhirContext"},
		{"patient among the rest", item(oauth.ContextRef{Reference: "Patient/noah"}), fhir.Reference{}, "fhirContext"},
		{"encounter with the role launch", item(oauth.ContextRef{Reference: "Encounter/e1", Role: "launch"}), fhir.Reference{}, "fhirContext"},
	}
	for _, test := range tests {
		w := newWorld(t)
		_, err := w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{
			Tenant: tenant, EHR: w.clients["ehr"], ClientID: "diary", User: test.user, Context: test.context,
		})
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(errs.As(err).Msg, test.fault) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// refusedLaunch begins a request with the handle and wants the one answer that
// tells a thief nothing.
func (w *world) refusedLaunch(handle string, changes ...string) {
	w.t.Helper()
	stored := len(w.pendings)
	_, err := w.service.Start(w.t.Context(), tenant, request(append([]string{"launch", handle, "scope", launchScope}, changes...)...), w.rosa())
	r := refusal(w.t, err, "launch-invalid")
	if r.Err.Kind != errs.InvalidRequest || len(w.pendings) != stored {
		w.t.Errorf("%v, %d requests stored", r, len(w.pendings)-stored)
	}
}

// SMART LAU-02: a handle works once.
func TestLaunchReplay(t *testing.T) {
	w := newWorld(t)
	handle := w.launch("", oauth.Context{Patient: "rosa"})
	w.begin(w.rosa(), "launch", handle, "scope", launchScope)
	w.refusedLaunch(handle)
}

// SMART LAU-02: another app that got hold of the handle gets nothing and does
// not use it up.
func TestLaunchTheft(t *testing.T) {
	w := newWorld(t)
	handle := w.launch("", oauth.Context{Patient: "rosa"})
	w.refusedLaunch(handle, "client_id", "lens")
	w.begin(w.rosa(), "launch", handle, "scope", launchScope)
}

// SMART LAU-02: a handle ends after five minutes.
func TestLaunchExpiry(t *testing.T) {
	w := newWorld(t)
	handle := w.launch("", oauth.Context{Patient: "rosa"})
	w.clock.now = start.Add(5 * time.Minute)
	w.refusedLaunch(handle)
}

// SMART LAU-02: a handle made for another base is worth nothing here.
func TestLaunchForAnotherBase(t *testing.T) {
	w := newWorld(t)
	handle := w.launch("", oauth.Context{Patient: "rosa"})
	for hash, l := range w.launches {
		l.Aud = "https://other.example/fhir"
		w.launches[hash] = l
	}
	w.refusedLaunch(handle)
	w.refusedLaunch("made-up")
}

// SMART LAU-02: whoever signs in must be the one the EHR launched for.
func TestLaunchForAnotherUser(t *testing.T) {
	w := newWorld(t)
	handle := w.launch("Practitioner/hale", oauth.Context{Patient: "rosa"})
	osei := w.person("osei", identity.RoleClinician, "Practitioner/osei")
	_, _, err := w.service.Next(t.Context(), w.begin(osei, "launch", handle, "scope", launchScope), osei)
	refusal(t, err, "launch-for-other-person")
	handle = w.launch("Practitioner/hale", oauth.Context{Patient: "rosa"})
	hale := w.person("hale", identity.RoleClinician, "Practitioner/hale")
	p := w.at(w.begin(hale, "launch", handle, "scope", launchScope), hale, flow.StepConsent)
	if p.Capacity.Patient != "rosa" || p.Capacity.Acting.ID != "hale" {
		t.Errorf("%+v", p.Capacity)
	}
	// Somebody else at the same browser is turned away as well.
	_, _, err = w.service.Next(t.Context(), p, osei)
	refusal(t, err, "launch-for-other-person")
}

// SMART LAU-02, CTX-20: swapping the person does not swap the patient: who may
// not see the launch's patient gets nothing, and the other patient stays out
// of reach.
func TestLaunchSwap(t *testing.T) {
	w := newWorld(t)
	noah := w.person("noah", identity.RolePatient, "Patient/noah")
	p := w.begin(noah, "launch", w.launch("", oauth.Context{Patient: "rosa"}), "scope", launchScope)
	_, _, err := w.service.Next(t.Context(), p, noah)
	refusal(t, err, "no-record-to-share")

	// Two handles of two patients: each request keeps its own (CTX-21).
	hale := w.person("hale", identity.RoleClinician, "Practitioner/hale")
	first, second := w.launch("", oauth.Context{Patient: "rosa", Encounter: "e-rosa"}), w.launch("", oauth.Context{Patient: "noah"})
	a := w.begin(hale, "launch", first, "scope", launchScope)
	b := w.begin(hale, "launch", second, "scope", "launch launch/encounter patient/Observation.rs")
	b = w.at(b, hale, flow.StepConsent)
	a = w.at(a, hale, flow.StepConsent)
	if a.Context.Patient != "rosa" || a.Context.Encounter != "e-rosa" || b.Context.Patient != "noah" || b.Context.Encounter != "enc-noah" {
		t.Errorf("%+v %+v", a.Context, b.Context)
	}
	if _, err := w.service.Allow(t.Context(), a, hale, everything(w.offer(b, hale))); !errs.Is(err, errs.Conflict) {
		t.Errorf("noah's page answered for rosa: %v", err)
	}
}

// SMART CTX-10, CTX-14, CTX-15: all of the context reaches the grant.
func TestLaunchContextReachesTheGrant(t *testing.T) {
	w := newWorld(t)
	banner := false
	c := oauth.Context{
		Patient: "rosa", Encounter: "e1", Intent: "order", StyleURL: "https://ehr.example/style.json", NeedPatientBanner: &banner,
		FHIRContext: []oauth.ContextRef{{Reference: "ImagingStudy/1"}},
	}
	g, _ := w.allow(w.rosa(), nil, "launch", w.launch("Patient/rosa", c), "scope", launchScope)
	got := g.Context
	if got.Patient != "rosa" || got.Encounter != "e1" || got.Intent != "order" || got.StyleURL == "" || got.NeedPatientBanner == nil || *got.NeedPatientBanner || len(got.FHIRContext) != 1 {
		t.Errorf("%+v", got)
	}
	if g.Scopes != launchScope {
		t.Error(g.Scopes)
	}
}

// SMART CTX-10, CTX-12: what the EHR left out is filled in, and signing in
// afterwards does not lose it.
func TestLaunchContextIsFilledIn(t *testing.T) {
	w := newWorld(t)
	w.service.StyleURL = "https://as.example/style.json"
	g, _ := w.allow(w.rosa(), nil, "launch", w.launch("Patient/rosa", oauth.Context{Patient: "rosa"}), "scope", launchScope)
	if g.Context.StyleURL != w.service.StyleURL || g.Context.NeedPatientBanner == nil || !*g.Context.NeedPatientBanner {
		t.Errorf("%+v", g.Context)
	}
}

// SMART LAU-03: the scope launch without a value gives no context and is not
// granted; the rest of the request stands.
func TestLaunchScopeWithoutValue(t *testing.T) {
	w := newWorld(t)
	w.launch("", oauth.Context{Patient: "noah"})
	g, _ := w.allow(w.rosa(), nil, "scope", launchScope)
	if g.Scopes != "patient/Observation.rs" || g.Context.Patient != "rosa" {
		t.Errorf("%s %+v", g.Scopes, g.Context)
	}
}

// D8: a redeemed handle and its request stand or fall together.
func TestLaunchIsUsedInOneTransaction(t *testing.T) {
	for _, statement := range []string{"use-launch", "pending", "audit"} {
		w := newWorld(t)
		handle := w.launch("", oauth.Context{Patient: "rosa"})
		rosa := w.rosa()
		w.fails = statement
		_, err := w.service.Start(t.Context(), tenant, request("launch", handle, "scope", launchScope), rosa)
		if !errs.Is(err, errs.Unavailable) || len(w.pendings) != 0 {
			t.Errorf("%s: %v, %d requests", statement, err, len(w.pendings))
		}
		w.fails = ""
		w.begin(rosa, "launch", handle, "scope", launchScope)
	}
}
