package identity_test

import (
	"strings"
	"testing"

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
	} {
		d := identity.Demanded(identity.DefaultDemands(), c.ask)
		level := strings.TrimPrefix(string(d.Level), "urn:mandate:aal:")
		if got := level + " " + d.Within.String() + " " + strings.Join(d.Why, "; "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.ask, got, c.want)
		}
	}
}
