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
	s.everyPath(t, elena.Access(), "rosa")
	s.everyPath(t, rosa.Access(), "rosa")
	s.bulk(t)
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

// everyPath takes each way there is to data below the FHIR base, granted or
// not, and gives how many requests that were.
func (s *server) everyPath(t *testing.T, token, patient string) {
	t.Helper()
	entry := func(method, url string) string { return fmt.Sprintf(`{"request":{"method":%q,"url":%q}}`, method, url) }
	bundle := func(kind string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + entry("GET", "Patient/"+patient) + "," +
			entry("GET", "MedicationRequest?patient="+patient) + "," + entry("GET", "Condition?patient="+patient) + `]}`
	}
	for _, r := range []struct{ method, path, body, media string }{
		{"GET", "Patient/" + patient, "", ""}, {"HEAD", "Patient/" + patient, "", ""}, {"GET", "Patient/" + patient + "/_history", "", ""},
		{"GET", "Patient/" + patient + "/_history/1", "", ""}, {"GET", "Patient/" + patient + "/MedicationRequest", "", ""},
		{"GET", "Patient/" + patient + "/$everything", "", ""}, {"GET", "Patient?_id=" + patient + "&_revinclude=Provenance:target", "", ""},
		{"GET", "MedicationRequest?patient=" + patient + "&_include=MedicationRequest:patient", "", ""},
		{"POST", "MedicationRequest/_search", "patient=" + patient, "application/x-www-form-urlencoded"},
		{"GET", "Condition?patient=" + patient + "&_summary=count", "", ""},
		{"GET", "Binary/none", "", ""}, {"GET", "Patient/none", "", ""}, {"GET", "Patient", "", ""}, {"GET", "?_type=Patient", "", ""},
		{"GET", "Consent?patient=" + patient, "", ""}, {"GET", "Consent/none", "", ""}, {"GET", "RelatedPerson?patient=" + patient, "", ""}, {"GET", "AuditEvent", "", ""},
		{"POST", "", bundle("batch"), ""}, {"POST", "", bundle("transaction"), ""},
		{"POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/` + patient + `"}}`, ""},
		{"PUT", "Patient/" + patient, `{"resourceType":"Patient","id":"` + patient + `"}`, ""},
		{"PATCH", "Patient/" + patient, `[{"op":"replace","path":"/gender","value":"other"}]`, "application/json-patch+json"},
		{"DELETE", "Observation/none", "", ""}, {"GET", "Patient/$export", "", ""},
	} {
		media := r.media
		if media == "" {
			media = "application/fhir+json"
		}
		s.do(t, kit.Request{Method: r.method, URL: s.FHIRBase + "/" + r.path, Bearer: token,
			Header: http.Header{"Content-Type": {media}, "Prefer": {"respond-async"}}, Body: strings.NewReader(r.body)})
	}
}

// bulk lets a backend service export all patients, and takes one file.
func (s *server) bulk(t *testing.T) {
	t.Helper()
	res, err := s.ClientCredentials(t.Context(), s.Client("backend"), "system/*.rs")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	token := res.Text("access_token")
	s.fetch(t, token, "Observation?patient=rosa", http.StatusOK)
	started := s.do(t, kit.Request{URL: s.FHIRBase + "/Patient/$export?_type=Patient", Bearer: token, Header: http.Header{"Prefer": {"respond-async"}, "Accept": {"application/fhir+json"}}})
	if started.Status != http.StatusAccepted {
		t.Fatal(started)
	}
	var done struct{ Output []struct{ URL string } }
	until(t, func() bool {
		res := s.do(t, kit.Request{URL: started.Header.Get("Content-Location"), Bearer: token})
		return res.Status == http.StatusOK && json.Unmarshal(res.Body, &done) == nil
	})
	if len(done.Output) == 0 {
		t.Fatal("nothing was exported")
	}
	if res := s.do(t, kit.Request{URL: done.Output[0].URL, Bearer: token}); res.Status != http.StatusOK {
		t.Error(res)
	}
}

// joins checks every access below the FHIR base against the grants and Consents
// that there are: people's rest on versions of Consents, those of a service on
// its registration, by a token that was issued to it.
func (s *server) joins(t *testing.T) {
	t.Helper()
	grants, versions := map[string]bool{}, map[string]bool{}
	for _, g := range s.grants(t, "rosa") {
		grants[g.ID] = true
	}
	var list struct{ Consents []json.RawMessage }
	s.admin(t, "GET", "/consents?patient=rosa", "", &list)
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
	joined, kinds, issued := 0, map[string]int{}, map[string]bool{}
	all := s.events(t, "")
	for _, e := range all {
		if audit.Kind(e.Kind) == audit.TokenIssued {
			issued[e.TokenID+" "+e.ClientID] = true
		}
	}
	for _, e := range all {
		if !strings.HasPrefix(e.Kind, "fhir.") && (audit.Kind(e.Kind) != audit.AuditRead || e.ClientID == "") {
			continue
		}
		joined++
		kinds[e.Kind]++
		known := func(c string) bool { return versions[c] }
		switch {
		case !issued[e.TokenID+" "+e.ClientID]:
			t.Errorf("%s by %q was not by a token that was issued to it: %q", e.Kind, e.ClientID, e.TokenID)
		case e.ClientID == s.Client("backend").ID && e.PersonID == "":
			kinds["service"]++
		case !grants[e.GrantID] || len(e.Consents) == 0 || slices.ContainsFunc(e.Consents, func(c string) bool { return !known(c) }):
			t.Errorf("%s by %s joins to no grant or no version of a Consent: %q %q", e.Kind, e.ClientID, e.GrantID, e.Consents)
		}
	}
	for _, kind := range []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIROperation, audit.FHIRRefused, "service"} {
		if kinds[string(kind)] == 0 {
			t.Errorf("no event of kind %s among %v", kind, kinds)
		}
	}
	// Each request of everyPath, and those of the batches, left an event.
	if joined < 50 {
		t.Errorf("only %d accesses: %v", joined, kinds)
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
