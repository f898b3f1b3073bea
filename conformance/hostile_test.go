package conformance_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/oauth"
	"github.com/mandate-health/mandate/internal/testpg"
)

// SE-14: what hostile requests hold is in no log, neither as it was sent nor
// with line ends that would forge a line.
func TestHostileInputIsNotLogged(t *testing.T) {
	// PostgreSQL refuses texts that SQLite keeps.
	s := another(t, "hostile", "--database", testpg.Start(t), "--log-level", "debug", "--log-requests", "all", "--log-identifiers", "plain")
	target := s.open(t)
	for _, row := range rowsByID(t, "MANDATE BAD-01", "MANDATE BAD-02", "MANDATE BAD-03", "MANDATE BAD-04", "MANDATE BAD-05", "MANDATE BAD-06", "MANDATE BAD-07", "MANDATE BAD-08") {
		t.Run(row.ID, func(t *testing.T) { must(t, target, row) })
	}
	raw, err := os.ReadFile(s.Log())
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(raw)) {
		seen++
		if strings.Contains(line, oauth.Injected) {
			t.Errorf("it logs %s", line)
		}
	}
	if seen < 100 {
		t.Errorf("only %d lines", seen)
	}
}
