package journey

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TF-20, WC-03, WC-08: an operator asks the console why something was refused, and
// why something was let out, on a phone, at 400 % and with the keyboard alone.
func TestAnOperatorAsksWhy(t *testing.T) {
	w := newWorld(t)
	rosa := w.newBrowser()
	a := rosa.openApp("all")
	a.click("#connect")
	rosa.signIn("rosa")
	rosa.consent()
	rosa.click("button[value=allow]")
	a.stage("connected")
	a.settled("Connected.")
	token := a.tokens().AccessToken
	w.fetchAll(token, "MedicationRequest", "patient=rosa")
	if status, _ := w.get(w.ready.FHIRBase+"/Task", token); status != http.StatusForbidden {
		t.Fatalf("a type that no app gets is answered with %d", status)
	}

	ada := w.newBrowser()
	ada.visit(w.ready.Issuer + "/operator/explain")
	ada.signIn("admin")
	ada.heading("Why was that?")
	ada.walk("the empty form")
	ada.inspect("explain-1-form")
	for _, c := range []struct{ name, kind, heading, said string }{
		{"explain-2-refused", "fhir.refused", "It is not allowed: why", "type-not-offered"},
		{"explain-3-allowed", "fhir.search", "It is allowed: why", "patient/*.rs"},
	} {
		ada.visit(w.ready.Issuer + "/operator/explain?event=" + w.newestEvent(c.kind))
		ada.window(zoomed)
		ada.tabTo("#f-request")
		ada.press(kb.Enter)
		ada.heading(c.heading)
		ada.says("When it happened", c.said)
		ada.window(wide)
		ada.walk(c.heading)
		ada.inspect(c.name)
	}

	ada.visit(w.ready.Issuer + "/operator/explain")
	ada.window(phone)
	ada.tabTo("#f-id")
	ada.press("nobody")
	ada.press(kb.Tab)
	ada.press("/Goal")
	ada.press(kb.Enter)
	ada.until("the error", "document.title.startsWith('Error:')")
	if !eval[bool](ada, "document.activeElement.id === 'errors'") {
		t.Error("the error summary has no focus")
	}
	ada.inspect("explain-4-error")
}

// newestEvent gives the id of the last event of a kind.
func (w *world) newestEvent(kind string) string {
	w.t.Helper()
	status, body := w.get(w.ready.AdminAPI.URL+"/audit?limit=1&kind="+kind, w.ready.AdminAPI.Token)
	var log struct {
		Events []struct {
			ID string `json:"id"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &log); err != nil || status != http.StatusOK || len(log.Events) == 0 {
		w.t.Fatalf("events %s: %d %s %v", kind, status, body, err)
	}
	return log.Events[0].ID
}
