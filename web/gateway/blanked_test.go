package gateway_test

import (
	"strings"
	"testing"
)

// AR-05: what is searched for by name, by identifier or by text does not get into
// the log, whichever parameter leads to it.
func TestSearchesAreLoggedWithoutTexts(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for query, want := range map[string]string{
		"/Observation?patient.name=Smith":                "patient.name=***",
		"/Observation?subject:Patient.name=Smith":        "subject:Patient.name=***",
		"/Observation?patient:identifier=urn:x%7CSmith":  "patient:identifier=***",
		"/Observation?code:text=Smith":                   "code:text=***",
		"/Patient?identifier=Smith":                      "identifier=***",
		"/Observation?category=laboratory&subject=Smith": "category=laboratory&subject=Smith",
	} {
		w.get("rosa", query)
		got := strings.NewReplacer("%2A", "*", "%3A", ":").Replace(w.log.last().Query)
		if got != want {
			t.Errorf("%s is logged as %s, want %s", query, got, want)
		}
	}
}
