package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// Beside rules, an operator tries a Consent, value sets and scopes of a client on
// what happened; what cannot be replayed is refused, with the reason.
func TestConsentsLabelsAndScopesAreTried(t *testing.T) {
	s := start(t, nil)
	app := s.Client("symmetric")
	elena := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	rosa := s.granted(t, kit.Launch{Client: app, Scope: "launch/patient patient/Patient.rs patient/Condition.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.fetch(t, elena.Access(), "MedicationRequest", http.StatusOK)
	s.fetch(t, rosa.Access(), "Patient/rosa", http.StatusOK)
	s.fetch(t, rosa.Access(), "Condition", http.StatusOK)

	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const e1 = "e1-daughter-meds-appts"
	var all struct{ Consents []json.RawMessage }
	s.admin(t, "GET", "/consents?patient=rosa", "", &all)
	stopped, approval := "", ""
	for _, raw := range all.Consents {
		switch text := string(raw); {
		case strings.Contains(text, `"`+e1+`"`):
			stopped = file("e1.json", strings.Replace(text, `"status":"active"`, `"status":"inactive"`, 1))
		case strings.Contains(text, "app-approval"):
			approval = file("approval.json", text)
		}
	}
	sets := file("sets.json", `{"version":"try-1","sets":[{"name":"all","codes":[{"system":"urn:nothing","codes":["x"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}]}`)
	for _, c := range []struct {
		args []string
		want int
		said string
	}{
		{[]string{"--withdraw", e1}, 3, "of GET /MedicationRequest"},
		{[]string{"--consent", stopped}, 3, "deny consent:"},
		{[]string{"--labels", sets}, 0, "value sets try-1+"},
		{[]string{"--client", app.ID, "--scopes", "launch/patient patient/Condition.rs"}, 3, "GET /Patient/rosa"},
		{[]string{"--client", app.ID, "--scopes", "launch/patient patient/Condition.r"}, 3, "deny scope:no-scope"},
		{[]string{"--client", app.ID, "--scopes", "system/Patient.rs"}, 1, "nobody was asked"},
		{[]string{"--client", "nobody", "--scopes", "patient/Condition.rs"}, 1, ""},
		{[]string{"--client", app.ID}, 2, "--scopes"},
		{[]string{"--consent", approval}, 1, "takes a privacy Consent"},
		{[]string{"--withdraw", "nobody"}, 1, "There is no such consent"},
		{nil, 1, "say what is to be tried"},
	} {
		code, out, errOut := cli(t, append([]string{"replay", "--since", "1h", "--data", s.data}, c.args...)...)
		if code != c.want || !strings.Contains(out+errOut, strings.TrimPrefix(c.said, "of ")) {
			t.Errorf("%v: exit %d, want %d: %s%s", c.args, code, c.want, out, errOut)
		}
	}
	s.fetch(t, elena.Access(), "MedicationRequest", http.StatusOK)
}
