package consent

import (
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

// reader walks decoded JSON and remembers what it could not understand. A
// fault never stops it: the rest may hold a denial.
type reader struct {
	faults []string
}

func (r *reader) fault(path string) { r.faults = append(r.faults, path) }

// object gives v as an object; absent is neither fault nor object.
func (r *reader) object(v any, path, known string) (map[string]any, bool) {
	if v == nil {
		return nil, false
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.fault(path)
		return nil, false
	}
	for key := range m {
		if !strings.Contains(known, " "+key+" ") {
			r.fault(path + "." + key)
		}
	}
	return m, true
}

// modifiers finds modifier extensions at any level. None is known, so each
// might turn the meaning around (CN-27). The path is only put together where
// there is one.
func (r *reader) modifiers(v any, at func() string) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if key == "modifierExtension" {
				r.fault(at() + "." + key)
				continue
			}
			switch child.(type) {
			case map[string]any, []any:
				r.modifiers(child, func() string { return at() + "." + key })
			}
		}
	case []any:
		for i, child := range v {
			r.modifiers(child, func() string { return index(at(), i) })
		}
	}
}

// list gives v as a list; absent is an empty one. An empty JSON array is
// invalid FHIR and might be a restriction that got lost: a fault.
func (r *reader) list(v any, path string) ([]any, bool) {
	if v == nil {
		return nil, true
	}
	l, ok := v.([]any)
	if !ok || len(l) == 0 {
		r.fault(path)
		return nil, false
	}
	return l, true
}

func (r *reader) text(v any, path string) string {
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok || s == "" {
		r.fault(path)
		return ""
	}
	return s
}

const (
	keysCoding    = " id extension system version code display userSelected "
	keysConcept   = " id extension coding text "
	keysPeriod    = " id extension start end "
	keysReference = " id extension reference type identifier display "
)

// coding reads one Coding; ok is false when it names no system and code.
func (r *reader) coding(v any, path string) (fhir.Coding, bool) {
	m, ok := r.object(v, path, keysCoding)
	if !ok {
		r.fault(path)
		return fhir.Coding{}, false
	}
	c := fhir.Coding{System: r.text(m["system"], path+".system"), Code: r.text(m["code"], path+".code")}
	if c.System == "" || c.Code == "" {
		r.fault(path)
		return c, false
	}
	return c, true
}

// codings reads a list of Coding; ok is false when an entry is unreadable.
func (r *reader) codings(v any, path string) (out []fhir.Coding, ok bool) {
	l, ok := r.list(v, path)
	for i, e := range l {
		c, readable := r.coding(e, index(path, i))
		ok = ok && readable
		if readable {
			out = append(out, c)
		}
	}
	return out, ok
}

// concept reads the codings of one CodeableConcept.
func (r *reader) concept(v any, path string) ([]fhir.Coding, bool) {
	if v == nil {
		return nil, true
	}
	m, ok := r.object(v, path, keysConcept)
	if !ok {
		return nil, false
	}
	cs, ok := r.codings(m["coding"], path+".coding")
	if len(cs) == 0 {
		r.fault(path)
		return nil, false
	}
	return cs, ok
}

// concepts reads the codings of a list of CodeableConcept, flattened.
func (r *reader) concepts(v any, path string) (out []fhir.Coding, ok bool) {
	l, ok := r.list(v, path)
	for i, e := range l {
		cs, readable := r.concept(e, index(path, i))
		ok = ok && readable && e != nil
		out = append(out, cs...)
	}
	return out, ok
}

// reference reads a Reference. An absolute URL is a fault, since a grant must
// name somebody of this tenant; its last two segments are still given, so
// that a prohibition keeps its target.
func (r *reader) reference(v any, path string) (fhir.Reference, bool) {
	m, ok := r.object(v, path, keysReference)
	if !ok {
		r.fault(path)
		return fhir.Reference{}, false
	}
	s := r.text(m["reference"], path+".reference")
	if ref, ok := fhir.ParseReference(s); ok {
		return ref, true
	}
	r.fault(path + ".reference")
	if _, rest, absolute := strings.Cut(s, "://"); absolute {
		segments := strings.Split(rest, "/")
		if i := len(segments) - 2; i >= 1 && segments[i] == "_history" && i >= 3 {
			segments = segments[:i]
		}
		if n := len(segments); n >= 3 {
			return fhir.ParseReference(segments[n-2] + "/" + segments[n-1])
		}
	}
	return fhir.Reference{}, false
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
