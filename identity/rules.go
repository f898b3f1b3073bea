package identity

import (
	"net/netip"
	"slices"
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

// SessionRule gives the lifetimes of the sessions that it fits; an empty field fits
// all.
type SessionRule struct {
	Role   Role
	Device DeviceClass
	Level  Level
	Lifetimes
}

// Limit is a number of failed tries within a window that ends now.
type Limit struct {
	Tries  int
	Window time.Duration
}

// Policy holds the figures of this room. DefaultPolicy fills it.
type Policy struct {
	// Sessions gives the lifetimes by role, device and assurance: the first that fits.
	Sessions []SessionRule
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
	// PerDevice limits failures of one account on one known device, in place of the
	// three above.
	PerDevice Limit
	// Consecutive is how many failures in a row an authenticator takes, on all strange
	// devices together and on each known one (NI-06).
	Consecutive int
	// FreeTries is how many failures cost no pause, LongestPause the longest one.
	FreeTries    int
	LongestPause time.Duration
	// WorkAccount, WorkAddress and WorkEverywhere are from when on strange devices have
	// to do work for a try at the account, from the address prefix, and anywhere.
	WorkAccount, WorkAddress, WorkEverywhere Limit
	// WorkBits is how hard the work is, WorkWait how long those wait who cannot do it,
	// PerWait how often one address prefix may wait.
	WorkBits int
	WorkWait time.Duration
	PerWait  Limit
	// Demands is the table of assurance by role, capacity and action.
	Demands []DemandRule
	// Keys says which models of passkeys and security keys may be used.
	Keys KeyRules
	// Sent are the kinds of codes that this server can send: FactorEmail, FactorSMS.
	Sent []FactorKind
}

// DefaultPolicy gives the figures of SE-15 and NI-06.
func DefaultPolicy() Policy {
	return Policy{
		Sessions: []SessionRule{
			{Device: DeviceShared, Lifetimes: Lifetimes{Idle: 5 * time.Minute, Absolute: time.Hour}},
			{Role: RolePatient, Lifetimes: Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}},
			{Role: RoleClinician, Lifetimes: Lifetimes{Idle: 15 * time.Minute, Absolute: 12 * time.Hour}},
			{Role: RoleAdmin, Lifetimes: Lifetimes{Idle: 15 * time.Minute, Absolute: 12 * time.Hour}},
			{Lifetimes: Lifetimes{Idle: 15 * time.Minute, Absolute: 8 * time.Hour}},
		},
		Unfinished: 10 * time.Minute,
		TouchEvery: time.Minute,
		PerPair:    Limit{Tries: 10, Window: 15 * time.Minute},
		PerAccount: Limit{Tries: 100, Window: time.Hour},
		PerAddress: Limit{Tries: 300, Window: 15 * time.Minute},

		PerDevice:   Limit{Tries: 10, Window: 15 * time.Minute},
		Consecutive: 100,
		FreeTries:   1, LongestPause: 16 * time.Second,
		WorkAccount:    Limit{Tries: 10, Window: time.Hour},
		WorkAddress:    Limit{Tries: 30, Window: 15 * time.Minute},
		WorkEverywhere: Limit{Tries: 500, Window: 15 * time.Minute},
		WorkBits:       16, WorkWait: 20 * time.Second,
		PerWait: Limit{Tries: 30, Window: 15 * time.Minute},
		Demands: DefaultDemands(),
	}
}

// lifetimes gives those of the first rule that fits. Without one a session is over
// before it begins.
func (p Policy) lifetimes(r Role, s Session) Lifetimes {
	for _, rule := range p.Sessions {
		if (rule.Role == "" || rule.Role == r) && (rule.Device == "" || rule.Device == s.Class()) && (rule.Level == "" || rule.Level == s.Level()) {
			return rule.Lifetimes
		}
	}
	return Lifetimes{}
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
// capacity at now, by the rules of assurance (NI-01). It is false for another person's
// session, for an unfinished log-in and for a disabled account.
func Sufficient(rules []DemandRule, p Person, capacity fhir.Capacity, s Session, now time.Time) bool {
	if p.Disabled || p.ID == "" || s.PersonID != p.ID || s.Tenant != p.Tenant {
		return false
	}
	return ForToken(rules, p, capacity).Met(s, now)
}

// ForToken gives what an app's token of a person in a capacity demands: DefaultDemands
// open the own record of somebody with a patient account to a password alone; acting
// for somebody else, as a clinician or as staff needs two factors, as does a capacity
// that is not known.
func ForToken(rules []DemandRule, p Person, capacity fhir.Capacity) Demand {
	d := Demanded(rules, Ask{Action: ActToken, Role: p.Role, Capacity: capacity.Kind})
	if capacity.Kind == "" && !d.Level.Reaches(AAL2) {
		d.Level = AAL2
	}
	return d
}

// ManageWithin is how long after a log-in authenticators may be changed.
const ManageWithin = 10 * time.Minute

// MayManage reports whether the session proves enough to change authenticators:
// it is recent, and made with two factors if the account has two (SM-02).
func MayManage(s Session, factors []Factor, now time.Time) bool {
	want := AAL1
	for _, f := range factors {
		if f.Kind.Second() {
			want = AAL2
		}
	}
	return s.Level() != "" && s.Level().Reaches(want) && now.Sub(s.AuthTime) <= ManageWithin
}

// guarded reports whether a log-in is too weak to change the authenticators of
// somebody who needs a passkey that stays on its device, and has one: a weaker proof
// must not add another one.
func (p Policy) guarded(who Person, s Session, factors []Factor) bool {
	_, usable := passkeysOf(factors)
	return !s.Level().Reaches(AAL3) && slices.ContainsFunc(usable, func(k Passkey) bool { return !k.Synced }) &&
		Demanded(p.Demands, Ask{Action: ActLook, Role: who.Role}).Level == AAL3
}

// MayRemove reports whether a factor may go: a password may not, nor where it is kept, nor the last
// usable second factor of somebody who needs one, nor the only way in.
func MayRemove(p Person, f Factor, all []Factor) bool {
	if f.Kind == FactorUpstream {
		return slices.ContainsFunc(all, func(o Factor) bool {
			return o.ID != f.ID && o.Locked == "" && slices.Contains([]FactorKind{FactorPassword, FactorDirectory, FactorPasskey, FactorUpstream}, o.Kind)
		})
	}
	if !f.Kind.Second() {
		return f.Kind.Restricted()
	}
	for _, other := range all {
		if other.ID != f.ID && other.Kind.Second() && other.Locked == "" {
			return true
		}
	}
	return !p.Role.NeedsSecondFactor()
}
