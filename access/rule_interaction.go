package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// need gives the operations that an interaction needs on its own type
// (SMART M-01…M-12); ok is false for interactions that are never offered.
func need(r *rest.Request) (ops scope.Ops, ok bool) {
	switch r.Interaction {
	case rest.Read, rest.VRead, rest.HistoryInstance:
		return scope.Read, true
	case rest.SearchType, rest.SearchCompartment, rest.HistoryType:
		return scope.Search, true
	case rest.Create:
		if len(r.IfNoneExist) > 0 {
			// Its answer tells whether a match exists (M-08).
			return scope.Create | scope.Search, true
		}
		return scope.Create, true
	case rest.Update, rest.Patch:
		return scope.Update, true
	case rest.Delete:
		return scope.Delete, true
	case rest.ConditionalUpdate:
		return scope.Update | scope.Search | scope.Create, true
	case rest.ConditionalPatch:
		return scope.Update | scope.Search, true
	case rest.ConditionalDelete:
		return scope.Delete | scope.Search, true
	default:
		return 0, false
	}
}

// judgeInteraction refuses every interaction that has no rule of its own.
// System-wide search and history have none: they reach types that nobody
// named.
func judgeInteraction(in *Input, _ *Decision) verdict {
	r := in.Request
	switch r.Interaction {
	case rest.Capabilities, rest.Batch, rest.Transaction:
		return pass
	case rest.Operation:
		return judgeOperation(in)
	case rest.HistoryType:
		if in.Grant.Capacity.Kind != fhir.CapacitySystem {
			return deny("interaction-not-offered", string(r.Interaction))
		}
		return pass
	}
	if _, ok := need(r); !ok {
		return deny("interaction-not-offered", string(r.Interaction))
	}
	return pass
}

// The operations that are offered.
const (
	operationEverything = "everything"
	operationExport     = "export"
)

// exportable reports whether the request is one of the three exports of Bulk
// Data Access: of the system, of all patients, of a group.
func exportable(r *rest.Request) bool {
	return r.ID == "" && slices.Contains([]string{"", "Patient"}, r.Type) || r.ID != "" && r.Type == "Group"
}

// judgeOperation knows the operations that are offered; all others are
// refused (M-20).
func judgeOperation(in *Input) verdict {
	r := in.Request
	proxy := in.Grant.Capacity.IsProxy()
	switch {
	case len(r.Body) > 0:
		// Parameters in a body could say what the judged address does not.
	case r.Operation == operationEverything && r.Type == "Patient" && r.ID != "" && !proxy:
		return pass
	case r.Operation == operationExport && in.Grant.Capacity.Kind == fhir.CapacitySystem && exportable(r):
		return pass
	}
	return deny("operation-not-offered", "$"+r.Operation)
}
