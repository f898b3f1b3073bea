package sandbox

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed params.txt
var paramTable string

// kind is a search parameter type (FHIR R4 search.html#ptypes).
type kind string

const (
	kindToken     kind = "token"
	kindReference kind = "reference"
	kindDate      kind = "date"
	kindString    kind = "string"
	kindQuantity  kind = "quantity"
	kindNumber    kind = "number"
	kindURI       kind = "uri"
)

// param is one search parameter of one resource type.
type param struct {
	name  string
	kind  kind
	index uint16 // its place among the parameters of its type
	paths []path
	types []string // the types a reference leads to; nil means any
}

// path leads from a resource to the elements a parameter looks at.
type path struct {
	segments []segment
	target   string // keep only references to this type; empty keeps all
}

// segment is one step of a path.
type segment struct {
	name     string
	choice   bool   // name is followed by the name of a data type
	key, val string // keep only elements whose child key equals val
}

// The places of the parameters that every type has.
const (
	indexID uint16 = iota
	indexLastUpdated
)

// commonParams come first for every type (FHIR R4 search.html#all).
const commonParams = `
  _id token id
  _lastUpdated date meta.lastUpdated
  _tag token meta.tag
  _security token meta.security
  _profile uri meta.profile
  _source uri meta.source
`

// resourceType is what the server knows about one type.
type resourceType struct {
	name        string
	params      []*param
	byName      map[string]*param
	compartment []*param // the parameters that put it into a Patient compartment
}

// catalogue is the table of all R4 types and their search parameters.
type catalogue struct {
	types map[string]*resourceType
	names []string // sorted
}

func loadCatalogue() (*catalogue, error) {
	c := &catalogue{types: make(map[string]*resourceType)}
	var t *resourceType
	compartments := make(map[*resourceType]string)
	for number, line := range strings.Split(paramTable, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case line[0] != ' ':
			t = &resourceType{name: fields[0], byName: make(map[string]*param)}
			c.types[t.name] = t
			c.names = append(c.names, t.name)
			for common := range strings.SplitSeq(strings.TrimSpace(commonParams), "\n") {
				t.add(strings.Fields(common))
			}
			if len(fields) > 1 {
				compartments[t] = fields[1]
			}
		case t == nil || len(fields) < 3:
			return nil, fmt.Errorf("sandbox: params.txt line %d: name, kind and paths are expected", number+1)
		default:
			t.add(fields)
		}
	}
	for t, names := range compartments {
		for name := range strings.SplitSeq(names, ",") {
			p := t.byName[name]
			if p == nil || p.kind != kindReference {
				return nil, fmt.Errorf("sandbox: params.txt: %s has no reference parameter %q", t.name, name)
			}
			t.compartment = append(t.compartment, p)
		}
	}
	slices.Sort(c.names)
	return c, nil
}

func (t *resourceType) add(fields []string) {
	p := &param{name: fields[0], kind: kind(fields[1]), index: uint16(len(t.params))}
	for alternative := range strings.SplitSeq(fields[2], "|") {
		p.paths = append(p.paths, parsePath(alternative))
	}
	if len(fields) > 3 {
		p.types = strings.Split(fields[3], ",")
	}
	t.params = append(t.params, p)
	t.byName[p.name] = p
}

func parsePath(s string) path {
	s, target, _ := strings.Cut(s, ">")
	out := path{target: target}
	for s != "" {
		end := strings.IndexByte(s, '.')
		if open := strings.IndexByte(s, '['); open >= 0 && open < end {
			// A dot inside brackets belongs to the value.
			end = strings.IndexByte(s, ']') + 1
		}
		if end < 0 || end >= len(s) {
			end = len(s)
		}
		seg := segment{}
		var filter string
		seg.name, filter, _ = strings.Cut(strings.TrimSuffix(s[:end], "]"), "[")
		if filter == "x" {
			seg.choice = true
		} else {
			seg.key, seg.val, _ = strings.Cut(filter, "=")
		}
		out.segments = append(out.segments, seg)
		s = strings.TrimPrefix(s[end:], ".")
	}
	return out
}

// each calls f for every element that the segments lead to.
func each(n *node, segments []segment, f func(*node)) {
	if n.kind == '[' {
		for i := range n.kids {
			each(&n.kids[i], segments, f)
		}
		return
	}
	if len(segments) == 0 {
		f(n)
		return
	}
	if n.kind != '{' {
		return
	}
	seg := &segments[0]
	for i := range n.kids {
		kid := &n.kids[i]
		if !seg.names(kid.key) {
			continue
		}
		if seg.key == "" {
			each(kid, segments[1:], f)
			continue
		}
		for j := range kid.items() {
			if kid.kids[j].get(seg.key).str() == seg.val {
				each(&kid.kids[j], segments[1:], f)
			}
		}
	}
}

func (s *segment) names(key string) bool {
	if !s.choice {
		return key == s.name
	}
	rest, ok := strings.CutPrefix(key, s.name)
	return ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z'
}
