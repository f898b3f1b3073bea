package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity"
)

// rosasNumber belongs to nobody.
const rosasNumber = "+15555550123"

// sentCode gives the newest code that was sent in a way, as the message has it.
func (s teller) sentCode(way string) string {
	s.t.Helper()
	var box struct {
		Notices []struct {
			Template string
			Args     map[string]string
		}
	}
	if err := json.Unmarshal(s.get(s.t, "/dev/outbox").Body, &box); err != nil {
		s.t.Fatal(err)
	}
	for _, n := range box.Notices {
		if n.Template == identity.NoticeContact && way == "address" || n.Template == identity.NoticeSentCode && n.Args["way"] == way {
			return n.Args["code"]
		}
	}
	s.t.Fatalf("no code went by %s", way)
	return ""
}

// backedUp gives rosa a code app, a checked address and both kinds of codes that are
// sent, a day ago.
func (s teller) backedUp() *kit.Browser {
	s.t.Helper()
	rosa := s.secured("rosa")
	s.press(rosa, s.proven(rosa, "/account/addresses"), "", url.Values{"address": {"rosa@example.org"}})
	s.press(rosa, s.proven(rosa, "/account/addresses"), "", url.Values{"code": {s.sentCode("address")}})
	s.numbered(rosa)
	s.forward(s.t, identity.ContactCooling+time.Minute)
	rosa = s.again(rosa)
	s.entered(rosa, "/home")
	s.says(s.fill(rosa, "/factors/email", "", url.Values{"accept": {"yes"}}), "Codes by e-mail", "It is a backup")
	return rosa
}

// entered signs somebody in on the way to a page.
func (s teller) entered(b *kit.Browser, path string) *kit.Page {
	s.t.Helper()
	p, err := b.SignIn(s.t.Context(), s.at(path))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// numbered adds a telephone number.
func (s teller) numbered(rosa *kit.Browser) {
	s.t.Helper()
	asked := s.fill(rosa, "/factors/sms", "", url.Values{"number": {"+1 (555) 555-0123"}, "accept": {"yes"}})
	s.says(asked, "Check your number")
	s.says(s.press(rosa, asked, "", url.Values{"code": {s.sentCode("sms")}}), "ends in 0123", "Codes go there from")
}

// asksFor sends the form of the second-factor page that sends a code.
func (s teller) asksFor(b *kit.Browser, way string) *kit.Page {
	s.t.Helper()
	return s.formTo(s.t, b, s.half(s.t, b, b.Person.Username), "/signin/send", map[string]string{"way": way})
}

func (s teller) types(b *kit.Browser, asked *kit.Page, code string) *kit.Page {
	s.t.Helper()
	return s.formTo(s.t, b, asked, "/signin/sent", map[string]string{"code": code})
}

// SM-09, NI-07: codes that are sent come after a better factor only, with their risk
// told and accepted, and never for those who help or work here.
func TestSentCodesAreABackup(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa := s.browser("rosa")
	s.says(s.entered(rosa, "/factors/sms"), "Add a passkey or a code app first.", "take over your phone number", "ten recovery codes")
	post := func(b *kit.Browser, path string, v url.Values) *kit.Page {
		t.Helper()
		f := s.entered(b, "/factors/codes").FormWith("csrf")
		v.Set("csrf", f.Field("csrf").Value)
		f.Action = s.at(path)
		p, err := b.Post(t.Context(), f, v, "")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := post(rosa, "/factors/sms", url.Values{"number": {rosasNumber}, "accept": {"yes"}})
	if first.Status != http.StatusConflict {
		t.Errorf("SMS as the first factor: %d", first.Status)
	}
	s.says(first, "Add a passkey or a code app first.")
	for _, name := range []string{"elena", "hale"} {
		p := post(s.browser(name), "/factors/sms", url.Values{"number": {rosasNumber}, "accept": {"yes"}})
		if p.Status != http.StatusConflict || !strings.Contains(p.Text(), "Your account needs a stronger proof") {
			t.Errorf("%s: %d %s", name, p.Status, p.Text())
		}
	}
	rosa = s.secured("rosa")
	for _, c := range []struct{ number, accept, says string }{
		{rosasNumber, "", "Tick this if you want the codes."},
		{"0555 0100", "yes", "Begin with + and the code of the country."},
	} {
		s.says(s.fill(rosa, "/factors/sms", "", url.Values{"number": {c.number}, "accept": {c.accept}}), c.says)
	}
	s.says(s.fill(rosa, "/factors/email", "", url.Values{"accept": {"yes"}}), "First choose an e-mail address that is yours alone")
	s.numbered(rosa)
	if e := s.events(t, "kind=factor.added"); !strings.Contains(fmt.Sprint(e), "restricted:accepted") {
		t.Errorf("what was accepted is not recorded: %v", e)
	}
	// A number is not written to on the day on which it was added.
	other := s.NewBrowser(kit.Person{Username: "rosa"})
	if p := s.half(t, other, "rosa"); strings.Contains(p.Text(), "text message") {
		t.Error("a new number is open at once")
	}
	// With the last better factor they go too.
	page := s.proven(rosa, "/factors")
	app := factorLink.FindSubmatch(page.Body) // the oldest: her code app
	s.press(rosa, s.proven(rosa, string(app[1])+"/remove"), "", url.Values{"answer": {"remove"}})
	if left := s.open(t, rosa, "/factors"); strings.Contains(left.Text(), "ends in 0123") {
		t.Errorf("SMS is the only second factor: %s", left.Text())
	}
}

// SM-11, SM-12, NI-01: a code that was sent works once, for five minutes, in the window
// that asked for it, for the log-in alone; it opens the own record and no more.
func TestACodeThatWasSent(t *testing.T) {
	s := teller{start(t, nil), t}
	s.backedUp()
	phone := s.NewBrowser(kit.Person{Username: "rosa"})
	asked := s.asksFor(phone, "sms")
	s.says(asked, "We sent eight numbers to your phone.", "Give the code to nobody")
	code := s.sentCode("sms")

	// Another browser, the other purposes, and late.
	thief := s.NewBrowser(kit.Person{Username: "rosa"})
	s.says(s.types(thief, s.asksFor(thief, "email"), code), "This code is not right")
	asked = s.formTo(t, phone, asked, "/signin/send", map[string]string{"way": "sms"})
	s.says(s.types(phone, asked, code), "This code is not right") // the new one ended it
	code = s.sentCode("sms")
	s.forward(t, identity.SentLife+time.Second)
	s.says(s.types(phone, asked, code), "This code is not right")

	asked = s.asksFor(phone, "email")
	code = s.sentCode("email")
	s.resets(code)
	s.forward(t, identity.SentLife-time.Second)
	home := s.types(phone, asked, code[:4]+" "+code[4:])
	s.says(home, "Hello")
	if again := s.types(phone, asked, code); strings.Contains(again.Text(), "Hello") && strings.Contains(again.URL, "/sent") {
		t.Error("a code works twice")
	}

	// What it opens: the own record; what apps are told is true.
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "openid launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: phone}})
	_, said := claims(t, g.Text("id_token"))
	if fmt.Sprintf("%v %v", said["acr"], said["amr"]) != "urn:mandate:aal:1 [pwd urn:mandate:amr:email]" {
		t.Errorf("acr %v, amr %v", said["acr"], said["amr"])
	}
	for _, path := range []string{"/people/invite", "/record/conditions?private=1"} {
		p, err := phone.Open(t.Context(), s.at(path), "")
		if err != nil || p.FormWith("way") != nil || p.FormWith("code") == nil {
			t.Errorf("%s is open, or to be opened by a code that is sent: %v %s", path, err, p.Text())
		}
	}
	add := s.open(t, phone, "/account/addresses")
	if p := s.press(phone, add, "", url.Values{"address": {"thief@example.org"}}); strings.Contains(p.Text(), "We sent a code to thief") {
		t.Error("the address can be changed")
	}
}

// SM-02, SM-09, NI-01: who signed in with a code that was sent and wants to change how they
// sign in is asked for the better factor that they have, not to sign in once more, and
// before a form is filled in in vain; then they are where they wanted to be, with what
// they typed.
func TestAfterASentCodeTheBetterFactorIsAskedFor(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa := s.backedUp()
	weakly := func() *kit.Browser {
		t.Helper()
		phone := s.NewBrowser(kit.Person{Username: "rosa"})
		s.says(s.types(phone, s.asksFor(phone, "email"), s.sentCode("email")), "Hello")
		return phone
	}
	proves := func(phone *kit.Browser, asked *kit.Page, path string) *kit.Page {
		t.Helper()
		s.says(asked, "Enter your code", "A code that we sent is not enough for this.")
		form := asked.FormWith("code")
		if form == nil || asked.SignInForm() != nil || asked.FormWith("way") != nil {
			t.Fatalf("%s leads to %s: %s", path, asked.URL, asked.Text())
		}
		s.forward(t, 31*time.Second)
		code, err := kit.TOTP(rosa.Person.TOTPSecret, s.Now())
		if err != nil {
			t.Fatal(err)
		}
		form.Set("code", code)
		there, err := phone.Submit(t.Context(), form, nil, "")
		if err != nil || there.URL != s.at(path) {
			t.Fatalf("after the proof for %s: %v %s %s", path, err, there.URL, there.Text())
		}
		return there
	}
	phone := weakly()
	s.says(proves(phone, s.open(t, phone, "/factors/app"), "/factors/app"), "Add a code app")

	// Where only the form is more than a look, what was typed is kept.
	for path, typed := range map[string][2]string{
		"/account/addresses": {"address", "rosa.new@example.org"}, "/account/travel": {"until", s.Now().AddDate(0, 0, 9).Format(time.DateOnly)},
	} {
		phone = weakly()
		waits := s.press(phone, s.open(t, phone, path), "", url.Values{typed[0]: {typed[1]}})
		if kept := s.typed(proves(phone, waits, path), typed[0]); kept != typed[1] {
			t.Errorf("%s: what was typed is %q", path, kept)
		}
	}

	// Long after the log-in it is the same factor that is asked for.
	phone = weakly()
	s.forward(t, identity.ManageWithin+time.Minute)
	s.says(proves(phone, s.open(t, phone, "/factors/sms"), "/factors/sms"), "Codes by text message")

	// Who has no better factor is asked for the password.
	noah := s.browser("noah")
	s.entered(noah, "/home")
	s.forward(t, identity.ManageWithin+time.Minute)
	if p := s.open(t, noah, "/factors/codes"); p.SignInForm() == nil {
		t.Errorf("%s: %s", p.URL, p.Text())
	}
	s.says(s.entered(noah, "/factors/codes"), "Recovery codes")
}

// resets tries a code of the log-in on the way back into the account.
func (s teller) resets(code string) {
	s.t.Helper()
	b := s.NewBrowser(kit.Person{Username: "rosa"})
	page, err := b.Open(s.t.Context(), s.at("/recover"), "")
	if err != nil {
		s.t.Fatal(err)
	}
	begun, tried := submit(s.t, b, page, "username", "rosa"), 0
	for _, f := range begun.Forms {
		if v := f.Values(f.Button("send")); f.Button("send") != nil {
			if begun, err = b.Post(s.t.Context(), f, v, ""); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for _, f := range begun.Forms {
		if f.Field("contact") == nil || f.Field("csrf") == nil {
			continue
		}
		v := f.Values(nil)
		v.Set("contact", code)
		p, err := b.Post(s.t.Context(), f, v, "")
		if err != nil {
			s.t.Fatal(err)
		}
		tried++
		if strings.Contains(p.URL, "/recover/finish") || strings.Contains(p.URL, "/recover/wait") {
			s.t.Errorf("the code of a log-in counts for recovery: %s", p.Text())
		}
	}
	if tried == 0 {
		s.t.Errorf("no code is asked for: %s", begun.Text())
	}
}

// SM-10, SM-12: of fifty right codes at once one wins; of fifty guesses five are looked
// at, then the code is over.
func TestFiftyCodesAtOnce(t *testing.T) {
	s := teller{start(t, nil), t}
	s.backedUp()
	burst := func(code func(i int) string) (in int64, b *kit.Browser, asked *kit.Page) {
		b = s.NewBrowser(kit.Person{Username: "rosa"})
		asked = s.asksFor(b, "email")
		right := s.sentCode("email")
		var all sync.WaitGroup
		var wins atomic.Int64
		for i := range 50 {
			typed := code(i)
			if typed == "" {
				typed = right
			}
			all.Go(func() {
				for _, f := range asked.Forms {
					if !strings.HasSuffix(f.Action, "/signin/sent") {
						continue
					}
					v := f.Values(nil)
					v.Set("code", typed)
					res, err := b.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{"Origin": {s.Issuer}, "Sec-Fetch-Site": {"same-origin"}}})
					if err == nil && res.Status == http.StatusSeeOther && strings.HasSuffix(res.Header.Get("Location"), "/home") {
						wins.Add(1)
					}
				}
			})
		}
		all.Wait()
		return wins.Load(), b, asked
	}
	if in, _, _ := burst(func(int) string { return "" }); in != 1 {
		t.Errorf("%d log-ins with one code", in)
	}
	in, b, asked := burst(func(i int) string { return "0000000" + string(rune('0'+i%10)) })
	if in != 0 {
		t.Errorf("%d guesses went in", in)
	}
	if p := s.types(b, asked, s.sentCode("email")); strings.Contains(p.Text(), "Hello") {
		t.Error("the code outlives fifty guesses")
	}
	failed := 0
	for _, e := range s.events(t, "kind=stepup.failed") {
		_ = e
		failed++
	}
	if failed < 50 {
		t.Errorf("%d of 50 guesses are recorded", failed)
	}
}

var factorLink = regexp.MustCompile(`href="[^"]*(/factors/one/[0-9a-f]+)"`)
