package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/internal/config"
)

// SignInConfig says how log-ins are judged and how long they last.
type SignInConfig struct {
	// Places is a file that turns addresses into places; without it countries and
	// journeys are not looked at.
	Places string `name:"places" key:"places_file" help:"File that says in which country networks are, one NETWORK,COUNTRY[,LATITUDE,LONGITUDE] or FIRST,LAST,COUNTRY[,LATITUDE,LONGITUDE] a line. Without it countries and journeys are not looked at." placeholder:"FILE"`
	// Limits shorten or lengthen sessions, before those of DefaultPolicy.
	Limits []string `name:"session-limit" key:"session_limits" help:"How long sessions last: WHO=IDLE/ABSOLUTE, such as proxy=10m/4h, shared=5m/30m, clinician+new=10m/1h or admin+aal1=5m/1h. WHO is a role, a device (known, new, shared), a level (aal1, aal2), or some of them joined by +. The first that fits counts; may be repeated." placeholder:"WHO=IDLE/ABSOLUTE"`
}

// The longest sessions (NI-03): idle and absolute.
const (
	longestIdle     = time.Hour
	longestAbsolute = 24 * time.Hour
	shortestIdle    = 3 * time.Minute
)

// places opens the file, nil when none is named.
func (c *SignInConfig) places() (*risk.Places, error) {
	if c.Places == "" {
		return nil, nil
	}
	return risk.OpenPlaces(c.Places)
}

func (c *SignInConfig) validate(f *config.Faults) {
	if _, err := c.places(); err != nil {
		f.Add("signin.places_file", "%v", err)
	}
	for _, text := range c.Limits {
		if _, err := readLimit(text); err != nil {
			f.Add("signin.session_limits", "%v", err)
		}
	}
}

// policy gives that of the defaults with the limits in front.
func (c *SignInConfig) policy() identity.Policy {
	p := identity.DefaultPolicy()
	var own []identity.SessionRule
	for _, text := range c.Limits {
		if rule, err := readLimit(text); err == nil {
			own = append(own, rule)
		}
	}
	p.Sessions = append(own, p.Sessions...)
	return p
}

// readLimit reads WHO=IDLE/ABSOLUTE.
func readLimit(text string) (rule identity.SessionRule, err error) {
	who, times, _ := strings.Cut(text, "=")
	idle, absolute, _ := strings.Cut(times, "/")
	if rule.Idle, err = time.ParseDuration(idle); err == nil {
		rule.Absolute, err = time.ParseDuration(absolute)
	}
	if err != nil {
		return rule, fmt.Errorf("%q is not WHO=IDLE/ABSOLUTE, such as proxy=10m/4h", text)
	}
	for _, one := range strings.Split(who, "+") {
		switch one {
		case string(identity.RolePatient), string(identity.RoleProxy), string(identity.RoleClinician), string(identity.RoleAdmin):
			rule.Role = identity.Role(one)
		case string(identity.DeviceKnown), string(identity.DeviceNew), string(identity.DeviceShared):
			rule.Device = identity.DeviceClass(one)
		case "aal1":
			rule.Level = identity.AAL1
		case "aal2":
			rule.Level = identity.AAL2
		default:
			return rule, fmt.Errorf("%q is no role (patient, proxy, clinician, admin), device (known, new, shared) or level (aal1, aal2)", one)
		}
	}
	if rule.Idle < shortestIdle || rule.Idle > longestIdle || rule.Absolute < rule.Idle || rule.Absolute > longestAbsolute {
		return rule, fmt.Errorf("%q: idle is between %s and %s, the whole at least that and at most %s", text, shortestIdle, longestIdle, longestAbsolute)
	}
	return rule, nil
}

// openSignIn opens what log-ins are judged by.
func (a *App) openSignIn() error {
	known, err := a.cfg.Passwords.breached()
	if err != nil {
		return err
	}
	if known != nil {
		a.leaked = known.Has
	}
	a.passwords = passwords(a.ids, known)
	a.places, err = a.cfg.SignIn.places()
	return err
}
