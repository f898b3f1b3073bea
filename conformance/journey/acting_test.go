package journey

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TF-03, CO-15, TR-44: Elena turns to her mother in two presses of Enter, from any
// page, sees on every page as whom, and turns back.
func TestElenaSwitchesByKeyboard(t *testing.T) {
	w := newWorld(t)
	elena := w.newBrowser()
	elena.preload(shared.axe)
	elena.visit("/home")
	elena.signIn("elena")
	elena.heading("Hello, Elena Alvarez")
	const banner = "You are acting for Rosa Alvarez, as her daughter."
	elena.pressed("a[href='/acting']")
	elena.heading("Whose record?")
	elena.inspect("acting-choice")
	elena.pressed("button[value=rosa-elena]")
	elena.until("the banner", "document.querySelector('.acting')?.innerText.includes("+quote(banner)+")")
	elena.inspect("acting-home")
	paper := eval[string](elena, "getComputedStyle(document.body).backgroundColor")
	if got := eval[string](elena, "getComputedStyle(document.querySelector('.acting')).backgroundColor"); got == paper {
		t.Errorf("the banner has the colour of the page: %s", got)
	}
	for _, page := range []string{"/apps", "/factors", "/devices", "/messages"} {
		elena.visit(page)
		elena.says(banner)
	}
	elena.visit("/people")
	elena.says(banner, "This page is for you as yourself")
	elena.spoken("/apps", map[string]string{"en": banner, "es": "Usted actúa por Rosa Alvarez, como su hija.", "ar": "Rosa Alvarez"})
	elena.visit("/apps")
	elena.pressed(".acting a")
	elena.heading("Whose record?")
	elena.walk("acting")
	elena.visit("/acting")
	elena.pressed("button[value=self]")
	elena.heading("Hello, Elena Alvarez")
	if elena.has(".acting") {
		t.Error("still acting")
	}
}

// TF-23, TR-45: Hale types what a caller says; nothing is shown before it fits.
func TestHaleTakesACall(t *testing.T) {
	w := newWorld(t)
	elena, hale := w.newBrowser(), w.newBrowser()
	hale.preload(shared.axe)
	elena.visit("/call-code")
	elena.signIn("elena")
	elena.heading("A code for the phone")
	code := elena.text("main .code")
	hale.visit("/staff/calls")
	hale.signIn("hale")
	hale.heading("Who is on the phone?")
	call := func(who, code, patient string) string {
		hale.typed("#f-username", who)
		hale.typed("#f-code", code)
		hale.typed("#f-patient", patient)
		hale.press(kb.Enter)
		hale.until("the answer", "document.querySelector('.notice.stop') || location.pathname === '/staff/calls' && document.querySelector('h1').innerText.startsWith('It is')")
		return strings.TrimSpace(hale.text("main"))
	}
	first := call("nobody-at-all", "12345678", "Rosa Alvarez")
	hale.inspect("call-refused")
	hale.visit("/staff/calls")
	if again := call("victor", code, "Rosa Alvarez"); again != first {
		t.Errorf("a blocked caller:\n%s\nan unknown one:\n%s", again, first)
	}
	hale.visit("/staff/calls")
	call("elena", code, "Rosa Alvarez")
	hale.heading("It is Elena Alvarez")
	hale.says("You are talking to Elena Alvarez about Rosa Alvarez.", "Elena Alvarez can see")
	hale.inspect("call-verified")
}
