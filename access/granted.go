package access

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Cause codes of explanations. Each requested scope that was not granted as
// asked carries exactly one.
const (
	WhyUnknown       = "scope-unknown"
	WhyType          = "type-not-offered"
	WhyParameter     = "scope-parameter-unsupported"
	WhyLevel         = "scope-level-not-for-capacity"
	WhyNoPatient     = "no-patient-in-context"
	WhyNotRegistered = "not-registered"
	WhyConsent       = "not-in-consent"
	WhyNotTicked     = "not-chosen"
	WhyNoLaunch      = "no-launch-context"
	WhyNoFHIRUser    = "no-fhir-user"
	WhyNeedsOpenID   = "needs-openid"
	WhyNotKept       = "access-while-away-not-chosen"
	WhyViewOnly      = "view-only-consent"
	// WhyNotGranted is for a scope of a refresh that the grant does not have.
	WhyNotGranted = "not-granted"
)

// GrantedScopes answers what may be granted: requested ∩ registration ∩
// capacity ∩ consents ∩ ticks (SC-02). It is a pure function; what it leaves
// out it explains, so that granted ∪ explained = requested.
func GrantedScopes(q ScopeQuestion) ScopeAnswer {
	a := &answer{q: q}
	if q.Capacity.IsProxy() {
		if !q.ProxyInForce || q.SafetyHold || q.Policy == nil {
			return ScopeAnswer{Denied: true}
		}
		a.grantable = consent.GrantableFor(q.Policy, []fhir.Reference{q.Capacity.Acting}, q.Capacity.Purpose, q.Now)
		if a.grantable.Denied {
			return ScopeAnswer{Denied: true}
		}
		a.ValidUntil, a.GrantsEnd = a.grantable.ValidUntil, a.grantable.GrantsEnd
		if ends := q.ProxyEnds; !ends.IsZero() {
			a.ValidUntil, a.GrantsEnd = earliest(ends, a.ValidUntil), earliest(ends, a.GrantsEnd)
		}
		a.Consents, a.Policies = a.grantable.Consents, a.grantable.Policies
	}
	for _, text := range q.Requested.Texts {
		a.judge(text)
	}
	a.Denied = len(a.Texts) == 0 || len(q.Requested.Clinical) > 0 && len(a.Clinical) == 0
	return a.ScopeAnswer
}

// sooner gives the earlier of two ends, where zero means none (EV-14).
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

type answer struct {
	ScopeAnswer
	q         ScopeQuestion
	grantable consent.Grantable
}

func (a *answer) judge(text string) {
	if s, ok := a.clinical(text); ok {
		a.judgeClinical(s)
		return
	}
	why := a.judgeOther(text)
	if why != "" {
		a.Explained = append(a.Explained, Explanation{Scope: text, Code: why})
		return
	}
	a.Texts = append(a.Texts, text)
}

func (a *answer) clinical(text string) (scope.Scope, bool) {
	for _, s := range a.q.Requested.Clinical {
		if s.Text == text {
			return s, true
		}
	}
	return scope.ParseScope(text)
}

// judgeClinical narrows one clinical scope by each factor in turn; the first
// that leaves nothing gives the explanation.
func (a *answer) judgeClinical(s scope.Scope) {
	left := scope.Set{s}
	why := a.unfit(s)
	if why == "" {
		left, why = a.narrow(left)
	}
	if why != "" {
		a.Explained = append(a.Explained, Explanation{Scope: s.String(), Code: why})
		return
	}
	texts := make([]string, 0, len(left))
	for _, g := range left {
		text := g.String()
		texts = append(texts, text)
		if !slices.Contains(a.Texts, text) {
			a.Texts = append(a.Texts, text)
			a.Clinical = append(a.Clinical, g)
		}
	}
	if len(texts) != 1 || texts[0] != s.String() {
		a.Explained = append(a.Explained, Explanation{Scope: s.String(), Code: a.narrowedBy(s), Became: texts})
	}
}

// unfit tells why a scope cannot be granted to this capacity at all.
func (a *answer) unfit(s scope.Scope) string {
	for _, p := range s.Params {
		if !scope.Supported(p, s.Type) {
			// Dropping only the limit would widen the scope (SCP-09).
			return WhyParameter
		}
	}
	kind := a.q.Capacity.Kind
	if NeverForApps(s.Type) && (s.Type != LogType || !LogReadable(kind) || s.Ops&^(scope.Read|scope.Search) != 0) {
		return WhyType
	}
	system := kind == fhir.CapacitySystem
	switch {
	case system != (s.Level == scope.System):
		return WhyLevel
	case s.Level == scope.User && a.q.Capacity.IsProxy():
		return WhyLevel
	case s.Level == scope.Patient && !a.q.HasPatient:
		return WhyNoPatient
	}
	return ""
}

func (a *answer) narrow(s scope.Set) (scope.Set, string) {
	if s = s.Intersect(a.q.Registered.Clinical); len(s) == 0 {
		return nil, WhyNotRegistered
	}
	if a.q.Capacity.IsProxy() {
		if s = s.Intersect(a.grantable.Scopes); len(s) == 0 {
			return nil, WhyConsent
		}
	}
	if a.q.Ticked != nil {
		if s = s.Intersect(a.q.Ticked); len(s) == 0 {
			return nil, WhyNotTicked
		}
	}
	return s, ""
}

// narrowedBy names the factor that made a granted scope smaller than asked:
// the first, in the order of narrow, under which the scope does not fit.
func (a *answer) narrowedBy(asked scope.Scope) string {
	switch {
	case !a.q.Registered.Clinical.Covers(asked):
		return WhyNotRegistered
	case a.q.Capacity.IsProxy() && !a.grantable.Scopes.Covers(asked):
		return WhyConsent
	default:
		return WhyNotTicked
	}
}

// judgeOther judges launch, identity and access-while-away scopes and gives
// the reason when one is not granted.
func (a *answer) judgeOther(text string) string {
	q := &a.q
	switch text {
	case "launch":
		return unless(q.EHRLaunch, WhyNoLaunch)
	case "openid":
		return unless(q.Registered.OpenID && q.Capacity.Kind != fhir.CapacitySystem, WhyNotRegistered)
	case "profile":
		return unless(q.Registered.Profile || q.Registered.OpenID, WhyNotRegistered)
	case "fhirUser":
		switch {
		case !q.Registered.FHIRUser:
			return WhyNotRegistered
		case !q.Requested.OpenID:
			return WhyNeedsOpenID
		}
		return unless(q.HasFHIRUser, WhyNoFHIRUser)
	case "offline_access":
		return a.judgeOffline()
	case "online_access":
		a.Online = q.Registered.OnlineAccess || q.Registered.OfflineAccess
		return unless(a.Online, WhyNotRegistered)
	}
	for _, h := range q.Requested.LaunchHints {
		if h.Text == text {
			return unless(h.Type != "Patient" || q.HasPatient, WhyNoPatient)
		}
	}
	return WhyUnknown
}

// judgeOffline offers access while away only where a consent does not limit
// the proxy to looking (SC-16), and grants it only when it was chosen.
func (a *answer) judgeOffline() string {
	if !a.q.Registered.OfflineAccess || a.q.Capacity.Kind == fhir.CapacitySystem {
		return WhyNotRegistered
	}
	if a.q.Capacity.IsProxy() && !a.grantable.Offline {
		return WhyViewOnly
	}
	a.OfflineOffered = true
	if a.q.Ticked != nil && !a.q.KeepAccess {
		return WhyNotKept
	}
	a.Offline = true
	return ""
}

// earliest gives the earlier time; a zero bound does not bound.
func earliest(t, bound time.Time) time.Time {
	if !bound.IsZero() && bound.Before(t) {
		return bound
	}
	return t
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}
