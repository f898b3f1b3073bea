package view

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/internal/errs"
)

// maxDepth is the deepest nesting of objects and arrays that is read.
const maxDepth = 64

// cursor walks over JSON text. The first fault stays in err and makes every
// later step do nothing.
type cursor struct {
	text  []byte
	at    int
	depth int
	err   error
	// short says that the fault is that the text ended: with more of it there
	// might be none.
	short bool
	// hot says that the resources of entries are read strictly on the way.
	hot bool
	// met are short texts that came before in the same bundle; nil keeps none.
	met texts
}

func (c *cursor) fail(code, msg string) {
	if c.err == nil {
		c.err, c.short = errs.New(errs.Invalid, code, msg), c.at >= len(c.text)
		c.at = len(c.text)
	}
}

func (c *cursor) malformed() { c.fail("json-malformed", "The body is not well-formed JSON.") }

// start checks what no single step can see and opens a text.
func start(text []byte) *cursor {
	c := &cursor{text: text}
	if !utf8.Valid(text) {
		c.malformed()
	}
	return c
}

// end reports a fault, also when anything but white space is left.
func (c *cursor) end() error {
	if c.peek(); c.err == nil && c.at < len(c.text) {
		c.malformed()
	}
	return c.err
}

// peek skips white space and gives the next byte, 0 at the end.
func (c *cursor) peek() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// take skips white space and the byte b, or fails.
func (c *cursor) take(b byte) {
	if c.peek() != b || c.err != nil {
		c.malformed()
		return
	}
	c.at++
}

// object calls each for every member of an object; each must consume the
// value. Repeated keys are a fault.
func (c *cursor) object(each func(key []byte)) {
	c.open('{')
	var keys keySet
	for first := true; c.err == nil; first = false {
		b := c.peek()
		if b == '}' && first {
			break
		}
		key := c.key()
		if c.err == nil && !keys.add(key) {
			c.fail("json-duplicate-key", "An object of the body has the same key twice.")
		}
		c.take(':')
		if c.err != nil {
			return
		}
		each(key)
		if b = c.peek(); b != ',' {
			break
		}
		c.at++
	}
	c.close('}')
}

// array calls each for every element of an array; each must consume it.
func (c *cursor) array(each func()) {
	c.open('[')
	for first := true; c.err == nil; first = false {
		if c.peek() == ']' && first {
			break
		}
		each()
		if c.peek() != ',' {
			break
		}
		c.at++
	}
	c.close(']')
}

func (c *cursor) open(b byte) {
	c.take(b)
	if c.depth++; c.depth > maxDepth {
		c.fail("json-depth", "The body is nested too deeply.")
	}
}

func (c *cursor) close(b byte) {
	c.take(b)
	c.depth--
}

// skip consumes one value of any kind.
func (c *cursor) skip() {
	switch b := c.peek(); b {
	case '{':
		c.skipObject()
	case '[':
		c.array(c.skip)
	case '"':
		c.rawString()
	case 't':
		c.literal("true")
	case 'f':
		c.literal("false")
	case 'n':
		c.literal("null")
	default:
		c.number()
	}
}

// skipObject consumes an object into which nobody looks; its keys are not
// compared.
func (c *cursor) skipObject() {
	c.open('{')
	for first := true; c.err == nil; first = false {
		if c.peek() == '}' && first {
			break
		}
		c.peek()
		c.rawString()
		c.take(':')
		c.skip()
		if c.peek() != ',' {
			break
		}
		c.at++
	}
	c.close('}')
}

// span consumes one value and gives its exact bytes.
func (c *cursor) span() json.RawMessage {
	c.peek()
	from := c.at
	c.skip()
	if c.err != nil {
		return nil
	}
	return json.RawMessage(c.text[from:c.at:c.at])
}

func (c *cursor) literal(word string) {
	if have := c.text[c.at:min(len(c.text), c.at+len(word))]; string(have) != word {
		if strings.HasPrefix(word, string(have)) {
			c.at = len(c.text)
		}
		c.malformed()
		return
	}
	c.at += len(word)
}

func (c *cursor) number() {
	if c.at < len(c.text) && c.text[c.at] == '-' {
		c.at++
	}
	if c.at < len(c.text) && c.text[c.at] == '0' {
		c.at++
	} else {
		c.digits()
	}
	if c.at < len(c.text) && c.text[c.at] == '.' {
		c.at++
		c.digits()
	}
	if c.at < len(c.text) && c.text[c.at]|0x20 == 'e' {
		c.at++
		if c.at < len(c.text) && (c.text[c.at] == '+' || c.text[c.at] == '-') {
			c.at++
		}
		c.digits()
	}
}

func (c *cursor) digits() {
	from := c.at
	for c.at < len(c.text) && c.text[c.at] >= '0' && c.text[c.at] <= '9' {
		c.at++
	}
	if c.at == from {
		c.malformed()
	}
}

// rawString consumes a string and gives the bytes between the quotes and
// whether they hold escapes.
func (c *cursor) rawString() (inner []byte, escaped bool) {
	if c.at >= len(c.text) || c.text[c.at] != '"' {
		c.malformed()
		return nil, false
	}
	c.at++
	from := c.at
	for c.at < len(c.text) {
		c.at += plain(c.text[c.at:])
		if c.at >= len(c.text) {
			break
		}
		switch b := c.text[c.at]; {
		case b == '"':
			c.at++
			return c.text[from : c.at-1], escaped
		case b == '\\':
			escaped = true
			c.escape()
		case b < ' ':
			c.malformed()
			return nil, false
		default:
			c.at++
		}
	}
	c.malformed()
	return nil, false
}

// plain is how many bytes at the beginning are surely neither a quote nor a
// backslash nor a control character: it looks at eight at once.
func plain(text []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(text[n:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte below 32, or one that became zero, borrows from its top bit.
		if ((w-ones*' ')&^w|(quote-ones)&^quote|(slash-ones)&^slash)&tops != 0 {
			return n
		}
	}
	return n
}

func (c *cursor) escape() {
	c.at++
	if c.at >= len(c.text) {
		return
	}
	switch c.text[c.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.at++
	case 'u':
		c.at++
		for range 4 {
			if c.at >= len(c.text) || !isHex(c.text[c.at]) {
				c.malformed()
				return
			}
			c.at++
		}
	default:
		c.malformed()
	}
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f'
}

// key consumes a member name and gives it unescaped.
func (c *cursor) key() []byte {
	c.peek()
	from := c.at
	inner, escaped := c.rawString()
	if escaped && c.err == nil {
		return []byte(unquote(c.text[from:c.at]))
	}
	return inner
}

// str consumes a value and gives it when it is a string; ok is false for
// another kind.
func (c *cursor) str() (s string, ok bool) {
	if c.peek() != '"' {
		c.skip()
		return "", false
	}
	from := c.at
	inner, escaped := c.rawString()
	if c.err != nil {
		return "", false
	}
	if escaped {
		return unquote(c.text[from:c.at]), true
	}
	if known, ok := common[string(inner)]; ok {
		return known, true
	}
	return c.met.text(inner), true
}

// texts are copied once and shared by the resources of a bundle, which mostly name
// the same patient, codes and days.
type texts map[string]string

// A text that is longer or comes when there are enough is copied each time.
const maxTexts, maxText = 64, 64

func (t texts) text(b []byte) string {
	if known, ok := t[string(b)]; ok {
		return known
	}
	s := string(b)
	if t != nil && len(t) < maxTexts && len(s) <= maxText {
		t[s] = s
	}
	return s
}

// single is str for what is different in each resource.
func (c *cursor) single() (string, bool) {
	met := c.met
	c.met = nil
	s, ok := c.str()
	c.met = met
	return s, ok
}

// common are strings that nearly every resource has; they are not copied.
var common = func() map[string]string {
	m := map[string]string{}
	for _, s := range []string{
		fhir.SystemConfidentiality, fhir.SystemActCode, "U", "L", "M", "N", "R", "V",
		"http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "vital-signs", "social-history", "survey",
		"http://terminology.hl7.org/CodeSystem/condition-category", "http://terminology.hl7.org/CodeSystem/condition-clinical",
		"http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm", "http://www.nlm.nih.gov/research/umls/rxnorm",
		"final", "active", "completed", "1", "2",
	} {
		m[s] = s
	}
	for _, typ := range compartment.Types() {
		m[typ] = typ
	}
	return m
}()

// unquote decodes a string literal that rawString has accepted.
func unquote(literal []byte) string {
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return ""
	}
	return s
}

// keySet remembers the keys of one object.
type keySet struct {
	few  [24][]byte
	n    int
	many map[string]struct{}
}

// has reports whether the key was added.
func (k *keySet) has(key string) bool {
	if k.many != nil {
		_, seen := k.many[key]
		return seen
	}
	return slices.ContainsFunc(k.few[:k.n], func(one []byte) bool { return string(one) == key })
}

// add reports whether the key is new.
func (k *keySet) add(key []byte) bool {
	if k.many != nil {
		if _, seen := k.many[string(key)]; seen {
			return false
		}
		k.many[string(key)] = struct{}{}
		return true
	}
	for _, seen := range k.few[:k.n] {
		if string(seen) == string(key) {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = make(map[string]struct{}, 2*k.n)
	for _, seen := range k.few {
		k.many[string(seen)] = struct{}{}
	}
	k.many[string(key)] = struct{}{}
	return true
}
