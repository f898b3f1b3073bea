package compartment

import (
	_ "embed"
	"slices"
	"strings"
)

// Kind is the kind of a search parameter (FHIR R4 §3.1.1.4).
type Kind string

// The kinds on which a granular scope may depend.
const (
	Token     Kind = "token"
	Reference Kind = "reference"
	Date      Kind = "date"
)

// Param is one search parameter of one resource type.
type Param struct {
	Name string
	Kind Kind
	// Elements are the JSON paths below the resource that the parameter
	// reads; choice elements are spelt out (effectiveDateTime).
	Elements []Element
}

// Element is a JSON path such as "participant.actor".
type Element struct {
	Path string
	// Target is the only resource type whose references count, "" for any
	// (the expression's "resolve() is Patient", SMART CMP-14).
	Target string
}

//go:embed tables.tsv
var source string

type resourceType struct {
	members []string
	params  map[string]Param
}

var (
	table = parse(source)
	types = names(table)
)

func parse(text string) map[string]resourceType {
	t := map[string]resourceType{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		rt, ok := t[f[0]]
		if !ok {
			rt.params = map[string]Param{}
		}
		if f[1] == "type" {
			rt.members = strings.Fields(f[3])
		} else {
			rt.params[f[2]] = param(f[1], f[2], f[3])
		}
		t[f[0]] = rt
	}
	return t
}

func param(kind, name, paths string) Param {
	p := Param{Name: name, Kind: Kind(kind)}
	for _, path := range strings.Fields(paths) {
		path, target, _ := strings.Cut(path, ":")
		p.Elements = append(p.Elements, Element{Path: path, Target: target})
	}
	return p
}

func names(t map[string]resourceType) []string {
	var out []string
	for typ := range t {
		out = append(out, typ)
	}
	slices.Sort(out)
	return out
}

// Types lists the 145 resource types of R4 that have an endpoint, sorted.
func Types() []string { return slices.Clone(types) }

// Known reports whether typ is an R4 resource type, compared in its exact
// case (SMART SCP-32).
func Known(typ string) bool {
	_, ok := table[typ]
	return ok
}

// Member reports whether resources of typ can be in a patient compartment
// (SMART CMP-04 … CMP-09).
func Member(typ string) bool { return len(table[typ].members) > 0 }

// Params lists the search parameters by which a resource of typ gets into a
// patient compartment; none for a type outside it. Membership is not the
// same as being about the patient: see AboutParams.
func Params(typ string) []string { return slices.Clone(table[typ].members) }

// Find gives the token, reference or date parameter name of typ; ok is false
// for any other kind, for parameters that read person data or values, and
// for parameters that R4 and US Core do not define.
func Find(typ, name string) (p Param, ok bool) {
	p, ok = table[typ].params[name]
	return p, ok
}

// Path gives the JSON element paths that the parameter reads, such as
// "subject" or "participant.actor"; none for an unknown parameter.
func Path(typ, name string) []string {
	var paths []string
	for _, e := range table[typ].params[name].Elements {
		paths = append(paths, e.Path)
	}
	return paths
}

// TokenParams lists the token parameters of typ that can be evaluated on a
// resource alone, sorted by name.
func TokenParams(typ string) []Param { return ofKind(typ, Token) }

// ReferenceParams lists the reference parameters of typ, sorted by name.
func ReferenceParams(typ string) []Param { return ofKind(typ, Reference) }

// DateParams lists the date parameters of typ, sorted by name.
func DateParams(typ string) []Param { return ofKind(typ, Date) }

func ofKind(typ string, kind Kind) []Param {
	var out []Param
	for _, p := range table[typ].params {
		if p.Kind == kind {
			p.Elements = slices.Clone(p.Elements)
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	return out
}
