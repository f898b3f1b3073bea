package journey

import (
	"regexp"
	"strings"
	"testing"
)

// SM-24: a clinician's browser and the patient's, which has a key built in. Nothing is
// confirmed but by the number of the other screen; then the key alone lets the patient
// in, on a phone as well.
func TestAPatientEnrolsBeforeAWitness(t *testing.T) {
	w := newWorld(t)
	ward := w.newBrowser()
	ward.preload(shared.axe)
	ward.visit("/staff/bedside")
	ward.signIn("hale")
	ward.heading("Help a patient sign in")
	ward.inspect("bedside-1-start")
	ward.fill("#f-patient", "p01")
	ward.choose("f-how", "wristband")
	ward.click("main form button.primary")
	ward.until("the code", "!!document.querySelector('img.qr')")
	ward.inspect("bedside-2-code")
	link := regexp.MustCompile(`/bedside/[0-9A-Z-]{9}`).FindString(ward.text("main"))

	bed := w.newBrowser()
	bed.preload(shared.axe)
	bed.authenticator(true)
	bed.visit(link)
	bed.heading("Set up your sign-in")
	bed.inspect("bedside-3-device")
	bed.click("main form button.primary")
	bed.until("the ways", "document.querySelector('h1')?.innerText.startsWith('Sign-in for') && !document.querySelector('[data-needs-script]').hidden")
	bed.says("With you: Dr. Hale", "This is for the patient alone.")
	bed.inspect("bedside-4-ways")
	bed.meter("meter-bedside")

	ward.click("main a.button")
	ward.until("word that a device typed it", "document.querySelector('main').innerText.includes('A device has typed the code.')")
	bed.click("form[data-passkey] button.primary")
	bed.heading("Show this number")
	bed.inspect("bedside-5-number")
	number := strings.ReplaceAll(regexp.MustCompile(`\d{3} \d{3}`).FindString(bed.text("main .code")), " ", "")

	ward.click("main a.button")
	ward.until("the field", "!!document.querySelector('#f-number')")
	ward.click("main form button.primary")
	ward.until("the missing number", "!!document.querySelector('#errors')")
	ward.inspect("bedside-6-witness")
	ward.fill("#f-number", number)
	ward.click("main form button.primary")
	ward.until("the end", "document.querySelector('main').innerText.includes('can sign in now')")
	ward.says("Dr. Hale", "Passkey")
	ward.inspect("bedside-7-done")

	bed.click("main a.button")
	bed.heading("You can sign in now")
	bed.inspect("bedside-8-patient")
	bed.click("main form button[value=end]")
	bed.until("the sign-in", "location.pathname === '/signin' && !document.querySelector('[data-needs-script]').hidden")
	bed.click("form[data-passkey] button")
	bed.until("the start page", "location.pathname === '/home'")
	bed.visit("/messages")
	bed.says("A way to sign in was set up with you and your care team.")
}
