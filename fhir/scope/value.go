package scope

import (
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
)

// tokenValue is one value of a token parameter (R4 §3.1.1.4.10).
type tokenValue struct {
	system, code string
	// anySystem: no bar, the code in whichever system. anyCode: nothing
	// behind the bar.
	anySystem, anyCode bool
}

// parseToken reads system|code, |code, system| or code. ok is false for an
// empty value, a lone bar and for more than one bar.
func parseToken(v string) (t tokenValue, ok bool) {
	at := bar(v)
	if at < 0 {
		return tokenValue{code: unescape(v), anySystem: true}, v != ""
	}
	t = tokenValue{system: unescape(v[:at]), code: unescape(v[at+1:])}
	t.anyCode = t.code == ""
	if bar(v[at+1:]) >= 0 || t.anyCode && t.system == "" {
		return tokenValue{}, false
	}
	return t, true
}

// bar finds the first bar that no backslash escapes.
func bar(v string) int {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '|':
			return i
		}
	}
	return -1
}

func unescape(v string) string {
	if strings.IndexByte(v, '\\') < 0 {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// matches reports whether the coding is one the value names. A coding
// without a code matches nothing.
func (t tokenValue) matches(c fhir.Coding) bool {
	return c.Code != "" && (t.anySystem || t.system == c.System) && (t.anyCode || t.code == c.Code)
}

// covers reports whether every coding that o matches is matched by t.
func (t tokenValue) covers(o tokenValue) bool {
	return (t.anySystem || !o.anySystem && t.system == o.system) &&
		(t.anyCode || !o.anyCode && t.code == o.code)
}

// kindOf gives the kind of a parameter, "" when it cannot be evaluated.
func kindOf(typ string, p Param) compartment.Kind {
	if p.Modifier != "" {
		return ""
	}
	def, ok := compartment.Find(typ, p.Name)
	if !ok {
		return ""
	}
	return def.Kind
}

// valueCovers reports whether value a admits every resource that b admits.
func valueCovers(kind compartment.Kind, a, b string) bool {
	if a == b {
		return true
	}
	if kind != compartment.Token {
		return false
	}
	ta, okA := parseToken(a)
	tb, okB := parseToken(b)
	return okA && okB && ta.covers(tb)
}

// valueMeet gives a value that only admits what both a and b admit; ok is
// false when there is none.
func valueMeet(kind compartment.Kind, a, b string) (string, bool) {
	if valueCovers(kind, a, b) {
		return b, true
	}
	if valueCovers(kind, b, a) {
		return a, true
	}
	if kind != compartment.Token {
		return "", false
	}
	// What is left to meet is "code in any system" with "any code of a
	// system"; both texts are kept as they are escaped.
	ta, okA := parseToken(a)
	tb, okB := parseToken(b)
	switch {
	case !okA || !okB:
		return "", false
	case ta.anySystem && tb.anyCode:
		return b + a, true
	case tb.anySystem && ta.anyCode:
		return a + b, true
	}
	return "", false
}

// dateValue is one value of a date parameter: a comparison and a range.
type dateValue struct {
	prefix string
	period fhir.Period
}

func parseDateValue(v string) (dateValue, bool) {
	d := dateValue{prefix: "eq"}
	if len(v) > 2 && v[0] >= 'a' && v[0] <= 'z' {
		d.prefix, v = v[:2], v[2:]
	}
	switch d.prefix {
	case "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb":
	default:
		return dateValue{}, false
	}
	var ok bool
	d.period, ok = fhir.ParseDate(v)
	return d, ok
}

// matches compares by R4 §3.1.1.4.6; a zero bound of the resource's period
// is open.
func (d dateValue) matches(r fhir.Period) bool {
	lo, hi := d.period.Start, d.period.End
	startsIn := !r.Start.IsZero() && !r.Start.Before(lo)
	endsIn := !r.End.IsZero() && !r.End.After(hi)
	above := r.End.IsZero() || r.End.After(hi)
	below := r.Start.IsZero() || r.Start.Before(lo)
	switch d.prefix {
	case "eq":
		return startsIn && endsIn
	case "ne":
		return !startsIn || !endsIn
	case "gt":
		return above
	case "lt":
		return below
	case "ge":
		return above || startsIn && endsIn
	case "le":
		return below || startsIn && endsIn
	case "sa":
		return !r.Start.IsZero() && r.Start.After(hi)
	case "eb":
		return !r.End.IsZero() && r.End.Before(lo)
	}
	return false
}

// referenceMatches compares a local reference with "Type/id" or a bare id.
func referenceMatches(v string, r fhir.Reference) bool {
	if typ, id, ok := strings.Cut(v, "/"); ok {
		return typ == r.Type && id == r.ID && typ != ""
	}
	return v != "" && v == r.ID
}

func supportedValue(kind compartment.Kind, v string) bool {
	switch kind {
	case compartment.Token:
		_, ok := parseToken(v)
		return ok
	case compartment.Date:
		_, ok := parseDateValue(v)
		return ok
	case compartment.Reference:
		if strings.Contains(v, "/") {
			ref, ok := fhir.ParseReference(v)
			return ok && ref.String() == v && KnownType(ref.Type)
		}
		return fhir.ValidID(v)
	}
	return false
}
