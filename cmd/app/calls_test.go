package app_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

var (
	eightDigits = regexp.MustCompile(`\b[0-9]{4} [0-9]{4}\b`)
	counts      = regexp.MustCompile(`data-left="[0-9]+"|[0-9]+ [A-Z][a-z]+ [0-9]+, [0-9:]+ UTC`)
)

// said is the answer of the console to one call.
type said struct {
	status    int
	url, body string
}

// call types what a caller says into the console.
func (s teller) call(staff *kit.Browser, console *kit.Page, username, code, patient string) said {
	s.t.Helper()
	page := s.press(staff, console, "", url.Values{"username": {username}, "code": {code}, "patient": {patient}})
	// The warning before the session's end counts seconds.
	return said{page.Status, strings.TrimPrefix(page.URL, s.Issuer), counts.ReplaceAllString(string(page.Body), "")}
}

// TF-14, TF-23, TR-36, TR-45: the console tells nothing before the caller is
// verified. A caller who is unknown, one who is blocked, one who is no proxy, a wrong
// code and a used one are the same bytes.
func TestTheConsoleTellsNothingBeforeTheCallerIsVerified(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.browser("hale"), s.browser("osei")
	if p := s.open(t, s.browser("rosa"), "/staff/calls"); p.Status != 403 {
		t.Errorf("a patient at the console: %d", p.Status)
	}
	s.open(t, hale, "/staff")
	s.open(t, osei, "/staff")
	console := s.proven(hale, "/staff/calls")
	codeOf := func(b *kit.Browser) string { return eightDigits.FindString(s.open(t, b, "/call-code").Text()) }
	elena, victor := s.browser("elena"), s.browser("victor")
	var first said
	for i, c := range [][3]string{
		{"nobody-at-all", "12345678", "Rosa Alvarez"},
		{"victor", codeOf(victor), "Rosa Alvarez"},
		{"joaquin", codeOf(s.browser("joaquin")), "Rosa Alvarez"},
		{"hale", codeOf(osei), "Rosa Alvarez"},
		{"osei", codeOf(osei), "Rosa Alvarez"},
		{"elena", "00000000", "Rosa Alvarez"},
		{"elena", codeOf(victor), "Rosa Alvarez"},
		{"elena", codeOf(elena), "Noah Brandt"},
		{"", "", ""},
	} {
		got := s.call(hale, console, c[0], c[1], c[2])
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("%v: answered %d %s unlike an unknown caller", c, got.status, got.url)
		}
		for _, told := range []string{"Rosa", "Elena", "Victor", c[0] + "\""} {
			if told != "\"" && strings.Contains(got.body, told) {
				t.Errorf("%v: the answer tells %q", c, told)
			}
		}
	}
	code := codeOf(elena)
	if got := s.call(hale, console, "Elena", code, " rosa ALVAREZ"); got.status != 200 || !strings.Contains(got.body, "It is Elena Alvarez") ||
		!strings.Contains(got.body, "You are talking to Elena Alvarez about Rosa Alvarez.") || !strings.Contains(got.body, "Elena Alvarez can see") {
		t.Errorf("a verified caller: %+v", got)
	}
	if got := s.call(hale, console, "elena", code, "Rosa Alvarez"); got != first {
		t.Errorf("a code works twice: %s", got.url)
	}
	rosa := s.browser("rosa")
	late := codeOf(rosa)
	if err := s.Advance(t.Context(), 21*time.Minute); err != nil {
		t.Fatal(err)
	}
	hale = s.browser("hale")
	s.open(t, hale, "/staff")
	console = s.proven(hale, "/staff/calls")
	if got := s.call(hale, console, "rosa", late, "Rosa Alvarez"); got.url != first.url {
		t.Errorf("a code of before: %s", got.url)
	}
	if got := s.call(hale, console, "rosa", codeOf(s.browser("rosa")), "Rosa Alvarez"); !strings.Contains(got.body, "It is their own record.") {
		t.Errorf("the patient: %s", got.body)
	}
	s.toldTheLog()
}

// toldTheLog wants that the audit log holds what no page told.
func (s teller) toldTheLog() {
	s.t.Helper()
	why := map[string]int{}
	for _, e := range s.events(s.t, "kind=caller.checked") {
		why[e.Reason]++
	}
	for reason, n := range map[string]int{"": 2, "caller-unknown": 2, "no-access": 2, "code-wrong": 4, "caller-is-staff": 1, "code-used": 1} {
		if reason != "no-access" && reason != "code-wrong" && why[reason] != n || why[reason] < min(n, 1) {
			s.t.Errorf("%d events say %q: %v", why[reason], reason, why)
		}
	}
}
