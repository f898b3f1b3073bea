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
	// paths: put element paths together. The first reading goes without,
	// since almost every Consent is understood.
	paths bool
}

func (r *reader) fault(path string) { r.faults = append(r.faults, path) }

// object gives v as an object; absent is neither fault nor object.
func (r *reader) object(v any, path, known string) (jsonObject, bool) {
	if v == nil {
		return nil, false
	}
	m, ok := v.(jsonObject)
	if !ok {
		r.fault(path)
		return nil, false
	}
	for i := range m {
		if key := m[i].key; !listed(known, key) {
			r.fault(r.sub(path, key))
		}
	}
	return m, true
}

// listed reports whether key is a word of the list, which has a space before
// and behind each word.
func listed(list, key string) bool {
	for from := 0; ; {
		i := strings.Index(list[from:], key)
		if i < 0 || key == "" {
			return false
		}
		start, end := from+i, from+i+len(key)
		if start > 0 && end < len(list) && list[start-1] == ' ' && list[end] == ' ' {
			return true
		}
		from = start + 1
	}
}

// modifiers finds modifier extensions at any level. None is known, so each
// might turn the meaning around (CN-27).
func (r *reader) modifiers(v any, path string) {
	switch v := v.(type) {
	case jsonObject:
		for i := range v {
			key, child := v[i].key, v[i].value
			if key == "modifierExtension" {
				r.fault(r.sub(path, "modifierExtension"))
				continue
			}
			switch child.(type) {
			case jsonObject, []any:
				r.modifiers(child, r.sub(path, key))
			}
		}
	case []any:
		for i, child := range v {
			r.modifiers(child, r.at(path, i))
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
	c := fhir.Coding{System: r.text(m.get("system"), r.sub(path, "system")), Code: r.text(m.get("code"), r.sub(path, "code"))}
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
		c, readable := r.coding(e, r.at(path, i))
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
	cs, ok := r.codings(m.get("coding"), r.sub(path, "coding"))
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
		cs, readable := r.concept(e, r.at(path, i))
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
	s := r.text(m.get("reference"), r.sub(path, "reference"))
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

// sub and at extend a path where paths are kept.
func (r *reader) sub(path, key string) string {
	if !r.paths {
		return ""
	}
	return path + "." + key
}

func (r *reader) at(path string, i int) string {
	if !r.paths {
		return ""
	}
	return path + "[" + strconv.Itoa(i) + "]"
}
