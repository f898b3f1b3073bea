package journey

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// pick chooses a record on the page that asks whose it is.
func (b *tab) pick(name string) {
	b.t.Helper()
	b.until("the page that asks whose record", "location.pathname.endsWith('/patient')")
	id := eval[string](b, `[...document.querySelectorAll('main label')].find((l) => l.innerText.includes(`+quote(name)+`))?.htmlFor ?? ''`)
	if id == "" {
		b.t.Fatalf("%s cannot be chosen:\n%s", name, b.text("main"))
	}
	b.click("#" + id)
	b.click("button[value=choose]")
}

// kinds lists what a consent page offers.
func (b *tab) kinds() []string {
	b.t.Helper()
	var out []string
	for field, r := range b.rows() {
		if strings.HasPrefix(field, "kind.") || strings.HasPrefix(field, "topic.") {
			out = append(out, r.Field)
		}
	}
	slices.Sort(out)
	return out
}

// SMART CTX-20, PX-01, SC-10: a daughter acts for her mother and gets what the
// Consent permits; where it permits looking only, nothing that lasts. When a
// Consent that permitted more is withdrawn, the app is refused.
func TestElenaActsForHerParents(t *testing.T) {
	w := newWorld(t)
	elena := w.newBrowser()
	a := elena.openApp("all")
	a.click("#connect")
	elena.password("elena")
	elena.until("the page for the code", "location.pathname === '/signin/code'")
	elena.inspect("elena-0-code")
	elena.fill("#f-code", "12345")
	elena.click("main form button.primary")
	elena.until("the error", "document.querySelector('#errors')")
	elena.says("Each code works once. Wait for the next one in the app.")
	elena.secondFactor("elena")
	elena.until("the page that asks whose record", "location.pathname.endsWith('/patient')")
	elena.says("Rosa Alvarez", "as her daughter")
	elena.inspect("elena-1-picker")
	elena.pick("Rosa Alvarez")
	elena.consent()
	elena.says("You are acting for Rosa Alvarez, as her daughter.", "Elena Alvarez, as her daughter", "Rosa Alvarez is told about this.")
	elena.inspect("elena-2-consent")
	offered := elena.rows()
	if kinds := elena.kinds(); !slices.Contains(kinds, "kind.MedicationRequest") || !slices.Contains(kinds, "kind.Appointment") ||
		slices.Contains(kinds, "kind.Condition") || slices.Contains(kinds, "kind.Observation") || slices.Contains(kinds, "kind.rest") {
		t.Errorf("offered: %q", kinds)
	}
	if elena.has("input[name=keep]") {
		t.Error("access while she is away is offered, although she may only look")
	}
	elena.click("button[value=allow]")
	a.stage("connected")
	a.settled("Connected.")
	a.inspect("elena-3-connected")
	checkElenasToken(a, offered)
	checkNotice(w, "rosa")

	a = elena.openApp("all")
	a.click("#connect")
	checkWithdrawal(a)
}

func checkElenasToken(a app, offered map[string]row) {
	a.t.Helper()
	tok := a.tokens()
	if tok.RefreshToken != "" || tok.ExpiresIn <= 0 || tok.ExpiresIn > 300 || strings.Contains(tok.Scope, "*") || strings.Contains(tok.Scope, "offline_access") {
		a.t.Errorf("refresh token %q, expires_in %d, scope %q", tok.RefreshToken, tok.ExpiresIn, tok.Scope)
	}
	for _, kind := range []string{"MedicationRequest", "Appointment"} {
		if n := a.world.fetchAll(tok.AccessToken, kind, "patient=rosa"); n == 0 || n != offered["kind."+kind].Count {
			a.t.Errorf("%s: the consent page said %d, the token fetched %d", kind, offered["kind."+kind].Count, n)
		}
	}
	if ref := eval[string](a.tab, "document.getElementById('user').dataset.reference"); ref != "RelatedPerson/rosa-elena" {
		a.t.Errorf("fhirUser %q", ref)
	}
	refused := a.refused()
	for _, kind := range []string{"Condition", "Observation", "DocumentReference", "Communication"} {
		if !strings.Contains(refused[kind], "not allowed (403): ") {
			a.t.Errorf("%s: %q", kind, refused[kind])
		}
	}
	a.click("#refresh")
	a.settled("Refresh was not possible")
}

// checkNotice wants what the consent page promised: the patient is told.
func checkNotice(w *world, patient string) {
	w.t.Helper()
	status, body := w.get(w.ready.Outbox, "")
	if status != http.StatusOK || !strings.Contains(string(body), `"person_id":"demo-`+patient+`","template":"app-connected-by-proxy"`) {
		w.t.Errorf("the page said that the patient is told, but the outbox has nothing for %s: %d %s", patient, status, body)
	}
}

// checkWithdrawal connects for Joaquín, whose Consent permits keeping, and
// withdraws that Consent.
func checkWithdrawal(a app) {
	a.t.Helper()
	w := a.world
	a.pick("Joaquin Alvarez")
	a.consent()
	a.says("You are acting for Joaquin Alvarez, as his daughter.")
	a.shots("elena-4-consent-joaquin")
	if !a.has("input[name=keep]:checked") {
		a.t.Error("access while she is away is not offered")
	}
	a.click("button[value=allow]")
	a.stage("connected")
	a.settled("Connected.")
	before := a.tokens()
	if before.RefreshToken == "" {
		a.t.Fatal("no refresh token")
	}
	a.click("#refresh")
	a.settled("Access was refreshed.")
	tok := a.tokens()
	if status, body := w.get(w.ready.FHIRBase+"/MedicationRequest?patient=joaquin", tok.AccessToken); status != http.StatusOK {
		a.t.Errorf("before the withdrawal: %d %s", status, body)
	}
	w.post(w.ready.AdminAPI.URL+"/consents/"+w.consentOf("joaquin", "RelatedPerson/joaquin-elena")+"/withdraw", w.ready.AdminAPI.Token, "{}", http.StatusOK, nil)
	if status, body := w.get(w.ready.FHIRBase+"/MedicationRequest?patient=joaquin", tok.AccessToken); status != http.StatusUnauthorized && status != http.StatusForbidden {
		a.t.Errorf("after the withdrawal: %d %s", status, body)
	}
	a.click("#reload")
	a.settled("Read again.", "Access has ended.")
	if left := a.data(); len(left) > 0 {
		a.t.Errorf("the app still reads %v", left)
	}
	a.click("#refresh")
	a.settled("Refresh was refused: invalid_grant")
	a.shots("elena-5-withdrawn")
}

// consentOf finds the Consent by which a patient permits a person to act. The
// approvals of apps (D14) name the person too and are left aside.
func (w *world) consentOf(patient, person string) string {
	w.t.Helper()
	status, body := w.get(w.ready.AdminAPI.URL+"/consents?patient="+patient, w.ready.AdminAPI.Token)
	var list struct {
		Consents []json.RawMessage `json:"consents"`
	}
	if err := json.Unmarshal(body, &list); err != nil || status != http.StatusOK {
		w.t.Fatalf("consents of %s: %d %s %v", patient, status, body, err)
	}
	for _, raw := range list.Consents {
		var c struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			w.t.Fatal(err)
		}
		if text := string(raw); strings.Contains(text, person) && !strings.Contains(text, "app-approval") {
			return c.ID
		}
	}
	w.t.Fatalf("no consent of %s names %s: %s", patient, person, body)
	return ""
}
