package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity/factor/totp"
)

const regained = "nine herons by the river"

// post sends the form that has the field, with values of one's own, and gives the
// page.
func (s *server) post(t *testing.T, b *kit.Browser, p *kit.Page, with string, fill map[string]string) *kit.Page {
	t.Helper()
	for _, f := range p.Forms {
		v := f.Values(nil)
		if f.Field(with) == nil && f.Button(with) == nil {
			continue
		}
		for name, value := range fill {
			v.Set(name, value)
		}
		next, err := b.Post(t.Context(), f, v, "")
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	t.Fatalf("no form with %s: %s", with, p.Text())
	return nil
}

// begins asks for an account and gives the page that takes proofs.
func (s *server) begins(t *testing.T, b *kit.Browser, username string) *kit.Page {
	t.Helper()
	p, err := b.Open(t.Context(), s.at("/recover"), "")
	if err != nil || p.Status != http.StatusOK {
		t.Fatal(p, err)
	}
	return s.post(t, b, p, "username", map[string]string{"username": username})
}

// sent waits for the newest notice of a template that was not there before.
func (s *server) sent(t *testing.T, template string, before map[string]kit.Notice) kit.Notice {
	t.Helper()
	deadline, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		all, err := s.Notices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for id, n := range all {
			if _, old := before[id]; !old && n.Template == template {
				return n
			}
		}
		select {
		case <-deadline:
			t.Fatalf("no %s was left", template)
		case <-tick.C:
		}
	}
}

// byMail has a code sent and gives it back.
func (s *server) byMail(t *testing.T, b *kit.Browser, p *kit.Page, to string) *kit.Page {
	t.Helper()
	before, err := s.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p = s.post(t, b, p, "send", map[string]string{"do": "send"})
	n := s.sent(t, "contact-code", before)
	if n.Args["to"] != to {
		t.Errorf("the code went to %s", n.Args["to"])
	}
	return s.post(t, b, p, "contact", map[string]string{"contact": n.Args["code"]})
}

// SM-20, SM-22, NI-09: Elena lost her phone. A code by mail and her password are two
// proofs; a day passes, two of the staff agree, and she gets in with a new password
// and a new app. Her apps and log-ins from before are over.
func TestElenaGetsBackIn(t *testing.T) {
	s := start(t, nil)
	old := s.browser("elena")
	s.open(t, old, "/account")
	b := s.NewBrowser(kit.Person{Username: "elena"})
	p := s.byMail(t, b, s.begins(t, b, "elena"), "elena.alvarez@example.com")
	if !strings.Contains(p.Text(), "one more way") {
		t.Fatalf("not begun: %s", p.Text())
	}
	p = s.post(t, b, p, "password", map[string]string{"password": s.Person("elena").Password})
	if !strings.Contains(p.Text(), "We have all we need") {
		t.Fatalf("not proven: %s", p.Text())
	}
	if err := s.Advance(t.Context(), 25*time.Hour); err != nil {
		t.Fatal(err)
	}
	s.agree(t, "hale", "osei")
	p, err := b.Open(t.Context(), s.at("/recover"), "")
	if err != nil || !strings.Contains(p.Text(), "Choose a new password") {
		t.Fatal(p, err)
	}
	secret := p.FormWith("secret").Field("secret").Value
	code, err := totp.Code(secret, s.Now().Unix()/30)
	if err != nil {
		t.Fatal(err)
	}
	p = s.post(t, b, p, "again", map[string]string{"password": regained, "again": regained, "code": code})
	if !strings.Contains(p.Text(), "Your new password is saved") {
		t.Fatalf("not finished: %s", p.Text())
	}
	if got, err := old.Open(t.Context(), s.at("/account"), ""); err == nil && strings.Contains(got.Text(), "Elena") {
		t.Error("the log-in from before still lives")
	}
	if err := s.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	fresh := s.NewBrowser(kit.Person{Username: "elena", Password: regained, TOTPSecret: secret})
	if got := s.open(t, fresh, "/account"); got.Status != http.StatusOK {
		t.Errorf("she cannot sign in: %s", got)
	}
	steps := map[string]bool{}
	for _, e := range s.events(t, "kind=recovery.step") {
		steps[e.Reason] = true
		if e.RequestID == "" || e.Network == "" {
			t.Errorf("without its request: %+v", e)
		}
	}
	for _, want := range []string{"proof-contact", "proof-password", "approved", "done"} {
		if !steps[want] {
			t.Errorf("%s is not recorded: %v", want, steps)
		}
	}
}

// agree lets staff say that somebody may get back in; each says it twice.
func (s *server) agree(t *testing.T, staffs ...string) {
	t.Helper()
	for _, who := range staffs {
		staff := s.browser(who)
		queue := s.open(t, staff, "/staff/recovery")
		if !strings.Contains(queue.Text(), "Elena Alvarez") {
			t.Fatalf("not in the queue: %s", queue.Text())
		}
		one := s.open(t, staff, regainLink(t, queue, "/staff/recovery/"))
		ask := s.open(t, staff, regainLink(t, one, "/approve"))
		s.post(t, staff, ask, "reason", map[string]string{"reason": "called", "answer": "yes"})
		again := s.post(t, staff, ask, "reason", map[string]string{"reason": "called", "answer": "yes"})
		if again.Status == http.StatusOK && !strings.Contains(again.Text(), "People who cannot sign in") {
			t.Errorf("%s said it twice: %s", who, again)
		}
	}
}

func regainLink(t *testing.T, p *kit.Page, part string) string {
	t.Helper()
	for _, piece := range strings.Split(string(p.Body), `href="`)[1:] {
		if to, _, _ := strings.Cut(piece, `"`); strings.Contains(to, part) {
			return to
		}
	}
	t.Fatalf("no link with %s: %s", part, p.Text())
	return ""
}

// SM-20: the link in the message stops it from any browser and says nothing; and
// strangers see the same for accounts that exist and for those that do not.
func TestARecoveryIsStoppedAndTellsNothing(t *testing.T) {
	s := start(t, nil)
	b := s.NewBrowser(kit.Person{})
	before, err := s.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.byMail(t, b, s.begins(t, b, "rosa"), "rosa@example.com")
	stop := s.sent(t, "account-recovery", before).Args["stop"]
	other := s.NewBrowser(kit.Person{})
	said := map[string]bool{}
	for _, token := range []string{"nothing", strings.Split(stop, ".")[0] + ".x", stop, stop} {
		ask, err := other.Open(t.Context(), s.at("/recover/stop/"+url.PathEscape(token)), "")
		if err != nil || ask.Status != http.StatusOK || strings.Contains(ask.Text(), "Rosa") {
			t.Fatal(ask, err)
		}
		if p, err := b.Open(t.Context(), s.at("/recover"), ""); err != nil || token != stop && !strings.Contains(p.Text(), "one more way") {
			t.Errorf("%s stopped it by a look: %v", token, err)
		}
		answer, err := other.Post(t.Context(), ask.Forms[len(ask.Forms)-1], ask.Forms[len(ask.Forms)-1].Values(nil), "")
		if err != nil || answer.Status != http.StatusOK {
			t.Fatal(answer, err)
		}
		said[answer.Text()] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
	if p, err := b.Open(t.Context(), s.at("/recover"), ""); err != nil || !strings.Contains(p.Text(), "Get back into your account") {
		t.Error("it goes on", err)
	}

	look := func(username string) string {
		b := s.NewBrowser(kit.Person{})
		p := s.begins(t, b, username)
		p = s.post(t, b, p, "send", map[string]string{"do": "send"})
		p = s.post(t, b, p, "contact", map[string]string{"contact": "12345678"})
		return p.Text()
	}
	if known, unknown := look("noah"), look("nobody-at-all"); known != unknown || !strings.Contains(known, "That was not right") {
		t.Errorf("%s\n--\n%s", known, unknown)
	}
}

// SM-20: the address of somebody who helps is never where a patient's code goes.
func TestAHelpersAddressProvesNothing(t *testing.T) {
	s := start(t, nil)
	helper := `{"resourceType":"RelatedPerson","id":"rosa-kin","active":true,"patient":{"reference":"Patient/rosa"},
		"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"SIB"}]}],
		"telecom":[{"system":"email","value":"Rosa@Example.com"}]}`
	if res := s.put(t, "/related-persons/rosa-kin", "", []byte(helper)); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	before, err := s.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rosa", "noah"} {
		b := s.NewBrowser(kit.Person{})
		p := s.post(t, b, s.begins(t, b, name), "send", map[string]string{"do": "send"})
		if !strings.Contains(p.Text(), "a code is on its way") {
			t.Fatal(p.Text())
		}
	}
	// The jobs are done in their order: Noah's code comes after Rosa's would have.
	if n := s.sent(t, "contact-code", before); n.Args["to"] != "noah@example.com" {
		t.Errorf("a code went to %s", n.Args["to"])
	}
}
