package journey

import (
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"
)

// noahsCodes: SM-09, SM-11, SM-12, NI-07. Noah has a password only. He adds codes by text
// message and e-mail as a backup, after a passkey and with the risk accepted, and signs in
// with them elsewhere; a code that is wrong, was replaced, or was sent to another window
// is refused in words that help on.
func noahsCodes(w *world, gateway *texts) {
	laptop := w.browser()
	laptop.authenticator(true)
	laptop.visit("/factors/sms")
	laptop.signIn("noah")
	laptop.heading("Codes by text message")
	laptop.says("Add a passkey or a code app first.", "Somebody can take over your phone number")
	laptop.inspect("sent-1-first")
	laptop.pressed("main p.buttons a.button")
	laptop.heading("My devices and sign-in")
	laptop.pressed("a.button.primary")
	laptop.heading("Add a passkey")
	laptop.typed("#f-name", "My laptop")
	laptop.pressed("main form button.primary")
	laptop.heading("My devices and sign-in")
	laptop.inspect("sent-2-list")
	laptop.changesPassword()

	laptop.addsNumber(gateway)
	laptop.addsAddress()
	w.forward("24h1m")
	laptop.visit("/factors/email")
	laptop.password("noah")
	laptop.heading("Use your passkey")
	laptop.click("form[data-passkey] button")
	laptop.heading("Codes by e-mail")
	laptop.says("Whoever can read your e-mail can read the code too.")
	laptop.walk("codes by e-mail")
	laptop.inspect("sent-6-email")
	laptop.visit("/factors/email")
	laptop.tabTo("#f-accept")
	laptop.press(" ")
	laptop.pressed("main form button.primary")
	laptop.heading("My devices and sign-in")
	laptop.says("Codes by e-mail", "It is a backup: with it you see your own record, no more.")
	laptop.inspect("sent-7-both")

	noahOnHisPhone(w, gateway)
}

// changesPassword walks to the page of another password, which shows how strong one looks.
func (b *tab) changesPassword() {
	b.t.Helper()
	b.visit("/factors/password")
	b.heading("Use your passkey")
	b.click("form[data-passkey] button")
	b.heading("Change your password")
	b.meter("meter-change")
	b.visit("/factors/password")
	b.walk("another password")

	// It stops nobody: the server says what is wrong, with a script and without.
	b.typed("#f-password", "short")
	b.typed("#f-again", "short")
	b.pressed("main form button.primary")
	b.until("the refusal", "document.querySelector('#errors')")
	b.inspect("meter-change-refused")
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.visit("/factors/password")
	b.heading("Change your password")
	b.fill("#f-password", "river lantern 42")
	if b.says("New password"); eval[bool](b, "document.querySelector('[data-strength]').innerText.trim() !== ''") {
		b.t.Error("without a script something is said about the strength")
	}
	b.shotAt("meter-no-script", phone)
	b.fill("#f-again", "river lantern 43")
	b.click("main form button.primary")
	b.until("the refusal", "document.querySelector('#errors')")
	b.run(emulation.SetScriptExecutionDisabled(false))
}

// addsNumber adds a telephone number with the keyboard alone, and shows by a code that
// what is sent there is read.
func (b *tab) addsNumber(gateway *texts) {
	b.t.Helper()
	b.visit("/factors")
	b.pressed("a[href$='/factors/sms']")
	b.heading("Codes by text message")
	b.inspect("sent-3-number")
	b.walk("codes by text message")
	b.visit("/factors/sms")
	b.typed("#f-number", "0555 555 0123")
	b.tabTo("#f-accept")
	b.press(" ")
	b.pressed("main form button.primary")
	b.errorsSay("Begin with + and the code of the country")
	b.inspect("sent-3-number-wrong")
	if !eval[bool](b, "document.getElementById('f-accept').checked && document.getElementById('f-number').value === '0555 555 0123'") {
		b.t.Error("what was typed or ticked is forgotten")
	}
	b.visit("/factors/sms")
	b.typed("#f-number", "+1 (555) 555-0123")
	b.pressed("main form button.primary")
	b.errorsSay("Tick this if you want the codes.")
	b.inspect("sent-3-number-unticked")
	b.tabTo("#f-accept")
	b.press(" ")
	sent := gateway.count()
	b.pressed("main form button.primary")
	b.heading("Check your number")
	b.inspect("sent-4-check")
	b.walk("the code of a number")
	b.visit("/factors/sms/code")
	b.typed("#f-code", "0000 0000")
	b.press(kb.Enter)
	b.errorsSay("This code is not right, or it is too old.")
	b.inspect("sent-4-check-wrong")
	b.typed("#f-code", spacedCode(gateway.next(b.t, sent)))
	b.press(kb.Enter)
	b.heading("My devices and sign-in")
	b.says("Codes by text message", "ends in 0123", "Codes go there from")
	if strings.Contains(b.text("main"), "You can use it now") {
		b.t.Error("a number that is used after a day is told as usable now")
	}
	b.inspect("sent-5-added")
}

// addsAddress chooses an e-mail address that is the person's own.
func (b *tab) addsAddress() {
	b.t.Helper()
	b.visit("/account/addresses")
	b.heading("Where we write to you")
	b.typed("#f-address", "noah@example.org")
	b.press(kb.Enter)
	b.until("the field for the code", "document.querySelector('#f-code')")
	b.typed("#f-code", b.world.notice("contact.check")["code"])
	b.press(kb.Enter)
	b.until("the address", "document.querySelector('main').innerText.includes('We write here from')")
}

// noahOnHisPhone signs in with codes that are sent.
func noahOnHisPhone(w *world, gateway *texts) {
	phone := w.browser()
	phone.visit("/home")
	phone.password("noah")
	phone.heading("Use your passkey")
	phone.says("No app or key at hand?", "It lets you see your own record, but not share it.")
	phone.inspect("sent-8-ways")
	phone.walk("ways of a second factor")
	phone.visit("/signin/code?next=%2Fhome")
	sent := gateway.count()
	phone.pressed("button[name=way][value=sms]")
	phone.heading("Enter the code we sent")
	phone.inspect("sent-9-code")
	phone.walk("the code that was sent")
	old := gateway.next(w.t, sent)
	phone.typed("#f-code", "1234 5678")
	phone.press(kb.Enter)
	phone.errorsSay("This code is not right, or it is too old.")
	phone.inspect("sent-9-code-wrong")
	phone.pressed("form[action$='/signin/send'] button")
	phone.until("the page for the new code", "!document.querySelector('#errors') && document.querySelector('#f-code')")
	code := gateway.next(w.t, sent+1)
	phone.typed("#f-code", old)
	phone.press(kb.Enter)
	phone.errorsSay("Look again, or ask for a new one.")

	// Another window, without a script.
	other := w.browser()
	other.run(emulation.SetScriptExecutionDisabled(true))
	w.forward("1m")
	other.visit("/home")
	other.password("noah")
	other.until("the ways", "document.querySelector('button[name=way][value=email]')")
	other.click("button[name=way][value=email]")
	other.until("the page for the code", "document.querySelector('#f-code')")
	other.fill("#f-code", code)
	other.click("main form button.primary")
	other.until("the refusal", "document.querySelector('#errors')")
	other.says("This code is not right, or it is too old.")
	other.shots("sent-10-other-window")

	w.forward("1m")
	phone.typed("#f-code", spacedCode(code))
	phone.press(kb.Enter)
	phone.heading("Hello, Noah Whitfield")
	other.fill("#f-code", w.notice("sent-code")["code"])
	other.click("main form button.primary")
	other.heading("Hello, Noah Whitfield")

	notByACode(phone, other)
}

// notByACode: what a code that was sent does not open asks for the better factor, by its
// name, and there is a way back.
func notByACode(phone, other *tab) {
	phone.t.Helper()
	phone.visit("/factors/app")
	phone.heading("Use your passkey")
	phone.says("A code that we sent is not enough for this.")
	phone.inspect("sent-11-better")
	phone.walk("the better factor")
	other.visit("/factors/app")
	other.says("A code that we sent is not enough for this.")
	other.shots("sent-11-better-no-script")
	phone.pressed("p.back a")
	phone.heading("Hello, Noah Whitfield")
	phone.visit("/messages")
	phone.inspect("sent-12-messages")
}
