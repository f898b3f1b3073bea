package proof

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Now is the instant at which every case is judged.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// The people of every world. Grants that are bound to one patient are bound to
// Ana; Eva acts for her.
const (
	Ana = "ana"
	Ben = "ben"
	Eva = "eva"
)

// Resource is one FHIR resource of a world. Its canary is a text that stands in
// it and nowhere else.
type Resource struct {
	Type, ID string
	JSON     json.RawMessage
	facts    facts
	// mark is the canary of a state that was written under another one.
	mark string
}

// Ref gives "Type/id".
func (r *Resource) Ref() string { return r.Type + "/" + r.ID }

// Canary gives the text that betrays the resource wherever it turns up.
func (r *Resource) Canary() string {
	if r.mark != "" {
		return r.mark
	}
	return "canary-" + strings.ToLower(r.Type) + "-" + r.ID + "."
}

// The kinds of a grant.
const (
	Self         = "self"
	Proxy        = "proxy"
	Practitioner = "practitioner"
	System       = "system"
)

// Grant is who asks, under what.
type Grant struct {
	// Kind is one of the kinds above.
	Kind string `json:"kind"`
	// Patient is the patient in launch context; "" for none.
	Patient string `json:"patient,omitempty"`
	// Scopes is the scope string of the token.
	Scopes string `json:"scopes"`
	// Topics are the sensitive topics that the patient ticked.
	Topics []string `json:"topics,omitempty"`
	// Purpose is the v3-ActReason code of a proxy.
	Purpose string `json:"purpose,omitempty"`
	// Consents are all Consents of Ana; only a proxy is judged by them.
	Consents []json.RawMessage `json:"consents,omitempty"`
	// Ended says that the grant is over.
	Ended bool `json:"ended,omitempty"`
	// Related says that the proxy's RelatedPerson is active.
	Related bool `json:"related,omitempty"`
}

// Request is one request below the FHIR base, or a batch of them.
type Request struct {
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Form   string    `json:"form,omitempty"`
	Batch  []Request `json:"batch,omitempty"`
	// Transaction says that the batch is done as a whole or not at all.
	Transaction bool `json:"transaction,omitempty"`
	// IfNoneExist is the condition of a create.
	IfNoneExist string `json:"if_none_exist,omitempty"`
	// Body is the resource of a create or update, or a JSON Patch.
	Body string `json:"body,omitempty"`
	// Meanwhile names what happens while the FHIR server answers; "" for nothing.
	Meanwhile string `json:"meanwhile,omitempty"`
	// Follow says that pages of so many matches are followed to the last one; 0
	// asks for one answer.
	Follow int `json:"follow,omitempty"`
}

// Writes reports whether the request asks for a change.
func (r Request) Writes() bool {
	return r.Body != "" || r.Method == "DELETE" || slices.ContainsFunc(r.Batch, Request.Writes)
}

func (r Request) String() string {
	if len(r.Batch) > 0 {
		out := "batch"
		if r.Transaction {
			out = "transaction"
		}
		for _, e := range r.Batch {
			out += "\n  " + e.String()
		}
		return out
	}
	return strings.TrimSpace(r.Method + " " + r.Path + " " + r.Form + r.Body + " " + r.IfNoneExist + " " + r.Meanwhile)
}

// World is a set of records with those who ask about them.
type World struct {
	Resources []*Resource
	// Sets classify what is not labelled; nil for none.
	Sets []ValueSet
	// Modes say which rules are not enforced: "off" or "audit" by name of the rule.
	Modes map[string]string
	byRef map[string]*Resource
}

// Find gives a resource by "Type/id", or nil.
func (w *World) Find(ref string) *Resource { return w.byRef[ref] }

// Without gives the world as it is without one resource.
func (w *World) Without(r *Resource) *World {
	out := &World{Sets: w.Sets, Modes: w.Modes, byRef: map[string]*Resource{}}
	for _, o := range w.Resources {
		if o != r {
			out.Resources = append(out.Resources, o)
			out.byRef[o.Ref()] = o
		}
	}
	return out
}

// Expectation is what an answer may be.
type Expectation struct {
	// Status lists the acceptable HTTP statuses.
	Status []int
	// Must are the resources ("Type/id") that the answer has to hold, May those
	// that it may hold besides. Everything else is a leak.
	Must, May []string
	// Total is the only number that Bundle.total may say; -1 allows any.
	Total int
	// Entries are the expectations of the entries of a batch.
	Entries []Expectation
	// Changes are what permitted writes leave behind, in order.
	Changes []Change
	// lines says that the answer is not one JSON object.
	lines bool
	// Why names the row by which a refusal is due; for people.
	Why string
}

func refused(why string, status ...int) Expectation {
	return Expectation{Status: status, Total: -1, Why: why}
}
