package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// PC-25, A.9: Consents are tried from files, without a store.
func TestConsentsFromFiles(t *testing.T) {
	const from = "../../consent/testdata/"
	names, err := filepath.Glob(from + "e*.json")
	if err != nil || len(names) == 0 {
		t.Fatal("no examples", err)
	}
	var all []string
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	bundle := write("bundle.json", "["+strings.Join(all, ",")+"]")
	at := func(want int, words string, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append([]string{"consent"}, args...)...)
		if code != want || !strings.Contains(out+errOut, words) {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
		return out
	}
	out := at(0, `{"id":"T01","expect":"PERMIT","reason":"e1-daughter-meds-appts"`, "eval", "--bundle", bundle, "--vectors", from+"vectors.json", "--check")
	if n := strings.Count(out, "\n"); n != 31 {
		t.Errorf("%d lines", n)
	}
	at(0, `"id": "T31"`, "eval", "--bundle", bundle, "--vectors", from+"vectors.json", "--list")
	at(1, "T01: expected PERMIT", "eval", "--bundle", bundle, "--vectors", from+"vectors.json", "--check", "--policy", "https://other.example/")
	last := write("last.json", `[{"id":"last","patient":"Patient/rosa","actors":["RelatedPerson/rosa-elena"],"purpose":"FAMRQT","function":"view","at":"2027-05-02T20:00:00Z",`+
		`"resource":{"type":"MedicationRequest","labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}}]`)
	days := write("days.json", strings.ReplaceAll("["+strings.Join(all, ",")+"]", "2027-05-02T23:59:59-05:00", "2027-05-02"))
	at(0, `"PERMIT"`, "eval", "--bundle", days, "--vectors", last)
	at(0, `"DENY"`, "eval", "--bundle", days, "--vectors", last, "--time-zone", "Asia/Tokyo")
	at(1, `"Mars" is no time zone`, "eval", "--bundle", bundle, "--vectors", last, "--time-zone", "Mars")
	at(1, "mandate: The bundle is not JSON", "eval", "--bundle", write("none.json", "x"), "--vectors", from+"vectors.json")
	at(1, "mandate: The file holds no vector", "eval", "--bundle", bundle, "--vectors", write("empty.json", "[]"))

	at(0, "meets IHE.PCF.consentAdvanced", "lint", from+"e2-husband-full-normal.json")
	at(1, "Consent.meta.profile: claims no profile", "lint", from+"e2-husband-full-normal.json", from+"e1-daughter-meds-appts.json")
	at(1, "Consent.provision.securityLabel", "lint", "--profile", "IHE.PCF.consentBasic", from+"e2-husband-full-normal.json")
	at(1, "not a FHIR Consent", "lint", write("patient.json", `{"resourceType":"Patient"}`))
	rendered := write("rendered.json", at(0, "patient/MedicationRequest.rs", "render", from+"e1-daughter-meds-appts.json"))
	at(0, "meets IHE.PCF.consentAdvanced", "lint", rendered)
	at(1, "not a Consent", "render", filepath.Join(dir, "patient.json"))
}

// LC-26, SC-15, SC-21: an operator withdraws a template in the running server. The
// daughter's grant was made from it and her app is over at once; the husband's was
// not, and stays.
func TestWithdrawnTemplateEndsAccess(t *testing.T) {
	s := start(t, nil)
	launch := func(who string) *kit.Grant {
		return s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser(who), Patient: "rosa"}})
	}
	daughter := launch("elena")
	s.fetch(t, daughter.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	at := func(want int, words string, args ...string) {
		t.Helper()
		code, out, errOut := cli(t, append(args, "--data", s.data)...)
		if code != want || !strings.Contains(out+errOut, words) {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
	const template = "https://mandate.example/policy/proxy/template/meds-appointments/1"
	at(1, "say --yes", "consent", "withdraw-template", template)
	at(1, "under none of the policies", "consent", "withdraw-template", "https://elsewhere.example/1", "--yes")
	at(0, "1 ended", "consent", "withdraw-template", template, "--yes")
	if res := s.fhir(t, daughter.Access(), "MedicationRequest?patient=rosa"); res.Status != http.StatusForbidden && res.Status != http.StatusUnauthorized {
		t.Errorf("after the withdrawal: %d", res.Status)
	}
	if got := s.consentStatus(t, "rosa", "e1-daughter-meds-appts"); got != "inactive" {
		t.Errorf("the grant is %s", got)
	}
	if got := s.consentStatus(t, "rosa", "e2-husband-full-normal"); got != "active" {
		t.Errorf("a grant of another template is %s", got)
	}
	at(0, "0 ended", "consent", "withdraw-template", template, "--yes")
}
