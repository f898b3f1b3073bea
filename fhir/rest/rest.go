package rest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/fhir"
)

// Interaction is one of the interactions of FHIR R4 §3.1.
type Interaction string

// The interactions.
const (
	Read              Interaction = "read"
	VRead             Interaction = "vread"
	HistoryInstance   Interaction = "history-instance"
	HistoryType       Interaction = "history-type"
	HistorySystem     Interaction = "history-system"
	SearchType        Interaction = "search-type"
	SearchSystem      Interaction = "search-system"
	SearchCompartment Interaction = "search-compartment"
	Create            Interaction = "create"
	Update            Interaction = "update"
	Patch             Interaction = "patch"
	Delete            Interaction = "delete"
	ConditionalUpdate Interaction = "conditional-update"
	ConditionalPatch  Interaction = "conditional-patch"
	ConditionalDelete Interaction = "conditional-delete"
	Batch             Interaction = "batch"
	Transaction       Interaction = "transaction"
	Operation         Interaction = "operation"
	Capabilities      Interaction = "capabilities"
)

// AnyType is the type of a compartment search over all types.
const AnyType = "*"

// Param is one query parameter. Repetitions of a name are a conjunction, the
// values of one are alternatives.
type Param struct {
	Name string
	// Modifier stands behind the colon: "exact", a type before a chain, or
	// for _has all that follows ("Observation:patient:code").
	Modifier string
	// Chain is what follows the first dot: "name" in patient.name.
	Chain string
	// Values are decoded and split at commas that FHIR's backslash does not
	// escape; the escapes are kept.
	Values []string
	// Raw is the decoded value undivided, for explanations only.
	Raw string
}

// Prefer is the Prefer header (R4 §3.1.0.1.8, RFC 7240).
type Prefer struct {
	// Return is "", "minimal", "representation" or "OperationOutcome".
	Return string
	// Handling is "", "strict" or "lenient".
	Handling string
	// Async is respond-async, as a bulk export asks.
	Async bool
}

// PatchOp is one operation of a JSON Patch (RFC 6902).
type PatchOp struct {
	Op    string
	Path  string
	From  string
	Value json.RawMessage
}

// Entry is one entry of a batch or transaction.
type Entry struct {
	// FullURL is "" or a urn:uuid, urn:oid or http address by which other
	// entries may refer to this one.
	FullURL string
	Request Request
}

// Request is one FHIR request. Fields that an interaction does not have are
// zero.
type Request struct {
	Interaction Interaction
	// Type is a resource type of R4, AnyType for a compartment search over
	// all types, "" for the system level.
	Type      string
	ID        string
	Version   string
	Operation string // without the dollar sign
	// Posted is true for an operation invoked by POST.
	Posted bool

	// Compartment is the resource in whose compartment is searched.
	Compartment fhir.Reference
	// Query has _format and _pretty taken out; search parameters of a body
	// are merged into it.
	Query []Param

	// Body is the resource of create, update and operation.
	Body []byte
	// Resource holds the hot fields of Body, nil without one.
	Resource *fhir.Resource
	// Patch is the body of a patch.
	Patch []PatchOp
	// Entries are those of a batch or transaction.
	Entries []Entry

	IfMatch         string
	IfNoneMatch     string
	IfNoneExist     []Param
	IfModifiedSince string
	Prefer          Prefer
}

// Incoming is a request as it arrives.
type Incoming struct {
	Method string
	// Path is the escaped path below the FHIR base, such as
	// "/Patient/rosa".
	Path     string
	RawQuery string
	Header   http.Header
	Body     []byte
}

// Limits of one request.
const (
	maxBody    = 16 << 20 // bytes
	maxPath    = 512      // bytes
	maxQuery   = 32 << 10 // bytes
	maxParams  = 200
	maxEntries = 500
)

// With gives a copy with parameters added; every one is a further
// constraint. The receiver is not changed.
func (r Request) With(params ...Param) Request {
	r.Query = append(slices.Clone(r.Query), params...)
	return r
}

// Find gives the parameters of that name, with any modifier or chain.
func (r Request) Find(name string) []Param {
	var out []Param
	for _, p := range r.Query {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}
