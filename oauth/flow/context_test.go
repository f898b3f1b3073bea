package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
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

// SMART CTX-22: a Task that asks for a launch gives it its context; one that asks
// for something else, or contradicts the EHR, gives none.
func TestLaunchByTask(t *testing.T) {
	w := newWorld(t)
	const task = `{"resourceType":"Task","status":"requested","code":{"coding":[{"system":"http://hl7.org/fhir/smart-app-launch/CodeSystem/smart-codes","code":"launch-app-ehr"}]},` +
		`"for":{"reference":"Patient/rosa"},"encounter":{"reference":"Encounter/e1"},"input":[` +
		`{"type":{"coding":[{"system":"http://hl7.org/fhir/smart-app-launch/CodeSystem/smart-codes","code":"smartonfhir-application"}]},"valueUrl":"https://app.example/launch?skin=1"},` +
		`{"type":{"coding":[{"system":"http://hl7.org/fhir/smart-app-launch/CodeSystem/smart-codes","code":"smartonfhir-appcontext"}]},"valueString":"order 7"}]}`
	ask := func(task, patient string) (flow.LaunchTicket, error) {
		return w.service.RegisterLaunch(t.Context(), flow.LaunchRequest{
			Tenant: tenant, EHR: w.clients["ehr"], ClientID: "diary", Task: []byte(task), Context: oauth.Context{Patient: patient},
		})
	}
	for _, patient := range []string{"", "rosa"} {
		if ticket, err := ask(task, patient); err != nil || !strings.HasPrefix(ticket.URL, "https://app.example/launch?") {
			t.Error(ticket.URL, err)
		}
	}
	for _, l := range w.launches {
		if l.Context.Patient != "rosa" || l.Context.Encounter != "e1" || l.Context.AppContext != "order 7" {
			t.Errorf("%+v", l.Context)
		}
	}
	for what, bent := range map[string]string{
		"another address": strings.Replace(task, "app.example", "evil.example", 1), "another code": strings.Replace(task, "launch-app-ehr", "launch-app-standalone", 1),
		"a finished one": strings.Replace(task, "requested", "completed", 1), "two addresses": strings.Replace(task, "smartonfhir-appcontext", "smartonfhir-application", 1),
		"another subject": strings.Replace(task, "Patient/rosa", "Group/rosa", 1), "no Task": `{"resourceType":"Bundle"}`, "no JSON": `{`,
	} {
		if _, err := ask(bent, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ask(task, "joaquin"); !errs.Is(err, errs.Invalid) {
		t.Errorf("another patient: %v", err)
	}
}
