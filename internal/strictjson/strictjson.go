package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/mandate-health/mandate/internal/errs"
)

// MaxDepth is the deepest nesting of objects and lists that is read.
const MaxDepth = 64

// Check judges a text: one JSON value in UTF-8, no object of which has a member
// twice, in whatever case. Errors: errs.Invalid with code json-malformed,
// json-duplicate-key or json-depth.
func Check(text []byte) error {
	if !utf8.Valid(text) {
		return errMalformed()
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	// A number is kept as it is written: how large it is does not matter here.
	dec.UseNumber()
	if err := value(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errMalformed()
	}
	return nil
}

// Read checks a text and reads it into a value, whose members must all be known.
// Errors: those of Check; errs.Invalid with code json-malformed for a member that
// is not known or of another type.
func Read(text []byte, into any) error {
	if err := Check(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return errs.Wrap(err, errs.Invalid, "json-malformed", "A member of the body is not known, or of another type than is wanted.")
	}
	return nil
}

// value goes over one value.
func value(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return errMalformed()
	}
	open, nested := t.(json.Delim)
	switch {
	case !nested:
		return nil
	case depth >= MaxDepth:
		return errs.New(errs.Invalid, "json-depth", "The body is nested too deeply.")
	case open == '{':
		err = object(dec, depth+1)
	default:
		for err == nil && dec.More() {
			err = value(dec, depth+1)
		}
	}
	if err != nil {
		return err
	}
	if _, err := dec.Token(); err != nil {
		return errMalformed()
	}
	return nil
}

// object goes over the members of an object up to its end.
func object(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return errMalformed()
		}
		if name = fold(name); seen[name] {
			return errs.New(errs.Invalid, "json-duplicate-key", "An object of the body has the same member twice.")
		}
		seen[name] = true
		if err := value(dec, depth); err != nil {
			return err
		}
	}
	return nil
}

// fold gives the same text for all names that encoding/json takes for one.
func fold(name string) string {
	out := []rune(name)
	for i, r := range out {
		// The least of the characters that differ by case alone stands for all.
		for least := unicode.SimpleFold(r); ; least = unicode.SimpleFold(least) {
			if out[i] = min(out[i], least); least == r {
				break
			}
		}
	}
	return string(out)
}

func errMalformed() error {
	return errs.New(errs.Invalid, "json-malformed", "The body is not well-formed JSON.")
}
