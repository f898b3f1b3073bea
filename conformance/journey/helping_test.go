package journey

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// notice waits for the newest notice of a template and gives what it says.
func (w *world) notice(template string) map[string]string {
	w.t.Helper()
	var found map[string]string
	poll(w.t, waitDeadline, "the notice "+template, func() (bool, error) {
		var box struct {
			Notices []struct {
				Template string            `json:"template"`
				Args     map[string]string `json:"args"`
			} `json:"notices"`
		}
		_, body := w.get(w.ready.Outbox, "")
		if err := json.Unmarshal(body, &box); err != nil {
			return false, err
		}
		for _, n := range box.Notices {
			if n.Template == template {
				found = n.Args
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// hears reads what Rosa was told about a friend and chooses how much to hear.
func (b *tab) hears(name string) {
	b.t.Helper()
	b.visit("/messages")
	b.says(name+" has said yes to the invitation.", "New")
	b.inspect("messages")
	b.pressed("main form button.primary")
	b.until("that all is read", "document.querySelector('h1') && !document.querySelector('.tag')")
	b.visit("/contact")
	b.heading("What we tell you")
	b.walk("contact")
	b.visit("/contact")
	b.tabTo("main input[type=radio]")
	b.press("\uE015") // arrow down
	b.pressed("main form button.primary")
	b.until("that it is saved", "document.body.innerText.includes('Saved.')")
	b.spoken("/contact", map[string]string{"en": name, "es": name, "ar": name})
}

// worries says that something feels wrong, on a page whose title tells nothing.
func (b *tab) worries(name string) {
	b.t.Helper()
	b.goes("worry")
	b.heading("Does something feel wrong with " + name + "?")
	if title := eval[string](b, "document.title"); title != name+" and your record – Mandate" {
		b.t.Errorf("the title of the page tells %q", title)
	}
	b.inspect("worry")
	b.pressed("button[value=yes]")
	b.until("that the access rests", "document.body.innerText.includes('rests now')")
}

// SM-20, SM-22: Elena lost her phone and her password stays: two proofs, a day, two of
// the staff, a new password and a new app, in a browser that nobody knows.
func TestElenaGetsBackIn(t *testing.T) {
	w := newWorld(t)
	elena := w.newBrowser()
	elena.preload(shared.axe)
	elena.visit("/signin")
	elena.click("main a[href*='/recover']")
	elena.heading("Get back into your account")
	elena.walk("recover")
	elena.visit("/recover")
	elena.typed("#f-username", "elena")
	elena.pressed("main form button.primary")
	elena.until("the proofs", "document.querySelector('button[value=send]')")
	elena.click("button[value=send]")
	elena.until("the field for the code", "document.querySelector('#f-contact')")
	elena.inspect("recover-prove")
	elena.fill("#f-contact", w.notice("contact-code")["code"])
	elena.click("form:has(#f-contact) button")
	elena.until("the second proof", "document.querySelector('#f-password')")
	elena.fill("#f-password", w.person("elena").Password)
	elena.click("form:has(#f-password) button")
	elena.until("the wait", "document.body.innerText.includes('We have all we need')")
	elena.inspect("recover-wait")
	w.post(w.ready.Clock, "", `{"advance":"25h"}`, http.StatusOK, nil)
	for _, who := range []string{"hale", "osei"} {
		staff := w.newBrowser()
		staff.preload(shared.axe)
		staff.visit("/staff/recovery")
		staff.signIn(who)
		staff.until("the queue", "document.body.innerText.includes('Elena Alvarez') && document.querySelector('ul.doors a')")
		staff.click("ul.doors a")
		staff.until("the case", "document.querySelector('a[href$=\"/approve\"]')")
		staff.inspect("recover-case-" + who)
		staff.click("a[href$='/approve']")
		staff.until("the question", "document.querySelector('#f-reason')")
		staff.choose("f-reason", "called")
		staff.click("button[value=yes]")
		staff.until("the queue again", "location.pathname.startsWith('/staff/recovery') && !document.querySelector('#f-reason')")
	}
	elena.visit("/recover")
	elena.heading("Choose a new password")
	elena.inspect("recover-finish")
	elena.meter("meter-recovery")
	p := person{Username: "elena", TOTPSecret: strings.ReplaceAll(elena.text("main .code"), " ", "")}
	elena.fill("#f-password", "nine herons by the river")
	elena.fill("#f-again", "nine herons by the river")
	elena.fill("#f-code", w.code(p))
	elena.click("main form button.primary")
	elena.until("the end", "document.body.innerText.includes('Your new password is saved')")
	elena.inspect("recover-done")
}
