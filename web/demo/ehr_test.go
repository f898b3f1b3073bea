package demo

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// A clinician searches, chooses and opens the app: the context arrives at
// Mandate as chosen, and the browser goes where Mandate says (SMART LAU-01).
func TestLaunchOpensTheApp(t *testing.T) {
	w := newWorld(t)
	list := text(t, w.do(http.MethodGet, "/ehr/?q=ROSA", ""))
	if !strings.Contains(list, `data-patient="rosa"`) || strings.Contains(list, "Reyes") {
		t.Fatalf("search: %s", list)
	}
	form := text(t, w.do(http.MethodGet, "/ehr/launch?patient=rosa", ""))
	if value, _ := attr(byID(t, form, "encounter"), "value"); value != "rosa-visit-1" {
		t.Errorf("the open visit is not filled in: %q", value)
	}
	resp := w.do(http.MethodPost, "/ehr/launch", "app=demo-app&patient=rosa&user=Practitioner/dr-hale&encounter=rosa-visit-1&intent=reconcile&need_patient_banner=false&style=1&fhirContext=%5B%7B%22reference%22%3A%22DocumentReference%2F1%22%7D%5D")
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), base+"/app/launch?iss=") {
		t.Fatalf("launch: %d %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	got, _ := json.Marshal(w.launches[0])
	for _, part := range []string{
		`"client_id":"demo-app"`, `"patient":"rosa"`, `"encounter":"rosa-visit-1"`, `"user":"Practitioner/dr-hale"`, `"intent":"reconcile"`,
		`"need_patient_banner":false`, `"smart_style_url":"http://demo.test/ehr/style.json?v=`, `"fhirContext":[{"reference":"DocumentReference/1"}]`,
	} {
		if !strings.Contains(string(got), part) {
			t.Errorf("the registration lacks %s: %s", part, got)
		}
	}
}

// What is left empty is left out: Mandate must not see "" or null.
func TestLaunchLeavesOutWhatIsEmpty(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodPost, "/ehr/launch", "patient=noah&encounter=&user=")
	if got, _ := json.Marshal(w.launches[0]); string(got) != `{"client_id":"demo-app","patient":"noah"}` {
		t.Errorf("registered %s", got)
	}
}

func TestLaunchForPrograms(t *testing.T) {
	w := newWorld(t)
	resp := w.do(http.MethodPost, "/ehr/launch", "patient=rosa&client_id=planner", "Accept", "application/json")
	var got ticket
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusCreated || got.Launch != "handle-of-planner" {
		t.Errorf("%d %+v %v", resp.StatusCode, got, err)
	}
	for form, status := range map[string]int{"patient=gone": 404, "patient=rosa&fhirContext=nonsense": 400, "patient=rosa&client_id=refused": 400} {
		resp := w.do(http.MethodPost, "/ehr/launch", form, "Accept", "application/json")
		if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", form, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

// The form's policy names the known apps only: others are opened by a link.
func TestLaunchShowsTheLink(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ path, form, href string }{
		{"/ehr/launch?show=1", "patient=rosa", base + "/app/launch?iss=x&launch=handle-of-demo-app"},
		{"/ehr/launch", "patient=rosa&client_id=stranger", "https://stranger.example/start?launch=handle-of-stranger"},
	} {
		resp := w.do(http.MethodPost, c.path, c.form)
		page := text(t, resp)
		if href, _ := attr(byID(t, page, "open"), "href"); href != c.href {
			t.Errorf("%s: link %q", c.path, href)
		}
		if got := inner(byID(t, page, "handle")); !strings.HasPrefix(got, "handle-of-") {
			t.Errorf("%s: handle %q", c.path, got)
		}
	}
	csp := w.do(http.MethodGet, "/ehr/launch?patient=rosa", "").Header.Get("Content-Security-Policy")
	if want := "form-action 'self' " + w.mandate.URL + " http://demo.test https://planner.example"; !strings.HasSuffix(csp, want) {
		t.Errorf("policy %q", csp)
	}
}

// A refusal says what happened and what to do; the form keeps what was typed.
func TestLaunchTroubleIsTold(t *testing.T) {
	w := newWorld(t)
	resp := w.do(http.MethodPost, "/ehr/launch", "patient=rosa&client_id=refused")
	if page := text(t, resp); resp.StatusCode != http.StatusBadGateway || !strings.Contains(page, "names no registered app") || !strings.Contains(page, "What to do") {
		t.Errorf("refused: %d %s", resp.StatusCode, page)
	}
	resp = w.do(http.MethodPost, "/ehr/launch?show=1", "patient=noah&fhirContext=%7Bnonsense&intent=kept")
	page := text(t, resp)
	if got := inner(byID(t, page, "fhirContext")); resp.StatusCode != http.StatusBadRequest || got != "{nonsense" {
		t.Errorf("the field lost its text: %d %q", resp.StatusCode, got)
	}
	if kept, _ := attr(byID(t, page, "intent"), "value"); kept != "kept" {
		t.Errorf("intent %q", kept)
	}
	if !strings.Contains(page, `action="/ehr/launch?show=1"`) || !strings.Contains(page, "Noah &lt;Reyes&gt;") {
		t.Error("the page lost the choice or did not escape the name")
	}
	w.down = true
	if resp := w.do(http.MethodGet, "/ehr/", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("without patients: %d", resp.StatusCode)
	}
	w.mandate.Close()
	w.down = false
	if resp := w.do(http.MethodPost, "/ehr/launch", "patient=rosa", "Accept", "application/json"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("without Mandate: %d", resp.StatusCode)
	}
}

// Another site cannot make the simulator act.
func TestForeignFormsAreRefused(t *testing.T) {
	w := newWorld(t)
	if resp := w.do(http.MethodPost, "/ehr/launch", "patient=rosa", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden || len(w.launches) > 0 {
		t.Errorf("foreign form: %d", resp.StatusCode)
	}
}
