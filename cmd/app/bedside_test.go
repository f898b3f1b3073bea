package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

var (
	bedsideCode   = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
	bedsideNumber = regexp.MustCompile(`\b[0-9]{3} [0-9]{3}\b`)
	bedsideName   = regexp.MustCompile(`\bp-[a-z0-9]{8}\b`)
)

// witness lets a clinician begin for a patient and gives the page with the code.
func (s teller) witness(b *kit.Browser, patient string) *kit.Page {
	s.t.Helper()
	return s.fill(b, "/staff/bedside", "", url.Values{"patient": {patient}, "how": {"wristband"}})
}

// codeOn gives the code that the page of a witness shows.
func (s teller) codeOn(p *kit.Page) string {
	s.t.Helper()
	code := bedsideCode.FindString(p.Text())
	if code == "" {
		s.t.Fatalf("no code (%d %s): %s", p.Status, p.URL, p.Text())
	}
	return code
}

// device types a code on a browser on which nobody is signed in.
func (s teller) device(b *kit.Browser, code string, more ...string) *kit.Page {
	s.t.Helper()
	p := s.sees(b, "/bedside/"+code)
	values := url.Values{"code": {code}}
	for _, m := range more {
		values[m] = []string{"yes"}
	}
	return s.formWith(b, p, "code", values)
}

func (s teller) sees(b *kit.Browser, path string) *kit.Page {
	s.t.Helper()
	p, err := b.Open(s.t.Context(), s.at(path), "")
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s teller) formWith(b *kit.Browser, p *kit.Page, field string, values url.Values) *kit.Page {
	s.t.Helper()
	f := p.FormWith(field)
	if f == nil {
		s.t.Fatalf("no form with %s (%d %s): %s", field, p.Status, p.URL, p.Text())
	}
	v := f.Values(nil)
	for name, list := range values {
		v[name] = list
	}
	next, err := b.Post(s.t.Context(), f, v, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

// reopened follows the button that only looks again.
func (s teller) reopened(b *kit.Browser, p *kit.Page) *kit.Page {
	s.t.Helper()
	return s.sees(b, strings.TrimPrefix(p.URL, s.Issuer))
}

func numbers(p *kit.Page) (out []string) {
	for _, n := range bedsideNumber.FindAllString(p.Text(), -1) {
		out = append(out, strings.ReplaceAll(n, " ", ""))
	}
	return out
}

// onBoth runs a story on both engines.
func onBoth(t *testing.T, story func(teller)) {
	for name, database := range map[string]func(*testing.T) string{
		"embedded": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return testpg.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			at := database(t)
			story(teller{start(t, func(c *app.Config) { c.Database = at }), t})
		})
	}
}

const chosen = "slow rain on the roof"

// SM-24, SG-17: a dying patient who never had an account signs in with a key that was
// handed out, before one clinician. The record has both names; nobody else learns what
// opens the account, and the patient is told.
func TestADyingPatientEnrolsBeforeAWitness(t *testing.T) {
	onBoth(t, func(s teller) {
		hale, _ := s.clinicians()
		console := s.witness(hale, unknownPatient)
		code := s.codeOn(console)
		s.says(console, "It is for the patient alone.", "They never sign in as the patient.")
		if !strings.Contains(string(console.Body), `src="data:image/png`) {
			t := s.t
			t.Error("the code is no picture")
		}
		tablet, d := s.NewBrowser(kit.Person{}), s.key()
		page := s.device(tablet, strings.ToLower(strings.ReplaceAll(code, "-", " ")))
		s.says(page, "With you: Dr. Hale", "This is for the patient alone.")
		s.says(s.reopened(hale, console), "A device has typed the code.")
		page = s.answers(tablet, page, "", d.Create)
		if got := numbers(page); len(got) != 1 {
			s.t.Fatalf("numbers: %v in %s", got, page.Text())
		}
		console = s.reopened(hale, console)
		if strings.Contains(console.Text(), numbers(page)[0]) || bedsideNumber.MatchString(console.Text()) {
			s.t.Error("the witness is shown the number")
		}
		done := s.formWith(hale, console, "number", url.Values{"number": {numbers(page)[0]}})
		s.says(done, "can sign in now", "Dr. Hale", "Passkey")
		page = s.reopened(tablet, page)
		s.says(page, "You can sign in now")
		username := bedsideName.FindString(page.Text())
		if username == "" {
			s.t.Fatalf("no name to sign in with: %s", page.Text())
		}

		// The key opens the account, and what happened waits there.
		own := s.NewBrowser(kit.Person{})
		home := s.answers(own, s.sees(own, "/signin"), "", d.Get)
		if home.Status != http.StatusOK || !strings.Contains(home.URL, "/home") {
			s.t.Fatalf("the key opens nothing: %d %s %s", home.Status, home.URL, home.Text())
		}
		s.says(s.sees(own, "/messages"), "A way to sign in was set up with you and your care team")
		s.witnessed(unknownPatient, 1)
	})
}

// unknownPatient has no account; theirs is in the record of the sandbox.
const unknownPatient = "p01"

// witnessed wants the record of the check and the event, both with all names.
func (s teller) witnessed(patient string, witnesses int) {
	s.t.Helper()
	var done []eventRow
	for _, e := range s.events(s.t, "kind=bedside.step") {
		if e.Detail["step"] == "done" {
			done = append(done, e)
		}
	}
	if len(done) != 1 || done[0].Reason != "" || done[0].PersonID == "" || done[0].Detail["witness1"] == "" || done[0].Detail["how1"] != "wristband" ||
		(done[0].Detail["witness2"] != "") != (witnesses == 2) || done[0].Detail["factor"] == "" || done[0].RequestID == "" {
		s.t.Errorf("the events: %+v", done)
	}
}

// A password and codes on paper are for who has no key; a wrong number, three of them,
// a replayed code, another browser, a helper's account and a witness's own browser are
// refused, and nothing is left.
func TestAtTheBedsideWhatDoesNotFitIsRefused(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	code := s.codeOn(s.witness(hale, unknownPatient))
	s.says(s.sees(hale, "/bedside/"+code), "Somebody is signed in here")
	elena := s.browser("elena")
	s.open(t, elena, "/home")
	s.says(s.sees(elena, "/bedside/"+code), "Somebody is signed in here")
	if p := s.open(t, s.browser("rosa"), "/staff/bedside"); p.Status != http.StatusForbidden {
		t.Errorf("a patient at the desk: %d", p.Status)
	}

	tablet := s.NewBrowser(kit.Person{})
	s.says(s.device(tablet, "ABCD-EFGH"), "This code does not work")
	page := s.device(tablet, code)
	stranger := s.NewBrowser(kit.Person{})
	s.says(s.device(stranger, code), "This code does not work")
	if p := s.reopened(stranger, page); p.Status != http.StatusNotFound || strings.Contains(p.Text(), "Dr. Hale") {
		t.Errorf("another browser sees it: %d %s", p.Status, p.Text())
	}
	s.says(s.formWith(tablet, page, "password", url.Values{"password": {"short"}, "again": {"short"}}), "This is too short")
	page = s.formWith(tablet, s.reopened(tablet, page), "password", url.Values{"password": {chosen}, "again": {chosen}})
	number := numbers(page)[0]
	console := s.sees(hale, "/staff/bedside/"+page.URL[strings.LastIndex(page.URL, "/")+1:])
	if p := s.sees(osei, strings.TrimPrefix(console.URL, s.Issuer)); p.Status != http.StatusNotFound {
		t.Errorf("a colleague sees it: %d", p.Status)
	}
	wrong := fmt.Sprintf("%06d", (int(number[0]-'0')+1)%10*100000)
	s.says(s.formWith(hale, console, "number", url.Values{"number": {""}}), "This is not the number")
	s.says(s.formWith(hale, console, "number", url.Values{"number": {wrong}}), "This is not the number")
	s.says(s.formWith(hale, console, "number", url.Values{"number": {wrong}}), "This is over")
	s.says(s.formWith(hale, console, "number", url.Values{"number": {number}}), "This is over")
	s.says(s.reopened(tablet, page), "This is over")
	for _, e := range s.events(t, "kind=factor.added") {
		t.Errorf("something was enrolled: %+v", e)
	}

	// Too late, stopped, and a witness who left.
	code = s.codeOn(s.witness(hale, unknownPatient))
	_ = s.device(s.NewBrowser(kit.Person{}), code)
	s.forward(t, 14*time.Minute)
	_ = s.sees(hale, "/staff")
	tablet = s.NewBrowser(kit.Person{})
	code = s.codeOn(s.witness(hale, unknownPatient))
	s.forward(t, 10*time.Minute)
	_ = s.sees(hale, "/staff")
	s.forward(t, 6*time.Minute)
	s.says(s.device(tablet, code), "This code does not work")
	code = s.codeOn(s.witness(hale, unknownPatient))
	page = s.device(tablet, code)
	s.says(s.presses(tablet, page, "stop"), "Nothing was changed")
	s.says(s.device(tablet, code), "This code does not work")
	code = s.codeOn(s.witness(hale, unknownPatient))
	page = s.device(tablet, code)
	s.signsOut(hale)
	s.says(s.formWith(tablet, page, "password", url.Values{"password": {chosen}, "again": {chosen}}), "This is over")
}

// presses sends the form that has nothing but a button of this value.
func (s teller) presses(b *kit.Browser, p *kit.Page, do string) *kit.Page {
	s.t.Helper()
	if !strings.Contains(string(p.Body), `name="do" value="`+do+`"`) {
		s.t.Fatalf("no button %s: %s", do, p.Text())
	}
	f := p.Forms[len(p.Forms)-1]
	for _, g := range p.Forms {
		if strings.Contains(g.Action, "/bedside/at/") {
			f = g
		}
	}
	v := f.Values(nil)
	v.Set("do", do)
	next, err := b.Post(s.t.Context(), f, v, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

func (s teller) signsOut(b *kit.Browser) { s.signsOutAt(b, "/staff") }

func (s teller) signsOutAt(b *kit.Browser, path string) {
	s.t.Helper()
	p := s.sees(b, path)
	for _, f := range p.Forms {
		if strings.Contains(f.Action, "signout") {
			if _, err := b.Post(s.t.Context(), f, f.Values(nil), ""); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatal("no way to sign out")
}

// Of fifty devices that type a code at the same time, and fifty confirmations with the
// right number, one wins.
func TestOneDeviceTakesTheCode(t *testing.T) {
	onBoth(t, func(s teller) {
		hale, _ := s.clinicians()
		code := s.codeOn(s.witness(hale, unknownPatient))
		var pages [20]*kit.Page
		var browsers [20]*kit.Browser
		for i := range browsers {
			browsers[i] = s.NewBrowser(kit.Person{})
			pages[i] = s.sees(browsers[i], "/bedside/"+code)
		}
		var all sync.WaitGroup
		for i := range browsers {
			all.Go(func() { pages[i] = s.formWith(browsers[i], pages[i], "code", url.Values{"code": {code}}) })
		}
		all.Wait()
		won := -1
		for i, p := range pages {
			if p.Status == http.StatusOK && strings.Contains(p.URL, "/bedside/at/") {
				if won >= 0 {
					s.t.Error("two devices took one code")
				}
				won = i
			}
		}
		if won < 0 {
			s.t.Fatal("nobody took it")
		}
		page := s.formWith(browsers[won], pages[won], "password", url.Values{"password": {chosen}, "again": {chosen}})
		console := s.sees(hale, "/staff/bedside/"+page.URL[strings.LastIndex(page.URL, "/")+1:])
		f := console.FormWith("number")
		v := f.Values(nil)
		v.Set("number", numbers(page)[0])
		for range 50 {
			all.Go(func() { _, _ = hale.Post(s.t.Context(), f, v, "") })
		}
		all.Wait()
		n := 0
		for _, e := range s.events(s.t, "kind=factor.added") {
			if e.Detail["kind"] == "password" {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("enrolled %d times", n)
		}
		s.witnessed(unknownPatient, 1)
		page = s.reopened(browsers[won], page)
		username := bedsideName.FindString(page.Text())
		page = s.presses(browsers[won], page, "codes")
		if codes := regexp.MustCompile(`(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}`).FindAllString(page.Text(), -1); len(codes) != 10 {
			s.t.Errorf("codes for paper: %d in %s", len(codes), page.Text())
		}
		own := s.NewBrowser(kit.Person{Username: username, Password: chosen})
		if p := s.open(s.t, own, "/home"); p.Status != http.StatusOK {
			s.t.Errorf("the password opens nothing: %d", p.Status)
		}
	})
}

// Rosa has a password: it takes a second clinician, with a number of their own, and
// what she had stays. A person at particular risk needs two as well and a key; somebody
// who helps others goes the way of recovery.
func TestASecondWitnessWhereThereIsAWayIn(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	console := s.witness(hale, "rosa")
	s.says(console, "This needs two members of staff")
	tablet, d := s.NewBrowser(kit.Person{}), s.key()
	page := s.answers(tablet, s.device(tablet, s.codeOn(console)), "", d.Create)
	two := numbers(page)
	if len(two) != 2 || two[0] == two[1] {
		t.Fatalf("numbers: %v in %s", two, page.Text())
	}
	s.says(s.witness(osei, "rosa"), "A colleague does this with the patient now")
	console = s.reopened(hale, console)
	s.says(s.formWith(hale, console, "number", url.Values{"number": {two[1]}}), "This is not the number")
	s.says(s.formWith(hale, console, "number", url.Values{"number": {two[0]}}), "a second member of staff has to confirm")
	for _, e := range s.events(t, "kind=factor.added") {
		t.Errorf("one witness sufficed: %+v", e)
	}
	second := s.witness(osei, "rosa")
	s.says(s.formWith(osei, second, "number", url.Values{"number": {two[1]}}), "can sign in now", "Dr. Hale", "Dr. Osei")
	s.says(s.reopened(tablet, page), "You can sign in now")
	s.witnessed("rosa", 2)
	own := s.NewBrowser(kit.Person{})
	if home := s.answers(own, s.sees(own, "/signin"), "", d.Get); home.Status != http.StatusOK {
		t.Errorf("the key opens nothing: %d", home.Status)
	}
	s.says(s.sees(own, "/messages"), "A way to sign in was set up with you and your care team")
	s.says(s.witness(hale, "elena-own"), "two people review it")
}
