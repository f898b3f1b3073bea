package app_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// pressIn submits the form of a page that has a button of a text, as filled in.
func pressIn(t *testing.T, b *kit.Browser, p *kit.Page, with string, fill map[string]string) *kit.Page {
	t.Helper()
	for _, f := range p.Forms {
		v := f.Values(nil)
		if !v.Has(with) && with != "" || with == "" && (!strings.HasSuffix(f.Action, "/devices") || v.Has("session")) {
			continue
		}
		for name, value := range fill {
			v.Set(name, value)
		}
		next, err := b.Post(t.Context(), f, v, "")
		if err != nil || next.Status != http.StatusOK {
			t.Fatal(next, err)
		}
		return next
	}
	t.Fatalf("no such form: %s", p.Text())
	return nil
}

// SE-17: what a person ends on one node is over on the other: the session, the
// refresh token and the calls of an app that works while they are signed in, and
// with a tick those of an app that works beyond.
func TestSigningOutElsewhere(t *testing.T) {
	dsn := testpg.Start(t)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	node := func() *server { return start(t, func(c *app.Config) { c.Database, c.Keys = dsn, kek }) }
	one, two := node(), node()
	lost, phone := one.NewBrowser(one.Person("rosa")), two.NewBrowser(two.Person("rosa"))
	online := one.granted(t, kit.Launch{Client: one.Client("symmetric"), Scope: "launch/patient online_access patient/Patient.rs", Visit: kit.Visit{Browser: lost}})
	offline := one.granted(t, kit.Launch{Client: one.Client("public"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: lost}})
	one.fetch(t, online.Access(), "Patient/rosa", http.StatusOK)

	page := two.open(t, phone, "/devices")
	if text := page.Text(); !strings.Contains(text, "You are here now.") || !strings.Contains(text, "Last used") {
		t.Errorf("%s", text)
	}
	done := pressIn(t, phone, page, "session", nil)
	if text := done.Text(); !strings.Contains(text, "You are signed out there.") || !strings.Contains(text, "You are signed in only here.") {
		t.Errorf("%s", text)
	}
	eventually(t, "the app still works", func() bool {
		return one.fhir(t, online.Access(), "Patient/rosa").Status == http.StatusUnauthorized
	})
	one.refreshed(t, online, online.RefreshToken(), http.StatusBadRequest)
	one.refreshed(t, offline, offline.RefreshToken(), http.StatusOK)
	if p, err := lost.Open(t.Context(), one.at("/home"), ""); err != nil || p.SignInForm() == nil {
		t.Errorf("still signed in: %s %v", p.Response, err)
	}

	one.open(t, lost, "/home")
	last := one.granted(t, kit.Launch{Client: one.Client("public"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: lost}})
	pressIn(t, phone, two.open(t, phone, "/devices"), "", map[string]string{"apps": "end"})
	eventually(t, "the app still works", func() bool {
		return one.fhir(t, last.Access(), "Patient/rosa").Status == http.StatusUnauthorized
	})
	one.refreshed(t, last, last.RefreshToken(), http.StatusBadRequest)
	if p, err := phone.Open(t.Context(), two.at("/home"), ""); err != nil || p.SignInForm() != nil {
		t.Errorf("the one who asked was signed out: %s %v", p.Response, err)
	}
}

// eventually fails when something does not come about within D17's limit.
func eventually(t *testing.T, wrong string, done func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for !done() {
		select {
		case <-deadline:
			t.Fatal(wrong)
		case <-time.After(pollEvery):
		}
	}
}

// SE-16: the cookie of a session alone, in another browser, opens nothing there,
// and then nothing anywhere.
func TestACopiedSessionCookie(t *testing.T) {
	s := shared(t)
	mine, thief := s.NewBrowser(s.Person("rosa")), s.NewBrowser(s.Person("rosa"))
	s.open(t, mine, "/home")
	for _, cookie := range strings.Split(mine.Cookies(s.at("/home")), "; ") {
		if name, value, _ := strings.Cut(cookie, "="); strings.Contains(name, "mandate_session") {
			if err := thief.Plant(s.at("/home"), name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, b := range []*kit.Browser{thief, mine} {
		if p, err := b.Open(t.Context(), s.at("/home"), ""); err != nil || p.SignInForm() == nil {
			t.Errorf("signed in: %s %v", p.Response, err)
		}
	}
}

// SM-01: a shared device is not remembered, and forgets all at the sign-out.
func TestASharedDevice(t *testing.T) {
	s := shared(t)
	b := s.NewBrowser(s.Person("rosa"))
	p, err := b.Open(t.Context(), s.at("/signin"), "")
	if err != nil {
		t.Fatal(err)
	}
	home := pressIn(t, b, p, "password", map[string]string{"username": "rosa", "password": b.Person.Password, "shared": "yes"})
	if cookies := b.Cookies(s.at("/")); strings.Contains(cookies, "mandate_device") || !strings.Contains(cookies, "mandate_session") {
		t.Errorf("keeps %s", cookies)
	}
	for _, f := range home.Forms {
		if strings.HasSuffix(f.Action, "/signout") {
			out, err := b.Submit(t.Context(), f, nil, "")
			if err != nil || out.Trail[0].Header.Get("Clear-Site-Data") != `"cache", "cookies", "storage"` {
				t.Errorf("%v %v", out, err)
			}
			return
		}
	}
	t.Error("no way out")
}
