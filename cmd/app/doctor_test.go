package app_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// findings runs the doctor and gives its status and each finding's severity.
func findings(t *testing.T, args ...string) (int, map[string]string) {
	t.Helper()
	code, out, errOut := cli(t, append([]string{"doctor", "--json"}, args...)...)
	var report struct {
		Worst  string
		Checks []struct {
			ID, Severity, Finding string
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("status %d, %v\n%s%s", code, err, out, errOut)
	}
	found := map[string]string{}
	for _, c := range report.Checks {
		found[c.ID] = c.Severity
		if c.Severity == "skipped" {
			found[c.ID] += ": " + c.Finding
		}
	}
	if (report.Worst == "failing") != (code == 1) {
		t.Errorf("worst %s, status %d", report.Worst, code)
	}
	return code, found
}

// SG-07: more than 60 checks, each documented with its remedy.
func TestChecksAreDocumented(t *testing.T) {
	code, out, errOut := cli(t, "doctor", "list", "--markdown")
	if code != 0 || strings.Count(out, "\n") < 62 {
		t.Errorf("status %d, %d lines %s", code, strings.Count(out, "\n"), errOut)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		id, _, _ := strings.Cut(line, " | ")
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
	}
	generated(t, "../../docs/operations/doctor.md", "mandate doctor list --markdown", out)
}

// SG-07: one unwise value after the other, each found by its check.
func TestDoctorFindsWhatIsUnwise(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := certificate(t)
	open := write("key.pem", 0o604, read(t, key))
	base := []string{"--offline", "--accept-file-keys", "--data", filepath.Join(dir, "data"), "--public-url", "https://ehr.example", "--upstream", "https://fhir.example/r4",
		"--organization", "Hill", "--organization-ref", "Organization/hill", "--help-phone", "+1 212 555 9999", "--trusted-proxy", "10.0.0.0/24"}
	_, good := findings(t, base...)
	for flaw, want := range map[string]string{
		"--public-url https://10.1.2.3":                                      "config-public-url failing",
		"--listen 0.0.0.0:8080":                                              "config-listen failing",
		"--trusted-proxy 0.0.0.0/0":                                          "config-trusted-proxies failing",
		"--trusted-proxy 8.0.0.0/8":                                          "config-trusted-proxies warning",
		"--unsafe-clock-offset " + write("offset", 0o600, "1h"):              "config-clock-offset failing",
		"--unsafe-database-plaintext":                                        "config-database-plaintext failing",
		"--client " + write("clients.json", 0o644, "[]"):                     "config-client-files failing",
		"--revocation-staleness 1m":                                          "config-revocation-staleness warning",
		"--read-header-timeout 10m":                                          "config-read-header-timeout warning",
		"--limit-signin 0":                                                   "limits-sign-in failing",
		"--limit-client 0":                                                   "limits-client failing",
		"--limit-person 0":                                                   "limits-person failing",
		"--limit-network 1000000":                                            "limits-network warning",
		"--write-timeout 10h":                                                "config-write-timeout warning",
		"--max-connections 1000000":                                          "config-max-connections warning",
		"--drain-delay 0s":                                                   "config-drain warning",
		"--log-level debug":                                                  "config-log-level warning",
		"--log-identifiers plain":                                            "config-log-identifiers warning",
		"--metrics-listen 0.0.0.0:9090":                                      "config-metrics-listen warning",
		"--trace-endpoint http://collector.example/v1/traces":                "config-trace-endpoint warning",
		"--help-phone +15550100":                                             "config-help-phone fine",
		"--upstream http://fhir.example/r4":                                  "upstream-tls failing",
		"--upstream https://ehr.example/r4":                                  "upstream-other failing",
		"--cert " + cert + " --key " + key:                                   "tls-certificate-host failing",
		"--cert " + cert + " --key " + open:                                  "tls-key-file failing",
		"--cert " + cert + " --key  " + key + " --public-url https://x.test": "tls-backup-pin warning",
		"--cert " + cert + " --key " + write("other.pem", 0o600, "no key"):   "tls-certificate failing",
	} {
		_, found := findings(t, append(base, strings.Fields(flaw)...)...)
		id, severity, _ := strings.Cut(want, " ")
		if found[id] != severity {
			t.Errorf("%s: %s is %s", flaw, id, found[id])
		}
		if good[id] == severity && severity != "fine" {
			t.Errorf("%s is %s without a fault too", id, severity)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// SG-07: a development server whose data is then served in production is found
// out, from outside and from its store.
func TestDoctorFindsDevelopment(t *testing.T) {
	s := start(t, nil)
	_, found := findings(t, "--dev", "--data", s.data, "--public-url", s.Issuer, "--only", "public-")
	for id, want := range map[string]string{
		"public-reachable": "fine", "public-ready": "fine", "public-issuer": "fine", "public-clock": "fine", "public-cors": "fine", "public-metrics": "fine",
		"public-debug": "fine", "public-tls-version": "failing", "public-hsts": "failing", "public-dev-clock": "failing", "public-dev-outbox": "failing",
	} {
		if found[id] != want {
			t.Errorf("%s is %s, not %s", id, found[id], want)
		}
	}
	_, found = findings(t, "--dev", "--data", s.data, "--public-url", s.Issuer, "--only", "store-")
	if found["store-reachable"] != "warning" {
		t.Errorf("a store in use: %v", found)
	}
	s.stop(t)
	_, found = findings(t, "--offline", "--accept-file-keys", "--data", s.data, "--public-url", "https://ehr.example", "--upstream", "https://fhir.example")
	for id, severity := range found {
		want := severity
		switch {
		case id == "demo-accounts" || id == "demo-clients":
			want = "failing"
		case id == "store-leases":
			want = "noted"
		case id == "client-symmetric" || id == "client-scopes":
			want = "warning"
		case strings.HasPrefix(id, "store-"), strings.HasPrefix(id, "embedded-"), strings.HasPrefix(id, "keys-signing"), id == "keys-provider", strings.HasPrefix(id, "client-"):
			want = "fine"
		}
		if severity != want {
			t.Errorf("%s is %s, not %s", id, severity, want)
		}
	}
}

// SG-07: one changed value after the approval is one alert, and the status says
// so; an unchanged configuration raises none.
func TestDrift(t *testing.T) {
	dir := t.TempDir()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, baseline := filepath.Join(dir, "key.pem"), filepath.Join(dir, "baseline.json")
	if err := os.WriteFile(signer, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	base := []string{"--accept-file-keys", "--data", dir, "--public-url", "https://ehr.example", "--upstream", "https://fhir.example"}
	if code, out, errOut := cli(t, append([]string{"doctor", "baseline", "--write", baseline, "--sign-with", signer}, base...)...); code != 0 {
		t.Fatal(out, errOut)
	}
	drift := func(args ...string) (int, string) {
		code, out, errOut := cli(t, append(append([]string{"doctor", "--only", "none-", "--baseline", baseline, "--baseline-key", signer}, base...), args...)...)
		return code, out + errOut
	}
	if code, out := drift(); code != 0 || strings.Contains(out, "drift") {
		t.Errorf("status %d, %s", code, out)
	}
	code, out := drift("--read-timeout", "61s")
	if code != 1 || !strings.Contains(out, `drift:http.read_timeout`) || !strings.Contains(out, `was "1m0s", is "1m1s"`) || strings.Count(out, "drift:") != 1 {
		t.Errorf("status %d, %s", code, out)
	}
	code, _, errOut := cli(t, append([]string{"doctor", "--only", "none-", "--baseline", baseline, "--baseline-key", baseline}, base...)...)
	if code != 1 || !strings.Contains(errOut, "PEM") {
		t.Errorf("status %d, %s", code, errOut)
	}
	if code, _, errOut := cli(t, "doctor", "--baseline", baseline); code != 1 || !strings.Contains(errOut, "--baseline-key") {
		t.Error(errOut)
	}
}
