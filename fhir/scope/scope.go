package scope

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/compartment"
)

// Level says whose authority a scope draws on (SMART SCP-13).
type Level string

// The three levels.
const (
	// Patient reaches the one patient in context.
	Patient Level = "patient"
	// User reaches what the signed-in person may reach.
	User Level = "user"
	// System reaches what the client was pre-authorised for.
	System Level = "system"
)

// AnyType is the wildcard for every resource type, now and later (SCP-10).
const AnyType = "*"

// Ops is a set of operations.
type Ops uint8

// The operations of SMART v2.
const (
	Create Ops = 1 << iota
	Read
	Update
	Delete
	Search

	AllOps = Create | Read | Update | Delete | Search
)

const letters = "cruds"

// String gives the letters in the order c r u d s.
func (o Ops) String() string {
	var b strings.Builder
	for i := range letters {
		if o&(1<<i) != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// Has reports whether o holds all of want.
func (o Ops) Has(want Ops) bool { return o&want == want }

// Param is one granular limit: the resource must match one of the values.
type Param struct {
	Name string
	// Modifier is the part behind the colon; no modifier is supported.
	Modifier string
	// Values are the alternatives, percent-decoded, each a FHIR search value
	// such as "http://terminology…/observation-category|laboratory". FHIR's
	// own escapes (\, \| \$ \\) are kept.
	Values []string
}

// Scope is one clinical scope.
type Scope struct {
	Level Level
	// Type is an R4 resource type or AnyType.
	Type string
	Ops  Ops
	// Params must all match; none means every resource of the type.
	Params []Param
	// Text is the scope literally as requested, "" for one that was
	// computed.
	Text string
}

// String gives the literal text, or the canonical v2 text for a computed
// scope.
func (s Scope) String() string {
	if s.Text != "" {
		return s.Text
	}
	return s.Canonical()
}

// Canonical gives the v2 text, with parameters and values sorted and those
// characters percent-encoded that RFC 6749 §3.3 or the query syntax forbid.
// Scopes of equal meaning have equal canonical texts, up to redundant
// parameters.
func (s Scope) Canonical() string {
	var b strings.Builder
	b.WriteString(string(s.Level) + "/" + s.Type + "." + s.Ops.String())
	sep := byte('?')
	for _, p := range sortedParams(s.Params) {
		b.WriteByte(sep)
		sep = '&'
		b.WriteString(p.name() + "=")
		for i, v := range p.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			escape(&b, v)
		}
	}
	return b.String()
}

// name gives the parameter name with its modifier.
func (p Param) name() string {
	if p.Modifier == "" {
		return p.Name
	}
	return p.Name + ":" + p.Modifier
}

// sortedParams gives the parameters in canonical order, values sorted,
// repetitions dropped. The input is not changed.
func sortedParams(params []Param) []Param {
	out := make([]Param, 0, len(params))
	for _, p := range params {
		p.Values = slices.Clone(p.Values)
		slices.Sort(p.Values)
		p.Values = slices.Compact(p.Values)
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Param) int {
		if c := strings.Compare(a.name(), b.name()); c != 0 {
			return c
		}
		return slices.Compare(a.Values, b.Values)
	})
	return slices.CompactFunc(out, func(a, b Param) bool {
		return a.name() == b.name() && slices.Equal(a.Values, b.Values)
	})
}

const hexDigits = "0123456789ABCDEF"

func escape(b *strings.Builder, v string) {
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"\\%&+#", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
			continue
		}
		b.WriteByte(c)
	}
}

// KnownType reports whether typ is an R4 resource type.
func KnownType(typ string) bool { return compartment.Known(typ) }
