package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// replayed is what a replay tells programs.
type replayed struct {
	Requests, Resources, Skipped int
	Differences                  []struct{ Event, Request, Resource, Before, After string }
}

// replays decides the log again under a policy, and wants an exit status.
func (s *server) replays(t *testing.T, rules string, want int) (out replayed) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(file, []byte("[rules]\n"+rules), 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, errOut := cli(t, "replay", "--since", "1h", "--policy", file, "--json", "--data", s.data)
	if code != want {
		t.Fatalf("%s: exit %d, want %d: %s%s", rules, code, want, text, errOut)
	}
	if want != 1 {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err, text)
		}
	}
	return out
}

// Before a policy is saved an operator sees which of the requests that were made
// it would decide otherwise, in either direction; the exit status says whether any.
// Who replays is in the log.
func TestPolicyIsTriedOnWhatHappened(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Rules.Scope = "audit" })
	elena := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	rosa := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.fetch(t, elena.Access(), "MedicationRequest", http.StatusOK)
	s.fetch(t, elena.Access(), "Goal", http.StatusForbidden)
	s.fetch(t, rosa.Access(), "Patient/rosa", http.StatusOK)
	s.fetch(t, rosa.Access(), "Observation?_count=3", http.StatusOK)

	same := s.replays(t, "scope = 'audit'\n", 0)
	if same.Requests != 4 || same.Resources == 0 || len(same.Differences) != 0 {
		t.Errorf("the policy of the server itself: %+v", same)
	}
	strict := s.replays(t, "", 3)
	if len(strict.Differences) != 1 || !strings.HasPrefix(strict.Differences[0].Request, "GET /Observation") ||
		strict.Differences[0].Before != "permit but for scope:no-scope" || strict.Differences[0].After != "deny scope:no-scope" {
		t.Errorf("with every rule: %+v", strict)
	}
	loose := s.replays(t, "scope = 'audit'\nconsent = 'off'\n", 3)
	if len(loose.Differences) != 1 || loose.Differences[0].Request != "GET /Goal" || !strings.HasPrefix(loose.Differences[0].Before, "deny consent:") || !strings.HasPrefix(loose.Differences[0].After, "permit") {
		t.Errorf("without consents: %+v", loose)
	}
	s.replays(t, "grant = 'off'\n", 1)
	s.replays(t, "scope = 'maybe'\n", 1)
	// Grants that ended since are taken as they stood.
	must(t, "grant", "revoke", s.newest(t, "rosa").ID, "--data", s.data)
	if again := s.replays(t, "", 3); again.Requests != 4 || len(again.Differences) != 1 {
		t.Errorf("after a grant ended: %+v", again)
	}
	if told := s.events(t, "kind=operator.acted"); len(told) == 0 || told[0].Detail["act"] != "grant revoke" && told[0].Detail["act"] != "replay" {
		t.Errorf("the log has %+v", told)
	}
}
