package appstate_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/appstate"
)

const (
	base  = "https://ehr.example/fhir"
	prefs = "https://app.example|prefs"
	site  = "https://app.example|site"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// shelf keeps states in a map.
type shelf struct {
	states map[string]appstate.State
	events []audit.Event
}

func (s *shelf) AppState(_ context.Context, _, id string) (appstate.State, error) {
	if st, ok := s.states[id]; ok {
		return st, nil
	}
	return appstate.State{}, errs.New(errs.NotFound, "app-state-not-found", "")
}

func (s *shelf) AppStates(_ context.Context, _, code, subject string) (out []appstate.State, _ error) {
	for _, st := range s.states {
		if st.Code == code && st.Subject == subject {
			out = append(out, st)
		}
	}
	return out, nil
}

func (s *shelf) PutAppState(_ context.Context, st appstate.State, _ int) error {
	s.states[st.ID] = st
	return nil
}

func (s *shelf) DeleteAppState(_ context.Context, _, id string, _ int) error {
	delete(s.states, id)
	return nil
}

func (s *shelf) AppendAudit(_ context.Context, e audit.Event) error {
	s.events = append(s.events, e)
	return nil
}

type anything struct{}

func (anything) ValidateType([]byte, string) error { return nil }

func open() (*shelf, *appstate.Service) {
	s := &shelf{states: map[string]appstate.State{}}
	run := txn.Func[appstate.Tx](func(_ context.Context, fn func(appstate.Tx) error) error { return fn(s) })
	return s, &appstate.Service{Read: s, Tx: run, Validator: anything{}, Clock: clock.Fixed(noon), IDs: ids.Source{}}
}

// asker is somebody who acts as a person, with the scopes.
func asker(t *testing.T, acting, scopes string) appstate.Asker {
	t.Helper()
	req, err := scope.Parse(scopes, scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	who, _ := fhir.ParseReference(acting)
	return appstate.Asker{
		Tenant: "acme", Base: base, Client: oauth.Client{ID: "app", AppStateCodes: []string{prefs, site}},
		Input: access.Input{
			Grant: access.GrantView{Scopes: req.Clinical, Capacity: fhir.Capacity{Kind: fhir.CapacityStaff, Acting: who}, Ends: noon.Add(time.Hour)},
			Now:   noon,
		},
	}
}

func body(t *testing.T, code, subject, id string) []byte {
	t.Helper()
	system, value, _ := strings.Cut(code, "|")
	v := map[string]any{"resourceType": "Basic", "code": map[string]any{"coding": []any{map[string]any{"system": system, "code": value}}},
		"extension": []any{map[string]any{"url": "https://app.example/v", "valueString": "1"}}}
	if subject != "" {
		v["subject"] = map[string]any{"reference": base + "/" + subject}
	}
	if id != "" {
		v["id"] = id
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// APS-02, APS-07: a state may be about the person who uses the app, of whatever
// type, where a user scope reaches the code; about nobody else.
func TestStateAboutTheUser(t *testing.T) {
	for _, who := range []string{"Practitioner/hale", "PractitionerRole/hale-1", "RelatedPerson/elena", "Person/elena"} {
		s, v := open()
		a := asker(t, who, "user/Basic.cuds?code="+prefs)
		st, err := v.Create(t.Context(), a, body(t, prefs, who, ""))
		if err != nil || st.Subject != who || st.Patient() != "" || len(s.events) != 1 || s.events[0].Action != "C" {
			t.Errorf("%s: %+v %v", who, st, err)
		}
		if _, err := v.Create(t.Context(), a, body(t, site, who, "")); !errs.Is(err, errs.Forbidden) {
			t.Errorf("%s, another code: %v", who, err)
		}
		if _, err := v.Create(t.Context(), a, body(t, prefs, "Practitioner/other", "")); !errs.Is(err, errs.Forbidden) {
			t.Errorf("%s, for somebody else: %v", who, err)
		}
		if _, err := v.Create(t.Context(), asker(t, who, "patient/Basic.cuds"), body(t, prefs, who, "")); !errs.Is(err, errs.Forbidden) {
			t.Errorf("%s, without a user scope: %v", who, err)
		}
		over := a
		over.Input.Now = noon.Add(2 * time.Hour)
		if _, err := v.Search(t.Context(), over, prefs, who); !errs.Is(err, errs.Forbidden) {
			t.Errorf("%s, after the grant: %v", who, err)
		}
	}
}

// APS-01: state about nobody is read by whoever has the code, and changed only
// by an app that may.
func TestStateAboutNobody(t *testing.T) {
	_, v := open()
	a := asker(t, "Practitioner/hale", "user/Basic.cuds")
	if _, err := v.Create(t.Context(), a, body(t, site, "", "")); !errs.Is(err, errs.Forbidden) {
		t.Error(err)
	}
	admin := a
	admin.Client.AppStateGlobal = true
	st, err := v.Create(t.Context(), admin, body(t, site, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Delete(t.Context(), a, st.ID, 1); !errs.Is(err, errs.Forbidden) {
		t.Error(err)
	}
	found, err := v.Search(t.Context(), a, site, "")
	if err != nil || len(found) != 1 || !strings.Contains(string(found[0].JSON), `"versionId":"1"`) {
		t.Error(found, err)
	}
	// APS-08: a companion only reads; an app without the code does not even that.
	companion := a
	companion.Client.AppStateCodes, companion.Client.AppStateReadCodes = nil, []string{site}
	if found, err := v.Search(t.Context(), companion, site, ""); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
	stranger := a
	stranger.Client.AppStateCodes = nil
	if _, err := v.Search(t.Context(), stranger, site, ""); !errs.Is(err, errs.Forbidden) {
		t.Error(err)
	}
	// Its owner's id says nothing to another app.
	if err := v.Delete(t.Context(), companion, st.ID, 1); !errs.Is(err, errs.PreconditionFailed) {
		t.Error(err)
	}
}

// APS-04: what changes names the version, keeps code and subject, and is gone
// for good when deleted.
func TestChanges(t *testing.T) {
	s, v := open()
	const who = "Practitioner/hale"
	a := asker(t, who, "user/Basic.cuds")
	st, err := v.Create(t.Context(), a, body(t, prefs, who, ""))
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]func() error{
		"another version": func() error { _, err := v.Update(t.Context(), a, st.ID, 2, body(t, prefs, who, st.ID)); return err },
		"another code":    func() error { _, err := v.Update(t.Context(), a, st.ID, 1, body(t, site, who, st.ID)); return err },
		"a foreign code":  func() error { _, err := v.Update(t.Context(), a, st.ID, 1, body(t, "urn:x|y", who, st.ID)); return err },
		"an unknown id":   func() error { return v.Delete(t.Context(), a, "nothing", 1) },
	} {
		if err := try(); !errs.Is(err, errs.PreconditionFailed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := v.Update(t.Context(), a, st.ID, 1, body(t, prefs, who, "")); !errs.Is(err, errs.Unprocessable) {
		t.Error(err)
	}
	st, err = v.Update(t.Context(), a, st.ID, 1, body(t, prefs, who, st.ID))
	if err != nil || st.Version != 2 {
		t.Fatal(st.Version, err)
	}
	if err := v.Delete(t.Context(), a, st.ID, 2); err != nil || len(s.events) != 3 {
		t.Error(err, len(s.events))
	}
}

// APS-02: what is kept has an end.
func TestLimits(t *testing.T) {
	s, v := open()
	const who = "Practitioner/hale"
	a := asker(t, who, "user/Basic.cuds")
	if _, err := v.Create(t.Context(), a, make([]byte, appstate.MaxBytes+1)); !errs.Is(err, errs.TooLarge) {
		t.Error(err)
	}
	for range appstate.MaxStates {
		if _, err := v.Create(t.Context(), a, body(t, prefs, who, "")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Create(t.Context(), a, body(t, prefs, who, "")); !errs.Is(err, errs.Unprocessable) || len(s.states) != appstate.MaxStates {
		t.Error(err)
	}
}
