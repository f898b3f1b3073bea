package consent

import (
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// reader walks decoded JSON and remembers what it could not understand. A
// fault never stops it: the rest may hold a denial.
type reader struct {
	faults []string
	// paths: put element paths together. The first reading goes without,
	// since almost every Consent is understood.
	paths bool
	// zone is where the patient lives, nil when nobody knows; written is the offset of
	// Consent.dateTime, nil without one.
	zone, written *time.Location
}

func (r *reader) fault(path string) { r.faults = append(r.faults, path) }

// object gives v as an object, absent when it is none; absent is no fault.
func (r *reader) object(v value, path, known string) value {
	if v.absent() {
		return v
	}
	if !v.is(isObject) {
		r.fault(path)
		return value{}
	}
	for i := range v.len() {
		if key := v.key(i); !listed(known, key) {
			r.fault(r.sub(path, key))
		}
	}
	return v
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
func (r *reader) modifiers(v value, path string) {
	for i := range v.len() {
		child := v.item(i)
		switch {
		case v.is(isList):
			r.modifiers(child, r.at(path, i))
		case v.key(i) == "modifierExtension":
			r.fault(r.sub(path, v.key(i)))
		case child.len() > 0:
			r.modifiers(child, r.sub(path, v.key(i)))
		}
	}
}

// list gives v as a list, absent when it is none. An empty JSON array is invalid FHIR
// and might be a restriction that got lost: a fault.
func (r *reader) list(v value, path string) (value, bool) {
	if v.absent() {
		return v, true
	}
	if !v.is(isList) || v.len() == 0 {
		r.fault(path)
		return value{}, false
	}
	return v, true
}

func (r *reader) text(v value, path string) string {
	if v.absent() {
		return ""
	}
	s := v.str()
	if s == "" {
		r.fault(path)
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
func (r *reader) coding(v value, path string) (fhir.Coding, bool) {
	m := r.object(v, path, keysCoding)
	if m.absent() {
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
func (r *reader) codings(v value, path string) (out []fhir.Coding, ok bool) {
	l, ok := r.list(v, path)
	for i := range l.len() {
		c, readable := r.coding(l.item(i), r.at(path, i))
		ok = ok && readable
		if readable {
			out = append(out, c)
		}
	}
	return out, ok
}

// concept reads the codings of one CodeableConcept.
func (r *reader) concept(v value, path string) ([]fhir.Coding, bool) {
	if v.absent() {
		return nil, true
	}
	m := r.object(v, path, keysConcept)
	if m.absent() {
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
func (r *reader) concepts(v value, path string) (out []fhir.Coding, ok bool) {
	l, ok := r.list(v, path)
	for i := range l.len() {
		e := l.item(i)
		cs, readable := r.concept(e, r.at(path, i))
		ok = ok && readable && !e.absent()
		out = append(out, cs...)
	}
	return out, ok
}

// reference reads a Reference. An absolute URL is a fault, since a grant must
// name somebody of this tenant; its last two segments are still given, so
// that a prohibition keeps its target.
func (r *reader) reference(v value, path string) (fhir.Reference, bool) {
	m := r.object(v, path, keysReference)
	if m.absent() {
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
