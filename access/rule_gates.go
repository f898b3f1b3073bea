package access

import (
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// judgeGrant refuses whatever is asked under a grant that has ended.
func judgeGrant(in *Input, _ *Decision) verdict {
	if !in.Grant.Ends.IsZero() && !in.Now.Before(in.Grant.Ends) {
		return deny("grant-ended", in.Grant.ID)
	}
	return pass
}

// judgeProxyGate holds the hard gates of EV-01: without a relation in force,
// compiled consents and the absence of a safety hold a proxy gets nothing,
// whatever the scopes say.
func judgeProxyGate(in *Input, _ *Decision) verdict {
	if !in.Grant.Capacity.IsProxy() {
		return pass
	}
	switch {
	case !in.ProxyInForce:
		return deny("relation-not-in-force", "")
	case in.SafetyHold:
		return deny("safety-hold", "")
	case in.Policy == nil:
		return deny("consents-unknown", "")
	}
	return pass
}

// judgeRequestConsent refuses a proxy whose consents permit nothing any more,
// and what they do not speak of: a token outlives neither a withdrawal nor a
// narrowing (SC-17, EV-14). It follows from rules alone and tells nothing about
// the record (SC-23).
func judgeRequestConsent(in *Input, _ *Decision) verdict {
	c := in.Grant.Capacity
	r := in.Request
	if !c.IsProxy() || r.Interaction == rest.Capabilities {
		return pass
	}
	may := consent.GrantableFor(in.Policy, []fhir.Reference{c.Acting}, c.Purpose, in.Now)
	if may.Denied || len(may.Scopes) == 0 {
		return deny("consents-ended", "")
	}
	ops, known := need(r)
	if !known || r.Type == rest.AnyType || in.isOwnIdentity(r.Target()) {
		return pass
	}
	for op := scope.Create; op <= scope.Search; op <<= 1 {
		if ops.Has(op) && len(may.Scopes.For(scope.Patient, r.Type, op)) == 0 && !documented(r.Type, op, may.Scopes) {
			return deny("no-scope", r.Type+"."+ops.String())
		}
	}
	return pass
}

// documented reports whether a Binary is reached by way of documents that the
// scopes let be read.
func documented(typ string, op scope.Ops, scopes scope.Set) bool {
	return typ == "Binary" && op == scope.Read && len(scopes.For(scope.Patient, "DocumentReference", scope.Read)) > 0
}

// NeverForApps reports whether no app reaches the type by a scope for
// everything, and none at the upstream: it would tell about other people's
// access, holds evidence of Mandate's own (D14), or searches later where
// nothing is judged (SMART M-22). The audit log alone has a way, judgeLog.
func NeverForApps(typ string) bool {
	switch typ {
	case "AuditEvent", "Person", "Subscription", "Task":
		return true
	}
	return false
}

// judgeTypeForCapacity refuses types that a capacity never reaches: those that
// would tell a proxy who else has access, or that something is kept from them
// (SC-04). A proxy may read its own RelatedPerson and no other (RP-10).
func judgeTypeForCapacity(in *Input, _ *Decision) verdict {
	if !in.Grant.Capacity.IsProxy() {
		return pass
	}
	typ, id := in.target()
	if consent.NeverForProxies(typ) && (typ != "RelatedPerson" || id != in.Grant.Capacity.Acting.ID) {
		return deny("type-never-for-proxies", typ)
	}
	return pass
}

// target gives type and id of what the input is about.
func (in *Input) target() (typ, id string) {
	if in.Resource != nil {
		return in.Resource.Type, in.Resource.ID
	}
	return in.Request.Type, in.Request.ID
}

// isOwnIdentity reports whether the reference is the acting person's own FHIR
// resource, which an app with openid and fhirUser may read without a scope
// that lists its type (SMART OID-12).
func (in *Input) isOwnIdentity(ref fhir.Reference) bool {
	return in.Grant.OpenID && ref == in.Grant.Capacity.Acting && !ref.IsZero()
}
