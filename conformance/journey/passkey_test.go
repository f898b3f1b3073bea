package journey

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// authenticator gives the tab's browser an authenticator of its own, as a phone
// or a tablet has one built in.
func (b *tab) authenticator(uv bool) {
	b.t.Helper()
	b.run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: uv, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
}

// SM-03, NI-02: Elena makes a passkey on her tablet and signs in with nothing
// else; her app learns how she did it.
func TestElenaUsesAPasskey(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.preload(shared.axe)
	b.authenticator(true)
	b.visit("/factors")
	b.signIn("elena")
	b.heading("My devices and sign-in")
	b.says("Password", "Code app on your phone")
	b.click("a.button.primary")
	b.heading("Add a passkey")
	b.inspect("passkey-1-add")
	b.fill("#f-name", "My tablet")
	b.click("main form button.primary")
	b.heading("My devices and sign-in")
	b.says("Saved. You can use it now to sign in.", "My tablet", "Not used yet")
	b.inspect("passkey-2-list")
	// The same device makes no second one.
	b.click("a.button.primary")
	b.heading("Add a passkey")
	b.click("main form button.primary")
	b.until("the refusal of the device", "!document.querySelector('[data-failed]').hidden")
	b.says("It may have one for you already.")

	b.click(".tools button.link")
	b.heading("You are signed out")
	a := b.openApp("all")
	a.click("#connect")
	b.until("the sign-in page", "location.pathname === '/signin' && !document.querySelector('[data-needs-script]').hidden")
	b.inspect("passkey-3-signin")
	b.click("form[data-passkey] button")
	b.until("the choice of a record", "location.pathname.endsWith('/patient')")
	b.click("input[name=patient]")
	b.click("main form button.primary")
	b.consent()
	b.click("button[value=allow]")
	a.stage("connected")
	claims := a.idToken()
	amr, _ := claims["amr"].([]any)
	if claims["acr"] != "urn:mandate:aal:3" || !slices.Contains(amr, any("mfa")) || slices.Contains(amr, any("pwd")) || claims["auth_time"] == nil {
		t.Errorf("the id_token says %v", claims)
	}

	b.visit("/factors")
	if text := b.text("main"); strings.Contains(text, "Not used yet") {
		t.Errorf("the use is not shown: %s", text)
	}
	b.click("section:last-of-type a.go")
	b.heading("My tablet")
	b.inspect("passkey-4-one")
	b.click("main p.buttons a.button")
	b.heading("Remove this way to sign in?")
	b.inspect("passkey-5-remove")
	b.click("button[value=remove]")
	b.heading("My devices and sign-in")
	b.says("Removed. It no longer lets anybody in.")
	b.visit("/signin")
	b.click("form[data-passkey] button")
	b.until("the refusal", "document.querySelector('#errors')?.innerText.includes('The passkey was not accepted')")
}

// SM-03: an authenticator that does not verify the person gets nobody in.
func TestNobodyVerifiedMakesNoPasskey(t *testing.T) {
	w := newWorld(t)
	b := w.newBrowser()
	b.authenticator(false)
	b.visit("/factors/passkey")
	b.signIn("rosa")
	b.heading("Add a passkey")
	b.click("main form button.primary")
	b.until("the refusal of the device", "!document.querySelector('[data-failed]').hidden")
}
