package catalogue_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/catalogue"
)

// TestRows: the list is whole, and its binding rows are those of the sections
// that a server must finish.
func TestRows(t *testing.T) {
	rows, err := catalogue.Rows()
	if err != nil {
		t.Fatal(err)
	}
	bySection := map[string]int{}
	for _, r := range rows {
		bySection[r.Section]++
		if catalogue.SectionTitle(r.Section) == "§"+r.Section+" " {
			t.Errorf("%s is in section %q, which has no title", r.ID, r.Section)
		}
		binds := r.Level == catalogue.Shall || r.Level == catalogue.Regulation
		if late := r.Section[0] >= '6'; r.Binding() != (binds && !late) {
			t.Errorf("%s of section %s and level %s: binding %v", r.ID, r.Section, r.Level, r.Binding())
		}
	}
	for section, want := range map[string]int{
		"1.1": 20, "1.2": 21, "1.3": 7, "1.4": 28, "1.5": 15, "1.6": 19, "1.7": 28, "1.8": 12, "1.9": 11, "1.10": 5, "1.11": 20, "1.12": 20,
		"1.13": 6, "1.14": 6, "1.15": 5, "1.16": 10, "2": 29, "3": 32, "4": 9, "5.1": 15, "5.2": 16, "6.1": 22, "6.2": 27, "7": 16,
	} {
		if bySection[section] != want {
			t.Errorf("section %s has %d rows, want %d", section, bySection[section], want)
		}
	}
}

// TestDeliberate: what is left out by decision has its line in the document of
// divergences.
func TestDeliberate(t *testing.T) {
	raw, err := os.ReadFile("../../" + catalogue.Divergences)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			lines[strings.TrimSpace(cells[1])] = true
		}
	}
	known := map[string]bool{}
	rows, err := catalogue.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		known[r.ID] = true
	}
	decided, err := catalogue.Deliberate()
	if err != nil {
		t.Fatal(err)
	}
	for id, line := range decided {
		if !known[id] {
			t.Errorf("%s is no row", id)
		}
		if !lines[line] {
			t.Errorf("%s: %s has no line %q", id, catalogue.Divergences, line)
		}
	}
}
