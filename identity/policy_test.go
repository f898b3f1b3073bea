package identity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
)

// NI-01, SM-02: one table says which assurance a role in a capacity needs for an
// action, and why.
func TestWhatIsDemanded(t *testing.T) {
	const self, proxy, practitioner = fhir.CapacitySelf, fhir.CapacityDesignatedProxy, fhir.CapacityPractitioner
	for _, c := range []struct {
		ask  identity.Ask
		want string
	}{
		{identity.Ask{Action: identity.ActToken, Role: identity.RolePatient, Capacity: self}, "1 0s everybody signs in"},
		{identity.Ask{Action: identity.ActToken, Role: identity.RolePatient, Capacity: proxy}, "2 0s everybody signs in; acting as designated-proxy needs two factors"},
		{identity.Ask{Action: identity.ActToken, Role: identity.RoleProxy, Capacity: self}, "2 0s everybody signs in; who helps others proves two factors"},
		{identity.Ask{Action: identity.ActToken, Role: identity.RoleClinician, Capacity: practitioner}, "2 0s everybody signs in; clinicians prove two factors"},
		{identity.Ask{Action: identity.ActLook, Role: identity.RolePatient, Capacity: proxy}, "2 0s everybody signs in; acting as designated-proxy needs two factors"},
		{identity.Ask{Action: identity.ActAuthenticators, Role: identity.RolePatient}, "1 10m0s everybody signs in; what one signs in with is changed soon after a log-in"},
		{identity.Ask{Action: identity.ActShare, Role: identity.RolePatient}, "2 5m0s everybody signs in; sharing needs two factors, just proven"},
		{identity.Ask{Action: identity.ActCopy, Role: identity.RoleProxy, Capacity: proxy}, "2 5m0s everybody signs in; who helps others proves two factors; a copy needs two factors, just proven"},
		{identity.Ask{Action: identity.ActConsole, Role: identity.RoleAdmin}, "2 0s everybody signs in; those who run the server prove two factors"},
		{identity.Ask{Action: identity.ActRestricted, Role: identity.RolePatient}, "2 5m0s everybody signs in; what is particularly private needs two factors, just proven"},
		{identity.Ask{Action: identity.ActRestrictedCall, Role: identity.RolePatient, Capacity: self}, "1 0s everybody signs in"},
	} {
		d := identity.Demanded(identity.DefaultDemands(), c.ask)
		level := strings.TrimPrefix(string(d.Level), "urn:mandate:aal:")
		if got := level + " " + d.Within.String() + " " + strings.Join(d.Why, "; "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.ask, got, c.want)
		}
	}
}

// NI-01, NI-04: a rule may ask for a key that stays on its device, for everything but
// what leads to such a key.
func TestTheStrongestProofIsDemanded(t *testing.T) {
	rules := append(identity.DefaultDemands(), identity.DemandRule{Why: "a setting", Ask: identity.Ask{Role: identity.RoleClinician}, Level: identity.AAL3})
	for action, want := range map[identity.Action]identity.Level{
		identity.ActLook: identity.AAL3, identity.ActToken: identity.AAL3, identity.ActConsole: identity.AAL3,
		identity.ActFactors: identity.AAL2, identity.ActAuthenticators: identity.AAL2,
	} {
		d := identity.Demanded(rules, identity.Ask{Action: action, Role: identity.RoleClinician})
		if d.Level != want || d.Level == identity.AAL3 && !slices.Contains(d.Why, "a setting") {
			t.Errorf("%s: %+v", action, d)
		}
		if other := identity.Demanded(rules, identity.Ask{Action: action, Role: identity.RoleAdmin}); other.Level == identity.AAL3 {
			t.Errorf("%s: an administrator needs %+v", action, other)
		}
	}
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for amr, want := range map[string]identity.Level{
		"pop mfa": identity.AAL3, "pwd pop mfa": identity.AAL3, "fed pop mfa": identity.AAL3,
		"swk mfa": identity.AAL2, "pwd otp": identity.AAL2, "fed mfa": identity.AAL2, "pwd": identity.AAL1, "": "",
	} {
		s := identity.Session{AMR: strings.Fields(amr), AuthTime: now}
		if s.Level() != want {
			t.Errorf("%q is %q", amr, s.Level())
		}
		if met := (identity.Demand{Level: identity.AAL3}).Met(s, now); met != (want == identity.AAL3) {
			t.Errorf("%q meets the strongest: %v", amr, met)
		}
	}
}
