package sandbox

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unique"

	"github.com/mandate-health/mandate/fhir"
)

// filter is one condition of a search on the records of one type.
type filter struct {
	ok   func(*record) bool
	refs []handle // when set, only who refers to one of these can match
	ids  []string // when set, only these ids can match
}

// sortKey is one element of _sort.
type sortKey struct {
	param      *param
	descending bool
}

// query is a parsed search on one type.
type query struct {
	typ        *resourceType
	filters    []filter
	page       page
	sort       []sortKey
	include    []inclusion
	revinclude []inclusion
	countOnly  bool
	noTotal    bool
	applied    url.Values // what was understood, for the self link
}

// errUnknown says that a parameter is not known for a type.
var errUnknown = notSupported("unknown search parameter")

// parseQuery reads the parameters of a search. Unknown parameters are left
// out, or refused when strict (FHIR R4 search.html#errors); modifiers and
// values that are not understood are always refused.
func (s *server) parseQuery(typ *resourceType, params url.Values, strict bool) (*query, error) {
	q := &query{typ: typ, applied: url.Values{}}
	var err error
	if q.page, err = pageOf(params); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, text := range params[name] {
			err := s.parameter(q, name, text)
			if errors.Is(err, errUnknown) && !strict {
				continue
			}
			if errors.Is(err, errUnknown) {
				err = notSupported("%s: the search parameter %q is not supported", typ.name, name)
			}
			if err != nil {
				return nil, err
			}
			q.applied.Add(name, text)
		}
	}
	return q, nil
}

// parameter adds one parameter to the query.
func (s *server) parameter(q *query, name, text string) error {
	base, modifier, _ := strings.Cut(name, ":")
	switch base {
	case "_count", "_offset", "_elements", "_contained", "_containedType":
		return nil
	case "_sort":
		return q.parseSort(text)
	case "_include", "_revinclude":
		return s.parseInclusion(q, base, modifier, text)
	case "_summary":
		q.countOnly = q.countOnly || text == "count"
		return nil
	case "_total":
		q.noTotal = text == "none"
		return nil
	}
	if text == "" {
		return nil // FHIR R4 search.html: an empty parameter is no condition
	}
	f, err := s.filter(q.typ, name, text)
	if err == nil {
		q.filters = append(q.filters, f)
	}
	return err
}

func (q *query) parseSort(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		name, descending := strings.CutPrefix(strings.TrimSpace(name), "-")
		p := q.typ.byName[name]
		if p == nil {
			return errUnknown
		}
		q.sort = append(q.sort, sortKey{p, descending})
	}
	return nil
}

// filter reads one condition: name[:modifier]=value, a chain name.name, or
// _has.
func (s *server) filter(typ *resourceType, name, text string) (filter, error) {
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return s.hasFilter(rest, text)
	}
	if head, rest, ok := strings.Cut(name, "."); ok {
		return s.chainFilter(typ, head, rest, text)
	}
	name, modifier, _ := strings.Cut(name, ":")
	p := typ.byName[name]
	if p == nil {
		return filter{}, errUnknown
	}
	if modifier == "missing" {
		if text != "true" && text != "false" {
			return filter{}, badRequest("%s:missing is true or false", name)
		}
		return filter{ok: func(r *record) bool {
			return slices.ContainsFunc(r.values, func(v value) bool { return v.param == p.index }) == (text == "false")
		}}, nil
	}
	if !p.supports(modifier) && (p.kind != kindReference || s.cat.types[modifier] == nil) {
		return filter{}, notSupported("the modifier %q is not supported on %s", modifier, name)
	}
	var f filter
	var alternatives []matcher
	for _, part := range splitValue(text, ',') {
		m, err := s.matcher(p, modifier, part, &f)
		if err != nil {
			return filter{}, err
		}
		alternatives = append(alternatives, m)
	}
	f.ok = p.filter(anyOf(alternatives), modifier == "not")
	return f, nil
}

// supports reports whether a modifier is understood. A type name on a
// reference is checked elsewhere.
func (p *param) supports(modifier string) bool {
	switch modifier {
	case "":
		return true
	case "not":
		return p.kind == kindToken
	case "exact", "contains":
		return p.kind == kindString
	case "below":
		return p.kind == kindURI
	case "identifier":
		return p.kind == kindReference
	}
	return false
}

// filter keeps the records of which some value matches, or none with not.
func (p *param) filter(m matcher, not bool) func(*record) bool {
	return func(r *record) bool {
		for i := range r.values {
			if v := &r.values[i]; v.param == p.index && m(v) {
				return !not
			}
		}
		return not
	}
}

// matcher reads one alternative and notes in f what narrows the candidates.
func (s *server) matcher(p *param, modifier, text string, f *filter) (matcher, error) {
	words := s.store.index.words
	switch p.kind {
	case kindToken:
		if p.index == indexID && modifier == "" {
			f.ids = append(f.ids, unescape(text))
		}
		return words.tokenMatcher(text)
	case kindString:
		return stringMatcher(modifier, text), nil
	case kindURI:
		return uriMatcher(modifier, text), nil
	case kindDate:
		return dateMatcher(text, s.store.now().UnixMicro())
	case kindNumber:
		return numberMatcher(text)
	case kindQuantity:
		return quantityMatcher(text)
	}
	if modifier == "identifier" {
		want := unescape(text)
		return func(v *value) bool {
			have := v.b.Value()
			_, bare, _ := strings.Cut(have, "|")
			return have == want || bare == want && want != ""
		}, nil
	}
	targets := s.referenceTargets(p, modifier, unescape(text))
	f.refs = append(f.refs, targets...)
	return func(v *value) bool { return slices.Contains(targets, v.a) }, nil
}

// referenceTargets gives every resource that a reference value may mean: one
// for Type/id and URLs, several for a bare id (FHIR R4
// search.html#reference).
func (s *server) referenceTargets(p *param, typ, text string) []handle {
	text = localReference(s.base+"/", text)
	if strings.Contains(text, "/") || !fhir.ValidID(text) {
		return []handle{unique.Make(text)}
	}
	names := p.types
	if typ != "" {
		names = []string{typ}
	}
	if names == nil {
		names = s.cat.names
	}
	out := make([]handle, 0, len(names))
	for _, name := range names {
		out = append(out, unique.Make(name+"/"+text))
	}
	return out
}

// chainFilter reads reference[:Type].rest=value (FHIR R4 search.html#chaining).
func (s *server) chainFilter(typ *resourceType, head, rest, text string) (filter, error) {
	name, target, _ := strings.Cut(head, ":")
	p := typ.byName[name]
	if p == nil || p.kind != kindReference {
		return filter{}, errUnknown
	}
	names := p.types
	if target != "" {
		names = []string{target}
	} else if names == nil {
		names = s.cat.names
	}
	found, known := make(map[handle]bool), false
	for _, name := range names {
		t := s.cat.types[name]
		if t == nil {
			return filter{}, badRequest("%q is not a resource type", name)
		}
		f, err := s.filter(t, rest, text)
		if errors.Is(err, errUnknown) {
			continue
		}
		if err != nil && len(names) == 1 {
			return filter{}, err
		}
		if err == nil {
			known = true
			for _, r := range s.run(&query{typ: t, filters: []filter{f}}) {
				found[r.key] = true
			}
		}
	}
	if !known {
		return filter{}, errUnknown
	}
	return filter{ok: p.filter(func(v *value) bool { return found[v.a] }, false)}, nil
}

// hasFilter reads _has:Type:reference:rest=value (FHIR R4 search.html#has).
func (s *server) hasFilter(spec, text string) (filter, error) {
	parts := strings.SplitN(spec, ":", 3)
	if len(parts) != 3 || s.cat.types[parts[0]] == nil {
		return filter{}, badRequest("_has is _has:Type:reference:parameter")
	}
	t := s.cat.types[parts[0]]
	p := t.byName[parts[1]]
	if p == nil || p.kind != kindReference {
		return filter{}, errUnknown
	}
	f, err := s.filter(t, parts[2], text)
	if err != nil {
		return filter{}, err
	}
	found := make(map[handle]bool)
	for _, r := range s.run(&query{typ: t, filters: []filter{f}}) {
		for i := range r.values {
			if r.values[i].param == p.index {
				found[r.values[i].a] = true
			}
		}
	}
	return filter{ok: func(r *record) bool { return found[r.key] }}, nil
}

// compartmentFilter keeps what is in a patient's compartment by any of the
// type's compartment parameters.
func compartmentFilter(typ *resourceType, patient handle) filter {
	return filter{refs: []handle{patient}, ok: func(r *record) bool { return inCompartment(r, typ, patient) }}
}

func inCompartment(r *record, typ *resourceType, patient handle) bool {
	for i := range r.values {
		v := &r.values[i]
		for _, p := range typ.compartment {
			if v.param == p.index && v.a == patient {
				return true
			}
		}
	}
	return false
}
