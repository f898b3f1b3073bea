package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deeply a text may be nested.
const maxDepth = 200

var (
	errDepth  = errors.New("jcs: nested too deeply")
	errNumber = errors.New("jcs: a number is out of range")
	errText   = errors.New("jcs: not valid UTF-8")
	errTwice  = errors.New("jcs: a member is given twice")
	errMore   = errors.New("jcs: more than one value")
)

// Canonical gives the canonical form of a JSON text: no white space, members in the
// order of their names as UTF-16, numbers as ECMAScript writes them. What RFC 8785
// gives no form is refused: members given twice, text that is not UTF-8, numbers
// beyond those of IEEE 754.
func Canonical(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errText
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	out, err := value(d, make([]byte, 0, len(text)), 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errMore
	}
	return out, nil
}

func value(d *json.Decoder, out []byte, depth int) ([]byte, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := t.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, errDepth
		}
		if x == '[' {
			return list(d, append(out, '['), depth+1)
		}
		return object(d, out, depth+1)
	case string:
		return quoted(out, x), nil
	case json.Number:
		return number(out, string(x))
	case bool:
		return strconv.AppendBool(out, x), nil
	}
	return append(out, "null"...), nil
}

func list(d *json.Decoder, out []byte, depth int) (_ []byte, err error) {
	for first := true; d.More(); first = false {
		if !first {
			out = append(out, ',')
		}
		if out, err = value(d, out, depth); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return append(out, ']'), err
}

// member is one name with its value, written.
type member struct {
	name  string
	order []uint16
	text  []byte
}

func object(d *json.Decoder, out []byte, depth int) ([]byte, error) {
	var all []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // the decoder lets nothing else stand there
		text, err := value(d, nil, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, member{name: name, order: utf16.Encode([]rune(name)), text: text})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b member) int { return slices.Compare(a.order, b.order) })
	out = append(out, '{')
	for i, m := range all {
		if i > 0 {
			if all[i-1].name == m.name {
				return nil, errTwice
			}
			out = append(out, ',')
		}
		out = append(append(quoted(out, m.name), ':'), m.text...)
	}
	return append(out, '}'), nil
}

// number writes as ECMAScript does (RFC 8785 §3.2.2.3), which is how encoding/json
// writes floats.
func number(out []byte, text string) ([]byte, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, errNumber
	}
	if f == 0 {
		f = 0 // not minus zero
	}
	raw, err := json.Marshal(f)
	return append(out, raw...), err
}

// quoted writes a string with no more escapes than there must be (RFC 8785
// §3.2.2.2).
func quoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\b':
			out = append(out, '\\', 'b')
		case r == '\t':
			out = append(out, '\\', 't')
		case r == '\n':
			out = append(out, '\\', 'n')
		case r == '\f':
			out = append(out, '\\', 'f')
		case r == '\r':
			out = append(out, '\\', 'r')
		case r < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}
