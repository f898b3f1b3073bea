package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a JSON document.
const maxDepth = 64

// node is one JSON value. It keeps its exact text, so that what is not
// changed is written back byte for byte.
type node struct {
	kind byte   // one of { [ " 0 t f n
	pos  int32  // offset of raw in the document
	raw  []byte // exact text; nil once something below was changed
	key  string // the member name, when the parent is an object
	kids []node
}

// parser reads JSON documents. One parser may read many documents one after
// another; with reuse set, a tree is valid only until the next call.
type parser struct {
	src   []byte
	pos   int
	depth int
	stack []node
	slab  []node
	reuse bool
	keys  map[string]string
}

func newParser() *parser { return &parser{keys: make(map[string]string)} }

// parseJSON reads one document. The error names line and column.
func parseJSON(src []byte) (*node, error) { return newParser().parse(src) }

func (p *parser) parse(src []byte) (*node, error) {
	p.src, p.pos, p.depth, p.stack = src, 0, 0, p.stack[:0]
	if p.reuse {
		p.slab = p.slab[:0]
	}
	if !utf8.Valid(src) {
		return nil, fmt.Errorf("the body is not UTF-8")
	}
	p.space()
	n, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.src) {
		return nil, p.fail("text after the end of the document")
	}
	return &n, nil
}

func (p *parser) fail(format string, args ...any) error {
	at := min(p.pos, len(p.src))
	line := 1 + bytes.Count(p.src[:at], []byte{'\n'})
	column := at - bytes.LastIndexByte(p.src[:at], '\n')
	return fmt.Errorf("line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek gives the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) value() (node, error) {
	start := p.pos
	n := node{pos: int32(start)}
	var err error
	switch c := p.peek(); {
	case c == '{' || c == '[':
		n.kind = c
		n.kids, err = p.composite(c)
	case c == '"':
		n.kind = '"'
		err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = '0'
		err = p.number()
	case c == 't':
		n.kind = 't'
		err = p.literal("true")
	case c == 'f':
		n.kind = 'f'
		err = p.literal("false")
	case c == 'n':
		n.kind = 'n'
		err = p.literal("null")
	case c == 0 && p.pos >= len(p.src):
		err = p.fail("the document ends too early")
	default:
		err = p.fail("a value is expected")
	}
	n.raw = p.src[start:p.pos]
	return n, err
}

// composite reads an object or an array whose opening byte is next.
func (p *parser) composite(open byte) ([]node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested deeper than %d levels", maxDepth)
	}
	p.pos++
	mark, end := len(p.stack), byte('}')
	if open == '[' {
		end = ']'
	}
	for p.space(); p.peek() != end; p.space() {
		if len(p.stack) > mark {
			if p.peek() != ',' {
				return nil, p.fail("a comma or %q is expected", end)
			}
			p.pos++
			p.space()
		}
		if err := p.element(open, mark); err != nil {
			return nil, err
		}
	}
	p.pos++
	p.depth--
	kids := p.keep(p.stack[mark:])
	p.stack = p.stack[:mark]
	return kids, nil
}

// element reads one array item or one "key": value and pushes it.
func (p *parser) element(open byte, mark int) error {
	key := ""
	if open == '{' {
		var err error
		if key, err = p.memberName(); err != nil {
			return err
		}
		for _, k := range p.stack[mark:] {
			if k.key == key {
				return p.fail("the member %q occurs twice", key)
			}
		}
	}
	n, err := p.value()
	if err != nil {
		return err
	}
	n.key = key
	p.stack = append(p.stack, n)
	return nil
}

func (p *parser) memberName() (string, error) {
	start := p.pos
	if p.peek() != '"' {
		return "", p.fail("a member name is expected")
	}
	if err := p.str(); err != nil {
		return "", err
	}
	raw := p.src[start:p.pos]
	p.space()
	if p.peek() != ':' {
		return "", p.fail("a colon is expected")
	}
	p.pos++
	p.space()
	if k, ok := p.keys[string(raw)]; ok {
		return k, nil
	}
	k := unquote(raw)
	p.keys[string(raw)] = k
	return k, nil
}

// keep copies nodes off the stack into memory that lives as long as the tree.
func (p *parser) keep(nodes []node) []node {
	if len(nodes) == 0 {
		return nil
	}
	if len(p.slab)+len(nodes) > cap(p.slab) {
		p.slab = make([]node, 0, max(64, len(nodes), min(4096, 2*cap(p.slab))))
	}
	from := len(p.slab)
	p.slab = append(p.slab, nodes...)
	return p.slab[from:len(p.slab):len(p.slab)]
}

func (p *parser) str() error {
	for p.pos++; p.pos < len(p.src); p.pos++ {
		switch c := p.src[p.pos]; {
		case c == '"':
			p.pos++
			return nil
		case c < 0x20:
			return p.fail("a control character in a string")
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		}
	}
	return p.fail("a string is not closed")
}

func (p *parser) escape() error {
	p.pos++
	c := p.peek()
	if c == 'u' {
		for range 4 {
			p.pos++
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(p.peek())) {
				return p.fail("a malformed \\u escape")
			}
		}
		return nil
	}
	if c == 0 || !strings.ContainsRune(`"\/bfnrt`, rune(c)) {
		return p.fail("an unknown escape in a string")
	}
	return nil
}

func (p *parser) number() error {
	digits := func() bool {
		from := p.pos
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.pos++
		}
		return p.pos > from
	}
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !digits() {
		return p.fail("a malformed number")
	}
	if p.peek() == '.' {
		p.pos++
		if !digits() {
			return p.fail("a malformed number")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !digits() {
			return p.fail("a malformed number")
		}
	}
	return nil
}

func (p *parser) literal(word string) error {
	if !bytes.HasPrefix(p.src[p.pos:], []byte(word)) {
		return p.fail("a value is expected")
	}
	p.pos += len(word)
	return nil
}

// unquote gives the value of a well-formed JSON string.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return ""
	}
	return s
}

// appendQuoted appends s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func stringNode(key, s string) node {
	return node{kind: '"', key: key, raw: appendQuoted(nil, s)}
}

// get gives the member of that name, nil when there is none. It is safe on a
// nil node, so lookups can be chained.
func (n *node) get(key string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for i := range n.kids {
		if n.kids[i].key == key {
			return &n.kids[i]
		}
	}
	return nil
}

// items gives the elements of an array, none for anything else.
func (n *node) items() []node {
	if n == nil || n.kind != '[' {
		return nil
	}
	return n.kids
}

// str gives the value of a string, "" for anything else.
func (n *node) str() string {
	if n == nil || n.kind != '"' {
		return ""
	}
	return unquote(n.raw)
}

// scalar gives the text of a string, number or boolean.
func (n *node) scalar() string {
	switch {
	case n == nil, n.kind == '{', n.kind == '[', n.kind == 'n':
		return ""
	case n.kind == '"':
		return n.str()
	}
	return string(n.raw)
}

// set gives an object's member a string value; a new member goes to place at.
func (n *node) set(at int, key, value string) {
	n.raw = nil
	if m := n.get(key); m != nil {
		*m = stringNode(key, value)
		return
	}
	kids := make([]node, 0, len(n.kids)+1)
	kids = append(kids, n.kids[:at]...)
	kids = append(kids, stringNode(key, value))
	n.kids = append(kids, n.kids[at:]...)
}

// write appends the JSON text of n: its exact text where nothing changed.
func (n *node) write(dst []byte) []byte {
	if n.raw != nil {
		return append(dst, n.raw...)
	}
	end := n.kind + 2 // { and } as well as [ and ] are two apart
	dst = append(dst, n.kind)
	for i := range n.kids {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == '{' {
			dst = append(appendQuoted(dst, n.kids[i].key), ':')
		}
		dst = n.kids[i].write(dst)
	}
	return append(dst, end)
}

// rewrite replaces the strings for which f answers true, anywhere below n,
// and reports whether there were any. f is also told the member name.
func (n *node) rewrite(f func(key, s string) (string, bool)) bool {
	if n.kind == '"' {
		if s, ok := f(n.key, n.str()); ok {
			*n = stringNode(n.key, s)
			return true
		}
		return false
	}
	changed := false
	for i := range n.kids {
		if n.kids[i].rewrite(f) {
			changed = true
		}
	}
	if changed {
		n.raw = nil
	}
	return changed
}
