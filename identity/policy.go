package identity

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Action is something a person does on pages of this server.
type Action string

// The actions that ask for assurance of their own.
const (
	// ActFactors: see what one signs in with, and that something lacks.
	ActFactors Action = "factors"
	// ActLook: look at one's record's apps, people and activity, and end what was
	// allowed.
	ActLook Action = "look"
	// ActAuthenticators: change what one signs in with.
	ActAuthenticators Action = "authenticators"
	// ActShare: invite somebody to a record, let them see more of it or longer, or
	// accept to help. Taking away is ActLook.
	ActShare Action = "share"
	// ActCopy: take a copy of a record, as a download or on paper.
	ActCopy Action = "copy"
	// ActToken: let an app have what one may see in a capacity.
	ActToken Action = "token"
	// ActRestricted: open on pages what is particularly private (labelled R or V, of a
	// topic that people are asked about, under 42 CFR Part 2, kept from helpers), or
	// let an app have it.
	ActRestricted Action = "restricted"
	// ActRestrictedCall: have it through an app that was let have it before.
	ActRestrictedCall Action = "restricted-call"
	// ActConsole: the pages of those who run the server.
	ActConsole Action = "console"
	// ActWitness: begin at the bedside that a patient sets up a way to sign in.
	ActWitness Action = "witness"
)

// Actions lists the actions, as settings name them.
func Actions() []Action {
	return []Action{ActFactors, ActLook, ActAuthenticators, ActShare, ActCopy, ActToken, ActRestricted, ActRestrictedCall, ActConsole, ActWitness}
}

// enrols reports whether an action leads to stronger authenticators. Whoever has none
// yet could not add one if it asked for one.
func (a Action) enrols() bool { return a == ActFactors || a == ActAuthenticators }

// Demand is what an action needs of the log-in; the zero Demand needs none.
type Demand struct {
	Level Level
	// Within is the greatest age of the log-in, zero for any.
	Within time.Duration
	// Why names the rules that led to it.
	Why []string
}

// Ask is what somebody wants to do, in which role, and as whom.
type Ask struct {
	Action   Action
	Role     Role
	Capacity fhir.CapacityKind
}

// DemandRule says what the actions, roles and capacities that it fits need; an empty
// field fits all.
type DemandRule struct {
	// Why names the rule in plain words.
	Why string
	Ask
	Level  Level
	Within time.Duration
}

// ShareWithin is how long after a log-in something may be shared or copied, and what is
// particularly private opened (SP-20).
const ShareWithin = 5 * time.Minute

// DefaultDemands is the one table of assurance by role, capacity and action (NI-01,
// SM-02, SP-20). All rules that fit count. A password alone opens their own record to
// patients, and nothing to anybody else.
func DefaultDemands() []DemandRule {
	rules := []DemandRule{
		{Why: "everybody signs in", Level: AAL1},
		{Why: "who helps others proves two factors", Ask: Ask{Role: RoleProxy}, Level: AAL2},
		{Why: "clinicians prove two factors", Ask: Ask{Role: RoleClinician}, Level: AAL2},
		{Why: "those who run the server prove two factors", Ask: Ask{Role: RoleAdmin}, Level: AAL2},
		{Why: "the console needs two factors", Ask: Ask{Action: ActConsole}, Level: AAL2},
		{Why: "a witness at the bedside proves two factors just before", Ask: Ask{Action: ActWitness}, Level: AAL2, Within: ShareWithin},
		{Why: "what one signs in with is changed soon after a log-in", Ask: Ask{Action: ActAuthenticators}, Within: ManageWithin},
		{Why: "sharing needs two factors, just proven", Ask: Ask{Action: ActShare}, Level: AAL2, Within: ShareWithin},
		{Why: "a copy needs two factors, just proven", Ask: Ask{Action: ActCopy}, Level: AAL2, Within: ShareWithin},
		{Why: "what is particularly private needs two factors, just proven", Ask: Ask{Action: ActRestricted}, Level: AAL2, Within: ShareWithin},
	}
	for _, k := range []fhir.CapacityKind{
		fhir.CapacityDesignatedProxy, fhir.CapacityRepresentative, fhir.CapacityPractitioner, fhir.CapacityStaff, fhir.CapacitySystem,
	} {
		rules = append(rules, DemandRule{Why: "acting as " + string(k) + " needs two factors", Ask: Ask{Capacity: k}, Level: AAL2})
	}
	return rules
}

// Demanded joins the rules that fit: the highest level, the least age, and why. AAL3
// is never asked for what leads to it.
func Demanded(rules []DemandRule, a Ask) Demand {
	var d Demand
	for _, rule := range rules {
		if !rule.fits(a) {
			continue
		}
		if rule.Level == AAL3 && a.Action.enrols() {
			rule.Level = AAL2
		}
		higher, sooner := !d.Level.Reaches(rule.Level), rule.Within > 0 && (d.Within == 0 || rule.Within < d.Within)
		if higher {
			d.Level = rule.Level
		}
		if sooner {
			d.Within = rule.Within
		}
		if higher || sooner {
			d.Why = append(d.Why, rule.Why)
		}
	}
	return d
}

func (r DemandRule) fits(a Ask) bool {
	return (r.Action == "" || r.Action == a.Action) && (r.Role == "" || r.Role == a.Role) && (r.Capacity == "" || r.Capacity == a.Capacity)
}

// Met reports whether a session meets the demand at t.
func (d Demand) Met(s Session, t time.Time) bool {
	return s.Level() != "" && s.Level().Reaches(d.Level) && (d.Within == 0 || t.Sub(s.AuthTime) <= d.Within)
}
