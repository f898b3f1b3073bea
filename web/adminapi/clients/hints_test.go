package clients_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/web/problem"
)

// Each cause that explains a scope has a hint, and each hint belongs to a cause
// that has a page.
func TestHints(t *testing.T) {
	for _, cause := range []string{
		access.WhyUnknown, access.WhyType, access.WhyParameter, access.WhyLevel, access.WhyNoPatient, access.WhyNotRegistered, access.WhyConsent,
		access.WhyNotTicked, access.WhyNoLaunch, access.WhyNoFHIRUser, access.WhyNeedsOpenID, access.WhyNotKept, access.WhyViewOnly, access.WhyNotGranted,
	} {
		if flight.Hint(cause) == "" {
			t.Errorf("%s has no hint", cause)
		}
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "oauth", "flight", "hints.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		cause, hint, _ := strings.Cut(line, "\t")
		if problem.KindOf(cause) == "" {
			t.Errorf("%s has a hint and no page", cause)
		}
		if strings.TrimSpace(hint) == "" {
			t.Errorf("%s has an empty hint", cause)
		}
	}
}
