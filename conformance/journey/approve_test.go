package journey

import (
	"regexp"
	"strings"
	"testing"
)

// SM-13, NI-07: two browsers of Elena. The number of one, typed in the other, lets her
// in; no button does without it.
func TestElenaApprovesOnHerTablet(t *testing.T) {
	w := newWorld(t)
	tablet := w.newBrowser()
	tablet.preload(shared.axe)
	tablet.visit("/home")
	tablet.signIn("elena")
	tablet.heading("Hello, Elena Alvarez")

	office := w.newBrowser()
	office.preload(shared.axe)
	office.visit("/home")
	office.password("elena")
	office.heading("Enter your code")
	office.inspect("approve-1-ways")
	office.click("form[action$='/signin/approve'] button")
	office.heading("Type this number on your other device")
	office.inspect("approve-2-number")
	number := strings.ReplaceAll(regexp.MustCompile(`\d{3} \d{3}`).FindString(office.text("main .code")), " ", "")
	office.click("main form button.primary")
	office.until("word that it waits", "document.querySelector('#errors')?.innerText.includes('It is not approved yet')")

	tablet.visit("/home")
	tablet.says("Somebody signs in on another device and waits for your answer.")
	tablet.click("main .notice a")
	tablet.heading("Is it you who signs in now?")
	tablet.says("Chrome on Linux", "127.0.0.0/24")
	tablet.inspect("approve-3-asked")
	tablet.click("main form button.primary")
	tablet.until("the missing number", "!!document.querySelector('#errors')")
	tablet.fill("#f-number", number)
	tablet.click("main form button.primary")
	tablet.heading("No sign-in waits for you")
	tablet.says("Done. Go on on your other device.")

	office.click("main form button.primary")
	office.heading("Hello, Elena Alvarez")
}
