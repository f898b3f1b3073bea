package journey

import (
	"slices"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// rosaOpensWhatIsPrivate: SP-20, SM-02, NI-01. What is particularly private in "My record"
// opens after a proof that was just given, and again after the next when time has passed;
// so does an app's sensitive topic, and what was ticked waits meanwhile.
func rosaOpensWhatIsPrivate(w *world) {
	rosa := w.browser()
	rosa.secured("/people/invite")
	w.forward("6m")
	rosa.visit("/record")
	rosa.pressed("ul.doors a[href$='/record/conditions']")
	rosa.heading("My illnesses")
	rosa.says("Some entries here are private. To see them, show again who you are.")
	few := rosa.entries()
	rosa.inspect("private-1-few")
	rosa.walk("conditions")
	rosa.visit("/record/conditions")
	rosa.pressed("main .notice a")
	rosa.heading("Use your passkey")
	rosa.inspect("private-2-proof")
	rosa.walk("the proof")
	rosa.visit("/record/conditions?private=1")
	rosa.pressed("form[data-passkey] button")
	rosa.until("the entries", "location.pathname === '/record/conditions' && !document.querySelector('main').innerText.includes('Some entries here are private')")
	if all := rosa.entries(); all <= few {
		w.t.Errorf("%d entries, then %d", few, all)
	}
	rosa.inspect("private-3-all")
	w.forward("6m")
	rosa.visit("/record/conditions?private=1")
	rosa.heading("Use your passkey")
	rosa.topicForAnApp()
}

// entries counts what a page of the record lists.
func (b *tab) entries() int {
	b.t.Helper()
	return eval[int](b, "document.querySelectorAll('main ul.sentences > li').length")
}

// topicForAnApp lets an app have a sensitive topic, with the keyboard alone.
func (b *tab) topicForAnApp() {
	t := b.t
	t.Helper()
	a := b.openApp("all")
	a.pressed("#connect")
	b.consent()
	topic := ""
	for field := range b.rows() {
		if strings.HasPrefix(field, "topic.") && (topic == "" || field < topic) {
			topic = field
		}
	}
	if topic == "" {
		t.Fatal("no topic is offered")
	}
	b.walk("consent with a topic")
	for _, field := range []string{topic, "kind.AllergyIntolerance"} {
		b.tabTo("input[name=" + quote(field) + "]")
		b.press(" ")
	}
	b.tabTo("button[value=allow]")
	b.press(kb.Enter)
	b.heading("Use your passkey")
	b.inspect("private-4-topic-proof")
	b.pressed("form[data-passkey] button")
	b.consent()
	rows := b.rows()
	if !rows[topic].Checked || rows["kind.AllergyIntolerance"].Checked {
		t.Errorf("what was ticked did not wait: %s %v, allergies %v", topic, rows[topic].Checked, rows["kind.AllergyIntolerance"].Checked)
	}
	b.inspect("private-5-ticked")
	b.pressed("button[value=allow]")
	a.stage("connected")
	a.settled("Connected.")
	if got := a.data(); got["Condition"] == 0 {
		t.Errorf("the app got %v", got)
	}
	if _, ok := a.data()["AllergyIntolerance"]; ok || !slices.ContainsFunc(a.granted(), func(s string) bool { return strings.Contains(s, "Condition") }) {
		t.Errorf("granted: %q", a.granted())
	}
}
