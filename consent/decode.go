package consent

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxQuick is the deepest nesting that is read quickly.
const maxQuick = 64

// shape says what a node is in JSON.
type shape uint8

const (
	isNull shape = iota
	isText
	isNumber
	isBool
	isObject
	isList
)

// node is one value of a document. It holds no pointer, so that the garbage collector
// has nothing to follow in a document.
type node struct {
	shape shape
	// key is the name of a member of an object.
	key span
	// text is a text, or how a number or truth value is written.
	text span
	// The members of an object or entries of a list are count nodes from first on.
	first, count int32
}

// span is a part of a document's text, or, when it ends before it begins, the other
// text before from.
type span struct{ from, to int32 }

// document is a JSON document as read. Its room is used again for the next one: of fifty
// Consents that are compiled at once only their texts need memory of their own.
type document struct {
	text  string
	nodes []node
	// others are texts that are not written as they are meant.
	others []string
	// open are the nodes of objects and lists that are still being read.
	open []node
}

var documents = sync.Pool{New: func() any { return new(document) }}

// empty forgets what was read; texts that were taken out of it stay valid.
func (d *document) empty() {
	clear(d.others)
	*d = document{nodes: d.nodes[:0], others: d.others[:0], open: d.open[:0]}
}

func (d *document) string(s span) string {
	if s.to < s.from {
		return d.others[s.from-1]
	}
	return d.text[s.from:s.to]
}

// other keeps a text that is not a part of the document.
func (d *document) other(text string) span {
	d.others = append(d.others, text)
	return span{from: int32(len(d.others))}
}

// close moves the nodes that were opened since to where they stay.
func (d *document) close(s shape, since int) node {
	n := node{shape: s, first: int32(len(d.nodes)), count: int32(len(d.open) - since)}
	d.nodes = append(d.nodes, d.open[since:]...)
	d.open = d.open[:since]
	return n
}

// value is a value of a document; the zero value is one that is absent or null.
type value struct {
	in *document
	at int32
}

func (v value) absent() bool { return v.in == nil }

func (v value) node() node {
	if v.in == nil {
		return node{}
	}
	return v.in.nodes[v.at]
}

func (v value) is(s shape) bool { return v.in != nil && v.in.nodes[v.at].shape == s }

// len gives the number of members or entries.
func (v value) len() int { return int(v.node().count) }

// key gives the name of a member.
func (v value) key(i int) string {
	return v.in.string(v.in.nodes[int(v.node().first)+i].key)
}

// item gives a member or entry by its place.
func (v value) item(i int) value {
	at := v.node().first + int32(i)
	if v.in.nodes[at].shape == isNull {
		return value{}
	}
	return value{in: v.in, at: at}
}

// get gives the value of a member; of members of one name the last counts.
func (v value) get(key string) value {
	if !v.is(isObject) {
		return value{}
	}
	for i := v.len() - 1; i >= 0; i-- {
		if v.key(i) == key {
			return v.item(i)
		}
	}
	return value{}
}

// str gives a text; "" for what is none.
func (v value) str() string {
	if !v.is(isText) {
		return ""
	}
	return v.in.string(v.node().text)
}

// number gives a number.
func (v value) number() (float64, bool) {
	if !v.is(isNumber) {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.in.string(v.node().text), 64)
	return f, err == nil
}

// read reads what encoding/json reads of the same bytes, at most maxBytes. A policy is
// compiled from all Consents of a patient at once, and most of that was reading JSON:
// ordinary JSON is read once here, and whatever is not ordinary is left to the library.
func (d *document) read(raw []byte) (value, error) {
	d.text = string(raw)
	if utf8.ValidString(d.text) {
		q := quick{document: d}
		if n, ok := q.value(0); ok && q.end() {
			return d.root(n), nil
		}
		d.nodes, d.others, d.open = d.nodes[:0], d.others[:0], d.open[:0]
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return value{}, err
	}
	return d.root(d.ofLibrary(v)), nil
}

// root keeps the outermost node.
func (d *document) root(n node) value {
	d.nodes = append(d.nodes, n)
	return value{in: d, at: int32(len(d.nodes) - 1)}
}

// ofLibrary gives the node of a value that the library read.
func (d *document) ofLibrary(v any) node {
	since := len(d.open)
	switch v := v.(type) {
	case string:
		return node{shape: isText, text: d.other(v)}
	case float64:
		return node{shape: isNumber, text: d.other(strconv.FormatFloat(v, 'g', -1, 64))}
	case bool:
		return node{shape: isBool, text: d.other(strconv.FormatBool(v))}
	case []any:
		for _, one := range v {
			d.open = append(d.open, d.ofLibrary(one))
		}
		return d.close(isList, since)
	case map[string]any:
		for key, one := range v {
			n := d.ofLibrary(one)
			n.key = d.other(key)
			d.open = append(d.open, n)
		}
		return d.close(isObject, since)
	}
	return node{}
}

// quick reads JSON in one pass. Every method reports false for what it leaves to
// the library.
type quick struct {
	*document
	at int
}

func (q *quick) space() {
	for q.at < len(q.text) {
		switch q.text[q.at] {
		case ' ', '\t', '\n', '\r':
			q.at++
		default:
			return
		}
	}
}

// next skips space and gives the byte behind it, 0 at the end.
func (q *quick) next() byte {
	q.space()
	if q.at == len(q.text) {
		return 0
	}
	return q.text[q.at]
}

func (q *quick) end() bool { return q.next() == 0 && q.at == len(q.text) }

func (q *quick) value(depth int) (node, bool) {
	if depth > maxQuick {
		return node{}, false
	}
	switch c := q.next(); {
	case c == '"':
		text, ok := q.str()
		return node{shape: isText, text: text}, ok
	case c == '{':
		return q.object(depth)
	case c == '[':
		return q.list(depth)
	case c == '-' || c >= '0' && c <= '9':
		return q.number()
	}
	return q.word()
}

func (q *quick) word() (node, bool) {
	for _, w := range [...]struct {
		word  string
		shape shape
	}{{"true", isBool}, {"false", isBool}, {"null", isNull}} {
		if strings.HasPrefix(q.text[q.at:], w.word) {
			from := q.at
			q.at += len(w.word)
			return node{shape: w.shape, text: part(from, q.at)}, true
		}
	}
	return node{}, false
}

// part is a part of the document's text.
func part(from, to int) span {
	return span{int32(from), int32(to)}
}

// str reads a text; one with an escape is taken apart by the library.
func (q *quick) str() (span, bool) {
	from := q.at + 1
	escaped := false
	for i := from; i < len(q.text); i++ {
		switch c := q.text[i]; {
		case c == '"':
			q.at = i + 1
			if !escaped {
				return part(from, i), true
			}
			var out string
			err := json.Unmarshal([]byte(q.text[from-1:i+1]), &out)
			return q.other(out), err == nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return span{}, false
		}
	}
	return span{}, false
}

func (q *quick) object(depth int) (node, bool) {
	since := len(q.open)
	q.at++
	if q.next() == '}' {
		q.at++
		return node{shape: isObject}, true
	}
	for {
		if q.next() != '"' {
			return node{}, false
		}
		key, ok := q.str()
		if !ok || q.next() != ':' {
			return node{}, false
		}
		q.at++
		v, ok := q.value(depth + 1)
		if !ok {
			return node{}, false
		}
		v.key = key
		q.open = append(q.open, v)
		more, ok := q.more('}')
		if !ok {
			return node{}, false
		}
		if !more {
			return q.close(isObject, since), true
		}
	}
}

func (q *quick) list(depth int) (node, bool) {
	since := len(q.open)
	q.at++
	if q.next() == ']' {
		q.at++
		return node{shape: isList}, true
	}
	for {
		v, ok := q.value(depth + 1)
		if !ok {
			return node{}, false
		}
		q.open = append(q.open, v)
		more, ok := q.more(']')
		if !ok {
			return node{}, false
		}
		if !more {
			return q.close(isList, since), true
		}
	}
}

// more reads what stands behind an element: a comma, or the end of the list.
func (q *quick) more(closing byte) (more, ok bool) {
	switch q.next() {
	case ',':
		q.at++
		return true, true
	case closing:
		q.at++
		return false, true
	}
	return false, false
}

// number reads whole numbers of few digits; others are for the library.
func (q *quick) number() (node, bool) {
	from := q.at
	for q.at < len(q.text) && q.text[q.at] >= '0' && q.text[q.at] <= '9' {
		q.at++
	}
	digits := q.text[from:q.at]
	if len(digits) == 0 || len(digits) > 15 || len(digits) > 1 && digits[0] == '0' {
		return node{}, false
	}
	if q.at < len(q.text) && strings.IndexByte(".eE", q.text[q.at]) >= 0 {
		return node{}, false
	}
	return node{shape: isNumber, text: part(from, q.at)}, true
}
