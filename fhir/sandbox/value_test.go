package sandbox

import (
	"strings"
	"testing"
	"time"
	"unique"
)

func TestDatesCoverTheirPrecision(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMicro()
	}
	for _, c := range []struct{ text, from, to string }{
		{"2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
		{"2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"2024-02-29T23:59Z", "2024-02-29T23:59:00Z", "2024-03-01T00:00:00Z"},
		{"2024-02-29T10:00:01", "2024-02-29T10:00:01Z", "2024-02-29T10:00:02Z"},
		{"2024-02-29T10:00:01.25Z", "2024-02-29T10:00:01.25Z", "2024-02-29T10:00:01.26Z"},
		{"2024-02-29T10:00:01.1234567Z", "2024-02-29T10:00:01.123456Z", "2024-02-29T10:00:01.123457Z"},
		{"2024-01-01T01:30:00+02:00", "2023-12-31T23:30:00Z", "2023-12-31T23:30:01Z"},
		{"2024-01-01T01:30:00 02:00", "2023-12-31T23:30:00Z", "2023-12-31T23:30:01Z"},
		{"2024-01-01T20:00:00-05:30", "2024-01-02T01:30:00Z", "2024-01-02T01:30:01Z"},
	} {
		got, err := parseDate(c.text)
		if want := (span{at(c.from), at(c.to)}); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, want)
		}
	}
	for _, bad := range []string{"", "24", "2024-13", "2023-02-29", "2024-01-01T", "2024-01-01T10", "2024-01-01T25:00Z",
		"2024-01-01T10:00:00.Z", "2024-01-01T10:00:00+2", "2024-01-01Z", "2024/01/01", "2024-1-1"} {
		if got, err := parseDate(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}

// FHIR R4 search.html#prefix, on a searched day and things before, in, across
// and after it.
func TestComparators(t *testing.T) {
	day := span{100, 200}
	points := map[string]span{"before": {50, 60}, "start": {90, 110}, "in": {120, 130}, "around": {50, 250}, "end": {190, 210}, "after": {210, 220}}
	for op, want := range map[string]string{
		"eq": "in", "ne": "after around before end start",
		"gt": "after around end", "ge": "after around end in",
		"lt": "around before start", "le": "around before in start",
		"sa": "after", "eb": "before",
	} {
		for name, have := range points {
			if got := day.matches(op, have, 0); got != strings.Contains(" "+want+" ", " "+name+" ") {
				t.Errorf("%s %s: %v", op, name, got)
			}
		}
	}
	if !day.matches("ap", points["after"], 1000) || day.matches("ap", span{1e6, 1e6 + 1}, 1000) {
		t.Error("ap is not about a tenth of the distance to now")
	}
}

func TestPathsFindTheirElements(t *testing.T) {
	root, err := parseJSON([]byte(`{"value":1,"valueset":2,"valueString":"3","a":[{"u":"x.y","b":[4,[5]]},{"u":"z","b":6}],"subject":{"reference":"Group/g"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"value": "1", "value[x]": "3", "a.b": "4 5 6", "a[u=x.y].b": "4 5", "a[u=z].b": "6", "a[u=w].b": "", "b": "", "value.b": "",
	} {
		var got []string
		each(root, parsePath(text).segments, func(n *node) { got = append(got, n.scalar()) })
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !isReferenceTo("http://x/Group/g", "Group") || isReferenceTo("Group/g", "Patient") || isReferenceTo("Subgroup", "Group") {
		t.Error("the type of a reference is confused")
	}
}

func TestEscapesInValues(t *testing.T) {
	parts := splitValue(`a\,b,c\\,d`, ',')
	for i, want := range []string{`a,b`, `c\`, `d`} {
		if len(parts) != 3 || unescape(parts[i]) != want {
			t.Errorf("%q", parts)
		}
	}
}

// A date that parses covers some time; a comparator never panics.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2024", "ge2024-02-29", "2024-02-29T10:00:01.25+02:00", "0000-00-00", "ap9999-12-31T23:59:60Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		op, rest := cutComparator(s)
		v, err := parseDate(rest)
		if err != nil {
			return
		}
		if v.lo >= v.hi {
			t.Fatalf("%q covers no time: %v", s, v)
		}
		if op == "eq" && !v.matches(op, v, 0) {
			t.Fatalf("%q does not equal itself", s)
		}
	})
}

// Whatever is written as system|code, escaped, finds exactly that token.
func FuzzTokenMatcher(f *testing.F) {
	f.Add("http://loinc.org", "1-8")
	f.Add("", `a\b`)
	f.Add("s|t", "c,d$")
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `,`, `\,`, `$`, `\$`)
	w := newWords()
	f.Fuzz(func(t *testing.T, system, code string) {
		if _, err := w.tokenMatcher(system + "|" + code); err != nil && strings.Count(system+code, "|") == 0 && system+code != "" {
			t.Fatalf("refused: %v", err)
		}
		if code == "" || code == w.any.Value() || system == w.any.Value() {
			return
		}
		m, err := w.tokenMatcher(escape.Replace(system) + "|" + escape.Replace(code))
		if err != nil {
			t.Fatal(err)
		}
		have := value{a: unique.Make(system), b: unique.Make(code)}
		other := value{a: unique.Make(system + "x"), b: unique.Make(code)}
		if !m(&have) || m(&other) {
			t.Fatalf("%q|%q is confused", system, code)
		}
	})
}
