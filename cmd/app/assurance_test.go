package app_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testauthn"
)

var keyOptions = regexp.MustCompile(`action="([^"]*)" data-passkey="[a-z]+" data-options="([^"]*)"`)

// key gives an authenticator for the pages of the server.
func (s teller) key() *testauthn.Device {
	return &testauthn.Device{Origin: s.Issuer, Host: "localhost"}
}

// answers lets an authenticator answer the form of a page that asks for one.
func (s teller) answers(b *kit.Browser, p *kit.Page, app string, does func([]byte) ([]byte, error)) *kit.Page {
	s.t.Helper()
	found := keyOptions.FindStringSubmatch(string(p.Body))
	if found == nil {
		s.t.Fatalf("nobody is asked for a key (%d %s): %s", p.Status, p.URL, p.Text())
	}
	answer, err := does([]byte(html.UnescapeString(found[2])))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range p.Forms {
		if f.Field("credential") == nil {
			continue
		}
		v := f.Values(nil)
		v.Set("credential", string(answer))
		next, err := b.Post(s.t.Context(), f, v, app)
		if err != nil {
			s.t.Fatal(err)
		}
		return next
	}
	s.t.Fatalf("no form for a key: %s", p.Body)
	return nil
}

// adds goes from a page that tells what lacks over a new key back to where one was.
func (s teller) adds(b *kit.Browser, told *kit.Page, d *testauthn.Device) *kit.Page {
	s.t.Helper()
	_, query, _ := strings.Cut(told.URL, "?")
	add, err := b.Open(s.t.Context(), s.at("/factors/passkey?"+query), "")
	if err != nil {
		s.t.Fatal(err)
	}
	return s.answers(b, add, "", d.Create)
}

// NI-01, NI-04, SM-02, SE-14: where the settings ask clinicians for a key that stays on
// its device, two factors open no page of theirs; who has no such key is told what
// lacks, adds one and goes on. Nothing weaker adds another one.
func TestCliniciansNeedAKeyThatStaysOnItsDevice(t *testing.T) {
	s := teller{start(t, func(c *app.Config) {
		c.SignIn.Assurance = []string{"clinician=aal3", "clinician+practitioner+token=aal3/30m"}
	}), t}
	hale, d := s.browser("hale"), s.key()
	told, err := hale.SignIn(t.Context(), s.at("/staff/people"))
	if err != nil {
		t.Fatal(err)
	}
	s.says(told, "For that you need a passkey that stays on its device", "Then you go on where you were.")
	if strings.Contains(told.Text(), "Add a code app") {
		t.Error("what does not help is offered")
	}

	lent := s.key()
	lent.Synced = true
	if p := s.adds(hale, told, lent); p.Status == http.StatusOK {
		t.Errorf("a key that is copied to other devices was taken: %s", p.Text())
	}
	step := s.adds(hale, told, d)
	s.says(step, "Use your passkey", "This page needs the strongest proof.")
	if step.FormWith("code") != nil || step.FormWith("recovery") != nil {
		t.Error("a code is offered for what a code does not open")
	}
	s.says(s.answers(hale, step, "", d.Get), "People who help")

	// A stolen password and code open nothing, and add no key.
	thief := s.browser("hale")
	asked, err := thief.SignIn(t.Context(), s.at("/staff/people"))
	if err != nil {
		t.Fatal(err)
	}
	s.says(asked, "Use your passkey")
	if p, err := thief.Open(t.Context(), s.at("/factors/passkey"), ""); err != nil || !strings.Contains(p.URL, "/signin/code") || !strings.Contains(p.URL, "level=3") {
		t.Errorf("%s %v", p.URL, err)
	}
	if g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}}); g.Access() == "" {
		t.Error("patients are asked for the same")
	}
	s.clinicianToken(hale, d)
}

// clinicianToken gets a token with the key, and again when the proof is too old.
func (s teller) clinicianToken(hale *kit.Browser, d *testauthn.Device) {
	s.t.Helper()
	client := s.Client("symmetric")
	for _, wait := range []time.Duration{0, 31 * time.Minute} {
		verifier := s.NewVerifier()
		req := s.AuthorizeRequest(client, "openid fhirUser launch/patient user/Patient.rs", verifier)
		back := req.Get("redirect_uri")
		for at := wait; at > 0; at -= 10 * time.Minute {
			s.forward(s.t, min(at, 10*time.Minute))
			s.open(s.t, hale, "/factors")
		}
		p, err := hale.Open(s.t.Context(), s.Config.Authorize+"?"+req.Encode(), back)
		for range 6 {
			if err != nil {
				s.t.Fatal(err)
			}
			if p.Back != nil {
				break
			}
			switch {
			case strings.Contains(p.URL, "/signin/code"):
				if wait == 0 {
					s.t.Error("a fresh proof is asked for again")
				}
				wait = 0
				p = s.answers(hale, p, back, d.Get)
			case p.ConsentForm() != nil:
				p, err = hale.Submit(s.t.Context(), p.ConsentForm(), p.ConsentForm().Button("allow"), back)
			default:
				p, err = s.picks(hale, p, back)
			}
		}
		if p.Back == nil || wait != 0 {
			s.t.Fatalf("no code, or no proof: %s", p.Text())
		}
		res, err := s.Call(s.t.Context(), s.Config.Token, client, kit.CodeForm(p.Back.Query().Get("code"), back, verifier))
		if err != nil {
			s.t.Fatal(err)
		}
		seen, err := s.Introspect(s.t.Context(), client, res.Text("access_token"))
		if err != nil || seen.Text("acr") != "urn:mandate:aal:3" {
			s.t.Errorf("acr %q %v", seen.Text("acr"), err)
		}
	}
}

// picks chooses Rosa's record.
func (s teller) picks(b *kit.Browser, p *kit.Page, back string) (*kit.Page, error) {
	if f := p.FormWith("q"); f != nil && p.FormWith("patient") == nil {
		f.Set("q", "Rosa")
		return b.Submit(s.t.Context(), f, nil, back)
	}
	f := p.FormWith("patient")
	if f == nil {
		s.t.Fatalf("no step: %s %s", p.URL, p.Text())
	}
	f.Choose("patient", f.Field("patient").Value)
	return b.Submit(s.t.Context(), f, f.Button("choose"), back)
}

// NI-01, RFC 9470: an app that asks for the strongest proof gets it, or the person is
// told what lacks. The token says truly what was proven: a code after the key is a
// weaker log-in.
func TestAnAppAsksForTheStrongestProof(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, d, client := s.browser("rosa"), s.key(), s.Client("symmetric")
	verifier := s.NewVerifier()
	req := s.AuthorizeRequest(client, "openid launch/patient patient/Patient.rs", verifier)
	req.Set("acr_values", "urn:mandate:aal:3")
	back := req.Get("redirect_uri")
	if _, err := rosa.SignIn(t.Context(), s.at("/home")); err != nil {
		t.Fatal(err)
	}
	told, err := rosa.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), back)
	if err != nil {
		t.Fatal(err)
	}
	s.says(told, "For that you need a passkey that stays on its device")
	consent := s.answers(rosa, s.adds(rosa, told, d), back, d.Get)
	f := consent.ConsentForm()
	if f == nil {
		t.Fatalf("%s: %s", consent.URL, consent.Text())
	}
	done, err := rosa.Submit(t.Context(), f, f.Button("allow"), back)
	if err != nil || done.Back == nil {
		t.Fatal(done, err)
	}
	res, err := s.Call(t.Context(), s.Config.Token, client, kit.CodeForm(done.Back.Query().Get("code"), back, verifier))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := s.Introspect(t.Context(), client, res.Text("access_token"))
	_, id := claims(t, res.Text("id_token"))
	amr, _ := id["amr"].([]any)
	if err != nil || seen.Text("acr") != "urn:mandate:aal:3" || id["acr"] != "urn:mandate:aal:3" || !slices.Contains(amr, any("pop")) || !slices.Contains(amr, any("pwd")) {
		t.Errorf("%s %v %v", seen, id, err)
	}

	// With a code app as well, its code is the last proof.
	page := s.open(t, rosa, "/factors/app")
	secret := s.typed(page, "secret")
	code := func() string {
		s.forward(t, 31*time.Second)
		c, err := kit.TOTP(secret, s.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	s.press(rosa, page, "", url.Values{"code": {code()}, "name": {"Phone"}})
	again := s.open(t, rosa, "/signin/code?again=1&next=/home")
	s.press(rosa, again, "", url.Values{"code": {code()}})
	if p, err := rosa.Open(t.Context(), s.Config.Authorize+"?"+req.Encode(), back); err != nil || !strings.Contains(p.URL, "/signin/code") || !strings.Contains(p.URL, "level=3") {
		t.Errorf("after a code: %s %v", p.URL, err)
	}
}
