package journey

import (
	"net/http"
	"strings"
	"testing"
)

// task is one thing that an elderly patient wants to do, and how she does it.
type task struct {
	name string
	do   func(b *tab)
}

// rosasDay are eight tasks of a day, in three visits.
func rosasDay() [][]task {
	return [][]task{
		{
			{"make the letters larger before signing in", func(b *tab) {
				b.visit("/signin")
				b.click("footer a[href='/display']")
				b.heading("How the pages look")
				b.click("label[for=f-large]")
				b.click("main form button.primary")
				b.until("larger letters", "document.documentElement.dataset.look === 'large'")
			}},
			{"sign in on the tablet she knows", func(b *tab) {
				b.visit("/home")
				b.password("rosa")
				b.heading("Hello, Rosa Alvarez")
			}},
			{"see who looked at the record", func(b *tab) {
				b.click("a[href='/activity']")
				b.heading("Who looked at my record")
			}},
		},
		{
			{"come back after lunch", func(b *tab) {
				b.visit("/home")
				b.password("rosa")
				b.heading("Hello, Rosa Alvarez")
			}},
			{"see who helps her", func(b *tab) {
				b.click("nav a[href='/people']")
				b.heading("People with access")
			}},
			{"see which apps she connected", func(b *tab) {
				b.click("nav a[href='/apps']")
				b.heading("Connected apps")
			}},
		},
		{
			{"see in the evening whether anybody else signed in", func(b *tab) {
				b.visit("/home")
				b.password("rosa")
				b.click("nav a[href='/account']")
				b.heading("My account")
				b.click("a[href='/account/activity']")
				b.heading("What happened to my account")
			}},
			{"sign out", func(b *tab) {
				b.click(".tools button.link")
				b.heading("You are signed out")
			}},
		},
	}
}

// NI-02, SM-17, WC-02: Rosa, who is 79, does eight things in one day on a tablet that
// she knows. Nobody asks her for more than her password; one such challenge a day
// would be bearable.
func TestRosasDay(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/home")
	b.password("rosa")
	b.heading("Hello, Rosa Alvarez")
	b.click(".tools button.link")
	b.heading("You are signed out")
	challenges := 0
	count := func() {
		if b.location().Path == "/signin/code" || b.has("[data-work]") {
			challenges++
		}
	}
	done := 0
	for i, visit := range rosasDay() {
		for _, one := range visit {
			one.do(b)
			count()
			if done++; t.Failed() {
				t.Fatalf("Rosa cannot %s", one.name)
			}
			b.audit(one.name)
			b.fits(one.name)
			t.Logf("done         %s", one.name)
		}
		if i < 2 {
			w.post(w.ready.Clock, "", `{"advance":"4h"}`, http.StatusOK, nil)
		}
	}
	if done != 8 || challenges > 1 {
		t.Errorf("%d tasks and %d challenges", done, challenges)
	}
}

// WC-07, D.10: the pages of one's own account are used with the keyboard alone, and
// their larger and calmer looks pass the checker.
func TestTheAccountByKeyboard(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/account")
	b.signIn("rosa")
	b.heading("My account")
	for _, page := range []string{"/account", "/account/activity", "/account/travel", "/account/addresses", "/display", "/accessibility"} {
		b.visit(page)
		b.walk(page)
	}
	b.visit("/display")
	b.tabTo("#f-large")
	b.press(" ")
	b.tabTo("#f-calm")
	b.press(" ")
	b.tabTo("main form button.primary")
	b.press("\r")
	b.until("the new look", "document.documentElement.dataset.look === 'large calm'")
	for _, page := range []string{"/account", "/account/activity", "/account/travel", "/account/addresses", "/display", "/accessibility", "/home"} {
		b.visit(page)
		b.inspect("calm" + strings.ReplaceAll(page, "/", "-"))
	}
}
