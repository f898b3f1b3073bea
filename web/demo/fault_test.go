package demo

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func (w *world) outcomes(resp *http.Response) []outcome {
	w.t.Helper()
	var list []outcome
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		w.t.Fatalf("%d: %v", resp.StatusCode, err)
	}
	return list
}

// A server that follows the specifications passes every case.
func TestFaultsMatchASoundServer(t *testing.T) {
	for _, g := range groups() {
		for _, f := range g.faults {
			w := newWorld(t)
			switch {
			case f.runs():
				value := "old"
				if strings.HasPrefix(f.Wants.label(), "Access token") && f.ID != "expired-token" {
					value = "good"
				}
				w.check(f.ID, w.outcomes(w.do(http.MethodPost, "/ehr/faults/"+f.ID, "patient=rosa&value="+value, "Accept", "application/json")))
			case f.trip != "":
				w.check(f.ID, w.outcomes(w.do(http.MethodGet, "/app/callback?code=fresh-code&state="+faultState+f.ID, "", "Accept", "application/json")))
			case f.signIn:
				w.check(f.ID, w.outcomes(w.do(http.MethodGet, "/app/callback?error=invalid_scope&state="+faultState+f.ID, "", "Accept", "application/json")))
			default:
				t.Errorf("%s can neither be run nor opened", f.ID)
			}
		}
	}
}

func (f *want) label() string {
	if f == nil {
		return ""
	}
	return f.Label
}

func (w *world) check(id string, list []outcome) {
	w.t.Helper()
	if len(list) != 1 || list[0].ID != id || !list[0].Matched || list[0].Note != "" {
		w.t.Errorf("%s: %+v", id, list)
	}
}

// A server that accepts everything passes none: the judge can say no.
func TestFaultsCatchALenientServer(t *testing.T) {
	for _, g := range groups() {
		for _, f := range g.faults {
			w := newWorld(t)
			w.lenient = true
			for _, o := range w.runAnyhow(f) {
				client := f.ID == "wrong-secret" || f.ID == "wrong-assertion" || f.ID == "password-grant" // the fake always refuses these
				if o.Matched && !client {
					t.Errorf("%s is taken as refused: %+v", f.ID, o.Exchange)
				}
			}
		}
	}
}

func (w *world) runAnyhow(f fault) []outcome {
	switch {
	case f.runs():
		return w.outcomes(w.do(http.MethodPost, "/ehr/faults/"+f.ID, "patient=rosa&value=good", "Accept", "application/json"))
	case f.trip != "", f.signIn:
		return w.outcomes(w.do(http.MethodGet, "/app/callback?code=fresh-code&state="+faultState+f.ID, "", "Accept", "application/json"))
	}
	return nil
}

// One sign-in is enough for all cases that need a token.
func TestFHIRFaultsAfterOneSignIn(t *testing.T) {
	w := newWorld(t)
	list := w.outcomes(w.do(http.MethodGet, "/app/callback?code=fresh-code&state="+faultState+"fhir", "", "Accept", "application/json"))
	if len(list) != len(fhirFaults())-1 {
		t.Errorf("%d cases ran", len(list))
	}
	for _, o := range list {
		if !o.Matched || o.Note != "" {
			t.Errorf("%+v", o)
		}
	}
	w.codes["second"], w.scope = true, "patient/Observation.rs"
	for _, o := range w.outcomes(w.do(http.MethodGet, "/app/callback?code=second&state="+faultState+"fhir", "", "Accept", "application/json")) {
		if (o.Note != "") != (o.ID == "malformed-body") {
			t.Errorf("the note on what was not ticked: %+v", o)
		}
	}
	again := w.outcomes(w.do(http.MethodGet, "/app/callback?code=fresh-code&state="+faultState+"fhir", "", "Accept", "application/json"))
	if len(again) != 1 || again[0].Note == "" {
		t.Errorf("a used code gave %+v", again)
	}
}

// The links are valid requests but for the one fault, and lead back here.
func TestFaultLinks(t *testing.T) {
	w := newWorld(t)
	var list []struct {
		ID, Link string
		Runs     bool
	}
	if err := json.NewDecoder(w.do(http.MethodGet, "/ehr/faults", "", "Accept", "application/json").Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	links := map[string]url.Values{}
	for _, l := range list {
		if u, err := url.Parse(l.Link); err == nil {
			links[l.ID] = u.Query()
		}
	}
	if got := links["code-twice"].Get("state"); got != "ehr-fault.code-twice" {
		t.Errorf("state %q", got)
	}
	if q := links["missing-aud"]; q.Has("aud") || q.Get("client_id") != "demo-app" || len(q.Get("code_challenge")) != 43 {
		t.Errorf("missing-aud: %v", q)
	}
	page := text(t, w.do(http.MethodGet, "/ehr/faults", ""))
	if href, _ := attr(byID(t, page, "trip"), "href"); !strings.Contains(href, "state=ehr-fault.fhir") {
		t.Errorf("trip %q", href)
	}
}

// The page shows the answer raw, beside what was expected.
func TestFaultPage(t *testing.T) {
	w := newWorld(t)
	page := text(t, w.do(http.MethodPost, "/ehr/faults/wrong-code", ""))
	section := byID(t, page, "outcome-wrong-code")
	if matched, _ := attr(section, "data-matched"); matched != "true" {
		t.Error("the case did not match")
	}
	for _, part := range []string{"As the specification expects.", "400 with error=invalid_grant", `{"error":"invalid_grant"}`, "POST " + w.mandate.URL + "/token"} {
		if !strings.Contains(inner(section), part) {
			t.Errorf("the page lacks %q: %s", part, inner(section))
		}
	}
}

func TestFaultTrouble(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, form string
		status             int
	}{
		{http.MethodPost, "/ehr/faults/none", "", 404},
		{http.MethodPost, "/ehr/faults/code-twice", "", 404},
		{http.MethodPost, "/ehr/faults/expired-token", "value=", 400},
		{http.MethodGet, "/app/callback?code=c&state=ehr-fault.none", "", 404},
		{http.MethodGet, "/app/callback?error=access_denied&state=ehr-fault.code-twice", "", 200},
	} {
		resp := w.do(c.method, c.path, c.form)
		if page := text(t, resp); resp.StatusCode != c.status || !strings.Contains(page, "What to do") {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, page)
		}
	}
	w.mandate.Close()
	for path, status := range map[string]int{"/ehr/faults": 502, "/app/callback?code=c&state=ehr-fault.code-twice": 502} {
		if resp := w.do(http.MethodGet, path, ""); resp.StatusCode != status {
			t.Errorf("%s without Mandate: %d", path, resp.StatusCode)
		}
	}
	list := w.outcomes(w.do(http.MethodPost, "/ehr/faults/no-token", "", "Accept", "application/json"))
	if list[0].Matched || list[0].Note == "" {
		t.Errorf("without Mandate: %+v", list)
	}
}
