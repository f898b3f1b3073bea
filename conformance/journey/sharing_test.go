package journey

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// letter gives the link of the latest letter to an address.
func (w *world) letter(to string) string {
	w.t.Helper()
	var box struct {
		Notices []struct {
			Args map[string]string `json:"args"`
		} `json:"notices"`
	}
	_, body := w.get(w.ready.Outbox, "")
	if err := json.Unmarshal(body, &box); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range box.Notices {
		if n.Args["to"] == to {
			return strings.TrimPrefix(n.Args["link"], w.ready.Issuer)
		}
	}
	w.t.Fatalf("no letter to %s: %s", to, body)
	return ""
}

// goes follows the link to an act on somebody's page.
func (b *tab) goes(act string) {
	b.t.Helper()
	b.until("the link to "+act, "document.querySelector('ul.doors a[href$=\"/"+act+"\"]')")
	b.click(`ul.doors a[href$="/` + act + `"]`)
}

// LC-01 … LC-03, LC-10, SM-02, SP-20, CO-01: Rosa has a password only. She makes a
// passkey on the way, invites a friend, shares some of her record, takes it back,
// shares again, has it closed because something feels wrong, and ends it.
func TestRosaSharesWithAFriend(t *testing.T) {
	w := newWorld(t)
	rosa, bea, hale := w.newBrowser(), w.newBrowser(), w.newBrowser()
	for _, b := range []*tab{rosa, bea, hale} {
		b.preload(shared.axe)
	}
	rosa.authenticator(true)
	code := rosa.invites()
	bea.enrols(w.letter("bea@example.org"), code)

	hale.visit("/staff/people")
	hale.signIn("hale")
	hale.until("the queue", "document.querySelector('a[href*=\"/staff/people/\"]') && document.body.innerText.includes('Bea Brook')")
	hale.inspect("sharing-8-queue")
	hale.visit("/staff" + rosa.location().Path)
	hale.goes("proof")
	hale.heading("Is this Bea Brook?")
	hale.inspect("sharing-9-proof")
	hale.choose("f-document1", "passport")
	hale.choose("f-document2", "driving-licence")
	hale.click("button[value=yes]")
	hale.until("the page after the proof", "document.body.innerText.includes('waits for a yes')")
	hale.inspect("sharing-10-proofed")

	at := rosa.location().Path
	rosa.hears("Bea Brook")
	rosa.visit(at)
	rosa.shares()
	bea.visit("/helping")
	bea.until("the page of those whom she helps", "document.body.innerText.includes('Bea Brook')")
	bea.inspect("sharing-16-helping")
	rosa.worries("Bea Brook")
	rosa.goes("revoke")
	rosa.heading("End the access of Bea Brook?")
	rosa.inspect("sharing-17-end")
	rosa.click("button[value=yes]")
	rosa.until("the end", "document.body.innerText.includes('You ended the access of Bea Brook.')")
	rosa.inspect("sharing-18-ended")
}

// invites goes from a password to an invitation, and gives the code to pass on.
func (b *tab) invites() string {
	b.t.Helper()
	b.visit("/people/invite")
	b.signIn("rosa")
	b.heading("My devices and sign-in")
	b.says("You need a second way to prove who you are", "Then you go on where you were.")
	b.inspect("sharing-1-need")
	b.click("a.button.primary")
	b.heading("Add a passkey")
	b.fill("#f-name", "My tablet")
	b.click("main form button.primary")
	b.heading("Use your passkey")
	b.inspect("sharing-2-proof")
	b.click("form[data-passkey] button")
	b.heading("Whom do you want to let in?")
	b.inspect("sharing-3-invite")
	b.fill("#f-name", "Bea Brook")
	b.fill("#f-email", "bea@example.org")
	b.choose("f-relation", "FRND")
	b.click("main form button.primary")
	b.heading("Bea Brook and your record")
	b.inspect("sharing-4-invited")
	return b.text("main .notice .code")
}

// enrols makes the account of an invited person: in three minutes, for a slow reader
// who types with two fingers.
func (b *tab) enrols(link, code string) {
	b.t.Helper()
	var took effort
	b.visit(link)
	b.heading("You are invited")
	b.inspect("sharing-5-invitation")
	took.sees(b, "bea@example.org", code)
	b.fill("#f-email", "bea@example.org")
	b.fill("#f-code", code)
	b.click("main form button.primary")
	b.heading("Make your own account")
	b.inspect("sharing-6-account")
	b.meter("meter-registration")
	p := person{Username: "bea", Password: "a long enough one", TOTPSecret: strings.ReplaceAll(b.text("main .code"), " ", "")}
	b.world.ready.People = append(b.world.ready.People, p)
	took.sees(b, p.Username, p.Password, "123456")
	b.fill("#f-username", p.Username)
	b.fill("#f-password", p.Password)
	b.fill("#f-onetime", b.world.code(p))
	b.click("main form button.primary")
	b.heading("Thank you. You are almost there")
	took.sees(b)
	b.t.Logf("an own account takes %d pages, %d fields and %.0f seconds", took.pages, took.fields, took.seconds)
	if took.pages > 3 || took.fields > 5 || took.seconds > inTime {
		b.t.Errorf("an own account takes %d pages, %d fields and %.0f seconds", took.pages, took.fields, took.seconds)
	}
	b.inspect("sharing-7-done")
	b.click("main a.button")
	b.signIn("bea")
	b.until("those whom she helps", "location.pathname === '/helping'")
}

// shares agrees, takes it back and agrees again, for now.
func (b *tab) shares() {
	b.t.Helper()
	b.run(chromedp.Reload())
	for _, urgent := range []bool{false, true} {
		b.goes("share")
		b.heading("What do you want to share with Bea Brook?")
		b.click("input[name=kind][value=medicines]")
		b.click("input[name=fn][value=schedule]")
		if urgent {
			b.click("#f-urgent")
		} else {
			b.inspect("sharing-11-share")
		}
		b.click("button[value=look]")
		b.heading("What would Bea Brook see?")
		if urgent {
			b.click("button[value=yes]")
			break
		}
		b.inspect("sharing-12-seen")
		b.click("button[value=yes]")
		b.until("the ten minutes", "document.body.innerText.includes('Bea Brook will have access soon.')")
		b.inspect("sharing-13-soon")
		b.goes("undo")
		b.heading("Take back what you shared with Bea Brook?")
		b.inspect("sharing-14-undo")
		b.click("button[value=yes]")
		b.until("the choice again", "document.body.innerText.includes('Now you decide.')")
	}
	b.until("the access", "document.body.innerText.includes('Bea Brook has access until')")
	b.inspect("sharing-15-shared")
}
