package app_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// account makes an account by the command line, the password on standard
// input.
func account(t *testing.T, password string, args ...string) (int, string, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	before := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = before }()
	return cli(t, append([]string{"account", "add"}, args...)...)
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", der)
}

// Item 3: serve, in front of a real FHIR server, with an account made by the
// command line: an app gets the record, and nothing of development is there.
func TestServe(t *testing.T) {
	h := newHospital(t)
	dir := t.TempDir()
	if code, out, errOut := account(t, "a long enough passphrase\n", "--data", dir, "--username", "rosa", "--name", "Rosa", "--role", "patient", "--identity", "Patient/rosa"); code != 0 || !strings.Contains(out, "rosa") || strings.Contains(out, "second factor") {
		t.Fatal(code, out, errOut)
	}
	clients := filepath.Join(dir, "clients.json")
	if err := os.WriteFile(clients, []byte(`[{"client_id":"mine","kind":"public","redirect_uris":["https://mine.example/cb"],"scopes":"launch/patient patient/Patient.rs"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	address := freeAddress(t)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{
			Listen: address, PublicURL: "https://" + address, Data: dir, Upstream: h.URL + "/fhir", ClientFiles: []string{clients},
			Transport: tlsconf.Config{CertFile: cert, KeyFile: key}, HelpPhone: "+1 555 0100", Organization: "Hill Clinic", OrganizationRef: "Organization/hill",
			KeySettings: app.KeySettings{AcceptFileKeys: true},
		})
	}()
	s := &server{}
	deadline := time.After(startDeadline)
	for s.Target == nil {
		var err error
		s.Target, err = kit.NewTarget(ctx, kit.Ready{
			CAFile: cert, Issuer: "https://" + address, FHIRBase: "https://" + address + "/fhir",
			People:  []kit.Person{{Username: "rosa", Password: "a long enough passphrase", Role: "patient", Patients: []string{"rosa"}}},
			Clients: []kit.Client{{ID: "mine", Kind: "public", RedirectURIs: []string{"https://mine.example/cb"}}},
		})
		if err == nil {
			break
		}
		s.Target = nil
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-deadline:
			t.Fatal(err)
		case <-time.After(pollEvery):
		}
	}
	// Who answers at all knows the clients of the files.
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	if res := s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK); !strings.Contains(string(res.Body), "Elsewhere") {
		t.Errorf("%s", res.Body)
	}
	for _, path := range []string{"/dev/clock", "/dev/outbox", "/dev/screens/", "/dev/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if res := s.do(t, kit.Request{Method: method, URL: s.at(path)}); res.Status != http.StatusNotFound {
				t.Errorf("%s", res)
			}
		}
	}
	for _, token := range []string{"", "x"} {
		if res := s.do(t, kit.Request{URL: s.at("/admin/clients"), Header: http.Header{"Authorization": {"Bearer " + token}}}); res.Status != http.StatusUnauthorized {
			t.Errorf("the administration API without an operator: %s", res)
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What account add refuses, it refuses with one line.
func TestAccountAdd(t *testing.T) {
	dir := t.TempDir()
	add := func(username, role, password string, more ...string) (int, string, string) {
		return account(t, password, append([]string{"--data", dir, "--username", username, "--name", "N", "--role", role}, more...)...)
	}
	if code, out, errOut := add("hale", "clinician", "a long enough passphrase", "--identity", "Practitioner/hale"); code != 0 || !strings.Contains(out, "otpauth://") {
		t.Fatal(code, out, errOut)
	}
	tests := []struct {
		name, username, role, password, says string
		more                                 []string
		code                                 int
	}{
		{"taken", "HALE", "patient", "a long enough passphrase", "", nil, 1},
		{"no password", "a", "patient", "", "password", nil, 1},
		{"blank password", "b", "patient", "\n", "password", nil, 1},
		{"unknown role", "c", "king", "a long enough passphrase", "--role", nil, 2},
		{"proxy without patient", "d", "proxy", "a long enough passphrase", "RelatedPerson/ID@PATIENT", []string{"--identity", "RelatedPerson/re"}, 1},
		{"no person", "e", "patient", "a long enough passphrase", "--identity", []string{"--identity", "Device/1"}, 1},
	}
	for _, test := range tests {
		code, _, errOut := add(test.username, test.role, test.password, test.more...)
		if code != test.code || !strings.Contains(errOut, test.says) || strings.Contains(errOut, "%!") || strings.Contains(errOut, "passphrase") {
			t.Errorf("%s: status %d, %s", test.name, code, errOut)
		}
	}
	if code, _, errOut := cli(t, "account", "add", "--data", shared(t).data, "--username", "x", "--name", "X", "--role", "patient"); code != 1 || !strings.Contains(errOut, "password") {
		t.Errorf("without standard input: %d %s", code, errOut)
	}
}

// D16: a file shifts the clock, and a file that cannot be read as one stops
// the start.
func TestClockOffset(t *testing.T) {
	file := filepath.Join(t.TempDir(), "offset")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("soon")
	if code, _, errOut := cli(t, "dev", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--unsafe-clock-offset", file); code != 1 || !strings.Contains(errOut, file) {
		t.Errorf("%d %s", code, errOut)
	}
	write("-48h\n")
	s := start(t, func(c *app.Config) { c.ClockOffset = file })
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	if made := s.newest(t, "rosa").Created; time.Since(made) < 47*time.Hour {
		t.Errorf("the grant was made at %v", made)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	write("0s")
	deadline := time.After(10 * time.Second)
	for s.fhir(t, g.Access(), "Patient/rosa").Status != http.StatusUnauthorized {
		select {
		case <-deadline:
			t.Fatal("the clock file was not read again")
		case <-time.After(pollEvery):
		}
	}
}
