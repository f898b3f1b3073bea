package conformance_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// TestTLS runs rows over HTTPS under the self-made authority of the ready
// file.
func TestTLS(t *testing.T) {
	target := another(t, "tls", "--tls").open(t)
	if !strings.HasPrefix(target.FHIRBase, "https://localhost:") || target.CAFile == "" {
		t.Fatalf("base %s, ca_file %q", target.FHIRBase, target.CAFile)
	}
	for _, row := range rowsByID(t,
		"SMART DISC-04", "SMART DISC-09", "SMART CAP-02", "SMART CAP-05", "SMART CAP-06", "SMART AZ-02", "SMART AZ-19", "SMART CAP-01", "SMART BKS-03", "MANDATE SE-12",
	) {
		t.Run(row.ID, func(t *testing.T) { must(t, target, row) })
	}
}

// TestStartsQuickly: from the start of the process to a token in 3 seconds.
// The limit here is wider, because the machine may be busy with other tests.
func TestStartsQuickly(t *testing.T) {
	watch := clock.System{}
	begun := watch.Now()
	target := another(t, "quick").open(t)
	res, err := target.ClientCredentials(t.Context(), target.Client("backend"), "system/Patient.rs")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	took := watch.Now().Sub(begun)
	t.Logf("the first token after %s", took)
	if took > 10*time.Second {
		t.Errorf("the first token after %s", took)
	}
}

// TestFolderInUse: a second process on the same data folder says which and
// what to do, in one line.
func TestFolderInUse(t *testing.T) {
	s := another(t, "in-use")
	folder := filepath.Join(filepath.Dir(s.Ready()), "data")
	second := exec.CommandContext(t.Context(), shared.binary, "dev", "--listen", "127.0.0.1:0", "--data", folder)
	out, err := second.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err == nil || strings.Count(text, "\n") != 0 || !strings.Contains(text, folder) {
		t.Errorf("it ends with %v and says %q", err, text)
	}
}

// TestUpstreamDown: the FHIR server behind is down, so reads are 502 with an
// OperationOutcome, and all recovers by itself when it comes back.
func TestUpstreamDown(t *testing.T) {
	behind := freeAddress(t)
	target := another(t, "down", "--upstream", "http://"+behind+"/fhir").open(t)
	token := func() string {
		res, err := target.ClientCredentials(t.Context(), target.Client("backend"), "system/Patient.rs")
		if err != nil || res.Status != http.StatusOK {
			t.Fatal(res, err)
		}
		return res.Text("access_token")
	}
	res, err := target.FHIR(t.Context(), token(), "Patient/rosa")
	if err != nil || res.Status != http.StatusBadGateway || res.Text("resourceType") != "OperationOutcome" {
		t.Fatal(res, err)
	}
	if strings.Contains(string(res.Body), behind) {
		t.Error("the answer names the address of the server behind")
	}
	l, err := net.Listen("tcp", behind)
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = io.WriteString(w, `{"resourceType":"Patient","id":"rosa","meta":{"versionId":"1","security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},"name":[{"family":"Alvarez"}]}`)
	})}
	go func() { _ = back.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = back.Close() })
	res, err = target.FHIR(t.Context(), token(), "Patient/rosa")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
}
