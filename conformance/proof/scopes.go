package proof

import (
	"net/url"
	"slices"
	"strings"
)

// granted is one clinical scope: (patient|user|system)/Type.cruds?name=value.
type granted struct {
	level, typ, ops string
	params          url.Values
}

// scopesOf reads a scope string that the generator made.
func scopesOf(text string) []granted {
	var out []granted
	for _, word := range strings.Fields(text) {
		level, rest, ok := strings.Cut(word, "/")
		if !ok {
			continue
		}
		head, query, _ := strings.Cut(rest, "?")
		typ, ops, _ := strings.Cut(head, ".")
		switch ops {
		case "read":
			ops = "rs"
		case "write":
			ops = "cud"
		case "*":
			ops = "cruds"
		}
		params, _ := url.ParseQuery(query)
		out = append(out, granted{level, typ, ops, params})
	}
	return out
}

func (s granted) speaksOf(typ, op string) bool {
	return (s.typ == typ || s.typ == "*") && strings.Contains(s.ops, op)
}

// covers judges the limits of one scope on the resource: all of them, each by
// any of its values (SCP-06, SCP-31, TRP-19).
func (s granted) covers(f *facts) bool {
	for name, values := range s.params {
		for _, v := range values {
			if !tokenMatches(f.tokens[name], strings.Split(v, ",")) {
				return false
			}
		}
	}
	return true
}

// tokenMatches reads token search: code, system|code, |code.
func tokenMatches(have []coding, want []string) bool {
	return slices.ContainsFunc(want, func(w string) bool {
		system, code, both := strings.Cut(w, "|")
		if !both {
			system, code = "", w
		}
		return slices.ContainsFunc(have, func(c coding) bool {
			return c.code == code && (!both || c.system == system)
		})
	})
}

// levels are those on which a grant can draw (SCP-13).
func (g *Grant) levels() []string {
	switch {
	case g.Kind == System:
		return []string{"system"}
	case g.Patient != "":
		return []string{"patient", "user"}
	}
	return []string{"user"}
}

// bound gives the patient to whom a level is bound; "" for none.
func (g *Grant) bound(level string) string {
	switch {
	case level == "patient":
		return g.Patient
	case g.Kind == Self || g.Kind == Proxy:
		return Ana
	}
	return ""
}

// speaks reports whether some scope of the grant is for the type and the one
// operation at all (TRP-01, TRP-02).
func (g *Grant) speaks(typ, op string) bool {
	return slices.ContainsFunc(scopesOf(g.Scopes), func(s granted) bool {
		return slices.Contains(g.levels(), s.level) && s.speaksOf(typ, op)
	})
}
