package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/catalogue"
)

// Deliberate is how a row ends that is left out by decision.
const Deliberate Status = "deliberately not done"

// Entry is one row of the catalogue with what the checks found about it.
type Entry struct {
	catalogue.Row
	Status Status `json:"status"`
	// Checks prove the row, all of them together.
	Checks []string `json:"checks,omitempty"`
	// Detail tells what failed, what was missing, or where the decision stands.
	Detail string `json:"detail,omitempty"`
}

// Ledger gives every row of the catalogue with its end: fail when one of its
// checks failed, pass when all of them passed, deliberately not done where the
// decision is written down, and not tested otherwise. Errors: the embedded
// catalogue is malformed.
func Ledger(results []Result) ([]Entry, error) {
	rows, err := catalogue.Rows()
	if err != nil {
		return nil, err
	}
	decided, err := catalogue.Deliberate()
	if err != nil {
		return nil, err
	}
	proofs := proofs()
	ends := map[string]Result{}
	for _, x := range results {
		ends[x.ID] = x
	}
	var out []Entry
	for _, row := range rows {
		e := Entry{Row: row, Status: NotTested, Checks: proofs[row.ID]}
		switch {
		case len(e.Checks) > 0:
			e.Status, e.Detail = joined(e.Checks, ends)
		case decided[row.ID] != "":
			e.Status, e.Detail = Deliberate, fmt.Sprintf("%s: %s", catalogue.Divergences, decided[row.ID])
		default:
			e.Detail = "no check proves it"
		}
		out = append(out, e)
	}
	return out, nil
}

// proofs gives the checks of each row of the catalogue.
func proofs() map[string][]string {
	out := map[string][]string{}
	for _, s := range Sections() {
		for _, check := range s.Rows {
			for _, id := range check.Proves() {
				out[id] = append(out[id], check.ID)
			}
		}
	}
	return out
}

// joined gives the end of a row whose checks ended so.
func joined(checks []string, ends map[string]Result) (Status, string) {
	var failed, missing []string
	for _, id := range checks {
		x, ran := ends[id]
		switch {
		case !ran:
			missing = append(missing, id+" was not run")
		case x.Status == Fail:
			failed = append(failed, id+": "+x.Detail)
		case x.Status != Pass:
			missing = append(missing, id+" "+x.Detail)
		}
	}
	switch {
	case len(failed) > 0:
		return Fail, strings.Join(failed, "\n")
	case len(missing) > 0:
		return NotTested, strings.Join(missing, "\n")
	}
	return Pass, ""
}

// openRows gives the rows for which a server is not finished: those that failed and
// the binding ones that were not tested.
func openRows(entries []Entry) []Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
		return e.Status != Fail && (e.Status != NotTested || !e.Binding())
	})
}

// idsOf gives the ids of entries, separated by commas.
func idsOf(entries []Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return strings.Join(out, ", ")
}

// asResults makes rows reportable as checks are.
func asResults(entries []Entry) []Result {
	var out []Result
	for _, e := range entries {
		out = append(out, Result{ID: e.ID, Section: catalogue.SectionTitle(e.Section), Title: string(e.Level) + " " + e.Title, Status: e.Status, Detail: e.Detail})
	}
	return out
}
