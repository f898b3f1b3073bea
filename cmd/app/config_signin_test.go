package app

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
)

// SE-15, NI-03: limits by role, device and level stand before those of the house, and
// none is longer than the guidelines allow.
func TestSessionLimits(t *testing.T) {
	c := SignInConfig{Limits: []string{"clinician+new=10m/1h", "shared=5m/30m", "aal1=20m/2h"}}
	p := c.policy(identity.KeyRules{})
	want := identity.SessionRule{Role: identity.RoleClinician, Device: identity.DeviceNew, Lifetimes: identity.Lifetimes{Idle: 10 * time.Minute, Absolute: time.Hour}}
	if p.Sessions[0] != want || p.Sessions[1].Device != identity.DeviceShared || p.Sessions[2].Level != identity.AAL1 || len(p.Sessions) != 3+len(identity.DefaultPolicy().Sessions) {
		t.Errorf("%+v", p.Sessions)
	}
	for _, bad := range []string{"", "proxy", "proxy=10m", "guest=5m/1h", "proxy=1m/1h", "proxy=2h/3h", "proxy=30m/10m", "proxy=30m/25h", "=5m/1h", "proxy+=5m/1h"} {
		if _, err := readLimit(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// NI-01, SM-02: the settings ask for more than the house does, never for less, and for
// nothing that nobody could ever reach.
func TestSettingsOfAssurance(t *testing.T) {
	c := SignInConfig{Assurance: []string{"clinician=aal3", "admin+console=aal3/1h", "restricted=aal2/2m", "patient=aal1"}}
	for ask, want := range map[identity.Ask]identity.Demand{
		{Action: identity.ActLook, Role: identity.RoleClinician}:       {Level: identity.AAL3},
		{Action: identity.ActConsole, Role: identity.RoleAdmin}:        {Level: identity.AAL3, Within: time.Hour},
		{Action: identity.ActLook, Role: identity.RoleAdmin}:           {Level: identity.AAL2},
		{Action: identity.ActRestricted, Role: identity.RolePatient}:   {Level: identity.AAL2, Within: 2 * time.Minute},
		{Action: identity.ActShare, Role: identity.RolePatient}:        {Level: identity.AAL2, Within: identity.ShareWithin},
		{Action: identity.ActFactors, Role: identity.RoleClinician}:    {Level: identity.AAL2},
		{Action: identity.ActRestrictedCall, Role: identity.RoleProxy}: {Level: identity.AAL2},
	} {
		if got := identity.Demanded(c.policy(identity.KeyRules{}).Demands, ask); got.Level != want.Level || got.Within != want.Within {
			t.Errorf("%+v: %+v", ask, got)
		}
	}
	for _, bad := range []string{"", "clinician", "clinician=", "clinician=aal4", "guest=aal2", "=aal2", "clinician+admin=aal2", "share+copy=aal2", "restricted=aal2/5s", "restricted=aal2/25h", "restricted=aal2/soon", "authenticators=aal3", "factors=aal3", "system=aal2", "patient+restricted-call=aal2"} {
		if _, err := readDemand(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
