package scope

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/internal/errs"
)

// Limits bounds a scope parameter (SMART SCP-29, TRP-28). A zero field takes
// the default.
type Limits struct {
	// Length is the most bytes of the whole text; default 8192.
	Length int
	// Count is the most different tokens; default 200.
	Count int
	// Values is the most values in one scope's parameters; default 64.
	Values int
}

func (l Limits) withDefaults() Limits {
	if l.Length == 0 {
		l.Length = 8192
	}
	if l.Count == 0 {
		l.Count = 200
	}
	if l.Values == 0 {
		l.Values = 64
	}
	return l
}

// LaunchHint asks for launch context: launch/patient, launch/encounter, or
// launch/<type> with an optional role (SMART CTX-15 … CTX-17).
type LaunchHint struct {
	// Type is the R4 resource type, such as "Patient" or "ImagingStudy".
	Type string
	// Role is the role URI asked for, "" for none.
	Role string
	Text string
}

// Request is a scope parameter taken apart.
type Request struct {
	Clinical    Set
	Launch      bool
	LaunchHints []LaunchHint

	OpenID        bool
	FHIRUser      bool
	Profile       bool
	OfflineAccess bool
	OnlineAccess  bool

	// Others are tokens that are unknown or cannot be read, kept only for
	// the explanation.
	Others []string
	// Texts are all tokens in the order asked, without repetitions.
	Texts []string
}

// WantsLaunch reports whether launch context of the R4 type is asked for.
func (r Request) WantsLaunch(typ string) bool {
	for _, h := range r.LaunchHints {
		if h.Type == typ {
			return true
		}
	}
	return false
}

// Parse reads a scope parameter. It returns errs.InvalidScope with code
// scope-too-long, scope-too-many or scope-characters when the text breaks a
// limit; a single token that cannot be read only goes to Others and never
// widens anything (SMART SCP-02, SCP-26).
func Parse(text string, lim Limits) (Request, error) {
	lim = lim.withDefaults()
	if len(text) > lim.Length {
		return Request{}, errs.New(errs.InvalidScope, "scope-too-long", "The scope parameter is too long.")
	}
	var r Request
	seen := map[string]bool{}
	for token := range strings.SplitSeq(text, " ") {
		if token == "" || seen[token] {
			continue
		}
		if !tokenCharacters(token) {
			return Request{}, errs.New(errs.InvalidScope, "scope-characters", "A scope holds a character that RFC 6749 section 3.3 does not allow.")
		}
		if seen[token] = true; len(seen) > lim.Count {
			return Request{}, errs.New(errs.InvalidScope, "scope-too-many", "The scope parameter holds too many scopes.")
		}
		r.add(token, lim)
	}
	return r, nil
}

// tokenCharacters is the scope-token rule of RFC 6749 §3.3.
func tokenCharacters(token string) bool {
	for i := 0; i < len(token); i++ {
		if c := token[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (r *Request) add(token string, lim Limits) {
	r.Texts = append(r.Texts, token)
	switch token {
	case "launch":
		r.Launch = true
	case "openid":
		r.OpenID = true
	case "fhirUser":
		r.FHIRUser = true
	case "profile":
		r.Profile = true
	case "offline_access":
		r.OfflineAccess = true
	case "online_access":
		r.OnlineAccess = true
	default:
		if h, ok := parseHint(token); ok {
			r.LaunchHints = append(r.LaunchHints, h)
		} else if s, ok := ParseScope(token); ok && s.values() <= lim.Values {
			r.Clinical = append(r.Clinical, s)
		} else {
			r.Others = append(r.Others, token)
		}
	}
}

func (s Scope) values() int {
	n := 0
	for _, p := range s.Params {
		n += len(p.Values)
	}
	return n
}

// lowerTypes finds a resource type by its lower-case name, as launch/<type>
// writes it (SMART CTX-16).
var lowerTypes = func() map[string]string {
	m := map[string]string{}
	for _, t := range compartment.Types() {
		m[strings.ToLower(t)] = t
	}
	return m
}()

func parseHint(token string) (LaunchHint, bool) {
	rest, ok := strings.CutPrefix(token, "launch/")
	if !ok {
		return LaunchHint{}, false
	}
	name, query, hasQuery := strings.Cut(rest, "?")
	typ, ok := lowerTypes[name]
	if !ok {
		return LaunchHint{}, false
	}
	h := LaunchHint{Type: typ, Text: token}
	if hasQuery {
		role, ok := strings.CutPrefix(query, "role=")
		if !ok || strings.ContainsRune(role, '&') {
			return LaunchHint{}, false
		}
		if h.Role, ok = decode(role); !ok {
			return LaunchHint{}, false
		}
	}
	return h, true
}

// ParseScope reads one clinical scope, v1 or v2 (SMART SCP-01 … SCP-03). ok
// is false for anything else: letters out of order or unknown, types that R4
// does not have, a v1 suffix with a query part, parameters without a value.
// Whether a parameter can be evaluated is Supported's question.
func ParseScope(token string) (Scope, bool) {
	if !tokenCharacters(token) {
		return Scope{}, false
	}
	head, query, hasQuery := strings.Cut(token, "?")
	level, rest, _ := strings.Cut(head, "/")
	typ, suffix, _ := strings.Cut(rest, ".")
	s := Scope{Level: Level(level), Type: typ, Text: token}
	if s.Level != Patient && s.Level != User && s.Level != System {
		return Scope{}, false
	}
	if typ != AnyType && !KnownType(typ) {
		return Scope{}, false
	}
	v1 := false
	switch suffix {
	case "read":
		s.Ops, v1 = Read|Search, true
	case "write":
		s.Ops, v1 = Create|Update|Delete, true
	case "*":
		s.Ops, v1 = AllOps, true
	default:
		s.Ops = parseOps(suffix)
	}
	if s.Ops == 0 || v1 && hasQuery {
		return Scope{}, false
	}
	if hasQuery && !s.parseParams(query) {
		return Scope{}, false
	}
	return s, true
}

// parseOps reads letters in the order c r u d s, each at most once; 0 when
// the suffix is anything else.
func parseOps(suffix string) Ops {
	var ops Ops
	next := 0
	for i := 0; i < len(suffix); i++ {
		at := strings.IndexByte(letters[next:], suffix[i])
		if at < 0 {
			return 0
		}
		next += at
		ops |= 1 << next
		next++
	}
	return ops
}

func (s *Scope) parseParams(query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		name, encoded, ok := strings.Cut(part, "=")
		if !ok {
			return false
		}
		p := Param{Name: name}
		if n, m, has := strings.Cut(name, ":"); has {
			if p.Name, p.Modifier = n, m; !paramName(m) {
				return false
			}
		}
		if !paramName(p.Name) {
			return false
		}
		value, ok := decode(encoded)
		if !ok {
			return false
		}
		for _, v := range fhir.SplitValues(value) {
			if v == "" || !escapesValid(v) {
				return false
			}
			fixed := repairSystem(v)
			if fixed != v {
				s.Text = ""
			}
			p.Values = append(p.Values, fixed)
		}
		s.Params = append(s.Params, p)
	}
	return true
}

func paramName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("_-.", c) < 0 {
			return false
		}
	}
	return name != ""
}

// decode undoes percent-encoding once; a plus stays a plus, because the scope
// has already been form-decoded (SMART SCP-08). Text that is not UTF-8 or
// holds control characters is refused.
func decode(encoded string) (string, bool) {
	v, err := url.PathUnescape(encoded)
	if err != nil || v == "" || !utf8.ValidString(v) {
		return "", false
	}
	for _, c := range v {
		if c < ' ' || c == 0x7f {
			return "", false
		}
	}
	return v, true
}

// escapesValid reports whether every backslash begins one of FHIR's four
// escapes (R4 §3.1.1.4.9), so that joining values never changes one.
func escapesValid(v string) bool {
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' {
			continue
		}
		if i++; i == len(v) || strings.IndexByte(`,|$\`, v[i]) < 0 {
			return false
		}
	}
	return true
}

// misprints are systems which editions of US Core print for the observation
// category code system; they are accepted on input only (SMART US-21).
var misprints = []string{
	"http://terminology.hl7.org//CodeSystem-observation-category|",
	"http://terminology.hl7.org/3.1.0/CodeSystem-observation-category.html|",
}

func repairSystem(v string) string {
	for _, m := range misprints {
		if code, ok := strings.CutPrefix(v, m); ok {
			return "http://terminology.hl7.org/CodeSystem/observation-category|" + code
		}
	}
	return v
}
