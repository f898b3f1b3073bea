package rest

import (
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/internal/errs"
)

var (
	errPath      = errs.New(errs.Invalid, "path", "The address is not a FHIR address.")
	errType      = errs.New(errs.NotFound, "unknown-type", "FHIR R4 has no such resource type.")
	errMethod    = errs.New(errs.NotSupported, "method", "This method is not offered at this address.")
	errCondition = errs.New(errs.Invalid, "condition-missing", "A conditional interaction needs search parameters.")
)

// segments splits an escaped path. It refuses what two readers could split
// differently: encodings (but %24 for the dollar sign), empty and dot
// segments, a slash at the end (SMART TRP-22).
func segments(path string) ([]string, error) {
	if len(path) > maxPath {
		return nil, errs.New(errs.TooLarge, "path-too-long", "The address is too long.")
	}
	if path == "" || path == "/" {
		return nil, nil
	}
	list := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range list {
		if rest, ok := strings.CutPrefix(s, "%24"); ok {
			s = "$" + rest
			list[i] = s
		}
		if !plainSegment(s) {
			return nil, errPath
		}
	}
	return list, nil
}

func plainSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._$*", c) < 0 {
			return false
		}
	}
	return true
}

// route fills in what method and path say. The method is GET, POST, PUT,
// PATCH or DELETE.
func (r *Request) route(method string, seg []string, hasQuery bool) error {
	if len(seg) == 0 {
		return r.routeSystem(method, "")
	}
	if seg[0] == "metadata" || seg[0][0] == '_' || seg[0][0] == '$' {
		if len(seg) > 1 {
			return errPath
		}
		return r.routeSystem(method, seg[0])
	}
	if !fhir.ValidType(seg[0]) {
		return errPath
	}
	if !compartment.Known(seg[0]) {
		return errType
	}
	r.Type = seg[0]
	if len(seg) == 1 || len(seg) == 2 && (seg[1][0] == '_' || seg[1][0] == '$') {
		word := ""
		if len(seg) == 2 {
			word = seg[1]
		}
		return r.routeType(method, word, hasQuery)
	}
	if !fhir.ValidID(seg[1]) {
		return errPath
	}
	r.ID = seg[1]
	return r.routeInstance(method, seg[2:])
}

// choose sets the interaction when the method is the one wanted.
func (r *Request) choose(method, want string, i Interaction) error {
	if method != want {
		return errMethod
	}
	r.Interaction = i
	return nil
}

func (r *Request) routeSystem(method, word string) error {
	switch {
	case word == "metadata":
		return r.choose(method, "GET", Capabilities)
	case word == "_history":
		return r.choose(method, "GET", HistorySystem)
	case word == "_search":
		return r.choose(method, "POST", SearchSystem)
	case strings.HasPrefix(word, "$"):
		return r.operation(method, word)
	case word != "":
		return errPath
	case method == "POST":
		// Batch or transaction: the body says which.
		r.Interaction = Batch
		return nil
	}
	return r.choose(method, "GET", SearchSystem)
}

func (r *Request) routeType(method, word string, hasQuery bool) error {
	switch {
	case word == "_history":
		return r.choose(method, "GET", HistoryType)
	case word == "_search":
		return r.choose(method, "POST", SearchType)
	case strings.HasPrefix(word, "$"):
		return r.operation(method, word)
	case word != "":
		return errPath
	}
	switch method {
	case "GET":
		r.Interaction = SearchType
		return nil
	case "POST":
		r.Interaction = Create
		return nil
	case "PUT":
		r.Interaction = ConditionalUpdate
	case "PATCH":
		r.Interaction = ConditionalPatch
	case "DELETE":
		r.Interaction = ConditionalDelete
	}
	if !hasQuery {
		return errCondition
	}
	return nil
}

var instanceMethods = map[string]Interaction{"GET": Read, "PUT": Update, "PATCH": Patch, "DELETE": Delete}

func (r *Request) routeInstance(method string, seg []string) error {
	switch {
	case len(seg) == 0:
		i, ok := instanceMethods[method]
		if !ok {
			return errMethod
		}
		r.Interaction = i
		return nil
	case len(seg) == 1 && seg[0][0] == '$':
		return r.operation(method, seg[0])
	case len(seg) == 1 && seg[0] == "_history":
		return r.choose(method, "GET", HistoryInstance)
	case len(seg) == 2 && seg[0] == "_history" && fhir.ValidID(seg[1]):
		r.Version = seg[1]
		return r.choose(method, "GET", VRead)
	}
	return r.routeCompartment(method, seg)
}

// compartments are the five types that R4 defines a compartment for.
var compartments = map[string]bool{"Patient": true, "Encounter": true, "RelatedPerson": true, "Practitioner": true, "Device": true}

func (r *Request) routeCompartment(method string, seg []string) error {
	want := "GET"
	if len(seg) == 2 && seg[1] == "_search" {
		want = "POST"
	} else if len(seg) != 1 {
		return errPath
	}
	if !compartments[r.Type] || seg[0] != AnyType && !fhir.ValidType(seg[0]) {
		return errPath
	}
	if seg[0] != AnyType && !compartment.Known(seg[0]) {
		return errType
	}
	r.Compartment = fhir.Reference{Type: r.Type, ID: r.ID}
	r.Type, r.ID = seg[0], ""
	return r.choose(method, want, SearchCompartment)
}

func (r *Request) operation(method, word string) error {
	name := word[1:]
	if name == "" || strings.ContainsAny(name, "._$*") {
		return errPath
	}
	if method != "GET" && method != "POST" {
		return errMethod
	}
	r.Interaction, r.Operation, r.Posted = Operation, name, method == "POST"
	return nil
}

// path gives the address of the request below the base, without the query
// and without a slash in front.
func (r Request) path() string {
	switch r.Interaction {
	case Capabilities:
		return "metadata"
	case SearchCompartment:
		return r.Compartment.String() + "/" + r.Type
	}
	p := r.Type
	if r.ID != "" {
		p += "/" + r.ID
	}
	switch r.Interaction {
	case HistoryInstance, HistoryType, HistorySystem:
		p += "/_history"
	case VRead:
		p += "/_history/" + r.Version
	case Operation:
		p += "/$" + r.Operation
	}
	return strings.TrimPrefix(p, "/")
}
