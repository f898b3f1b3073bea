package flight

import (
	_ "embed"
	"strings"
	"sync"
)

// hints has a cause code and what a developer can do about it in each line.
//
//go:embed hints.tsv
var hints string

var hintByCause = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(hints) {
		code, hint, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all[code] = hint
	}
	return all
})

// Hint says what a developer can do about a cause, "" where the documentation
// page of the cause is all there is.
func Hint(cause string) string { return hintByCause()[cause] }

// Shown is a record with what helps its reader further.
type Shown struct {
	Record
	Hint string `json:"hint,omitempty"`
	// Docs is the page of the cause.
	Docs string `json:"docs,omitempty"`
	// Hints explain the causes of Explained.
	Hints map[string]string `json:"hints,omitempty"`
}

// Show adds hints and links to records. docs is the URL of the cause pages, with
// a trailing slash.
func Show(records []Record, docs string) []Shown {
	out := make([]Shown, len(records))
	for i, r := range records {
		s := Shown{Record: r, Hint: Hint(r.Cause)}
		if r.Cause != "" {
			s.Docs = docs + r.Cause
		}
		for _, e := range r.Explained {
			if hint := Hint(e.Cause); hint != "" {
				if s.Hints == nil {
					s.Hints = map[string]string{}
				}
				s.Hints[e.Cause] = hint
			}
		}
		out[i] = s
	}
	return out
}
