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
	out := []edge{}
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
func (e edge) names(from sight, to fhir.Reference) bool {
	if e.typ != "*" && e.typ != from.res.Type {
		return false
	}
	if _, known := compartment.Find(e.typ, e.param); known {
		return slices.Contains(from.res.References[e.param], to)
	}
	return slices.Contains(references(from.raw), to)
}

// reached keeps of the resources beside the matches those that the edges lead
// to from a visible match: what came for a hidden one would tell of it
// (SMART TRP-04, TF-21), and so would the place at which it came. With nil edges
// any reference leads on.
func reached(matches, included []sight, edges []edge) []sight {
	if edges == nil {
		edges = []edge{{typ: "*", param: "*", again: true}, {typ: "*", param: "*", back: true, again: true}}
	}
	var out []sight
	known := map[fhir.Reference]bool{}
	for _, m := range matches {
		known[m.ref()] = true
	}
	from, first := matches, true
	for len(from) > 0 {
		var found []sight
		for _, s := range included {
			if !known[s.ref()] && leads(from, s, edges, first) {
				known[s.ref()] = true
				found = append(found, s)
			}
		}
		out = append(out, found...)
		from, first = found, false
	}
	slices.SortFunc(out, func(a, b sight) int { return strings.Compare(a.ref().String(), b.ref().String()) })
	return out
}

// leads reports whether an edge leads from one of the resources to the other.
func leads(from []sight, to sight, edges []edge, first bool) bool {
	for _, e := range edges {
		if !first && !e.again {
			continue
		}
		if slices.ContainsFunc(from, func(f sight) bool { return e.back && e.names(to, f.ref()) || !e.back && e.names(f, to.ref()) }) {
			return true
		}
	}
	return false
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
