package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
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
	Limits []string `name:"session-limit" key:"session_limits" help:"How long sessions last: WHO=IDLE/ABSOLUTE, such as proxy=10m/4h, shared=5m/30m, clinician+new=10m/1h or admin+aal1=5m/1h. WHO is a role, a device (known, new, shared), a level (aal1, aal2, aal3), or some of them joined by +. The first that fits counts; may be repeated." placeholder:"WHO=IDLE/ABSOLUTE"`
	// Assurance asks for more than DefaultDemands do, never for less.
	Assurance []string `name:"assurance" key:"assurance" help:"Which proof an action needs beside what is needed anyway: WHAT=LEVEL[/AGE], such as clinician=aal3, admin+console=aal3/1h, restricted=aal2/2m or restricted-call=aal2/15m. WHAT is a role (patient, proxy, clinician, admin), a capacity (such as practitioner), an action (factors, look, authenticators, share, copy, token, restricted, restricted-call, console, witness), or some of them joined by +. LEVEL is aal1, aal2 or aal3 (a passkey that cannot leave its device), AGE how long ago the proof may be. May be repeated." placeholder:"WHAT=LEVEL[/AGE]"`
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
	for _, text := range c.Assurance {
		if _, err := readDemand(text); err != nil {
			f.Add("signin.assurance", "%v", err)
		}
	}
}

// policy gives that of the defaults with the limits in front.
func (c *SignInConfig) policy(keys identity.KeyRules) identity.Policy {
	p := identity.DefaultPolicy()
	p.Keys = keys
	var own []identity.SessionRule
	for _, text := range c.Limits {
		if rule, err := readLimit(text); err == nil {
			own = append(own, rule)
		}
	}
	p.Sessions = append(own, p.Sessions...)
	p.Demands = c.demands()
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
		default:
			if rule.Level = levels()[one]; rule.Level == "" {
				return rule, fmt.Errorf("%q is no role (patient, proxy, clinician, admin), device (known, new, shared) or level (aal1, aal2, aal3)", one)
			}
		}
	}
	if rule.Idle < shortestIdle || rule.Idle > longestIdle || rule.Absolute < rule.Idle || rule.Absolute > longestAbsolute {
		return rule, fmt.Errorf("%q: idle is between %s and %s, the whole at least that and at most %s", text, shortestIdle, longestIdle, longestAbsolute)
	}
	return rule, nil
}

// levels are the levels as settings name them.
func levels() map[string]identity.Level {
	return map[string]identity.Level{"aal1": identity.AAL1, "aal2": identity.AAL2, "aal3": identity.AAL3}
}

// shortestProof is the least age that may be asked for: a person must be able to get
// from one page to the next.
const shortestProof = time.Minute

// demands gives the table of assurance with the rules of the settings.
func (c *SignInConfig) demands() []identity.DemandRule {
	all := identity.DefaultDemands()
	for _, text := range c.Assurance {
		if rule, err := readDemand(text); err == nil {
			all = append(all, rule)
		}
	}
	return all
}

// readDemand reads WHAT=LEVEL[/AGE].
func readDemand(text string) (rule identity.DemandRule, err error) {
	what, proof, _ := strings.Cut(text, "=")
	level, age, aged := strings.Cut(proof, "/")
	if aged {
		rule.Within, err = time.ParseDuration(age)
	}
	if rule.Level = levels()[level]; rule.Level == "" || err != nil || aged && (rule.Within < shortestProof || rule.Within > longestAbsolute) {
		return rule, fmt.Errorf("%q is not WHAT=LEVEL[/AGE], such as clinician=aal3 or restricted=aal2/2m; AGE is between %s and %s", text, shortestProof, longestAbsolute)
	}
	rule.Why = "the setting " + text
	for _, one := range strings.Split(what, "+") {
		role, action, capacity := identity.Role(one), identity.Action(one), fhir.CapacityKind(one)
		switch {
		case rule.Role == "" && slices.Contains([]identity.Role{identity.RolePatient, identity.RoleProxy, identity.RoleClinician, identity.RoleAdmin}, role):
			rule.Role = role
		case rule.Action == "" && slices.Contains(identity.Actions(), action):
			rule.Action = action
		case rule.Capacity == "" && slices.Contains(personal(), capacity):
			rule.Capacity = capacity
		default:
			return rule, fmt.Errorf("%q: %q is no role, capacity or action, or a second one", text, one)
		}
	}
	if rule.Action == identity.ActRestrictedCall && rule.Role != "" {
		return rule, fmt.Errorf("%q: a grant knows in which capacity somebody acts, not in which role: name a capacity such as self", text)
	}
	if identity.Demanded([]identity.DemandRule{rule}, rule.Ask).Level != rule.Level {
		return rule, fmt.Errorf("%q: who has no such passkey yet could never add one", text)
	}
	return rule, nil
}

// personal lists the capacities in which people act.
func personal() []fhir.CapacityKind {
	return []fhir.CapacityKind{fhir.CapacitySelf, fhir.CapacityDesignatedProxy, fhir.CapacityRepresentative, fhir.CapacityPractitioner, fhir.CapacityStaff}
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
	a.passwords = a.cfg.Passwords.hasher(a.ids, known)
	if a.ldap, err = a.ldapClient(); err != nil {
		return err
	}
	a.places, err = a.cfg.SignIn.places()
	return err
}
