package security

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every case can be read, is named once, asks something, and plants its canary.
func TestCorpus(t *testing.T) {
	var cases []leak
	if err := json.Unmarshal(corpusText, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range cases {
		planted := ""
		for _, raw := range l.Plant {
			planted += string(raw)
		}
		if seen[l.ID] || l.Title == "" || len(l.Ask) == 0 || l.Control == "" || l.Scopes == "" || !strings.Contains(planted, "{canary}") {
			t.Errorf("%s: %+v", l.ID, l)
		}
		seen[l.ID] = true
	}
	if len(cases) < 24 || len(corpus()) != len(cases) {
		t.Errorf("%d cases, %d rows", len(cases), len(corpus()))
	}
}
