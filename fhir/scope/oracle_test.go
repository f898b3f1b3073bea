package scope

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/fhir"
)

// The oracle is a finite universe: a scope means the set of (operation,
// record) pairs that it admits, found by trying each. It uses neither Matches
// nor the algebra. A model scope is written down twice: as bits here, as a
// Scope for the code under test.
type record struct {
	typ      string
	category uint // bits of a, b, c
	status   uint // bit of x or y
}

func universe() []record {
	var all []record
	for _, typ := range []string{"Observation", "Condition", "Procedure"} {
		for category := uint(1); category < 8; category++ {
			for status := uint(1); status < 3; status++ {
				all = append(all, record{typ, category, status})
			}
		}
	}
	return all
}

type modelParam struct {
	category bool
	values   uint
}

type model struct {
	typ    string
	ops    Ops
	params []modelParam
}

func (m model) admits(op Ops, r record) bool {
	if m.ops&op == 0 || m.typ != "*" && m.typ != r.typ {
		return false
	}
	for _, p := range m.params {
		has := r.status
		if p.category {
			has = r.category
		}
		if has&p.values == 0 {
			return false
		}
	}
	return true
}

func admits(union []model, op Ops, r record) bool {
	for _, m := range union {
		if m.admits(op, r) {
			return true
		}
	}
	return false
}

func (m model) scope() Scope {
	s := Scope{Level: Patient, Type: m.typ, Ops: m.ops}
	for _, p := range m.params {
		name, codes := "status", "xy"
		if p.category {
			name, codes = "category", "abc"
		}
		q := Param{Name: name}
		for i := range codes {
			if p.values&(1<<i) != 0 {
				q.Values = append(q.Values, codes[i:i+1])
			}
		}
		s.Params = append(s.Params, q)
	}
	return s
}

func (r record) resource() *fhir.Resource {
	codings := func(bits uint, codes string) (out []fhir.Coding) {
		for i := range codes {
			if bits&(1<<i) != 0 {
				out = append(out, fhir.Coding{System: "s", Code: codes[i : i+1]})
			}
		}
		return out
	}
	tokens := map[string][]fhir.Coding{"category": codings(r.category, "abc"), "status": codings(r.status, "xy")}
	if r.typ == "Condition" {
		delete(tokens, "status")
	}
	return &fhir.Resource{Type: r.typ, Tokens: tokens}
}

func drawModel(t *rapid.T) model {
	m := model{
		typ: rapid.SampledFrom([]string{"Observation", "Procedure", "*"}).Draw(t, "type"),
		ops: Ops(rapid.IntRange(1, 31).Draw(t, "ops")),
	}
	if m.typ == "*" {
		return m
	}
	for range rapid.IntRange(0, 2).Draw(t, "params") {
		p := modelParam{category: rapid.Bool().Draw(t, "category")}
		p.values = uint(rapid.IntRange(1, 3).Draw(t, "values"))
		if p.category {
			p.values = uint(rapid.IntRange(1, 7).Draw(t, "values"))
		}
		m.params = append(m.params, p)
	}
	return m
}

func drawSet(t *rapid.T, name string) ([]model, Set) {
	models := rapid.SliceOfN(rapid.Custom(drawModel), 0, 4).Draw(t, name)
	var s Set
	for _, m := range models {
		s = append(s, m.scope())
	}
	return models, s
}

// member asks the code under test whether a union admits the pair.
func member(s Set, op Ops, r record) bool {
	for _, sc := range s.For(Patient, r.typ, op) {
		if sc.Matches(r.resource()) {
			return true
		}
	}
	return false
}

func eachPair(do func(op Ops, r record)) {
	for _, r := range universe() {
		for op := Create; op <= Search; op <<= 1 {
			do(op, r)
		}
	}
}

func TestMembershipAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		models, s := drawSet(t, "set")
		short := s.Normalise()
		eachPair(func(op Ops, r record) {
			want := admits(models, op, r)
			if got := member(s, op, r); got != want {
				t.Fatalf("%s: %s on %+v is %v", s, op, r, got)
			}
			if got := member(short, op, r); got != want {
				t.Fatalf("%s normalised to %s: %s on %+v is %v", s, short, op, r, got)
			}
		})
	})
}

func TestIntersectAgreesWithOracle(t *testing.T) {
	// SC-02: granted ⊆ each operand. With one value per parameter nothing
	// that both admit is lost.
	single := map[uint]bool{1: true, 2: true, 4: true}
	rapid.Check(t, func(t *rapid.T) {
		ma, a := drawSet(t, "a")
		mb, b := drawSet(t, "b")
		both := a.Intersect(b)
		eachPair(func(op Ops, r record) {
			want := admits(ma, op, r) && admits(mb, op, r)
			got := member(both, op, r)
			if got && !want {
				t.Fatalf("%s ∩ %s = %s admits too much: %s on %+v", a, b, both, op, r)
			}
			if want && !got && single[r.category] {
				t.Fatalf("%s ∩ %s = %s lost %s on %+v", a, b, both, op, r)
			}
		})
		if !both.Subset(a) || !both.Subset(b) {
			t.Fatalf("%s ∩ %s = %s is not covered by both", a, b, both)
		}
	})
}

func TestCoversAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		models, s := drawSet(t, "set")
		m := drawModel(t)
		if s.Covers(m.scope()) {
			eachPair(func(op Ops, r record) {
				if m.admits(op, r) && !admits(models, op, r) {
					t.Fatalf("%s is not covered by %s: %s on %+v", m.scope(), s, op, r)
				}
			})
		}
		if !append(Set{m.scope()}, s...).Covers(m.scope()) {
			t.Fatal("a union does not cover its own part")
		}
	})
}

func TestCoversFindsEveryPlainCovering(t *testing.T) {
	// Completeness where at most one parameter limits: every covering by
	// operations and alternatives is found.
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) model {
			m := model{typ: "Observation", ops: Ops(rapid.IntRange(1, 31).Draw(t, name))}
			if rapid.Bool().Draw(t, "limited") {
				m.params = []modelParam{{true, uint(rapid.IntRange(1, 6).Draw(t, "values"))}}
			}
			return m
		}
		o := draw("scope")
		var models []model
		var s Set
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			models = append(models, draw("part"))
			s = append(s, models[len(models)-1].scope())
		}
		covered := true
		eachPair(func(op Ops, r record) {
			covered = covered && (!o.admits(op, r) || admits(models, op, r))
		})
		// The universe has only three categories; an unlimited scope is not
		// covered by naming them all.
		if covered && len(o.params) > 0 && !s.Covers(o.scope()) {
			t.Fatalf("%s is covered by %s", o.scope(), s)
		}
	})
}
