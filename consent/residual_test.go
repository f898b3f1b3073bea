package consent

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// hit reports whether a reader that knows no more than IHE PCF withholds a
// resource: whichever rule names one of its labels, or it itself.
func hit(rules []Forbidden, r *fhir.Resource) bool {
	return slices.ContainsFunc(rules, func(f Forbidden) bool {
		for _, l := range f.Labels {
			if slices.Contains(r.Labels, l) {
				return true
			}
		}
		for _, d := range f.Data {
			if d.Meaning == "authoredby" && slices.Contains(r.Authors, d.Reference) || d.Reference == (fhir.Reference{Type: r.Type, ID: r.ID}) {
				return true
			}
		}
		return false
	})
}

// CPA SC-13, PC-18, TR-07: what the scopes open and no residual rule forbids, the
// decision permits, whatever the Consents say. So a resource server that enforces
// by itself lets nothing through that the gateway would keep.
func TestResidualNeverOpensMore(t *testing.T) {
	released := 0
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		q.Function = "view"
		q.Resource.Labels = slices.DeleteFunc(q.Resource.Labels, func(c fhir.Coding) bool {
			return c.System == fhir.SystemConfidentiality && confidentialityRank(c.Code) == 0
		})
		p := compileJSON(t, set)
		g := GrantableFor(p, q.Actors, q.Purpose, q.At)
		if !slices.ContainsFunc(g.Scopes, func(s scope.Scope) bool { return s.Ops.Has(readSearch) && s.Matches(&q.Resource) }) {
			return
		}
		rules := ResidualFor(p, q.Actors, q.Purpose, q.At)
		if hit(rules, &q.Resource) {
			return
		}
		released++
		if got := Evaluate(p, q); !got.Permit {
			t.Fatalf("%s: %v with labels %v is released by %v", got.Reason, q.Resource.Type, q.Resource.Labels, rules)
		}
	})
	if released == 0 {
		t.Error("nothing was ever released")
	}
}

// CPA PC-18: the rules of the example Consents.
func TestResidualOfExamples(t *testing.T) {
	const now = "2026-11-20T12:00:00-06:00"
	n, r := fhir.Coding{System: fhir.SystemConfidentiality, Code: "N"}, fhir.Coding{System: fhir.SystemConfidentiality, Code: "R"}
	act := func(code string) fhir.Coding { return fhir.Coding{System: fhir.SystemActCode, Code: code} }
	for _, x := range []struct {
		who, purpose string
		labels       []fhir.Coding
		released     bool
	}{
		{"rosa-elena", "FAMRQT", []fhir.Coding{n}, true},
		{"rosa-elena", "FAMRQT", []fhir.Coding{r}, false},
		{"rosa-elena", "FAMRQT", []fhir.Coding{n, act("HIV")}, false},
		{"rosa-marcus", "PWATRNY", []fhir.Coding{n}, true},
		{"rosa-marcus", "PWATRNY", []fhir.Coding{r, act("PSY")}, true},
		{"rosa-marcus", "PWATRNY", []fhir.Coding{r, act("PSY"), act("SUD")}, false},
		{"rosa-marcus", "PWATRNY", []fhir.Coding{r, act("PSYTHPN")}, false},
		{"rosa-marcus", "PWATRNY", []fhir.Coding{r, act("NOPAT")}, false},
		// A list of topics alone opens no ordinary data, which forbidding cannot say.
		{"rosa-ines", "SUPNWK", []fhir.Coding{n}, false},
		{"rosa-ines", "SUPNWK", []fhir.Coding{act("SUD"), act("42CFRPart2")}, false},
		{"rosa-victor", "FAMRQT", []fhir.Coding{n}, false},
		{"nobody", "FAMRQT", []fhir.Coding{n}, false},
	} {
		rules := ResidualFor(policyOf(t, "rosa"), person(x.who), x.purpose, at(t, now))
		if got := !hit(rules, &fhir.Resource{Type: "MedicationRequest", ID: "m", Labels: x.labels}); got != x.released {
			t.Errorf("%s with %v: released %t", x.who, x.labels, got)
		}
	}
	// Who was shut out and who never was let in are told alike.
	victor := ResidualFor(policyOf(t, "rosa"), person("rosa-victor"), "FAMRQT", at(t, now))
	nobody := ResidualFor(policyOf(t, "rosa"), person("nobody"), "FAMRQT", at(t, now))
	if !slices.EqualFunc(victor, nobody, func(a, b Forbidden) bool { return slices.Equal(a.Labels, b.Labels) && slices.Equal(a.Data, b.Data) }) {
		t.Errorf("blocked %v, unknown %v", victor, nobody)
	}
}
