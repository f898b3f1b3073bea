package sandbox

import (
	"strings"
)

// inclusion is one _include or _revinclude.
type inclusion struct {
	source  string // the type that refers; empty means every type
	param   *param // the reference; nil means every reference
	target  string // the type referred to; empty means every type
	iterate bool   // also follow what was included
}

// maxIncluded bounds what one page may drag along.
const maxIncluded = 5000

// parseInclusion reads Type:param[:Target], Type:* or * (FHIR R4
// search.html#include).
func (s *server) parseInclusion(q *query, name, modifier, text string) error {
	if modifier != "" && modifier != "iterate" && modifier != "recurse" {
		return notSupported("the modifier %q is not supported on %s", modifier, name)
	}
	in := inclusion{iterate: modifier != ""}
	if text != "*" {
		parts := strings.Split(text, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return badRequest("%s is Type:parameter or Type:parameter:Target", name)
		}
		t := s.cat.types[parts[0]]
		if t == nil {
			return badRequest("%s: %q is not a FHIR R4 resource type", name, parts[0])
		}
		in.source = t.name
		if parts[1] != "*" {
			if in.param = t.byName[parts[1]]; in.param == nil || in.param.kind != kindReference {
				return errUnknown
			}
		}
		if len(parts) == 3 {
			in.target = parts[2]
		}
	}
	if name == "_include" {
		q.include = append(q.include, in)
	} else {
		q.revinclude = append(q.revinclude, in)
	}
	return nil
}

// included gives what the inclusions of a query add to a page of matches, each
// record once.
func (s *server) included(q *query, matches []*record) []*record {
	if len(q.include)+len(q.revinclude) == 0 {
		return nil
	}
	seen := make(map[*record]bool)
	for _, r := range matches {
		seen[r] = true
	}
	var out []*record
	take := func(r *record) {
		if r != nil && !r.deleted() && !seen[r] && len(out) < maxIncluded {
			seen[r] = true
			out = append(out, r)
		}
	}
	for _, r := range matches {
		s.follow(q, r, false, take)
	}
	for i := 0; i < len(out); i++ {
		s.follow(q, out[i], true, take)
	}
	return out
}

// follow takes what a record's inclusions lead to; again limits them to those
// that iterate.
func (s *server) follow(q *query, r *record, again bool, take func(*record)) {
	for _, in := range q.include {
		if again && !in.iterate || in.source != "" && in.source != r.typ.name {
			continue
		}
		for i := range r.values {
			if v := &r.values[i]; in.covers(r.typ, v) {
				take(s.target(v.a, in.target))
			}
		}
	}
	for _, in := range q.revinclude {
		if again && !in.iterate || in.target != "" && in.target != r.typ.name {
			continue
		}
		for _, name := range s.cat.names {
			if in.source != "" && in.source != name {
				continue
			}
			for _, from := range s.store.referring(name, []handle{r.key}) {
				if in.leads(from, r.key) {
					take(from)
				}
			}
		}
	}
}

// covers reports whether a value is a reference that the inclusion follows.
func (in *inclusion) covers(typ *resourceType, v *value) bool {
	if in.param == nil {
		return typ.params[v.param].kind == kindReference
	}
	return v.param == in.param.index
}

// leads reports whether a record refers to the target by the inclusion's
// parameter.
func (in *inclusion) leads(from *record, target handle) bool {
	for i := range from.values {
		if v := &from.values[i]; v.a == target && in.covers(from.typ, v) {
			return true
		}
	}
	return false
}

// target finds the local record that a reference names, if it is of that type.
func (s *server) target(ref handle, typ string) *record {
	name, id, ok := strings.Cut(ref.Value(), "/")
	if !ok || typ != "" && typ != name {
		return nil
	}
	return s.store.find(name, id)
}
