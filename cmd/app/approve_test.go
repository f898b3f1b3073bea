package app_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// half signs somebody in with a password alone and gives the page of the second factor.
func (s *server) half(t *testing.T, b *kit.Browser, username string) *kit.Page {
	t.Helper()
	p, err := b.Open(t.Context(), s.at("/signin"), "")
	if err != nil {
		t.Fatal(err)
	}
	return s.post(t, b, p, "password", map[string]string{"username": username, "password": s.Person(username).Password})
}

// formTo sends the form that leads to a path.
func (s *server) formTo(t *testing.T, b *kit.Browser, p *kit.Page, path string, fill map[string]string) *kit.Page {
	t.Helper()
	for _, f := range p.Forms {
		if !strings.HasSuffix(f.Action, path) {
			continue
		}
		v := f.Values(nil)
		for name, value := range fill {
			v.Set(name, value)
		}
		next, err := b.Post(t.Context(), f, v, "")
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	t.Fatalf("no form to %s: %s", path, p.Text())
	return nil
}

var twoGroups = regexp.MustCompile(`\b(\d{3}) (\d{3})\b`)

// SM-13, SM-14, SM-15, NI-07: Elena sits at a strange computer; her tablet tells who
// asks and lets her in by the number only. A denial lets nobody in, two end this way.
func TestElenasTabletLetsHerIn(t *testing.T) {
	s := start(t, nil)
	tablet := s.browser("elena")
	if p := s.open(t, tablet, "/approve"); !strings.Contains(p.Text(), "No sign-in waits for you") {
		t.Fatal(p.Text())
	}
	office := s.NewBrowser(kit.Person{Username: "elena"})
	p := s.formTo(t, office, s.half(t, office, "elena"), "/signin/approve", nil)
	number := twoGroups.FindStringSubmatch(p.Text())
	if number == nil {
		t.Fatalf("no number: %s", p.Text())
	}
	p = s.formTo(t, office, p, "/signin/approve/done", nil)
	if !strings.Contains(p.Text(), "It is not approved yet") || !strings.Contains(p.Text(), number[0]) {
		t.Fatalf("went on: %s", p.Text())
	}
	if home := s.open(t, tablet, "/home"); !strings.Contains(home.Text(), "waits for your answer") {
		t.Error("the start page does not tell")
	}
	asked := s.open(t, tablet, "/approve")
	for _, want := range []string{"Is it you who signs in now?", "127.0.0.0/24"} {
		if !strings.Contains(asked.Text(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if r := s.formTo(t, tablet, asked, "/approve", map[string]string{"number": ""}); !strings.Contains(r.Text(), "Is it you") {
		t.Errorf("approved without a number: %s", r.Text())
	}
	if r := s.formTo(t, tablet, asked, "/approve", map[string]string{"number": number[1] + number[2]}); !strings.Contains(r.Text(), "Go on on your other device") {
		t.Fatalf("not taken: %s", r.Text())
	}
	p = s.formTo(t, office, p, "/signin/approve/done", nil)
	if p.Status != 200 || !strings.Contains(p.Text(), "Hello") {
		t.Fatalf("not let in: %s", p.Text())
	}
	for range 2 {
		thief := s.NewBrowser(kit.Person{Username: "elena"})
		p = s.formTo(t, thief, s.half(t, thief, "elena"), "/signin/approve", nil)
		if r := s.formTo(t, tablet, s.open(t, tablet, "/approve"), "/approve", map[string]string{"answer": "deny"}); !strings.Contains(r.Text(), "Nobody was let in") {
			t.Fatalf("not denied: %s", r.Text())
		}
		if p = s.formTo(t, thief, p, "/signin/approve/done", nil); !strings.Contains(p.Text(), "This was not approved") {
			t.Fatalf("a denial lets in: %s", p.Text())
		}
	}
	last := s.NewBrowser(kit.Person{Username: "elena"})
	if p := s.half(t, last, "elena"); strings.Contains(p.Text(), "Approve on my other device") {
		t.Error("two denials leave the way open")
	}
	if n := len(s.events(t, "kind=approval.answered")); n != 3 {
		t.Errorf("%d answers were recorded", n)
	}
}
