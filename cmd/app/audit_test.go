package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/conformance/kit"
)

// Part 7, AR-01, AU-07: whoever touches a record leaves an event that joins to
// a grant and to versions of Consents that exist; the patient finds it by
// FHIR, a proxy does not; and the log proves itself, on line, off line, and
// after somebody edited the export.
func TestTheLogJoinsAndProvesItself(t *testing.T) {
	s := start(t, nil)
	rosa := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs patient/Observation.rs patient/AuditEvent.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	elena := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	s.fetch(t, rosa.Access(), "Patient/rosa", http.StatusOK)
	s.fetch(t, rosa.Access(), "Observation?patient=rosa", http.StatusOK)
	s.fetch(t, elena.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	s.fetch(t, elena.Access(), "Observation?patient=rosa", http.StatusForbidden)
	s.fetch(t, elena.Access(), "AuditEvent", http.StatusForbidden)

	id := s.ofElena(t, rosa)
	s.joins(t)
	proof := s.proof(t, id)
	s.stop(t)
	tried(t, s.data, proof)
}

// ofElena gives the id of the event of Elena's search, as Rosa finds it.
func (s *server) ofElena(t *testing.T, rosa *kit.Grant) string {
	t.Helper()
	var bundle struct {
		Entry []struct {
			Resource struct{ ID string }
		}
	}
	res := s.fetch(t, rosa.Access(), "AuditEvent?subtype=search-type&outcome=0&agent=RelatedPerson/rosa-elena", http.StatusOK)
	if err := json.Unmarshal(res.Body, &bundle); err != nil || len(bundle.Entry) != 1 {
		t.Fatalf("%v: %s", err, res.Body)
	}
	return bundle.Entry[0].Resource.ID
}

// joins checks every access to Rosa's record against the grants and Consents
// that there are.
func (s *server) joins(t *testing.T) {
	t.Helper()
	grants := map[string]bool{}
	for _, g := range s.grants(t, "rosa") {
		grants[g.ID] = true
	}
	var list struct{ Consents []json.RawMessage }
	s.admin(t, "GET", "/consents?patient=rosa", "", &list)
	versions := map[string]bool{}
	for _, raw := range list.Consents {
		var c struct {
			ID   string
			Meta struct{ VersionID string }
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		versions[fmt.Sprintf("Consent/%s/_history/%s", c.ID, c.Meta.VersionID)] = true
	}
	joined := 0
	for _, e := range s.events(t, "patient=rosa") {
		if !strings.HasPrefix(e.Kind, "fhir.") && (audit.Kind(e.Kind) != audit.AuditRead || e.ClientID == "") {
			continue
		}
		joined++
		if !grants[e.GrantID] || len(e.Consents) == 0 || slices.ContainsFunc(e.Consents, func(c string) bool { return !versions[c] }) {
			t.Errorf("%s by %s joins to no grant or no version of a Consent: %q %q", e.Kind, e.ClientID, e.GrantID, e.Consents)
		}
	}
	if joined < 4 {
		t.Errorf("only %d accesses", joined)
	}
}

// until waits for something that a server does by itself.
func until(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !done() {
		select {
		case <-deadline:
			t.Fatal("it did not happen")
		case <-time.After(pollEvery):
		}
	}
}

// proof gives the proof of an event from the administration API, once it is
// sealed.
func (s *server) proof(t *testing.T, id string) audit.Inclusion {
	t.Helper()
	var p audit.Inclusion
	until(t, func() bool {
		res := s.admin(t, "GET", "/audit/"+id+"/proof", "", nil)
		if res.Status != http.StatusOK {
			return false
		}
		if err := json.Unmarshal(res.Body, &p); err != nil {
			t.Fatal(err)
		}
		return true
	})
	return p
}

// tried uses the command line on the store of a stopped server.
func tried(t *testing.T, dir string, proof audit.Inclusion) {
	t.Helper()
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append([]string{"audit"}, args...)...)
		if code != want {
			t.Fatalf("%v: %d %s %s", args, code, out, errOut)
		}
		return out + errOut
	}
	keep := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := strings.TrimSpace(run(0, "key", "--data", dir))
	if err := proof.Check(key); err != nil {
		t.Errorf("the proof of the administration API: %v", err)
	}
	checkpoint := keep("checkpoint", run(0, "checkpoint", "--data", dir))
	if out := run(0, "verify", "--data", dir, "--checkpoint", checkpoint); !strings.Contains(out, " 0 lawfully erased") {
		t.Error(out)
	}
	run(0, "prove", proof.ID, "--data", dir)
	run(1, "prove", "none", "--data", dir)
	run(0, "consistency", "1", "--data", dir)
	run(1, "consistency", "9999999", "--data", dir)
	run(1, "retention", "set", "access", "1y", "--data", dir)
	run(0, "retention", "set", "access", "7y", "--data", dir)
	if out := run(0, "retention", "erase", "--dry-run", "--data", dir); !strings.Contains(out, "nothing is due") {
		t.Error(out)
	}
	run(0, "hold", "add", "--matter", "case 7", "--patient", "rosa", "--data", dir)
	if out := run(0, "hold", "list", "--data", dir); !strings.Contains(out, "case 7") {
		t.Error(out)
	}
	export, asOf, _ := strings.Cut(run(0, "export", "--data", dir), "mandate: complete up to ")
	if _, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(asOf)); err != nil {
		t.Errorf("the export does not say up to when it is complete: %v", err)
	}
	run(0, "verify", "--export", keep("export", export), "--key", key, "--checkpoint", checkpoint)
	spoilt := strings.Replace(export, `"patient":"rosa"`, `"patient":"ines"`, 1)
	if out := run(1, "verify", "--export", keep("spoilt", spoilt), "--key", key); !strings.Contains(out, "changed at") {
		t.Error(out)
	}
	if out := run(0, "export", "--format", "fhir", "--public-url", "https://id.example", "--data", dir); !strings.Contains(out, `{"resourceType":"AuditEvent"`) {
		t.Error(out)
	}
	run(1, "export", "--format", "syslog", "--data", dir)
	run(1, "export", "--since", "yesterday", "--data", dir)
}
