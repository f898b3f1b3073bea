package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// D.10: how pages look is kept on the device before anybody signs in, and for the
// person, whose next device takes it over.
func TestHowPagesLook(t *testing.T) {
	s := start(t, nil)
	tablet := s.NewBrowser(s.Person("rosa"))
	page, err := tablet.Open(t.Context(), s.at("/display"), "")
	if err != nil || page.Status != http.StatusOK || strings.Contains(string(page.Body), "data-look") {
		t.Fatal(page, err)
	}
	after := pressIn(t, tablet, page, "language", map[string]string{"look": "large", "language": "es"})
	if body := string(after.Body); !strings.Contains(body, `lang="es"`) || !strings.Contains(body, `data-look="large"`) {
		t.Errorf("nothing was kept: %.300s", body)
	}
	if strings.Contains(string(s.open(t, tablet, "/account").Body), `data-look="calm`) {
		t.Error("a look that nobody chose")
	}
	page = s.open(t, tablet, "/display")
	pressIn(t, tablet, page, "language", map[string]string{"look": "calm", "language": "en"})
	phone := s.NewBrowser(s.Person("rosa"))
	if body := string(s.open(t, phone, "/account").Body); !strings.Contains(body, `data-look="calm"`) {
		t.Errorf("another device looks otherwise: %.300s", body)
	}
}

// SM-06, SM-07: a person reads what happened to their account, and what nothing looks
// at; who travels says so with a fresh log-in.
func TestAnAccountTellsItsPerson(t *testing.T) {
	s := start(t, nil)
	b := s.NewBrowser(s.Person("rosa"))
	text := s.open(t, b, "/account/activity").Text()
	for _, want := range []string{"Somebody signed in to your account.", "there is no country file"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told: %s", want, text)
		}
	}
	page := s.open(t, b, "/account/travel")
	for _, wrong := range []string{"", "tomorrow", "2020-01-01", "2999-01-01"} {
		res := submit(t, b, page, "until", wrong)
		if res.Status != http.StatusBadRequest {
			t.Errorf("%q: %s", wrong, res)
		}
	}
	day := s.Now().AddDate(0, 0, 20)
	done := pressIn(t, b, page, "until", map[string]string{"until": day.Format(time.DateOnly)})
	if text := done.Text(); !strings.Contains(text, "You are travelling until") {
		t.Error(text)
	}
	if err := s.Advance(t.Context(), 11*time.Minute); err != nil {
		t.Fatal(err)
	}
	if p, err := b.Open(t.Context(), s.at("/account/travel"), ""); err != nil || p.SignInForm() == nil {
		t.Errorf("an old log-in says that it travels: %s %v", p.Response, err)
	}
}

// submit posts the form of a page that has a field, with another value.
func submit(t *testing.T, b *kit.Browser, p *kit.Page, field, value string) *kit.Page {
	t.Helper()
	f := p.FormWith(field)
	if f == nil {
		t.Fatalf("no such form: %s", p.Text())
	}
	v := f.Values(nil)
	v.Set(field, value)
	res, err := b.Post(t.Context(), f, v, "")
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// SM-07: a started server that has a file of places refuses a password from a strange
// device in a new country, says so kindly, and lets the known tablet in.
func TestASignInFromFarAway(t *testing.T) {
	places := filepath.Join(t.TempDir(), "places.csv")
	if err := os.WriteFile(places, []byte("192.0.2.0/24,ES\n198.51.100.0/24,BR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) {
		c.SignIn.Places, c.TrustedProxies = places, []string{"127.0.0.0/8", "::1/128"}
	})
	enter := func(b *kit.Browser, from string) *kit.Response {
		t.Helper()
		page, err := b.Open(t.Context(), s.at("/signin"), "")
		if err != nil {
			t.Fatal(err)
		}
		f := page.SignInForm()
		v := f.Values(nil)
		v.Set("username", "rosa")
		v.Set("password", s.Person("rosa").Password)
		res, err := b.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{
			"Origin": {s.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-For": {from},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	tablet, thief := s.NewBrowser(s.Person("rosa")), s.NewBrowser(s.Person("rosa"))
	if res := enter(tablet, "192.0.2.7"); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	res := enter(thief, "198.51.100.7")
	if text := kit.Text(res.Body); res.Status != http.StatusForbidden || !strings.Contains(text, "not like the ones before") {
		t.Errorf("%s: %s", res, text)
	}
	if res := enter(tablet, "198.51.100.7"); res.Status != http.StatusSeeOther {
		t.Errorf("Rosa's tablet, taken along: %s", res)
	}
	text := s.open(t, tablet, "/account/activity").Text()
	for _, want := range []string{"We stopped a sign-in.", "a new country"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told: %s", want, text)
		}
	}
}

// NI-09: a person chooses where they are written to, with a code that is sent there.
func TestWhereAPersonIsWrittenTo(t *testing.T) {
	s := start(t, nil)
	b := s.NewBrowser(s.Person("rosa"))
	page := s.open(t, b, "/account/addresses")
	if res := submit(t, b, page, "address", "nowhere"); res.Status != http.StatusBadRequest || !strings.Contains(string(res.Body), `value="nowhere"`) {
		t.Errorf("%s", res)
	}
	asked := pressIn(t, b, page, "address", map[string]string{"address": "rosa@example.org"})
	if text := asked.Text(); !strings.Contains(text, "We sent a code to rosa@example.org.") {
		t.Fatal(text)
	}
	if res := submit(t, b, asked, "code", "12"); res.Status != http.StatusUnauthorized {
		t.Errorf("%s", res)
	}
	res, err := s.Do(t.Context(), kit.Request{URL: s.Outbox})
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`"code":"(\d{6})"`).FindSubmatch(res.Body)
	if code == nil {
		t.Fatalf("no code was sent: %s", res.Body)
	}
	done := pressIn(t, b, asked, "code", map[string]string{"code": string(code[1])})
	if text := done.Text(); !strings.Contains(text, "We write here from") {
		t.Error(text)
	}
	if err := s.Advance(t.Context(), 25*time.Hour); err != nil {
		t.Fatal(err)
	}
	if text := s.open(t, b, "/account/addresses").Text(); !strings.Contains(text, "We write to rosa@example.org.") {
		t.Error(text)
	}
	page = s.open(t, b, "/account/addresses")
	if err := s.Advance(t.Context(), 11*time.Minute); err != nil {
		t.Fatal(err)
	}
	late := submit(t, b, page, "address", "other@example.org")
	if late.SignInForm() == nil {
		t.Fatalf("an old log-in changes an address: %s", late)
	}
	back, err := b.SignIn(t.Context(), late.URL)
	if err != nil || !strings.Contains(string(back.Body), `value="other@example.org"`) {
		t.Errorf("what was typed is lost: %s %v", back.Response, err)
	}
	gone := submit(t, b, s.open(t, b, "/account/addresses"), "remove", "x")
	if gone.Status != http.StatusOK {
		t.Errorf("%s", gone)
	}
}
