package access

import (
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// LogType is the FHIR type of the audit log.
const LogType = "AuditEvent"

// LogReadable reports whether a capacity may read the audit log at all:
// patients what concerns their own record, systems of the compliance office
// all of it. It tells a proxy who else looks, and staff what patients do
// (TR-14).
func LogReadable(kind fhir.CapacityKind) bool {
	return kind == fhir.CapacitySelf || kind == fhir.CapacitySystem
}

// judgeLog holds what is particular to the audit log: who may read it, and that
// only a scope that names it counts. An app with a scope for everything was
// not meant to see who looked.
func judgeLog(in *Input, _ *Decision) verdict {
	if typ, _ := in.target(); typ != LogType {
		return pass
	}
	// An event is about many, and a group is bound to be some of them.
	if !LogReadable(in.Grant.Capacity.Kind) || in.Grant.Members != nil {
		return deny("type-not-offered", LogType)
	}
	op := in.Op
	if in.Request != nil {
		op, _ = need(in.Request)
	}
	if !namesLog(in.Grant.Scopes, op) {
		return deny("no-scope", LogType+"."+op.String())
	}
	return pass
}

func namesLog(scopes scope.Set, op scope.Ops) bool {
	for _, s := range scopes {
		if s.Type == LogType && s.Ops.Has(op) {
			return true
		}
	}
	return false
}
