package access

import (
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// GrantView is what a decision needs to know about a grant. The floor above
// fills it from the stored grant, or from the client's registration for a
// client that acts for itself.
type GrantView struct {
	ID       string
	ClientID string
	PersonID string
	Capacity fhir.Capacity
	// Patient is the patient in launch context: the one that patient/ scopes
	// speak about.
	Patient string
	Scopes  scope.Set
	// OpenID is true when openid and fhirUser were granted: the own identity
	// resource may then be read (SMART OID-12).
	OpenID bool
	// Topics are the sensitive topics ticked on the consent page; nil for
	// capacities that see by organisational policy.
	Topics []string
	// Members are the patients to whom a client that acts for itself is bound; nil
	// for one that is bound to none, empty where its group has nobody (SMART
	// TRP-26).
	Members []string
	Ends    time.Time
}

// Input is everything a decision depends on. Exactly one of Request and
// Resource is set: the request before it is forwarded, then each resource of
// the answer (and the stored and the resulting state of a write).
type Input struct {
	Grant GrantView
	// Policy is the compiled set of the patient's consents; nil when the
	// capacity is not judged by consents.
	Policy *consent.Policy
	// ProxyInForce is false when the acting RelatedPerson is not active, out
	// of its period or of another patient (EV-01). Meaningless for others.
	ProxyInForce bool
	// ProxyEnds is the last instant of that RelatedPerson, zero without one.
	ProxyEnds time.Time
	// SafetyHold is true while the patient's record is held (LC-12).
	SafetyHold bool
	Request    *rest.Request
	Resource   *fhir.Resource
	// Op is the operation under which Resource is judged; exactly one bit.
	Op scope.Ops
	// Function is the portal function for which Resource is judged, such as
	// download; empty is what Op means by itself.
	Function string
	Now      time.Time
	// Modes say how strictly each rule is applied; zero enforces all.
	Modes Modes
	// Labelling classifies resources that their source did not label; nil
	// classifies none.
	Labelling *Labelling
}

// Decision is a value that carries its consequences.
type Decision struct {
	Allow bool
	// Hidden tells how to refuse: true means "as if absent" (404), false
	// means "not granted" (403).
	Hidden bool
	// Rewrite are the alternatives an upstream search is narrowed to: the
	// answer is the union of the searches with each one's parameters added.
	// Empty on an allowed search means no narrowing is needed.
	Rewrite []Narrowing
	// Filter is true when each resource of the answer must be decided again.
	Filter      bool
	Obligations []Obligation
	// Reasons say which scopes, consents and rules decided, most decisive
	// first.
	Reasons []Reason
	// WouldDeny are the refusals that did not count, because their rule is only
	// audited.
	WouldDeny []Reason
	// Consents are the versioned consent references that contributed.
	Consents []string
	// ValidUntil is when the decision may come out differently; zero when
	// only the grant's end bounds it.
	ValidUntil time.Time
}

// Narrowing is one set of search parameters, all of which are added.
type Narrowing []rest.Param

// Obligation is something that must be done with what is allowed.
type Obligation string

// The obligations.
const (
	// StripLabels removes topic labels before release (LB-17, GW-18).
	StripLabels Obligation = "strip-labels"
	// ForceAuthor sets author and sender to the acting RelatedPerson (GW-22).
	ForceAuthor Obligation = "force-author"
	// Part2Notice sends the notice of 42 CFR 2.32 and an explanation of the consent
	// along (P2-14).
	Part2Notice Obligation = "part2-notice"
)

// Reason is one machine-readable ground of a decision.
type Reason struct {
	// Rule is the name of the rule, such as "scope", "compartment",
	// "consent", "label".
	Rule string `json:"rule"`
	// Code is a stable cause code, such as "no-scope" or "NO_GRANT".
	Code string `json:"code"`
	// Subject is the scope text, consent id or label that decided.
	Subject string `json:"subject,omitempty"`
}
