package journey

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// WC-03, WC-08: sign-in and consent are done with the keyboard alone.
func TestTheKeyboardIsEnough(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.visit(w.authorize(everything))
	b.until("the sign-in page", "location.pathname === '/signin'")
	b.walk("sign-in")
	b.visit(w.authorize(everything))
	b.until("the sign-in page", "location.pathname === '/signin'")
	p := w.person("rosa")
	b.tabTo("#f-username")
	b.press(p.Username)
	b.press(kb.Tab)
	b.press("wrong")
	b.press(kb.Enter)
	b.until("the error", "document.title.startsWith('Error:')")
	if !eval[bool](b, "document.activeElement.id === 'errors'") {
		t.Error("the error summary has no focus")
	}
	if eval[string](b, "document.getElementById('f-username').value") != p.Username {
		t.Error("the user name was not kept")
	}
	b.inspect("signin-error")
	b.tabTo("#f-password")
	b.press(p.Password)
	b.press(kb.Enter)
	b.consent()
	b.walk("consent")

	b.tabTo("input[name='kind.AllergyIntolerance']")
	b.press(" ")
	b.tabTo("details:has(fieldset input[name='kind.Observation.how']) > summary")
	b.press(kb.Enter)
	b.tabTo("input[name='kind.Observation.how']")
	b.press(kb.ArrowDown)
	b.tabTo("input[name='cat.Observation.laboratory']")
	b.press(" ")
	b.tabTo("input[name=keep_for]")
	b.press(kb.ArrowDown)
	rows := b.rows()
	if rows["kind.AllergyIntolerance"].Checked || !rows["cat.Observation.laboratory"].Checked ||
		!b.has("input[name='kind.Observation.how'][value=only]:checked") || !b.has("input[name=keep_for][value='1y']:checked") {
		t.Errorf("the keyboard did not change the form: %v", rows)
	}
	b.tabTo("button[value=deny]")
	b.press(kb.Enter)
	app{b}.stage("failed")
}

// Design rule "everything works without JavaScript": the whole flow, and
// ending the connection.
func TestWithoutJavaScript(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.visit(w.authorize(everything))
	b.signIn("rosa")
	b.consent()
	b.tick("kind.AllergyIntolerance", false)
	b.click("details:has(fieldset input[name='kind.Observation.how']) > summary")
	b.click("input[name='kind.Observation.how'][value=only]")
	b.click("button[value=allow]")
	b.until("the page with the error", "document.querySelector('#errors')")
	b.says("Tick one part at least.")
	if b.rows()["kind.AllergyIntolerance"].Checked {
		t.Error("what was unticked came back ticked")
	}
	b.shots("consent-error")
	b.fits("consent with an error")
	b.tick("cat.Observation.laboratory", true)
	b.click("button[value=allow]")
	b.until("the app", "location.pathname === '/app/callback'")
	q := b.location().Query()
	if q.Get("code") == "" || q.Get("state") != state || q.Get("iss") != w.ready.Issuer {
		t.Errorf("back at the app with %v", q)
	}
	b.visit("/apps")
	b.click("td.do a")
	b.heading("End the access of Heart Diary?")
	b.click("button[value=end]")
	b.heading("Connected apps")
	b.says("Heart Diary can no longer see the record.")
	b.click("header form button")
	b.heading("You are signed out")
	b.shots("signed-out")
	b.visit("/apps")
	if b.location().Path != "/signin" && !b.has("#f-username, main a[href*='/signin']") {
		t.Error("after signing out there is no way to sign in again")
	}
}

// The second language is chosen on the first page and stays.
func TestSpanish(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.visit(w.authorize(everything))
	b.until("the sign-in page", "location.pathname === '/signin'")
	b.click("a[hreflang=es]")
	b.until("Spanish", "document.documentElement.lang === 'es'")
	b.says("Heart Diary")
	b.inspect("es-signin")
	b.signIn("rosa")
	b.consent()
	b.says("Permitir lo marcado", "No permitir", "Medicamentos", "+1 555 0100")
	if lang := eval[string](b, "document.documentElement.lang"); lang != "es" {
		t.Errorf("the consent page's language is %q", lang)
	}
	for _, english := range []string{"entries", "Allow", "Choose", "sensitive", "What happens"} {
		if strings.Contains(b.text("main"), english) {
			t.Errorf("the Spanish page says %q", english)
		}
	}
	b.inspect("es-consent")
	b.click("button[value=deny]")
	app{b}.stage("failed")
	b.visit("/apps")
	b.heading("Aplicaciones conectadas")
	b.inspect("es-apps")
}

// AZ-05: what cannot be trusted never redirects, and the page helps on.
func TestErrorPages(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	for name, address := range map[string]string{
		"error-client":   strings.Replace(w.authorize(everything), "demo-app", "nobody", 1),
		"error-redirect": strings.Replace(w.authorize(everything), "callback", "elsewhere", 1),
		"error-missing":  w.ready.Issuer + "/there-is-no-such-page",
		"error-flow":     w.ready.Issuer + "/flow/unknown/consent",
	} {
		b.visit(address)
		if got := b.location(); got.Scheme+"://"+got.Host != w.ready.Issuer {
			t.Errorf("%s: led to %s", name, got)
		}
		b.says("What you can do", "+1 555 0100")
		b.inspect(name)
	}
	b.visit("/apps")
	b.inspect("not-signed-in")
	if !b.has("#f-username, main a[href*='/signin']") {
		t.Error("who is not signed in finds no way to do so")
	}
	b.visit(w.ready.Console)
	b.inspect("staff-signin")
}

// Help needs no log-in and no store.
func TestHelpIsAlwaysThere(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.ready.Issuer + "/help")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) > 0 {
		t.Errorf("%d, cookies %v", resp.StatusCode, resp.Cookies())
	}
	b := w.newBrowser()
	b.run(chromedp.ActionFunc(network.SetCookie("mandate_session", strings.Repeat("x", 43)).WithURL(w.ready.Issuer).Do))
	b.visit("/help")
	b.heading("Help")
	calls := eval[[]string](b, `[...document.querySelectorAll('a[href^="tel:"]')].map((a) => a.getAttribute('href'))`)
	if !slices.Contains(calls, "tel:+15550100") {
		t.Errorf("telephone links %q", calls)
	}
	b.inspect("help")
	b.visit("/help?lang=es")
	b.inspect("es-help")
}
