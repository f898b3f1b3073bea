package pages

import (
	"strings"
	"testing"
	"time"
)

// Screens rule 5: what happened, what it means, what to do; the most exact
// words there are, and no code.
func TestAnErrorHasTheMostExactWords(t *testing.T) {
	k := newKit(t)
	for _, c := range []struct{ cause, kind, want string }{
		{"client-unknown", "invalid_request", "We do not know this app"},
		{"redirect-uri-unregistered", "invalid_request", "This link does not fit the app"},
		{"request-not-found", "forbidden", "This page has run out of time"},
		{"state-missing", "invalid_request", "The app sent us something we could not read"},
		{"something-new", "access_denied", "This is not open to you"},
		{"something-new", "unprocessable", "The app sent us something we could not read"},
		{"form-unreadable", "invalid", "Something went wrong"},
		{"something-new", "kind-new", "Something went wrong"},
		{"", "", "Something went wrong"},
	} {
		body := render(k, "/x", ErrorPage{Cause: c.cause, Kind: c.kind, SupportCode: "K7PM"}).Body.String()
		if !strings.Contains(body, "<h1>"+c.want+"</h1>") || !strings.Contains(body, "<title>"+c.want+" – Mandate</title>") {
			t.Errorf("%s %s: no %q", c.cause, c.kind, c.want)
		}
		for _, code := range []string{c.cause, c.kind} {
			if code != "" && strings.Contains(body, code) {
				t.Errorf("shows the code %q", code)
			}
		}
		if !strings.Contains(body, "K7PM") || !strings.Contains(body, "555 0100") {
			t.Error("no support code or telephone")
		}
	}
}

func TestEveryErrorNameHasItsSentences(t *testing.T) {
	k := newKit(t)
	for _, name := range ErrorNames() {
		for _, part := range []string{".what", ".means", ".do"} {
			if !k.Words().Has("error." + name + part) {
				t.Errorf("error.%s%s has no words", name, part)
			}
		}
	}
}

// D.10 WC-01: the warning comes with a way to stay, and only such pages may
// talk to the server by script.
func TestTheSessionWarningCanBeAnswered(t *testing.T) {
	k := newKit(t)
	now := time.Date(2026, time.November, 22, 9, 0, 0, 0, time.UTC)
	w := render(k, "/x", Home{Frame: Frame{SignedInAs: "Rosa", Now: now, SessionEnds: now.Add(30 * time.Minute), StayURL: "/stay"}})
	if !strings.Contains(w.Body.String(), `data-left="1800" data-stay="/stay"`) {
		t.Error("no warning")
	}
	if !strings.HasSuffix(w.Header().Get("Content-Security-Policy"), "; connect-src 'self'") {
		t.Error("the script may not ask to stay")
	}
	if body := render(k, "/x", Home{}).Body.String(); strings.Contains(body, `id="session"`) {
		t.Error("a warning without a session")
	}
}
