package gateway

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
)

// edge is one _include or _revinclude of a search: the references of a type in
// one search parameter.
type edge struct {
	// typ and param say which references; "*" says all.
	typ, param string
	// back leads from what is named to who names it, again goes on from what was
	// included.
	back, again bool
}

// edgesOf reads the inclusions that a search asks for.
func edgesOf(query []rest.Param) []edge {
	var out []edge
	for _, p := range query {
		if p.Name != "_include" && p.Name != "_revinclude" {
			continue
		}
		for _, v := range p.Values {
			e := edge{typ: v, param: "*", back: p.Name == "_revinclude", again: p.Modifier == "iterate" || p.Modifier == "recurse"}
			if typ, rest, ok := strings.Cut(v, ":"); ok {
				e.typ = typ
				e.param, _, _ = strings.Cut(rest, ":")
			}
			out = append(out, e)
		}
	}
	return out
}

// names reports whether a resource refers to the other by the edge.
func (e edge) names(from trace, to fhir.Reference) bool {
	if e.typ != "*" && e.typ != from.ref.Type {
		return false
	}
	if _, known := compartment.Find(e.typ, e.param); known {
		return slices.Contains(from.params[e.param], to)
	}
	return slices.Contains(from.named, to)
}

// references gives the local references that a resource names.
func references(raw []byte) []fhir.Reference {
	texts, err := view.References(raw)
	if err != nil {
		return nil
	}
	var out []fhir.Reference
	for _, t := range texts {
		if r, ok := fhir.ParseReference(t); ok {
			out = append(out, r)
		}
	}
	return out
}
