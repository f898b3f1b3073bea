package consent

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuick is the deepest nesting that is read quickly.
const maxQuick = 64

// member is one member of a JSON object.
type member struct {
	key   string
	value any
}

// jsonObject is a JSON object: of members of one name the last counts. Objects of a
// Consent have few members, and a list of them takes a third of what a map does.
type jsonObject []member

// get gives the value of a member, nil without one.
func (o jsonObject) get(key string) any {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].key == key {
			return o[i].value
		}
	}
	return nil
}

// unmarshal gives what encoding/json gives for the same bytes, with objects. A policy is compiled
// from all Consents of a patient at once, and half of that was reading JSON twice
// and copying each of its texts: ordinary JSON is read once here, its texts share
// one copy, and whatever is not ordinary is left to the library.
func unmarshal(raw []byte) (v any, err error) {
	text := string(raw)
	if utf8.ValidString(text) {
		q := quick{text: text}
		if v, ok := q.value(0); ok && q.end() {
			return v, nil
		}
	}
	err = json.Unmarshal(raw, &v)
	return ofMaps(v), err
}

// ofMaps turns what the library reads into objects.
func ofMaps(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = ofMaps(v[i])
		}
	case map[string]any:
		out := make(jsonObject, 0, len(v))
		for key, one := range v {
			out = append(out, member{key, ofMaps(one)})
		}
		return out
	}
	return v
}

// quick reads JSON in one pass. Every method reports false for what it leaves to
// the library.
type quick struct {
	text string
	at   int
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

func (q *quick) value(depth int) (any, bool) {
	if depth > maxQuick {
		return nil, false
	}
	switch c := q.next(); {
	case c == '"':
		return q.str()
	case c == '{':
		return q.object(depth)
	case c == '[':
		return q.array(depth)
	case c == '-' || c >= '0' && c <= '9':
		return q.number()
	}
	return q.word()
}

func (q *quick) word() (any, bool) {
	rest := q.text[q.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		q.at += len("true")
		return true, true
	case strings.HasPrefix(rest, "false"):
		q.at += len("false")
		return false, true
	case strings.HasPrefix(rest, "null"):
		q.at += len("null")
		return nil, true
	}
	return nil, false
}

// str reads a text; one with an escape is taken apart by the library.
func (q *quick) str() (string, bool) {
	from := q.at + 1
	escaped := false
	for i := from; i < len(q.text); i++ {
		switch c := q.text[i]; {
		case c == '"':
			q.at = i + 1
			if !escaped {
				return q.text[from:i], true
			}
			var out string
			err := json.Unmarshal([]byte(q.text[from-1:i+1]), &out)
			return out, err == nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

func (q *quick) object(depth int) (any, bool) {
	out := make(jsonObject, 0, 4)
	q.at++
	if q.next() == '}' {
		q.at++
		return out, true
	}
	for {
		if q.next() != '"' {
			return nil, false
		}
		key, ok := q.str()
		if !ok || q.next() != ':' {
			return nil, false
		}
		q.at++
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		out = append(out, member{key, v})
		more, ok := q.more('}')
		if !more {
			return out, ok
		}
	}
}

func (q *quick) array(depth int) (any, bool) {
	out := []any{}
	q.at++
	if q.next() == ']' {
		q.at++
		return out, true
	}
	for {
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		out = append(out, v)
		more, ok := q.more(']')
		if !more {
			return out, ok
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
func (q *quick) number() (any, bool) {
	from := q.at
	for q.at < len(q.text) && q.text[q.at] >= '0' && q.text[q.at] <= '9' {
		q.at++
	}
	digits := q.text[from:q.at]
	if len(digits) == 0 || len(digits) > 15 || len(digits) > 1 && digits[0] == '0' {
		return nil, false
	}
	if q.at < len(q.text) && strings.IndexByte(".eE", q.text[q.at]) >= 0 {
		return nil, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	return n, err == nil
}
