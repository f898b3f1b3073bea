package directory

import (
	"encoding/json"
	"strings"
	"time"
)

// How large a filter may be: what is larger is no question of a directory.
const (
	maxFilter = 2000
	maxDepth  = 12
	maxTerms  = 40
)

// Filter is a question about resources (RFC 7644 §3.4.2.2).
type Filter struct {
	// op is and, or, not, pr, a comparison, or [ for one about the values of an
	// attribute.
	op    string
	kids  []*Filter
	path  Path
	value any
	// at is the value of a time.
	at time.Time
}

// ParseFilter reads a filter. Errors: errs.Invalid with code scim-filter for what is
// not of the grammar, too large, about an attribute that there is not, or compares
// what cannot be compared.
func ParseFilter(s *Schema, filter string) (*Filter, error) {
	if len(filter) > maxFilter {
		return nil, fault("scim-filter", "The filter is too long.")
	}
	p := &parser{schema: s, text: filter}
	if err := p.scan(); err != nil {
		return nil, err
	}
	f, err := p.either(nil)
	if err == nil && p.peek().kind != end {
		err = malformed()
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func malformed() error {
	return fault("scim-filter", "The filter is not of the grammar of RFC 7644 section 3.4.2.2.")
}

// The kinds of tokens.
const (
	end = iota
	word
	mark
	literal
)

type token struct {
	kind int
	text string
	// value is that of a literal.
	value any
}

type parser struct {
	schema *Schema
	text   string
	tokens []token
	at     int
	depth  int
	terms  int
}

// scan cuts the text into tokens.
func (p *parser) scan() error {
	for rest := p.text; rest != ""; {
		switch c := rest[0]; {
		case c == ' ':
			rest = rest[1:]
		case strings.IndexByte("()[]", c) >= 0:
			p.tokens, rest = append(p.tokens, token{kind: mark, text: rest[:1]}), rest[1:]
		case c == '"':
			n := quoted(rest)
			var v string
			if n == 0 || json.Unmarshal([]byte(rest[:n]), &v) != nil {
				return malformed()
			}
			p.tokens, rest = append(p.tokens, token{literal, rest[:n], v}), rest[n:]
		default:
			n := strings.IndexAny(rest, ` ()[]"`)
			if n < 0 {
				n = len(rest)
			}
			p.tokens, rest = append(p.tokens, token{kind: word, text: rest[:n]}), rest[n:]
		}
	}
	return nil
}

// quoted gives the length of the JSON string at the beginning, 0 without an end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

func (p *parser) peek() token {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return token{}
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) keyword(name string) bool {
	t := p.peek()
	if t.kind != word || !strings.EqualFold(t.text, name) {
		return false
	}
	p.at++
	return true
}

// either reads terms that are joined by or.
// in is the attribute whose values they are about, nil for the resource.
func (p *parser) either(in *Attribute) (*Filter, error) {
	return p.joined("or", func() (*Filter, error) {
		return p.joined("and", func() (*Filter, error) { return p.term(in) })
	})
}

func (p *parser) joined(by string, read func() (*Filter, error)) (*Filter, error) {
	first, err := read()
	if err != nil {
		return nil, err
	}
	all := []*Filter{first}
	for p.keyword(by) {
		more, err := read()
		if err != nil {
			return nil, err
		}
		all = append(all, more)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &Filter{op: by, kids: all}, nil
}

// term reads what stands between and and or.
func (p *parser) term(in *Attribute) (*Filter, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fault("scim-filter", "The filter is nested too deeply.")
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case t.text == "(" && t.kind == mark:
		return p.grouped(in)
	case t.kind == word && strings.EqualFold(t.text, "not") && p.at+1 < len(p.tokens) && p.tokens[p.at+1].text == "(":
		p.at++
		f, err := p.grouped(in)
		return &Filter{op: "not", kids: []*Filter{f}}, err
	}
	return p.compared(in)
}

func (p *parser) grouped(in *Attribute) (*Filter, error) {
	p.next()
	f, err := p.either(in)
	if err == nil && p.next().text != ")" {
		err = malformed()
	}
	return f, err
}

// inside reads a filter about the values of an attribute, up to its bracket.
func (p *parser) inside(a *Attribute) (*Filter, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fault("scim-filter", "The filter is nested too deeply.")
	}
	defer func() { p.depth-- }()
	f, err := p.either(a)
	if err == nil && p.next().text != "]" {
		err = malformed()
	}
	return f, err
}

// compared reads one comparison.
func (p *parser) compared(in *Attribute) (*Filter, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, fault("scim-filter", "The filter has too many comparisons.")
	}
	head := p.next()
	if head.kind != word {
		return nil, malformed()
	}
	path, err := resolve(p.schema, in, head.text)
	if err != nil {
		return nil, err
	}
	if !path.kept() {
		return nil, fault("scim-filter", "The filter names an attribute that is not kept here; see /Schemas.")
	}
	if p.peek().text == "[" && path.sub == nil && path.attr.Multi {
		p.next()
		inner, err := p.inside(path.attr)
		return &Filter{op: "[", path: path, kids: []*Filter{inner}}, err
	}
	f := &Filter{op: strings.ToLower(p.next().text), path: path}
	if f.op == "pr" {
		return f, nil
	}
	if path.sub == nil && path.attr.Multi {
		if f.path.sub = find(path.attr.Sub, "value"); f.path.sub == nil {
			return nil, malformed()
		}
	}
	return f, p.operand(f)
}

// operand reads the value of a comparison, and says whether it can be compared so.
func (p *parser) operand(f *Filter) error {
	switch f.op {
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		return malformed()
	}
	t, leaf := p.next(), f.path.leaf()
	switch {
	case t.kind == literal:
		f.value = t.value
	case t.kind == word && (t.text == "true" || t.text == "false"):
		f.value = t.text == "true"
	case t.kind == word && t.text == "null":
	default:
		return malformed()
	}
	said, isText := f.value.(string)
	_, isBool := f.value.(bool)
	equality := f.op == "eq" || f.op == "ne"
	bad := fault("scim-filter", "The filter compares an attribute with a value of another type.")
	switch {
	case f.value == nil && equality:
		return nil
	case leaf.Type == typeBoolean && isBool && equality:
		return nil
	case leaf.Type == typeTime && isText && f.op != "co" && f.op != "sw" && f.op != "ew":
		var err error
		if f.at, err = time.Parse(time.RFC3339Nano, said); err != nil {
			return bad
		}
		return nil
	case (leaf.Type == typeString || leaf.Type == typeRef) && isText:
		return nil
	}
	return bad
}

// String gives the filter as it can be read again.
func (f *Filter) String() string {
	switch f.op {
	case "and", "or":
		var parts []string
		for _, k := range f.kids {
			if k.op == "and" || k.op == "or" {
				parts = append(parts, "("+k.String()+")")
			} else {
				parts = append(parts, k.String())
			}
		}
		return strings.Join(parts, " "+f.op+" ")
	case "not":
		return "not (" + f.kids[0].String() + ")"
	case "[":
		return f.path.String() + "[" + f.kids[0].String() + "]"
	case "pr":
		return f.path.String() + " pr"
	}
	value, err := json.Marshal(f.value)
	if err != nil {
		value = []byte("null")
	}
	return f.path.String() + " " + f.op + " " + string(value)
}
