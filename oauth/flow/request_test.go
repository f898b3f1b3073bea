package flow_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

// SMART AZ-05: who is told of a fault depends on whether the address is known
// to be the app's.
func TestStartTellsTheAppOnlyAtItsOwnAddress(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		code    string
		toApp   bool
	}{
		{"unknown client", []string{"client_id", "nobody"}, "client-unknown", false},
		{"disabled client", []string{"client_id", "closed"}, "client-unknown", false},
		{"unregistered redirect", []string{"redirect_uri", callback + "/x"}, "redirect-uri-unregistered", false},
		{"no redirect", []string{"redirect_uri", ""}, "parameter-missing-or-repeated", false},
		{"foreign aud", []string{"aud", "https://evil.example/fhir"}, "aud-unknown", true},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "code-challenge-method-unsupported", true},
		{"unknown launch", []string{"launch", "x", "scope", "launch"}, "launch-invalid", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.service.Start(t.Context(), tenant, request(test.changes...), w.rosa())
			r := refusal(t, err, test.code)
			if (r.RedirectURI != "") != test.toApp || len(w.pendings) != 0 {
				t.Errorf("redirected to %q, %d requests stored", r.RedirectURI, len(w.pendings))
			}
			if e := w.events[len(w.events)-1]; e.Kind != audit.AuthorizeRefused || e.Reason != test.code || e.Outcome != audit.MinorFailure {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// SMART AZ-10, AZ-20: the answer carries the state byte for byte and iss, and
// keeps the redirect URI's own query.
func TestRefusalURLEchoesStateAndIssuer(t *testing.T) {
	w := newWorld(t)
	state := "+ %&=\"é<\t>" + callback
	_, err := w.service.Start(t.Context(), tenant, request("state", state, "response_type", "token"), w.rosa())
	got := w.told(w.service.RefusalURL(refusal(t, err, "response-type-unsupported")))
	if got.Get("state") != state || got.Get("iss") != issuerURL || got.Get("error") != "unsupported_response_type" || got.Has("code") {
		t.Error(got)
	}
	twice := request("response_type", "token")
	twice["state"] = []string{"a", "b"}
	_, err = w.service.Start(t.Context(), tenant, twice, w.rosa())
	if got := w.told(w.service.RefusalURL(refusal(t, err, "parameter-repeated"))); got.Has("state") {
		t.Error("of two states one was echoed:", got)
	}
	to := w.service.RefusalURL(&flow.Refusal{Err: errs.New(errs.AccessDenied, "c", "m"), RedirectURI: callback + "?skin=1", State: "s"})
	if got := w.told(to); got.Get("skin") != "1" || got.Get("state") != "s" {
		t.Error(to)
	}
}

// A store that is down is no refusal: nothing may be told to the app.
func TestStartWhileTheStoreIsDown(t *testing.T) {
	for _, statement := range []string{"client", "pending", "audit"} {
		w := newWorld(t)
		w.fails = statement
		_, err := w.service.Start(t.Context(), tenant, request(), w.rosa())
		if !errs.Is(err, errs.Unavailable) || len(w.pendings)+len(w.events) != 0 {
			t.Errorf("%s: %v, %d requests, %d events", statement, err, len(w.pendings), len(w.events))
		}
		var told *flow.Refusal
		if errors.As(err, &told) {
			t.Errorf("%s: told to the app", statement)
		}
	}
}

// A request belongs to the browser that began it, until it ends.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	rosa := w.rosa()
	p := w.begin(rosa)
	if got, err := w.service.Load(t.Context(), tenant, p.ID, rosa); err != nil || got.ID != p.ID {
		t.Fatal(err)
	}
	thief := rosa
	for _, browser := range []string{"browser-2", ""} {
		thief.Browser = browser
		if _, err := w.service.Load(t.Context(), tenant, p.ID, thief); !errs.Is(err, errs.NotFound) {
			t.Errorf("browser %q: %v", browser, err)
		}
	}
	if _, err := w.service.Load(t.Context(), tenant, "other", rosa); !errs.Is(err, errs.NotFound) {
		t.Errorf("unknown: %v", err)
	}
	w.clock.now = p.Expires
	if _, err := w.service.Load(t.Context(), tenant, p.ID, rosa); !errs.Is(err, errs.NotFound) {
		t.Errorf("expired: %v", err)
	}
	w.clock.now = start
	if _, err := w.service.Deny(t.Context(), p, rosa); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Load(t.Context(), tenant, p.ID, rosa); !errs.Is(err, errs.NotFound) {
		t.Errorf("answered: %v", err)
	}
}

// OIDC Core §3.1.2.1: prompt and max_age decide whether a log-in is good
// enough, and prompt=none never shows a page.
func TestPromptAndMaxAge(t *testing.T) {
	tests := []struct {
		name    string
		prompt  string
		maxAge  string
		age     time.Duration
		nobody  bool
		want    flow.Step
		refused string
	}{
		{name: "signed in", want: flow.StepConsent},
		{name: "nobody", nobody: true, want: flow.StepSignIn},
		{name: "login again", prompt: "login", age: time.Minute, want: flow.StepSignIn},
		{name: "login just now", prompt: "login", want: flow.StepConsent},
		{name: "young enough", maxAge: "60", age: time.Minute, want: flow.StepConsent},
		{name: "too old", maxAge: "60", age: 61 * time.Second, want: flow.StepSignIn},
		{name: "never old enough", maxAge: "0", age: time.Second, want: flow.StepSignIn},
		{name: "silent and nobody", prompt: "none", nobody: true, refused: "login-required"},
		{name: "silent and too old", prompt: "none", maxAge: "1", age: time.Minute, refused: "login-required"},
		{name: "silent", prompt: "none", refused: "consent-required"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			who := w.rosa()
			who.Session.AuthTime = start.Add(-test.age)
			if test.nobody {
				who.Session, who.Person = identity.Session{}, identity.Person{}
			}
			p := w.begin(who, "prompt", test.prompt, "max_age", test.maxAge)
			step, _, err := w.service.Next(t.Context(), p, who)
			if test.refused != "" {
				r := refusal(t, err, test.refused)
				if r.State != "s-1" || w.pendings[p.ID].Done.IsZero() {
					t.Errorf("state %q, done %v", r.State, w.pendings[p.ID].Done)
				}
				return
			}
			if err != nil || step != test.want {
				t.Errorf("%s %v, want %s", step, err, test.want)
			}
		})
	}
}

// prompt=none neither asks for the record nor for a code.
func TestPromptNoneShowsNoStep(t *testing.T) {
	w := newWorld(t)
	w.relate("rosa-elena", "rosa")
	w.permit("rosa", "rosa-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
	elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena", "Patient/elena")
	_, _, err := w.service.Next(t.Context(), w.begin(elena, "prompt", "none"), elena)
	refusal(t, err, "choice-required")

	alone := w.person("tomas", identity.RoleProxy, "RelatedPerson/rosa-elena")
	alone.Session.AMR = []string{"pwd"}
	_, _, err = w.service.Next(t.Context(), w.begin(alone, "prompt", "none"), alone)
	refusal(t, err, "second-factor-required")
}

// A proxy with a password alone is asked for the second factor before the
// consent page; a patient on the own record is not.
func TestSecondFactorStep(t *testing.T) {
	w := newWorld(t)
	w.relate("rosa-elena", "rosa")
	w.permit("rosa", "rosa-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
	elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena")
	elena.Session.AMR = []string{"pwd"}
	p := w.at(w.begin(elena), elena, flow.StepSecondFactor)
	elena.Session.AMR = []string{"pwd", "otp", "mfa"}
	w.at(p, elena, flow.StepConsent)
}

// SMART CTX-20: only what is offered can be chosen, and a choice of one
// request means nothing in another.
func TestChoiceOfTheRecord(t *testing.T) {
	w := newWorld(t)
	for _, patient := range []string{"rosa", "joaquin"} {
		w.relate(patient+"-elena", patient)
		w.permit(patient, patient+"-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
	}
	w.relate("noah-elena", "noah") // a relation without a permit (SC-11)
	elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena", "RelatedPerson/joaquin-elena", "RelatedPerson/noah-elena", "Patient/elena")
	p := w.at(w.begin(elena, "scope", "launch/patient launch/encounter patient/Observation.rs"), elena, flow.StepPatient)
	tokens := w.choices(p, elena)
	if len(tokens) != 3 || tokens["rosa"] == "" || tokens["joaquin"] == "" || tokens["elena"] == "" {
		t.Fatalf("offered %v", tokens)
	}
	other := w.begin(elena)
	for name, token := range map[string]string{
		"of another request": w.choices(other, elena)["rosa"], "an id": "rosa", "nothing": "", "noah's": "Patient/noah",
	} {
		if _, err := w.service.Choose(t.Context(), p, elena, token, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	chosen, err := w.service.Choose(t.Context(), p, elena, tokens["joaquin"], "")
	if err != nil || chosen.Context.Patient != "joaquin" || chosen.Context.Encounter != "enc-joaquin" || chosen.Capacity.Relationship != "DAU" {
		t.Fatalf("%+v %v", chosen, err)
	}
	// Going back, the other record can still be chosen, with its own encounter.
	again, err := w.service.Choose(t.Context(), chosen, elena, tokens["rosa"], "")
	if err != nil || again.Context.Patient != "rosa" || again.Context.Encounter != "enc-rosa" {
		t.Fatalf("%+v %v", again.Context, err)
	}
	w.at(again, elena, flow.StepConsent)
}

func (w *world) choices(p oauth.Pending, who flow.Visitor) map[string]string {
	w.t.Helper()
	list, _, err := w.service.Choices(w.t.Context(), p, who, "")
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range list {
		out[c.Patient.ID] = c.Token
	}
	return out
}

// SMART CTX-21: what one person chose in a browser is not the next person's.
func TestAnotherPersonTakesOverTheBrowser(t *testing.T) {
	w := newWorld(t)
	rosa := w.rosa()
	noah := w.person("noah", identity.RolePatient, "Patient/noah")
	p := w.at(w.begin(rosa, "scope", "launch/patient launch/encounter patient/Observation.rs"), rosa, flow.StepConsent)
	offered := w.offer(p, rosa)
	taken := w.at(p, noah, flow.StepConsent)
	if taken.Capacity.Patient != "noah" || taken.Context.Patient != "noah" || taken.Context.Encounter != "enc-noah" {
		t.Errorf("%+v %+v", taken.Capacity, taken.Context)
	}
	if _, err := w.service.Allow(t.Context(), taken, noah, everything(offered)); !errs.Is(err, errs.Conflict) {
		t.Errorf("rosa's page answered as noah: %v", err)
	}
	// Turning somebody away says nothing about rosa's record.
	admin := w.person("admin", identity.RoleAdmin)
	_, _, err := w.service.Next(t.Context(), p, admin)
	refusal(t, err, "no-record-to-share")
	if e := w.events[len(w.events)-1]; e.Patient != "" || e.PersonID != "p-admin" {
		t.Errorf("%+v", e)
	}
}

// A person without any record, and one whose relation ended, share nothing.
func TestNobodyToShare(t *testing.T) {
	w := newWorld(t)
	w.relate("rosa-elena", "rosa")
	w.permit("rosa", "rosa-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
	rp := w.related["rosa-elena"]
	rp.Active = false
	w.related["rosa-elena"] = rp
	for _, who := range []flow.Visitor{
		w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena"),
		w.person("ghost", identity.RolePatient, "Patient/gone"),
		w.person("admin", identity.RoleAdmin),
	} {
		_, _, err := w.service.Next(t.Context(), w.begin(who), who)
		refusal(t, err, "no-record-to-share")
	}
	unproved := w.rosa()
	unproved.Person.Identities[0].Verified = false
	_, _, err := w.service.Next(t.Context(), w.begin(unproved), unproved)
	refusal(t, err, "no-record-to-share")
}

// SMART SCP-13, CTX-03: a clinician searches only where a patient is needed.
func TestClinicianPicksAPatient(t *testing.T) {
	w := newWorld(t)
	hale := w.person("hale", identity.RoleClinician, "Practitioner/hale")
	p := w.at(w.begin(hale, "scope", "user/Observation.rs"), hale, flow.StepConsent)
	if p.Context.Patient != "" || p.Capacity.Kind != fhir.CapacityPractitioner || p.Capacity.Purpose != "TREAT" {
		t.Errorf("%+v %+v", p.Context, p.Capacity)
	}
	p = w.at(w.begin(hale, "scope", "patient/Observation.rs"), hale, flow.StepPatient)
	list, search, err := w.service.Choices(t.Context(), p, hale, "no")
	if err != nil || !search || len(list) != 1 || list[0].Patient.ID != "noah" {
		t.Fatalf("%v %t %v", list, search, err)
	}
	// The search is repeated when the answer comes: another name, no such choice.
	if _, err := w.service.Choose(t.Context(), p, hale, list[0].Token, "ro"); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	p, err = w.service.Choose(t.Context(), p, hale, list[0].Token, "no")
	if err != nil || p.Context.Patient != "noah" {
		t.Error(p.Context, err)
	}
}

// Each step of a request is in the audit log.
func TestRequestIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.allow(w.rosa(), nil)
	if got := w.recorded(); !slices.Equal(got, []audit.Kind{audit.AuthorizeRequested, audit.GrantCreated}) {
		t.Error(got)
	}
}
