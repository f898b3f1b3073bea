package journey

import (
	"strings"
	"testing"
)

// TestTheFamilies looks at the families of the demonstration on one server: the page
// that lists them, the list of a patient, and what staff must decide.
func TestTheFamilies(t *testing.T) {
	w := newWorld(t, "--families")
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
}

// decides is TF-22, IB-01 and LC-17 with the keyboard alone: Dr. Osei decides a review
// of somebody who is kept out, which needs a ground of the law, and a dispute.
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
}

// opens follows the link of a line of a list, with the keyboard.
func (b *tab) opens(line string) {
	b.t.Helper()
	eval[bool](b, `[...document.querySelectorAll('ul.sentences > li')].some((li) => li.innerText.includes(`+quote(line)+`) && (li.querySelector('a.go').dataset.wanted = 'yes'))`)
	b.pressed("a[data-wanted]")
}
