package journey

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
)

// TestTheFamilies looks at the families of the demonstration on one server: the page
// that lists them, what staff must decide, and who shares a password.
func TestTheFamilies(t *testing.T) {
	w := newWorld(t, "--families", "--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1/128")
	demo := w.newBrowser()
	demo.preload(shared.axe)
	demo.visit(strings.TrimSuffix(w.ready.DemoApp, "/app/") + "/people/")
	demo.heading("People of the demonstration")
	demo.says("Ruth Begaye", "Thomas Begaye: active")
	demo.inspect("families")
	ruth := w.newBrowser()
	ruth.preload(shared.axe)
	ruth.visit("/people")
	ruth.signIn("ruth")
	ruth.heading("People with access")
	ruth.inspect("families-ruth")
	w.decides(w.newBrowser())
	w.helpedByAnother(ruth)
}

// decides is TF-22, IB-01 and LC-17 with the keyboard alone: Dr. Osei decides a review
// of somebody who is kept out, which needs a ground of the law, and a dispute. Who is
// kept out asks for another look.
func (w *world) decides(osei *tab) {
	w.t.Helper()
	osei.preload(shared.axe)
	osei.visit("/staff/matters")
	osei.signIn("osei")
	osei.heading("What must be decided")
	osei.says("Review for Galina Ivanova: somebody was kept out", "People who help Galina Ivanova do not agree", "Decide by")
	osei.walk("matters")
	osei.inspect("matters-1-list")
	osei.spoken("/staff/matters", map[string]string{"en": "Decide by", "es": "Galina Ivanova", "ar": "Galina Ivanova"})
	osei.visit("/staff/matters")
	osei.opens("Review for Galina")
	osei.heading("Review for Galina Ivanova: somebody was kept out")
	osei.says("Sonya Ivanova", "45 CFR")
	review := osei.location().Path
	osei.walk("matter")
	osei.visit(review)
	osei.inspect("matters-2-review")
	osei.spoken(review, map[string]string{"en": "What do you decide?", "es": "Galina Ivanova", "ar": "Galina Ivanova"})
	osei.visit(review)
	osei.pressed("main form button.primary")
	osei.until("that nothing was chosen", "document.querySelector('[role=alert] a[href], .notice.stop a[href]')")
	osei.inspect("matters-3-missing")
	osei.tabTo("input[name=outcome]")
	osei.press(" ")
	osei.typed("#f-ground", "The person may")
	osei.pressed("main form button.primary")
	osei.until("the decision", "!document.querySelector('main form input[name=outcome]') && document.body.innerText.includes('The person stays out')")
	osei.says("164.502(g)(5)", "Dr. Osei")
	osei.inspect("matters-4-decided")

	osei.visit("/staff/matters")
	osei.opens("People who help Galina")
	osei.heading("People who help Galina Ivanova do not agree")
	osei.says("Oleg Ivanov", "Sonya Ivanova")
	osei.inspect("matters-5-dispute")
	osei.tabTo("input[name=outcome]")
	osei.press(" ")
	osei.pressed("main form button.primary")
	osei.until("the end of the dispute", "!document.querySelector('main form input[name=outcome]') && document.body.innerText.includes('Both go on')")
	osei.visit("/staff/matters")
	osei.until("an empty list", "!document.querySelector('ul.sentences')")
	osei.inspect("matters-6-none")
	w.asksAgain()
}

// opens follows the link of a line of a list, with the keyboard.
func (b *tab) opens(line string) {
	b.t.Helper()
	eval[bool](b, `[...document.querySelectorAll('ul.sentences > li')].some((li) => li.innerText.includes(`+quote(line)+`) && (li.querySelector('a.go').dataset.wanted = 'yes'))`)
	b.pressed("a[data-wanted]")
}

// asksAgain is somebody who is kept out and asks for another look.
func (w *world) asksAgain() {
	w.t.Helper()
	sonya := w.newBrowser()
	sonya.preload(shared.axe)
	sonya.visit("/helping")
	sonya.signIn("sonya")
	sonya.heading("People I help")
	sonya.pressed("main a.go")
	sonya.goes("recheck")
	sonya.until("the question", "document.querySelector('button[value=yes]')")
	sonya.inspect("matters-7-ask")
	sonya.pressed("button[value=yes]")
	sonya.until("the page of the case", "!document.querySelector('button[value=yes]')")
	sonya.inspect("matters-8-asked")
}

// from gives a tab the looks of a device in a network.
func (b *tab) from(agent, address string) {
	b.t.Helper()
	b.run(network.Enable(), emulation.SetUserAgentOverride(agent),
		network.SetExtraHTTPHeaders(network.Headers{"X-Forwarded-For": address}))
}

// helpedByAnother is SP-21 and CO-01 with the keyboard alone: Ruth's password is in use
// in two places at once. Nobody is locked out; one question leads to an own account.
func (w *world) helpedByAnother(ruth *tab) {
	w.t.Helper()
	ruth.visit("/signin")
	carer := w.newBrowser()
	carer.preload(shared.axe)
	carer.from("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "203.0.113.9")
	carer.authenticator(true)
	carer.visit("/home")
	carer.signIn("ruth")
	carer.heading("Hello, Ruth Begaye")
	ruth.visit("/home")
	carer.visit("/home")
	carer.says("Does somebody help you with this account?")
	carer.inspect("together-1-home")
	carer.pressed("main a[href='/together']")
	carer.heading("Does somebody help you, Ruth Begaye?")
	carer.says("in use at the same time in two places", "An own account takes three minutes", "Nothing is closed, whatever you choose.")
	carer.walk("together")
	carer.visit("/together")
	carer.inspect("together-2-asked")
	carer.spoken("/together", map[string]string{"en": "An own account takes three minutes", "es": "Ruth Begaye", "ar": "Ruth Begaye"})
	carer.visit("/together")
	carer.pressed("button[value=yes]")
	carer.until("the way to an invitation", "!location.pathname.startsWith('/together')")
	carer.inspect("together-3-next")
	if at := carer.location().Path; at != "/people/invite" && at != "/factors" {
		w.t.Errorf("yes leads to %s", at)
	}
	ruth.visit("/together")
	ruth.pressed("button[value=no]")
	ruth.until("home", "location.pathname === '/home'")
	if strings.Contains(ruth.text("main"), "Does somebody help you") {
		w.t.Error("asked again after no")
	}
}

// What somebody who is not quick needs, in seconds: to read a word, to type a sign, to
// reach a field or a button, and to take out the phone, scan a picture and read a code
// (keystroke-level model, for a slow reader and typist).
const (
	perWord    = 60.0 / 150
	perSign    = 0.6
	perControl = 3.0
	forCodeApp = 45.0
	// inTime is three minutes.
	inTime = 180.0
)

// effort adds up what one page asks of somebody.
type effort struct {
	pages, fields int
	seconds       float64
}

// sees adds the page that stands before somebody, and what is to be typed there.
func (e *effort) sees(b *tab, typed ...string) {
	e.pages++
	e.seconds += perWord*eval[float64](b, `document.querySelector('main').innerText.split(/\s+/).length`) + perControl
	for _, text := range typed {
		e.fields++
		e.seconds += perControl + perSign*float64(len(text))
	}
	if b.has("main .code") {
		e.seconds += forCodeApp
	}
}
