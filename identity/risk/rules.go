package risk

import "github.com/mandate-health/mandate/identity"

// need is what a rule cannot do without.
type need string

const (
	needsNothing   need = ""
	needsPlaces    need = "places"
	needsDistances need = "distances"
	needsPasswords need = "passwords"
)

// rule is one reason to look twice; the first log-in ever has none.
type rule struct {
	name    string
	needs   need
	applies func(identity.RiskSignals) bool
	// strange is the outcome on a device that the person has not used before, known
	// that on one they have.
	strange, known identity.RiskOutcome
}

const (
	// manyFailures is from when on failed tries before a log-in are told.
	manyFailures = 5
	// manyNetworks is from when on new devices in different networks within an hour are
	// too many (velocity).
	manyNetworks = 5
	// fastest is what nobody travels faster than, in km/h (SM-08).
	fastest = 900
)

var rules = []rule{
	{"new-device", needsNothing, func(s identity.RiskSignals) bool { return s.Device == identity.DeviceNew }, identity.RiskNotify, identity.RiskNotify},
	{"shared-device", needsNothing, func(s identity.RiskSignals) bool { return s.Device == identity.DeviceShared }, identity.RiskNotify, identity.RiskNotify},
	{"new-network", needsNothing, func(s identity.RiskSignals) bool { return s.Device != identity.DeviceKnown && s.NewNetwork }, identity.RiskNotify, identity.RiskNotify},
	{"many-failures", needsNothing, func(s identity.RiskSignals) bool { return s.Failures >= manyFailures }, identity.RiskNotify, identity.RiskNotify},
	{"many-networks", needsNothing, func(s identity.RiskSignals) bool { return s.NewNetworks >= manyNetworks }, identity.RiskDelay, identity.RiskNotify},
	{"new-country", needsPlaces, func(s identity.RiskSignals) bool { return s.NewCountry && !s.Travelling }, identity.RiskStepUp, identity.RiskNotify},
	{"impossible-travel", needsDistances, func(s identity.RiskSignals) bool { return s.Speed > fastest }, identity.RiskStepUp, identity.RiskNotify},
	{"known-password", needsPasswords, func(s identity.RiskSignals) bool { return s.KnownPassword }, identity.RiskStepUp, identity.RiskNotify},
}

// Assess gives the gravest outcome of the rules that apply, and their names (SM-06 to
// SM-08, AS-03). What asks for a step-up is met by two factors. An impossible journey
// after many failed tries is blocked unless a passkey proved it, because codes can be
// passed on. A passkey, and an identity provider that vouches, stop for nothing.
func Assess(s identity.RiskSignals) identity.Assessment {
	a := identity.Assessment{Outcome: identity.RiskAllow}
	if s.FirstEver {
		return a
	}
	met := map[string]bool{}
	for _, r := range rules {
		if !r.applies(s) {
			continue
		}
		outcome := r.strange
		if s.Device == identity.DeviceKnown {
			outcome = r.known
		}
		met[r.name] = true
		a.Outcome, a.Reasons = graver(a.Outcome, outcome), append(a.Reasons, r.name)
	}
	if met["impossible-travel"] && met["many-failures"] && s.Device != identity.DeviceKnown {
		a.Outcome = identity.RiskBlock
	}
	if s.Resistant && severity(a.Outcome) > severity(identity.RiskNotify) || a.Outcome == identity.RiskStepUp && s.TwoFactors {
		a.Outcome = identity.RiskNotify
	}
	return a
}
