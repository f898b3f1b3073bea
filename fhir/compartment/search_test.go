package compartment_test

import (
	"testing"

	"github.com/mandate-health/mandate/fhir/compartment"
)

// SA-16: the names come from R4, not from what some server takes.
func TestSearchable(t *testing.T) {
	for _, c := range []struct {
		typ, name string
		want      bool
	}{
		{"Observation", "code", true}, {"Observation", "code-value-quantity", true}, {"Observation", "value-quantity", true}, {"Patient", "phonetic", true},
		{"Patient", "race", true}, {"Condition", "asserted-date", true}, {"Patient", "_id", true}, {"Location", "near", true}, {"Basic", "_lastUpdated", true},
		{"Observation", "Code", false}, {"Observation", "birthdate", false}, {"Patient", "", false}, {"Patient", "_getpages", false}, {"Nothing", "code", false},
	} {
		if got := compartment.Searchable(c.typ, c.name); got != c.want {
			t.Errorf("%s.%s: %v", c.typ, c.name, got)
		}
	}
	// What a decision reads is searchable.
	for _, typ := range compartment.Types() {
		for _, p := range append(append(compartment.TokenParams(typ), compartment.ReferenceParams(typ)...), compartment.DateParams(typ)...) {
			if !compartment.Searchable(typ, p.Name) {
				t.Errorf("%s.%s is judged and not searchable", typ, p.Name)
			}
		}
	}
}
