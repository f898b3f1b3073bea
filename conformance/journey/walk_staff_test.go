package journey

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"
)

// scim sends a request of the directory and decodes the answer.
func (w *world) scim(method, path, body string, want int, into any) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.ready.Issuer+"/scim/v2"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("Authorization", "Bearer "+w.ready.AdminAPI.Token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		w.t.Fatalf("%s %s: %d", method, path, res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		w.t.Fatal(err)
	}
}

// hires provisions Quinn, who is a clinician, and gives the link of the message.
func (w *world) hires() string {
	w.t.Helper()
	var user struct{ ID string }
	w.scim(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"quinn",
		"name":{"givenName":"Quinn","familyName":"Ruiz"},"active":true,"emails":[{"value":"quinn@lakeside.example","type":"work","primary":true}]}`, http.StatusCreated, &user)
	var groups struct {
		Resources []struct{ ID, DisplayName string }
	}
	w.scim(http.MethodGet, "/Groups", "", http.StatusOK, &groups)
	for _, g := range groups.Resources {
		if g.DisplayName == "Clinicians" {
			var joined json.RawMessage
			w.scim(http.MethodPatch, "/Groups/"+g.ID, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"`+user.ID+`"}]}]}`, http.StatusOK, &joined)
		}
	}
	return "/enrol/" + w.notice("account-enrolment")["secret"]
}

// now gives the time of the server.
func (w *world) now() time.Time {
	w.t.Helper()
	var now struct {
		Now time.Time `json:"now"`
	}
	w.post(w.ready.Clock, "", `{"advance":"0s"}`, http.StatusOK, &now)
	return now.Now
}

// quinnEnrols: HS-08, NI-01. A directory hires Quinn, who sets up a password and a code
// app by the link of a message, with the keyboard alone, and learns at the first sign-in
// that a key lacks. The link works once and says so.
func quinnEnrols(w *world) {
	link := w.hires()
	quinn := w.browser()
	quinn.visit(link)
	quinn.heading("Set up your account")
	quinn.says("This link is for you alone.")
	quinn.walk("the link to enrol")
	quinn.inspect("enrol-1-link")
	quinn.visit(link)
	quinn.pressed("main form button.primary")
	quinn.heading("Choose a password")
	quinn.says("Choose a password for your new account.", "Set up your code app")
	quinn.meter("enrol-2-account")
	quinn.visit(quinn.location().Path)
	quinn.walk("password and code app")
	p := person{Username: "quinn", Password: "river lantern 42", TOTPSecret: withoutSpaces(quinn.text("main .code"))}
	quinn.typed("#f-password", p.Password)
	quinn.typed("#f-again", p.Password)
	quinn.typed("#f-code", "000000")
	quinn.press(kb.Enter)
	quinn.until("the refusal", "document.querySelector('#errors')")
	quinn.inspect("enrol-3-refused")
	if again := withoutSpaces(quinn.text("main .code")); again != p.TOTPSecret {
		w.t.Error("after a code that was not right, the code app has to be set up again")
	}
	code, err := totp.GenerateCode(p.TOTPSecret, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	quinn.typed("#f-password", p.Password)
	quinn.typed("#f-again", p.Password)
	quinn.tabTo("#f-code")
	eval[bool](quinn, "document.activeElement.select(), true")
	quinn.press(code)
	quinn.press(kb.Enter)
	quinn.until("the end", "document.querySelector('main').innerText.includes('Your new password is saved')")
	quinn.inspect("enrol-4-done")

	// A second time, without a script, on another device.
	late := w.browser()
	late.run(emulation.SetScriptExecutionDisabled(true))
	late.visit(link)
	late.click("main form button.primary")
	late.heading("This link does not work any more")
	late.shots("enrol-5-over")
	late.fits("a link that is over")

	w.ready.People = append(w.ready.People, p)
	w.forward("1m")
	quinn.visit("/staff/people")
	quinn.signIn("quinn")
	quinn.heading("My devices and sign-in")
	quinn.says("For that you need a passkey that stays on its device")
}

// securityKey plugs a key into the tab's browser whose secret never leaves it, and which
// knows its holder by a PIN.
func (b *tab) securityKey() {
	b.t.Helper()
	b.run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
}

// haleNeedsAKey: NI-01, NI-04, SM-02. Where clinicians need a key that stays on its device,
// Dr. Hale is told what lacks, is refused a key that is copied, adds a security key, and is
// where he wanted to be; apps are told which proof it was.
func haleNeedsAKey(w *world) {
	tablet := w.browser()
	tablet.synced()
	tablet.visit("/staff/people")
	tablet.signIn("hale")
	tablet.heading("My devices and sign-in")
	tablet.pressed("a.button.primary")
	tablet.heading("Add a passkey")
	tablet.pressed("main form button.primary")
	tablet.errorsSay("This passkey can be copied to other devices.")
	tablet.inspect("key-1-copied")

	hale := w.browser()
	hale.securityKey()
	hale.visit("/staff/people")
	hale.signIn("hale")
	hale.heading("My devices and sign-in")
	hale.says("For that you need a passkey that stays on its device, such as a security key.", "Then you go on where you were.")
	if hale.has("a[href*='/factors/app']") {
		w.t.Error("a code app is offered, which does not help")
	}
	hale.walk("what lacks")
	hale.inspect("key-2-lacks")
	hale.tabTo("a.button.primary")
	hale.press(kb.Enter)
	hale.heading("Add a passkey")
	hale.inspect("key-3-add")
	hale.typed("#f-name", "The key on my badge")
	hale.pressed("main form button.primary")
	hale.heading("Use your passkey")
	hale.says("This page needs the strongest proof.")
	hale.walk("the key is asked for")
	hale.inspect("key-4-proof")
	hale.pressed("form[data-passkey] button")
	hale.until("where he wanted to be", "location.pathname === '/staff/people'")
	hale.inspect("key-5-there")

	hale.visit(w.ready.EHRSimulator)
	hale.fill("#q", "Rosa Alv")
	hale.click("form button")
	hale.until("the patients found", "location.search")
	hale.click("a[data-patient=rosa]")
	hale.heading("Open an app for Rosa Alvarez")
	hale.choose("user", "Practitioner/dr-hale")
	hale.click("#show")
	hale.until("the link", "document.getElementById('open')")
	hale.click("#open")
	hale.consent()
	hale.pressed("button[value=allow]")
	a := app{hale}
	a.stage("connected")
	claims := a.idToken()
	amr, _ := claims["amr"].([]any)
	if claims["acr"] != "urn:mandate:aal:3" || !slices.Contains(amr, any("mfa")) {
		w.t.Errorf("apps are told acr %v, amr %v", claims["acr"], claims["amr"])
	}
}
