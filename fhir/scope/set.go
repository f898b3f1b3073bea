package scope

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/compartment"
)

// Set is a union of scopes (SMART SCP-06). Order carries no meaning
// (SCP-32).
type Set []Scope

// Strings gives the text of each scope in order.
func (s Set) Strings() []string {
	out := make([]string, len(s))
	for i, sc := range s {
		out[i] = sc.String()
	}
	return out
}

// String gives the texts separated by single spaces.
func (s Set) String() string { return strings.Join(s.Strings(), " ") }

// maxSplit bounds the single-value scopes into which Covers splits a scope.
const maxSplit = 256

// Covers reports whether every operation on every resource that o admits is
// admitted by the union. It is sound: true is never wrong. Operations may
// come from different scopes, and alternatives of o's values too; false may
// be wrong only for coverings that need to know which values a parameter can
// have.
func (s Set) Covers(o Scope) bool {
	for op := Create; op <= Search; op <<= 1 {
		if o.Ops.Has(op) && !s.coversOp(o, op) {
			return false
		}
	}
	return true
}

func (s Set) coversOp(o Scope, op Ops) bool {
	of := s.For(o.Level, o.Type, op)
	if len(of) == 0 {
		return false
	}
	for _, c := range of {
		if c.admitsParams(o) {
			return true
		}
	}
	parts := splitAlternatives(o)
	if len(parts) < 2 {
		return false
	}
	for _, part := range parts {
		if !slices.ContainsFunc(of, func(c Scope) bool { return c.admitsParams(part) }) {
			return false
		}
	}
	return true
}

// admitsParams reports whether each parameter of s follows from one of o.
func (s Scope) admitsParams(o Scope) bool {
	for _, p := range s.Params {
		if !slices.ContainsFunc(o.Params, func(q Param) bool { return p.followsFrom(q, o.Type) }) {
			return false
		}
	}
	return true
}

// followsFrom reports whether every resource that matches q matches p.
func (p Param) followsFrom(q Param, typ string) bool {
	if p.Name != q.Name || p.Modifier != q.Modifier {
		return false
	}
	kind := kindOf(typ, p)
	for _, v := range q.Values {
		if !slices.ContainsFunc(p.Values, func(w string) bool { return valueCovers(kind, w, v) }) {
			return false
		}
	}
	return len(q.Values) > 0
}

// splitAlternatives writes o as a union of scopes with one value per
// parameter; nil when that would be more than maxSplit, or when a parameter
// has a modifier, whose alternatives need not be a union.
func splitAlternatives(o Scope) []Scope {
	parts := []Scope{{Level: o.Level, Type: o.Type, Ops: o.Ops}}
	for _, p := range o.Params {
		if p.Modifier != "" || len(parts)*len(p.Values) > maxSplit {
			return nil
		}
		var next []Scope
		for _, part := range parts {
			for _, v := range p.Values {
				one := part
				one.Params = append(slices.Clone(part.Params), Param{Name: p.Name, Values: []string{v}})
				next = append(next, one)
			}
		}
		parts = next
	}
	return parts
}

// Subset reports whether of covers every scope of s.
func (s Set) Subset(of Set) bool {
	for _, sc := range s {
		if !of.Covers(sc) {
			return false
		}
	}
	return true
}

// Normalise gives an equal union in short form: scopes that differ only in
// operations are joined, and what the rest covers is left out (SMART
// SCP-07). A literal text stays where its scope stays whole.
func (s Set) Normalise() Set {
	var joined Set
	at := map[string]int{}
	for _, sc := range s {
		key := Scope{Level: sc.Level, Type: sc.Type, Params: sc.Params}.Canonical()
		i, seen := at[key]
		switch {
		case !seen:
			at[key] = len(joined)
			joined = append(joined, sc)
		case joined[i].Ops.Has(sc.Ops):
		case sc.Ops.Has(joined[i].Ops):
			joined[i] = sc
		default:
			joined[i].Ops |= sc.Ops
			joined[i].Text = ""
		}
	}
	for i := 0; i < len(joined); {
		rest := slices.Delete(slices.Clone(joined), i, i+1)
		if rest.Covers(joined[i]) {
			joined = rest
			continue
		}
		i++
	}
	return joined
}

// Intersect gives the meet of the two unions, in the order of s: each scope
// of s that other covers stays as it is, with its literal text; of the others
// remains what both admit (consent-proxy A.10, SC-06). The result never
// admits more than either; it may admit less where a resource carries several
// values of one parameter, because two scopes with disjoint values of the
// same parameter meet in nothing.
func (s Set) Intersect(other Set) Set {
	var out Set
	seen := map[string]bool{}
	keep := func(sc Scope) {
		if text := sc.String(); !seen[text] {
			seen[text] = true
			out = append(out, sc)
		}
	}
	for _, a := range s {
		if other.Covers(a) {
			keep(a)
			continue
		}
		var parts Set
		for _, b := range other {
			if m, ok := meet(a, b); ok {
				parts = append(parts, m)
			}
		}
		for _, m := range parts.Normalise() {
			keep(m)
		}
	}
	return out
}

// meet gives what both scopes admit; ok is false when that is nothing. The
// result carries no literal text.
func meet(a, b Scope) (Scope, bool) {
	m := Scope{Level: a.Level, Type: a.Type, Ops: a.Ops & b.Ops}
	if a.Type == AnyType {
		m.Type = b.Type
	} else if b.Type != AnyType && b.Type != a.Type {
		return Scope{}, false
	}
	if a.Level != b.Level || m.Ops == 0 {
		return Scope{}, false
	}
	m.Params = slices.Clone(a.Params)
	for _, q := range b.Params {
		var ok bool
		if m.Params, ok = narrow(m.Params, q, m.Type); !ok {
			return Scope{}, false
		}
	}
	return m, true
}

// narrow adds the parameter q to a conjunction. The input is not changed.
func narrow(params []Param, q Param, typ string) ([]Param, bool) {
	var same []int
	for i, p := range params {
		if q.followsFrom(p, typ) {
			return params, true
		}
		if p.Name == q.Name && p.Modifier == q.Modifier {
			same = append(same, i)
		}
	}
	kind := kindOf(typ, q)
	if len(same) != 1 || kind == compartment.Date {
		return append(slices.Clone(params), q), true
	}
	var values []string
	for _, v := range params[same[0]].Values {
		for _, w := range q.Values {
			if x, ok := valueMeet(kind, v, w); ok && !slices.Contains(values, x) {
				values = append(values, x)
			}
		}
	}
	params = slices.Clone(params)
	params[same[0]].Values = values
	return params, len(values) > 0
}

// For gives the scopes that speak about one operation on one type at one
// level: a search is rewritten to the OR of their parameters (SMART TRP-18).
// The wildcard type asks for wildcard scopes only.
func (s Set) For(level Level, typ string, op Ops) []Scope {
	var out []Scope
	for _, sc := range s {
		if sc.Speaks(level, typ, op) {
			out = append(out, sc)
		}
	}
	return out
}

// Speaks reports whether the scope is about one operation on one type at one
// level.
func (s *Scope) Speaks(level Level, typ string, op Ops) bool {
	return s.Level == level && (s.Type == AnyType || s.Type == typ) && s.Ops.Has(op)
}

// Types lists, sorted, the named types for which every one of ops is granted
// at the level, by one scope or several and whatever their parameters; any is
// true when wildcard scopes grant them all.
func (s Set) Types(level Level, ops Ops) (types []string, any bool) {
	granted := map[string]Ops{}
	for _, sc := range s {
		if sc.Level == level {
			granted[sc.Type] |= sc.Ops
		}
	}
	wild := granted[AnyType]
	delete(granted, AnyType)
	for typ, o := range granted {
		if (o | wild).Has(ops) {
			types = append(types, typ)
		}
	}
	slices.Sort(types)
	return types, wild.Has(ops)
}
