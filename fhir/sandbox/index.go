package sandbox

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unique"

	"golang.org/x/text/unicode/norm"
)

// handle is an interned string: many records share few codes and references.
type handle = unique.Handle[string]

// value is one indexed value of one search parameter of a record.
//
//	token      a = system, b = code
//	reference  a = "Type/id" or the foreign URL, b = "system|value" of Reference.identifier
//	date       lo, hi = the span
//	string     a = folded text, b = exact text
//	quantity   a = system, b = code or unit, lo = the number's bits
//	number     lo = the number's bits
//	uri        a = the text
type value struct {
	param  uint16
	a, b   handle
	lo, hi int64
}

func (v *value) span() span      { return span{v.lo, v.hi} }
func (v *value) number() float64 { return math.Float64frombits(uint64(v.lo)) }

// words are interned strings with a meaning of their own.
type words struct {
	none handle // absent
	any  handle // the implied system of a plain code: it equals every system
}

func newWords() words {
	return words{none: unique.Make(""), any: unique.Make("\x00any")}
}

// indexer turns a resource into its indexed values.
type indexer struct {
	words
	base string // own base URL with a trailing slash
	out  []value
	p    *param
	path *path
}

// values indexes one resource; updated is in microseconds UTC. They come in
// the order of the type's parameters.
func (x *indexer) values(t *resourceType, id string, updated int64, root *node) []value {
	x.out = x.out[:0]
	for _, p := range t.params {
		x.p = p
		switch p.index {
		case indexID:
			x.add(value{a: x.none, b: unique.Make(id)})
			continue
		case indexLastUpdated:
			x.add(value{lo: updated, hi: updated + 1000})
			continue
		}
		for i := range p.paths {
			x.path = &p.paths[i]
			each(root, x.path.segments, x.element)
		}
	}
	return append([]value(nil), x.out...)
}

func (x *indexer) add(v value) {
	v.param = x.p.index
	x.out = append(x.out, v)
}

func (x *indexer) element(n *node) {
	switch x.p.kind {
	case kindToken:
		x.token(n)
	case kindReference:
		x.reference(n)
	case kindDate:
		x.date(n)
	case kindString:
		x.text(n)
	case kindQuantity, kindNumber:
		x.quantity(n)
	case kindURI:
		if s := n.scalar(); s != "" {
			x.add(value{a: unique.Make(s)})
		}
	}
}

// token takes a CodeableConcept, Coding, Identifier, ContactPoint or scalar.
func (x *indexer) token(n *node) {
	if n.kind != '{' {
		if s := n.scalar(); s != "" {
			x.add(value{a: x.any, b: unique.Make(s)})
		}
		return
	}
	if codings := n.get("coding").items(); codings != nil {
		for i := range codings {
			x.token(&codings[i])
		}
		return
	}
	code := n.get("code").scalar()
	if code == "" {
		code = n.get("value").scalar()
	}
	system := n.get("system").str()
	if code != "" || system != "" {
		x.add(value{a: unique.Make(system), b: unique.Make(code)})
	}
}

func (x *indexer) reference(n *node) {
	text, identifier := n.str(), ""
	if n.kind == '{' {
		text = n.get("reference").str()
		if id := n.get("identifier"); id != nil {
			identifier = id.get("system").str() + "|" + id.get("value").str()
		}
	}
	text = localReference(x.base, text)
	if x.path.target != "" && !isReferenceTo(text, x.path.target) {
		return
	}
	if text != "" || identifier != "" {
		x.add(value{a: unique.Make(text), b: unique.Make(identifier)})
	}
}

// localReference gives "Type/id" for a reference to this server, nothing for
// a contained resource, and any other reference unchanged.
func localReference(base, s string) string {
	s = strings.TrimPrefix(s, base)
	if strings.HasPrefix(s, "#") {
		return ""
	}
	if i := strings.Index(s, "/_history/"); i >= 0 {
		s = s[:i]
	}
	return s
}

func isReferenceTo(s, typ string) bool {
	i := strings.LastIndexByte(s, '/')
	return i >= 0 && (s[:i] == typ || strings.HasSuffix(s[:i], "/"+typ))
}

// date takes a date, dateTime, instant, Period or Timing.
func (x *indexer) date(n *node) {
	if n.kind != '{' {
		if s, err := parseDate(n.str()); err == nil {
			x.add(value{lo: s.lo, hi: s.hi})
		}
		return
	}
	for i := range n.get("event").items() {
		x.date(&n.get("event").kids[i])
	}
	if bounds := n.get("repeat").get("boundsPeriod"); bounds != nil {
		x.date(bounds)
	}
	start, end := n.get("start"), n.get("end")
	if start == nil && end == nil {
		return
	}
	open := span{beginning, forever}
	if s, err := parseDate(start.str()); err == nil {
		open.lo = s.lo
	}
	if s, err := parseDate(end.str()); err == nil {
		open.hi = s.hi
	}
	x.add(value{lo: open.lo, hi: open.hi})
}

// text takes a string, or every part of a HumanName or an Address.
func (x *indexer) text(n *node) {
	switch n.kind {
	case '"':
		s := n.str()
		x.add(value{a: unique.Make(fold(s)), b: unique.Make(s)})
	case '{', '[':
		for i := range n.kids {
			switch n.kids[i].key {
			case "use", "type", "period", "extension", "id":
			default:
				x.text(&n.kids[i])
			}
		}
	}
}

// fold removes what a string search ignores: case and accents.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return unicode.ToLower(r)
			}, norm.NFD.String(s))
		}
	}
	return strings.ToLower(s)
}

// quantity takes a Quantity, Money or number.
func (x *indexer) quantity(n *node) {
	num, unit := n, n.get("code")
	if n.kind == '{' {
		num = n.get("value")
	}
	if unit == nil {
		unit = n.get("unit")
	}
	if unit == nil {
		unit = n.get("currency")
	}
	f, err := strconv.ParseFloat(num.scalar(), 64)
	if err != nil {
		return
	}
	x.add(value{
		a: unique.Make(n.get("system").str()), b: unique.Make(unit.str()),
		lo: int64(math.Float64bits(f)),
	})
}
