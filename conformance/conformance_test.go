package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// TestRows runs every row against the freshly started binary. A row that
// cannot be tested there is a failure, not a skip.
func TestRows(t *testing.T) {
	target := shared.main.open(t)
	for _, s := range conformance.Sections() {
		for _, row := range s.Rows {
			t.Run(row.ID, func(t *testing.T) {
				if optional[row.ID] {
					if x := conformance.RunRow(t.Context(), target, row); x.Status != conformance.NotTested || x.Detail == "" {
						t.Errorf("%s %s", x.Status, x.Detail)
					}
					return
				}
				must(t, target, row)
			})
		}
	}
}

// optional are the rows of what Mandate has a right not to offer.
var optional = map[string]bool{}

// TestRowsAreDistinct: each row has an id, a title and one place.
func TestRowsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range conformance.Sections() {
		for _, row := range s.Rows {
			if row.ID == "" || row.Title == "" || row.Run == nil || seen[row.ID] {
				t.Errorf("row %q in %q is incomplete or not alone", row.ID, s.Name)
			}
			seen[row.ID] = true
		}
	}
	if len(seen) < 150 {
		t.Errorf("only %d rows", len(seen))
	}
}

// TestBaseAlone: against a base URL without credentials the rows that need a
// log-in are reported as not tested, never as passed.
func TestBaseAlone(t *testing.T) {
	full := shared.main.open(t)
	target, err := conformance.Open(t.Context(), conformance.Options{Base: full.FHIRBase, CAFile: full.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	report := &conformance.Report{}
	conformance.Run(t.Context(), target, report)
	needs := map[string]kit.Need{}
	for _, s := range conformance.Sections() {
		for _, row := range s.Rows {
			needs[row.ID] = row.Needs
		}
	}
	for _, x := range report.Results() {
		switch {
		case optional[x.ID]:
		case needs[x.ID] == 0 && x.Status != conformance.Pass:
			t.Errorf("%s: %s %s", x.ID, x.Status, x.Detail)
		case needs[x.ID] != 0 && (x.Status != conformance.NotTested || !strings.HasPrefix(x.Detail, "needs ")):
			t.Errorf("%s: %s %q", x.ID, x.Status, x.Detail)
		}
	}
	if report.Count(conformance.Pass) < 20 || !report.OK() {
		t.Errorf("%d rows passed", report.Count(conformance.Pass))
	}
	checkFormats(t, report)
}

// TestBindingRowIsOpen: without a log-in a SHALL row cannot be tested, and the
// report of the rows is not content with that.
func TestBindingRowIsOpen(t *testing.T) {
	main := shared.main.open(t)
	var out bytes.Buffer
	ok, err := conformance.Main(t.Context(), conformance.Options{Base: main.FHIRBase, CAFile: main.CAFile, Rows: true, Only: []string{"AZ-01", "DISC-07"}}, &out)
	if err != nil || ok || !strings.Contains(out.String(), "1 rows: AZ-01") || !strings.Contains(out.String(), "needs a log-in") {
		t.Errorf("%v %v %s", ok, err, out.String())
	}
	if ok, err = conformance.Main(t.Context(), conformance.Options{Base: main.FHIRBase, CAFile: main.CAFile, Rows: true, Only: []string{"DISC-07"}}, &out); err != nil || !ok {
		t.Errorf("%v %v", ok, err)
	}
}

// TestTimeIsUp: what the time did not suffice for is told as not tested.
func TestTimeIsUp(t *testing.T) {
	target := shared.main.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := &conformance.Report{}
	conformance.Run(ctx, target, report)
	if n := len(report.Results()); n < 150 || report.Count(conformance.NotTested) != n || report.OK() {
		t.Errorf("%d of %d not tested", report.Count(conformance.NotTested), n)
	}
}

// checkFormats writes a report in each format and reads it back.
func checkFormats(t *testing.T, r *conformance.Report) {
	t.Helper()
	var human, asJSON, asJUnit bytes.Buffer
	for format, out := range map[string]*bytes.Buffer{"human": &human, "json": &asJSON, "junit": &asJUnit} {
		if err := r.Write(out, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if !strings.Contains(human.String(), "SMART DISC-07") || !strings.Contains(human.String(), "not tested") {
		t.Error("the human report lacks its rows")
	}
	var doc struct {
		Pass int                  `json:"pass"`
		Rows []conformance.Result `json:"rows"`
	}
	if err := json.Unmarshal(asJSON.Bytes(), &doc); err != nil || doc.Pass != r.Count(conformance.Pass) || len(doc.Rows) != len(r.Results()) {
		t.Errorf("the JSON report says %d of %d: %v", doc.Pass, len(doc.Rows), err)
	}
	var suite struct {
		Tests int `xml:"tests,attr"`
	}
	if err := xml.Unmarshal(asJUnit.Bytes(), &suite); err != nil || suite.Tests != len(r.Results()) {
		t.Errorf("the JUnit report has %d cases: %v", suite.Tests, err)
	}
	if err := r.Write(&human, "pdf"); err == nil {
		t.Error("an unknown format is taken")
	}
}

// TestNoTarget: without a target nothing is reported.
func TestNoTarget(t *testing.T) {
	for _, o := range []conformance.Options{{}, {ReadyFile: "no-such-file"}, {Base: "http://127.0.0.1:1/fhir"}} {
		if ok, err := conformance.Main(t.Context(), o, &bytes.Buffer{}); err == nil || ok {
			t.Errorf("%+v gives %v, %v", o, ok, err)
		}
	}
}

// TestPostgreSQL runs a subset on a real PostgreSQL: what depends on the
// store's transactions.
func TestPostgreSQL(t *testing.T) {
	target := another(t, "postgres", "--database", testpg.Start(t)).open(t)
	for _, row := range rowsByID(t,
		"SMART DISC-05", "SMART CAP-02", "SMART CAP-05", "SMART CAP-06", "SMART CAP-01", "SMART AZ-16", "SMART AZ-16b", "SMART REF-03", "SMART REF-09",
		"SMART ASY-10", "SMART BKS-03", "SMART INT-11", "SMART REV-02", "SMART US-10", "MANDATE SC-16", "SMART US-03", "SMART REF-10", "SMART REF-08",
	) {
		t.Run(row.ID, func(t *testing.T) { must(t, target, row) })
	}
}
