package sandbox

import (
	"math"
	"strconv"
	"strings"
	"unique"
)

// matcher judges one indexed value.
type matcher func(*value) bool

// anyOf matches what one of the alternatives matches.
func anyOf(ms []matcher) matcher {
	return func(v *value) bool {
		for _, m := range ms {
			if m(v) {
				return true
			}
		}
		return false
	}
}

// splitValue splits a search value at an unescaped separator. Escapes stay
// (FHIR R4 search.html#escaping).
func splitValue(s string, sep byte) []string {
	var out []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// unescape removes the escapes of a search value.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`\,|$`, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// tokenMatcher reads code, |code, system| or system|code (FHIR R4
// search.html#token).
func (w words) tokenMatcher(text string) (matcher, error) {
	parts := splitValue(text, '|')
	if len(parts) > 2 {
		return nil, badRequest("%q is not a token", text)
	}
	code := unique.Make(unescape(parts[len(parts)-1]))
	if len(parts) == 1 {
		return func(v *value) bool { return v.b == code }, nil
	}
	system := unique.Make(unescape(parts[0]))
	if code == w.none {
		if system == w.none {
			return nil, badRequest("%q is not a token", text)
		}
		return func(v *value) bool { return v.a == system }, nil
	}
	return func(v *value) bool { return v.b == code && (v.a == system || v.a == w.any) }, nil
}

// stringMatcher compares the start, the whole (exact) or a part (contains) of
// a string (FHIR R4 search.html#string).
func stringMatcher(modifier, text string) matcher {
	text = unescape(text)
	if modifier == "exact" {
		want := unique.Make(text)
		return func(v *value) bool { return v.b == want }
	}
	want := fold(text)
	if modifier == "contains" {
		return func(v *value) bool { return strings.Contains(v.a.Value(), want) }
	}
	return func(v *value) bool { return strings.HasPrefix(v.a.Value(), want) }
}

// uriMatcher compares the whole text, or its start (below).
func uriMatcher(modifier, text string) matcher {
	text = unescape(text)
	if modifier == "below" {
		return func(v *value) bool { return strings.HasPrefix(v.a.Value(), text) }
	}
	want := unique.Make(text)
	return func(v *value) bool { return v.a == want }
}

// dateMatcher compares spans of time; now is in microseconds.
func dateMatcher(text string, now int64) (matcher, error) {
	op, rest := cutComparator(text)
	want, err := parseDate(rest)
	if err != nil {
		return nil, badRequest("%s", err)
	}
	return func(v *value) bool { return want.matches(op, v.span(), now) }, nil
}

// numberMatcher compares numbers within the precision they are written with
// (FHIR R4 search.html#number).
func numberMatcher(text string) (matcher, error) {
	op, rest := cutComparator(text)
	want, err := strconv.ParseFloat(rest, 64)
	if err != nil || math.IsNaN(want) || math.IsInf(want, 0) || strings.ContainsAny(rest, "xXpP_") {
		return nil, badRequest("%q is not a number", text)
	}
	half := 0.5
	mantissa, _, _ := strings.Cut(strings.ToLower(rest), "e")
	if _, decimals, ok := strings.Cut(mantissa, "."); ok {
		half = 0.5 * math.Pow10(-len(decimals))
	}
	return func(v *value) bool {
		have := v.number()
		near := math.Abs(have-want) < half
		switch op {
		case "ne":
			return !near
		case "gt", "sa":
			return have > want
		case "lt", "eb":
			return have < want
		case "ge":
			return have >= want
		case "le":
			return have <= want
		case "ap":
			return math.Abs(have-want) <= math.Max(half, math.Abs(want)/10)
		}
		return near
	}, nil
}

// quantityMatcher reads number, number||code or number|system|code.
func quantityMatcher(text string) (matcher, error) {
	parts := splitValue(text, '|')
	if len(parts) == 2 || len(parts) > 3 {
		return nil, badRequest("%q is not a quantity", text)
	}
	number, err := numberMatcher(parts[0])
	if err != nil || len(parts) == 1 {
		return number, err
	}
	system, code := unescape(parts[1]), unescape(parts[2])
	return func(v *value) bool {
		return number(v) && (system == "" || v.a.Value() == system) && (code == "" || v.b.Value() == code)
	}, nil
}
