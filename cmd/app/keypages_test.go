package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SE-03, SE-05: who keeps the keys sees which is in use, makes the next one, and
// the server publishes it; a patient sees nothing of it, and a question that is
// answered with no changes nothing.
func TestCustodianReplacesAKey(t *testing.T) {
	s := start(t, nil)
	ada := s.browser("admin")
	published := func() int {
		t.Helper()
		return strings.Count(string(s.get(t, "/jwks").Body), `"kid"`)
	}
	before := published()
	page := s.open(t, ada, "/operator/keys")
	for _, want := range []string{"Signs what apps show to get data", "In use", "Closes the other keys"} {
		if !strings.Contains(page.Text(), want) {
			t.Errorf("%q is missing in %s", want, page.Text())
		}
	}
	for _, step := range []struct {
		answer string
		more   int
	}{{"no", 0}, {"yes", 1}} {
		answerRotation(t, s, ada, "access-token", step.answer)
		if got := published(); got != before+step.more {
			t.Errorf("%s: %d keys, before %d", step.answer, got, before)
		}
	}
	if text := s.open(t, ada, "/operator/keys").Text(); !strings.Contains(text, "Comes next") {
		t.Errorf("the next key is not shown: %s", text)
	}
	if got := s.events(t, "kind=key.changed"); len(got) == 0 || got[0].PersonID == "" || got[0].SessionID == "" || got[0].Network == "" || got[0].RequestID == "" {
		t.Errorf("nobody replaced a key: %+v", got)
	}
	for _, path := range []string{"/operator/keys", "/operator/keys/access-token/rotate"} {
		if p := s.open(t, s.browser("rosa"), path); p.Status != http.StatusForbidden {
			t.Errorf("rosa at %s: %d", path, p.Status)
		}
	}
	if p := s.open(t, ada, "/operator/keys/kek/rotate"); p.Status != http.StatusNotFound {
		t.Errorf("a key that pages do not replace: %d", p.Status)
	}
}

func answerRotation(t *testing.T, s *server, b *kit.Browser, use, answer string) {
	t.Helper()
	ask := s.open(t, b, "/operator/keys/"+use+"/rotate")
	i := slices.IndexFunc(ask.Forms, func(f *kit.Form) bool { return f.Button(answer) != nil })
	if i < 0 {
		t.Fatalf("nothing is asked: %s", ask.Text())
	}
	if p, err := b.Submit(t.Context(), ask.Forms[i], ask.Forms[i].Button(answer), ""); err != nil || p.Status != http.StatusOK {
		t.Fatal(p, err)
	}
}
