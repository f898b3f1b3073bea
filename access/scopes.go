package access

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// ScopeQuestion is everything on which the granted scopes depend:
// granted = requested ∩ registration ∩ capacity ∩ consents ∩ ticks (SC-02).
type ScopeQuestion struct {
	Requested scope.Request
	// Registered is the client's ceiling.
	Registered scope.Request
	Capacity   fhir.Capacity
	// Policy is the compiled set of the patient's consents; nil when the
	// capacity is not judged by consents.
	Policy       *consent.Policy
	ProxyInForce bool
	// ProxyEnds is when the relation ends by which a proxy acts, zero when that is
	// not known (EV-14).
	ProxyEnds  time.Time
	SafetyHold bool
	// EHRLaunch is true when a launch context was redeemed.
	EHRLaunch bool
	// HasPatient is true when a patient is in context.
	HasPatient bool
	// HasFHIRUser is false for people without a FHIR resource (OID-08).
	HasFHIRUser bool
	// Ticked restricts the clinical scopes to these; nil means no choice was
	// made yet (the page is being built). An empty non-nil set means nothing
	// was ticked.
	Ticked scope.Set
	// KeepAccess is the person's choice on access while away.
	KeepAccess bool
	Now        time.Time
}

// ScopeAnswer is what may be granted and why anything is missing.
type ScopeAnswer struct {
	// Texts are the granted scope strings in the order of the request.
	Texts    []string
	Clinical scope.Set
	// Offline says that a refresh token may outlive the session, Online that
	// one may live with it.
	Offline bool
	Online  bool
	// OfflineOffered says that keeping access may be offered at all.
	OfflineOffered bool
	// Explained names each requested scope that was dropped or narrowed:
	// granted ∪ explained = requested.
	Explained []Explanation
	// ValidUntil bounds the grant and every token; zero means unbounded.
	ValidUntil time.Time
	// GrantsEnd is when the first of the Consents ends that permit it, whatever
	// else bounds it: what a proxy may know. Zero when none ends.
	GrantsEnd time.Time
	// Consents are the versions that contribute, Policies the policy URIs under
	// which they were given.
	Consents, Policies []string
	// Denied is true when nothing clinical is left and something clinical
	// was asked, or the capacity is refused (SC-10).
	Denied bool
}

// Explanation says what became of one requested scope.
type Explanation struct {
	Scope string `json:"scope"`
	// Code is a stable cause code, such as "not-registered".
	Code string `json:"code"`
	// Became holds the narrower scopes granted instead, if any.
	Became []string `json:"became,omitempty"`
}

// Explained gives explanations as the audit log keeps them, "" for none.
func Explained(all []Explanation) string {
	if len(all) == 0 {
		return ""
	}
	// A list of strings can always be written.
	raw, _ := json.Marshal(all)
	return string(raw)
}
