package explain

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var refusal = regexp.MustCompile(`\b(?:deny|hide)\("([A-Za-z0-9-]+)"`)

// EV-15: each code by which a rule of access refuses has its sentence, which tells
// what stood in the way where there is something to tell.
func TestEveryRefusalHasASentence(t *testing.T) {
	files, err := filepath.Glob("../../access/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	met := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range refusal.FindAllStringSubmatch(string(raw), -1) {
			met++
			if s := sentence("x", m[1], "Goal.s"); strings.HasPrefix(s, "The rule") || strings.Contains(s, "%!") {
				t.Errorf("%s: %s has no sentence: %s", name, m[1], s)
			}
		}
	}
	if met < 20 {
		t.Errorf("only %d refusals were found", met)
	}
	if s := sentence("consent", "PROHIBITED:c7", ""); s != "The patient's Consent/c7 prohibits it." {
		t.Error(s)
	}
}
