package conformance_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/catalogue"
)

// TestProofs: what a check says it proves stands in the catalogue, and nothing
// is both checked and left out by decision.
func TestProofs(t *testing.T) {
	rows, err := catalogue.Rows()
	if err != nil {
		t.Fatal(err)
	}
	decided, err := catalogue.Deliberate()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range rows {
		known[r.ID] = true
	}
	// Checks of things that the specifications leave out, named like theirs.
	own := map[string]bool{"SMART D11": true, "SMART D15": true, "SMART BAD-FHIR": true, "SMART BAD-SIZE": true, "SMART NO-STORE": true, "SMART METHOD": true, "SMART SC-23": true}
	for _, s := range conformance.Sections() {
		for _, check := range s.Rows {
			for _, id := range check.Proves() {
				if !known[id] && !own[check.ID] {
					t.Errorf("%s proves %q, which is no row", check.ID, id)
				}
				if decided[id] != "" {
					t.Errorf("%s proves %s, which is deliberately not done", check.ID, id)
				}
			}
		}
	}
}

// TestLedger: a row is as good as the worst of its checks, and never passes by
// what was not run.
func TestLedger(t *testing.T) {
	end := func(results ...conformance.Result) conformance.Entry {
		entries, err := conformance.Ledger(results)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 399 {
			t.Fatalf("%d rows", len(entries))
		}
		for _, e := range entries {
			if e.ID == "AZ-16" {
				return e
			}
		}
		t.Fatal("AZ-16 is missing")
		return conformance.Entry{}
	}
	one := conformance.Result{ID: "SMART AZ-16", Status: conformance.Pass}
	two := conformance.Result{ID: "SMART AZ-16b", Status: conformance.Pass}
	unmet := conformance.Result{ID: "SMART AZ-16b", Status: conformance.NotTested, Detail: "needs a log-in"}
	bad := conformance.Result{ID: "SMART AZ-16b", Status: conformance.Fail, Detail: "two codes"}
	for _, x := range []struct {
		results []conformance.Result
		status  conformance.Status
		detail  string
	}{
		{nil, conformance.NotTested, "SMART AZ-16b was not run"},
		{[]conformance.Result{one}, conformance.NotTested, "SMART AZ-16b was not run"},
		{[]conformance.Result{one, unmet}, conformance.NotTested, "needs a log-in"},
		{[]conformance.Result{one, two}, conformance.Pass, ""},
		{[]conformance.Result{one, bad}, conformance.Fail, "two codes"},
	} {
		if e := end(x.results...); e.Status != x.status || !strings.Contains(e.Detail, x.detail) || len(e.Checks) < 2 {
			t.Errorf("%v gives %+v", x.results, e)
		}
	}
}

// TestBindingRowsHaveChecks: a SHALL or REG row whose feature exists has a check
// or a decision, so that none is lost when checks are rewritten.
func TestBindingRowsHaveChecks(t *testing.T) {
	entries, err := conformance.Ledger(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		bare := e.Status == conformance.NotTested && len(e.Checks) == 0
		if bare && e.Binding() {
			t.Errorf("%s %s has no check: %s", e.Level, e.ID, e.Title)
		}
	}
}
