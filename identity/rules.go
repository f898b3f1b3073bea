package identity

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/mandate-health/mandate/fhir"
)

// Lifetimes bound a session (SE-15).
type Lifetimes struct {
	// Idle ends a session that is not used, Absolute one that is.
	Idle     time.Duration
	Absolute time.Duration
}

// Limit is a number of failed tries within a window that ends now.
type Limit struct {
	Tries  int
	Window time.Duration
}

// Policy holds the figures of this room. DefaultPolicy fills it.
type Policy struct {
	// Sessions gives the lifetimes by role.
	Sessions map[Role]Lifetimes
	// Unfinished is how long a log-in may wait for its second factor.
	Unfinished time.Duration
	// TouchEvery is the least time between two writes of LastSeen.
	TouchEvery time.Duration
	// PerPair limits failures of one account from one address prefix, so
	// that a stranger elsewhere cannot lock the owner out.
	PerPair Limit
	// PerAccount limits failures of one account from anywhere (NI-06).
	PerAccount Limit
	// PerAddress limits failures from one address prefix over all accounts.
	PerAddress Limit
}

// DefaultPolicy gives the figures of SE-15 and NI-06.
func DefaultPolicy() Policy {
	return Policy{
		Sessions: map[Role]Lifetimes{
			RolePatient:   {Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
			RoleProxy:     {Idle: 15 * time.Minute, Absolute: 8 * time.Hour},
			RoleClinician: {Idle: 15 * time.Minute, Absolute: 12 * time.Hour},
			RoleAdmin:     {Idle: 15 * time.Minute, Absolute: 12 * time.Hour},
		},
		Unfinished: 10 * time.Minute,
		TouchEvery: time.Minute,
		PerPair:    Limit{Tries: 10, Window: 15 * time.Minute},
		PerAccount: Limit{Tries: 100, Window: time.Hour},
		PerAddress: Limit{Tries: 300, Window: 15 * time.Minute},
	}
}

// lifetimes gives those of the role, and the strictest known ones for a role
// that has none.
func (p Policy) lifetimes(r Role) Lifetimes {
	if l, ok := p.Sessions[r]; ok {
		return l
	}
	return p.Sessions[RoleProxy]
}

// FoldUsername gives the form in which usernames are compared, found and
// counted: without outer spaces, and folded so that two which look alike to a
// person who types them are the same (compatibility forms and case).
func FoldUsername(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(strings.TrimSpace(s))))
}

// AddressPrefix gives the network that failed tries are counted for: /24 of
// an IPv4 address, /56 of an IPv6 address, "unknown" for anything else.
func AddressPrefix(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	bits := 56
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// Sufficient reports whether the session proves enough for p to act in the
// capacity: the own record of somebody with a patient account may be reached
// with a password alone; acting for somebody else, as a clinician or as staff
// needs two factors (NI-01). It is false for another person's session, for an
// unfinished log-in and for a disabled account.
func Sufficient(p Person, capacity fhir.Capacity, s Session) bool {
	if p.Disabled || p.ID == "" || s.PersonID != p.ID || s.Tenant != p.Tenant {
		return false
	}
	switch s.Level() {
	case AAL2:
		return true
	case AAL1:
		return capacity.Kind == fhir.CapacitySelf && !p.Role.NeedsSecondFactor()
	}
	return false
}
