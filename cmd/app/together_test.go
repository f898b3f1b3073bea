package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// place is a device in a network.
type place struct {
	http.RoundTripper
	agent, address string
}

func (p place) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", p.agent)
	r.Header.Set("X-Forwarded-For", p.address)
	return p.RoundTripper.RoundTrip(r)
}

// elsewhere gives a browser of somebody on a device in a network.
func (s teller) elsewhere(username, agent, address string) *kit.Browser {
	s.t.Helper()
	before := s.HTTP.Transport
	defer func() { s.HTTP.Transport = before }()
	s.HTTP.Transport = place{before, agent, address}
	if before == nil {
		s.HTTP.Transport = place{http.DefaultTransport, agent, address}
	}
	return s.browser(username)
}

// SP-21, TF-24, CO-01: a caregiver who signs in with the patient's password is asked,
// not locked out; the answer is recorded and leads to an own account, or is kept on
// the device.
func TestACaregiverIsLedToAnOwnAccount(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.TrustedProxies = []string{"127.0.0.0/8", "::1/128"} }), t}
	const (
		phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
		desk  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"
		asks  = "Does somebody help you with this account?"
	)
	rosa := s.elsewhere("rosa", desk, "198.51.100.7")
	if text := s.open(t, rosa, "/home").Text(); strings.Contains(text, asks) {
		t.Errorf("asked about one device: %s", text)
	}
	carer := s.elsewhere("rosa", phone, "203.0.113.9")
	s.says(s.open(t, carer, "/home"), asks, "Hello, Rosa Alvarez")
	s.says(s.open(t, carer, "/together"), "Does somebody help you, Rosa Alvarez?", "in use at the same time in two places", "Safari", "Firefox")
	s.says(s.open(t, rosa, "/home"), asks)
	if text := s.open(t, s.elsewhere("elena", phone, "192.0.2.1"), "/home").Text(); strings.Contains(text, asks) {
		t.Error("somebody with an own account is asked")
	}
	// The answer of no is kept here, and nowhere else.
	s.press(rosa, s.open(t, rosa, "/together"), "no", nil)
	if text := s.open(t, rosa, "/home").Text(); strings.Contains(text, asks) {
		t.Error("asked again after no")
	}
	s.says(s.open(t, carer, "/home"), asks)
	yes := s.press(carer, s.open(t, carer, "/together"), "yes", nil)
	if !strings.Contains(yes.URL, "/people/invite") && !strings.Contains(yes.URL, "/factors") && !strings.Contains(yes.URL, "/signin/code") {
		t.Errorf("yes leads to %s", yes.URL)
	}
	answers := map[string]int{}
	for _, e := range s.events(t, "kind=sharing.answered") {
		answers[e.Detail["answer"]+" "+e.Detail["rules"]]++
	}
	if answers["alone two-at-once"] != 1 || answers["helped two-at-once"] != 1 {
		t.Errorf("the log: %v", answers)
	}
}
