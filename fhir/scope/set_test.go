package scope

import (
	"slices"
	"testing"
)

func set(t testing.TB, text string) Set {
	t.Helper()
	r, err := Parse(text, Limits{})
	if err != nil || len(r.Others) > 0 {
		t.Fatalf("bad scopes in a test: %q %v", r.Others, err)
	}
	return r.Clinical
}

const (
	lab   = "patient/Observation.rs?category=" + obsCat + "|laboratory"
	vital = "patient/Observation.rs?category=" + obsCat + "|vital-signs"
)

func TestIntersect(t *testing.T) {
	for _, c := range []struct{ row, a, b, want string }{
		{"SC-02: an equal scope stays literally", "patient/Patient.read", "patient/Patient.rs", "patient/Patient.read"},
		{"the literal text goes when operations go", "patient/Patient.read", "patient/Patient.r", "patient/Patient.r"},
		{"operations from two scopes cover one", "patient/Patient.rs", "patient/Patient.r patient/Patient.s", "patient/Patient.rs"},
		{"SC-03: a wildcard asked, types held", "patient/*.read", "patient/Patient.rs patient/Observation.r", "patient/Patient.rs patient/Observation.r"},
		{"a type asked, the wildcard held", "patient/Patient.read", "patient/*.cruds", "patient/Patient.read"},
		{"SMART SCP-11: less than asked", "patient/Appointment.cruds", "patient/Appointment.crus", "patient/Appointment.crus"},
		{"WM-08: asked whole, held by category", "patient/Observation.rs", lab + " " + vital, lab + " " + vital},
		{"asked by category, held whole", lab, "patient/Observation.rs", lab},
		{"WM-09: disjoint values of one parameter", "patient/Observation.rs?category=" + obsCat + "|survey", lab, ""},
		{"lists of alternatives meet", "patient/Observation.rs?category=a,b", "patient/Observation.rs?category=b,c", "patient/Observation.rs?category=b"},
		{"different parameters are both kept", "patient/Observation.rs?category=a", "patient/Observation.r?status=final", "patient/Observation.r?category=a&status=final"},
		{"a code without system takes the narrower", "patient/Observation.rs?category=lab", "patient/Observation.rs?category=s|lab", "patient/Observation.rs?category=s|lab"},
		{"a code and a system", "patient/Observation.rs?category=lab", "patient/Observation.rs?category=s|", "patient/Observation.rs?category=s|lab"},
		{"no system is not any system", "patient/Observation.rs?category=|lab", "patient/Observation.rs?category=s|lab", ""},
		{"two dates make a range", "patient/Observation.rs?date=ge2024", "patient/Observation.rs?date=le2026", "patient/Observation.rs?date=ge2024&date=le2026"},
		{"one of two equal parameters is already there", "patient/Observation.rs?category=a&category=b", "patient/Observation.r?category=b", "patient/Observation.r?category=a&category=b"},
		{"levels never meet", "patient/Patient.rs", "user/Patient.rs system/Patient.rs", ""},
		{"types never meet", "patient/Patient.rs", "patient/Observation.rs", ""},
		{"repetitions of the same text are dropped", "patient/Patient.rs patient/*.r", "patient/Patient.rs", "patient/Patient.rs patient/Patient.r"},
		{"a conjunction on one parameter stays one", "patient/Observation.r?category=a,b&category=b,c", "patient/Observation.r?category=a,c", "patient/Observation.r?category=a,b&category=a,c&category=b,c"},
		{"modifiers are not guessed at", "patient/Observation.rs?code:in=a", "patient/Observation.rs?code=b", "patient/Observation.rs?code=b&code:in=a"},
		{"nothing", "", "patient/*.cruds", ""},
	} {
		if got := set(t, c.a).Intersect(set(t, c.b)).String(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.row, got, c.want)
		}
	}
}

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ row, in, want string }{
		{"SMART SCP-07", "patient/Observation.rs " + lab, "patient/Observation.rs"},
		{"wildcards absorb types", "patient/Patient.r patient/*.rs patient/Observation.rs", "patient/*.rs"},
		{"other levels stay", "patient/*.rs user/Patient.rs", "patient/*.rs user/Patient.rs"},
		{"operations join", "patient/Patient.r patient/Patient.s", "patient/Patient.rs"},
		{"the wider text wins", "patient/Patient.r patient/Patient.read", "patient/Patient.read"},
		{"a narrower scope with more operations stays", "patient/Observation.rs patient/Observation.cruds?category=a", "patient/Observation.rs patient/Observation.cruds?category=a"},
		{"alternatives absorb", "patient/Observation.rs?category=a patient/Observation.rs?category=b,a", "patient/Observation.rs?category=b,a"},
	} {
		if got := set(t, c.in).Normalise().String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.row, got, c.want)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		set, scope string
		want       bool
	}{
		{"patient/Observation.r patient/Observation.s", "patient/Observation.rs", true},
		{"patient/Observation.r", "patient/Observation.rs", false},
		{"patient/*.rs", lab, true},
		{"patient/Patient.rs", "patient/*.rs", false},
		{lab, "patient/Observation.rs", false},
		{lab + " " + vital, "patient/Observation.rs?category=" + obsCat + "|vital-signs," + obsCat + "|laboratory", true},
		{lab, "patient/Observation.rs?category=laboratory", false},
		{"patient/Observation.rs?category=laboratory", lab, true},
		{"patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=http://x|", false},
		{"patient/Observation.rs?category=a&status=final", "patient/Observation.rs?category=a", false},
		{"patient/Observation.rs?category=a", "patient/Observation.rs?category=a&status=final", true},
		{"user/*.cruds", "patient/Patient.r", false},
		{"patient/Observation.rs?code:not=a patient/Observation.rs?code:not=b", "patient/Observation.rs?code:not=a,b", false},
		{"patient/Observation.rs?code=a patient/Observation.rs?code=b", "patient/Observation.rs?code:not=a,b", false},
		{"patient/Observation.rs?code=|a", "patient/Observation.rs?code=a", false},
		{"", "patient/Patient.r", false},
	} {
		o, _ := ParseScope(c.scope)
		if got := set(t, c.set).Covers(o); got != c.want {
			t.Errorf("%s ⊆ %s: %v", c.scope, c.set, got)
		}
	}
	if !set(t, lab+" "+vital).Subset(set(t, "patient/Observation.read")) || set(t, lab+" user/Patient.r").Subset(set(t, "patient/*.rs")) {
		t.Error("Subset is wrong")
	}
}

func TestTypesAndFor(t *testing.T) {
	s := set(t, "patient/Patient.r patient/Patient.s "+lab+" patient/Condition.r user/*.rs patient/*.c")
	types, any := s.Types(Patient, Read|Search)
	if any || !slices.Equal(types, []string{"Observation", "Patient"}) {
		t.Errorf("patient: %v %v", types, any)
	}
	if types, any = s.Types(User, Read); !any || len(types) != 0 {
		t.Errorf("user: %v %v", types, any)
	}
	if types, any = s.Types(Patient, Create); !any || len(types) != 3 {
		t.Errorf("create: %v %v", types, any)
	}
	if got := Set(s.For(Patient, "Observation", Search)).String(); got != lab {
		t.Errorf("For: %s", got)
	}
	if got := len(s.For(User, "Observation", Search)); got != 1 {
		t.Errorf("the wildcard was missed: %d", got)
	}
	if got := s.For(Patient, AnyType, Read); got != nil {
		t.Errorf("a type answered for the wildcard: %v", got)
	}
}
