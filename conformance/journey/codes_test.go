package journey

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// SM-04, SM-21: Rosa sets a code app up and makes recovery codes. When her phone is
// gone one of them lets her in, once.
func TestRosaLosesHerPhone(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.preload(shared.axe)
	b.visit("/factors/codes")
	b.signIn("rosa")
	b.heading("Recovery codes")
	b.click("main form button.primary")
	b.until("the codes", "document.querySelectorAll('ol.recovery code').length === 10")
	b.inspect("codes-1-shown")
	codes := eval[[]string](b, "[...document.querySelectorAll('ol.recovery code')].map((c) => c.innerText)")

	b.visit("/factors/app")
	b.heading("Add a code app")
	b.until("the QR code", "document.querySelector('img.qr').naturalWidth > 50")
	b.inspect("codes-2-app")
	var now struct {
		Now time.Time `json:"now"`
	}
	w.post(w.ready.Clock, "", `{"advance":"0s"}`, http.StatusOK, &now)
	code, err := totp.GenerateCode(strings.ReplaceAll(b.text("main code"), " ", ""), now.Now)
	if err != nil {
		t.Fatal(err)
	}
	b.fill("#f-code", code)
	b.fill("#f-name", "My phone")
	b.click("main form button.primary")
	b.heading("My devices and sign-in")
	b.says("My phone", "Code app on your phone", "Recovery codes")

	for _, right := range []bool{true, false} {
		b.click(".tools button.link")
		b.heading("You are signed out")
		b.visit("/signin?next=%2Ffactors")
		b.password("rosa")
		b.until("the page for the code", "location.pathname === '/signin/code'")
		b.click("details.fold > summary")
		b.fill("#f-recovery", strings.ToLower(codes[3]))
		b.click("details.fold button")
		if !right {
			b.until("the refusal", "document.querySelector('#errors')")
			b.inspect("codes-3-refused")
			break
		}
		b.heading("My devices and sign-in")
		b.says("9")
	}
}
