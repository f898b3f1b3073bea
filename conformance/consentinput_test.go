package conformance_test

import (
	"slices"
	"testing"

	"github.com/mandate-health/mandate/conformance/consent"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// inputRows gives the rows about Consents that come in.
func inputRows(t *testing.T) []kit.Row {
	t.Helper()
	sections := consent.Sections()
	i := slices.IndexFunc(sections, func(s kit.Section) bool { return s.Name == "Consents, how they come in" })
	if i < 0 {
		t.Fatal("there is no such section")
	}
	return sections[i].Rows
}

// The rows run on the embedded engine with all others; here on PostgreSQL, and two
// nodes are the sides of one race (If-Match).
func TestConsentsComeInOnTwoNodes(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "input", dsn, dsn)
	for _, row := range inputRows(t) {
		t.Run(row.ID, func(t *testing.T) { must(t, p.a, row) })
	}
	for range 3 {
		if err := consent.OneWins(t.Context(), p.a, p.a.FHIRBase, p.b+"/fhir"); err != nil {
			t.Error(err)
		}
	}
}
