package risk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

func TestPlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "places.csv")
	text := "# made by hand\n\"203.0.113.0\",\"203.0.113.127\",\"AR\",-34.6,-58.4\n192.0.2.0/24,es\n2001:db8::/32,DE,52.5,13.4\n\n203.0.113.128/25,UY\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPlaces(path)
	if err != nil || p.Len() != 4 || !p.Located() || p.Made().IsZero() {
		t.Fatal(p, err)
	}
	for network, want := range map[string]string{
		"192.0.2.0/24": "ES", "203.0.113.0/24": "AR", "2001:db8:7:100::/56": "DE", "198.51.100.0/24": "", "unknown": "", "::/56": "", "203.0.113.128/25": "UY",
	} {
		if at, ok := p.Of(network); at.Country != want || ok != (want != "") {
			t.Errorf("%s is in %q", network, at.Country)
		}
	}
	for _, s := range Signals(p, true) {
		if s.Inactive != "" {
			t.Errorf("%+v", s)
		}
	}
	plain, err := readPlaces(strings.NewReader("192.0.2.0/24,ES"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Signals(plain, true) {
		if (s.Name == "impossible-travel") != (s.Inactive == "distances") {
			t.Errorf("%+v", s)
		}
	}
	var none *Places
	if _, ok := none.Of("192.0.2.0/24"); ok {
		t.Error("no file knows a place")
	}
}

func TestMalformedPlacesAreRefused(t *testing.T) {
	for _, text := range []string{
		"192.0.2.0/24", "192.0.2.0/24,Spain", "192.0.2.9,192.0.2.1,ES", "192.0.2.1,2001:db8::,ES", "x,ES", "192.0.2.0/24,ES,1", "192.0.2.0/24,ES,91,0", "192.0.2.0/24,ES,x,0",
		"192.0.2.0/24,ES\n192.0.2.128/25,PT",
	} {
		if _, err := readPlaces(strings.NewReader(text)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// SM-06, SM-07, SM-08, AS-03: what each signal leads to.
func TestAssess(t *testing.T) {
	type s = identity.RiskSignals
	const fresh, known = identity.DeviceNew, identity.DeviceKnown
	for _, c := range []struct {
		name string
		s    s
		want string
	}{
		{"the first log-in ever", s{Device: fresh, FirstEver: true, NewNetwork: true, Failures: 9}, "allow"},
		{"a known device at home", s{Device: known}, "allow"},
		{"a known device on a journey", s{Device: known, NewNetwork: true}, "allow"},
		{"a known device in a new country", s{Device: known, NewNetwork: true, NewCountry: true}, "notify new-country"},
		{"the same, told beforehand", s{Device: known, NewNetwork: true, NewCountry: true, Travelling: true}, "allow"},
		{"a new device at home", s{Device: fresh}, "notify new-device"},
		{"a new device elsewhere", s{Device: fresh, NewNetwork: true}, "notify new-device new-network"},
		{"a new device in a new country", s{Device: fresh, NewCountry: true}, "step-up new-device new-country"},
		{"the same with two factors", s{Device: fresh, NewCountry: true, TwoFactors: true}, "notify new-device new-country"},
		{"faster than anybody travels", s{Device: fresh, Speed: 5000}, "step-up new-device impossible-travel"},
		{"by aeroplane", s{Device: fresh, Speed: 850}, "notify new-device"},
		{"the same after many failures", s{Device: fresh, Speed: 5000, Failures: 5, TwoFactors: true}, "block new-device many-failures impossible-travel"},
		{"the same with a passkey", s{Device: fresh, Speed: 5000, Failures: 5, TwoFactors: true, Resistant: true}, "notify new-device many-failures impossible-travel"},
		{"one device after the other", s{Device: fresh, NewNetworks: 5, TwoFactors: true}, "delay new-device many-networks"},
		{"a password that thieves know", s{Device: fresh, KnownPassword: true}, "step-up new-device known-password"},
		{"the same on a known device", s{Device: known, KnownPassword: true}, "notify known-password"},
		{"a library", s{Device: identity.DeviceShared, NewNetwork: true}, "notify shared-device new-network"},
		{"after many failures", s{Device: known, Failures: 5}, "notify many-failures"},
		{"after a slip of the finger", s{Device: known, Failures: 4}, "allow"},
	} {
		got := Assess(c.s)
		if text := strings.Join(append([]string{string(got.Outcome)}, got.Reasons...), " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}
