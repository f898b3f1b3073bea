package flow_test

import (
	"fmt"
	"testing"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

func dated(entry, time string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"meta":{"lastUpdated":%q},"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/rosa"}}`, entry, time)
}

// SMART CTX-16: launch/<type> names what changed last of what the grant opens,
// and nothing that it does not.
func TestFurtherContextIsTheLatestThatIsOpen(t *testing.T) {
	w := newWorld(t)
	w.entries["Observation"] = []string{
		dated("old", "2026-03-05T10:00:00Z"), dated("new", "2026-06-05T10:00:00Z"), dated("between", "2026-05-05T10:00:00Z"),
		entry("hidden", "laboratory", actCode, "HIV"),
	}
	w.entries["Goal"] = []string{`{"resourceType":"Goal","id":"g","subject":{"reference":"Patient/rosa"}}`}
	who := w.rosa()
	for asked, want := range map[string][]oauth.ContextRef{
		"launch/patient launch/observation launch/observation?role=https://role.example/x launch/goal launch/questionnaire launch/imagingstudy patient/Observation.rs": {{Reference: "Observation/new", Type: "Observation"}},
		"launch/patient patient/Observation.rs patient/Goal.rs": nil,
	} {
		g, _ := w.allow(who, func(*flow.Ticks) {}, "scope", asked)
		got := g.Context.FHIRContext
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v", asked, got)
		}
	}
}
