package access

import (
	"github.com/mandate-health/mandate/fhir/scope"
)

// Mentionable reports whether a resource that leaves may refer to the one of the
// input (GW-08). Of a type that the token may read or search, what it may not get
// is not told of. Of any other type, what an app did not ask for is no secret
// from it (SMART TRP-16): it is judged by every rule but those of the scopes. Who
// and what gives care is judged by its labels alone. It is pure, as Decide is.
func Mentionable(in Input) bool {
	if whole, _ := in.labelled(in.Resource); inDirectory(whole) && len(TopicsOf(whole.Labels)) == 0 {
		return true
	}
	if in.Grant.Reads(in.Resource.Type) {
		in.Op = scope.Read
		if Decide(in).Allow {
			return true
		}
		in.Op = scope.Search
		return Decide(in).Allow
	}
	in.Op = scope.Read
	in.Resource, _ = in.labelled(in.Resource)
	var d Decision
	for _, r := range rules.resource {
		if r.id == ruleScope || r.id == ruleType {
			continue
		}
		if v := r.judge(&in, &d); v.refused && !in.loosen(r.id, v, &d) {
			return false
		}
	}
	return true
}

// Reads reports whether some scope of the grant speaks of reading or searching a
// type.
func (g *GrantView) Reads(typ string) bool {
	return g.hasOp(typ, scope.Read) || g.hasOp(typ, scope.Search)
}
