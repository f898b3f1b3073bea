package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// levels lists the scope levels on which a grant can draw, given its capacity
// and context (SCP-13).
func (g *GrantView) levels() []scope.Level {
	switch {
	case g.Capacity.Kind == fhir.CapacitySystem:
		return systemLevels
	case g.Patient != "":
		return patientLevels
	default:
		return userLevels
	}
}

// What levels gives; nobody changes them.
var (
	systemLevels  = []scope.Level{scope.System}
	patientLevels = []scope.Level{scope.Patient, scope.User}
	userLevels    = []scope.Level{scope.User}
)

// hasOp reports whether some scope speaks for the type and the one operation.
func (g *GrantView) hasOp(typ string, op scope.Ops) bool {
	for _, level := range g.levels() {
		for i := range g.Scopes {
			if g.Scopes[i].Speaks(level, typ, op) {
				return true
			}
		}
	}
	return false
}

// hasOps reports whether each operation in ops is spoken for.
func (g *GrantView) hasOps(typ string, ops scope.Ops) bool {
	for op := scope.Create; op <= scope.Search; op <<= 1 {
		if ops&op != 0 && !g.hasOp(typ, op) {
			return false
		}
	}
	return true
}

// judgeRequestScope asks for the type's scope before the query runs, so that
// an ungranted type is refused alike whether or not there is data
// (SMART TRP-01, US-13).
func judgeRequestScope(in *Input, _ *Decision) verdict {
	r := in.Request
	switch r.Interaction {
	case rest.Capabilities, rest.Batch, rest.Transaction:
		return pass
	case rest.Operation:
		return judgeOperationScope(in)
	}
	ops, _ := need(r)
	if r.Type == rest.AnyType && len(in.Grant.typesWith(ops)) > 0 {
		// A compartment search over all types gives those granted (M-15).
		return pass
	}
	if in.Grant.hasOps(r.Type, ops) {
		return pass
	}
	if ops == scope.Read && (in.isOwnIdentity(fhir.Reference{Type: r.Type, ID: r.ID}) || ownedByDocument(in, r.Type)) {
		return pass
	}
	return deny("no-scope", r.Type+"."+ops.String())
}

// ownedByDocument says that a Binary is reached with the scope of the
// DocumentReference that owns it; the resource rules then judge that owner
// (GW-09, TRP-14).
func ownedByDocument(in *Input, typ string) bool {
	return typ == "Binary" && in.Grant.hasOp("DocumentReference", scope.Read)
}

func judgeOperationScope(in *Input) verdict {
	r := in.Request
	if r.Operation == operationEverything {
		if in.Grant.hasOp("Patient", scope.Read) {
			return pass
		}
		return deny("no-scope", "Patient.r")
	}
	if r.Type == "Group" && !in.Grant.hasOps("Group", scope.Read|scope.Search) {
		return deny("no-scope", "Group.rs")
	}
	types := namedTypes(r)
	if len(types) == 0 {
		types = in.Grant.typesWith(reads)
	}
	if len(types) == 0 {
		return deny("no-scope", "*.rs")
	}
	for _, typ := range types {
		if !in.Grant.hasOps(typ, reads) {
			return deny("no-scope", typ+".rs")
		}
	}
	return pass
}

// reads are the operations by which data leaves.
const reads = scope.Read | scope.Search

// namedTypes gives the types that the _type parameter of an operation names.
func namedTypes(r *rest.Request) []string {
	var out []string
	for _, p := range r.Find("_type") {
		out = append(out, p.Values...)
	}
	return out
}

// typesWith gives the named types for which each of ops is granted, or the
// wildcard alone where that is granted.
func (g *GrantView) typesWith(ops scope.Ops) []string {
	var out []string
	for _, level := range g.levels() {
		types, wild := g.Scopes.Types(level, ops)
		if wild {
			return []string{scope.AnyType}
		}
		for _, typ := range types {
			if !slices.Contains(out, typ) {
				out = append(out, typ)
			}
		}
	}
	return out
}

// judgeResourceScope asks whether one scope covers this very resource: level,
// type, operation and every granular parameter (SCP-06, SCP-31).
func judgeResourceScope(in *Input, d *Decision) verdict {
	res := in.Resource
	for _, level := range in.Grant.levels() {
		for i := range in.Grant.Scopes {
			s := &in.Grant.Scopes[i]
			if s.Speaks(level, res.Type, in.Op) && s.Matches(res) && in.levelReaches(level, res) {
				d.Reasons = append(d.Reasons, Reason{Rule: "scope", Code: "scope", Subject: s.String()})
				return pass
			}
		}
	}
	if in.Op == scope.Read && (in.isOwnIdentity(fhir.Reference{Type: res.Type, ID: res.ID}) || ownedByDocument(in, res.Type)) {
		d.Reasons = append(d.Reasons, Reason{Rule: "scope", Code: "own-identity-or-document"})
		return pass
	}
	return hide("outside-scope", res.Type)
}
