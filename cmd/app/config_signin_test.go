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
	p := c.policy()
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
