package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
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

// neverForProxies are the types that lie in or beside the patient compartment
// and would tell a proxy who else has access, or that something is kept from
// them (SC-04).
var neverForProxies = []string{
	"AuditEvent", "Consent", "Flag", "Group", "Person", "Provenance",
	"Subscription", "Task", "VerificationResult",
}

// judgeTypeForCapacity refuses types that a capacity never reaches. A proxy
// may read its own RelatedPerson and no other (RP-10).
func judgeTypeForCapacity(in *Input, _ *Decision) verdict {
	if !in.Grant.Capacity.IsProxy() {
		return pass
	}
	typ, id := in.target()
	if slices.Contains(neverForProxies, typ) {
		return deny("type-never-for-proxies", typ)
	}
	if typ == "RelatedPerson" && id != in.Grant.Capacity.Acting.ID {
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
