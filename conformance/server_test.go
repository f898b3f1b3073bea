package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/testrun"
)

// rowLimit bounds one row.
const rowLimit = 2 * time.Minute

// fixture is what all tests of the package share.
type fixture struct {
	// dir holds the binary and the data folders.
	dir    string
	binary string
	main   *server
}

var shared fixture

// TestMain builds the binary once and starts one server on the embedded
// store; tests that need another start their own.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if shared.dir, err = os.MkdirTemp("", "mandate-conformance-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(shared.dir)) }()
	if shared.binary, err = testrun.Build(context.Background(), shared.dir); err != nil {
		return 1, err
	}
	if shared.main, err = startFull("main", "--tls"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, shared.main.Stop()) }()
	return m.Run(), nil
}

// server is a running mandate dev.
type server struct {
	*testrun.Node
	// ca is a file with the authority of its certificate, where the ready file
	// names none.
	ca string
}

// start runs the binary with a data folder of its own and waits until it is
// ready.
func start(name string, args ...string) (*server, error) {
	dir := filepath.Join(shared.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if !slices.Contains(args, "--keys") {
		args = append(slices.Clone(args), "--keys", "file:"+filepath.Join(shared.dir, "kek.json"))
	}
	s := &server{Node: &testrun.Node{Binary: shared.binary, Dir: dir, Args: args}}
	return s, s.Start()
}

// startFull starts a server with everything that a check can need: the second
// tenant and the clients that only the suite has.
func startFull(name string, args ...string) (*server, error) {
	extras, err := conformance.NewExtras()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(shared.dir, name)
	clients, data, kek := filepath.Join(dir, "clients.json"), filepath.Join(dir, "data"), filepath.Join(shared.dir, "kek.json")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := extras.WriteClients(clients); err != nil {
		return nil, err
	}
	authority := filepath.Join(dir, "clients-ca.pem")
	if err := extras.WriteAuthority(authority); err != nil {
		return nil, err
	}
	add := exec.Command(shared.binary, "tenant", "add", conformance.ExtraTenant, "--name", "Second", "--upstream", "http://127.0.0.1:9/fhir",
		"--data", data, "--keys", "file:"+kek)
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("no second tenant: %w\n%s", err, out)
	}
	s, err := start(name, append([]string{"--client", clients, "--mtls-ca", authority, "--client-document-host", extras.DocumentHost(), "--data", data}, args...)...)
	if err != nil {
		return nil, err
	}
	return s, extras.Complete(s.Ready())
}

// open makes a target of a server.
func (s *server) open(t *testing.T) *conformance.Target {
	t.Helper()
	target, err := conformance.Open(t.Context(), conformance.Options{ReadyFile: s.Ready(), CAFile: s.ca})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// end stops the server and forgets what it stored, so that a test may run twice.
func (s *server) end(t *testing.T) {
	if err := errors.Join(s.Stop(), os.RemoveAll(s.Dir)); err != nil {
		t.Error(err)
	}
}

// another starts a server for one test.
func another(t *testing.T, name string, args ...string) *server {
	t.Helper()
	s, err := start(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// freeAddress gives a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// must runs a row and expects it to pass.
func must(t *testing.T, target *conformance.Target, row kit.Row) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rowLimit)
	defer cancel()
	if x := conformance.RunRow(ctx, target, row); x.Status != conformance.Pass {
		t.Fatalf("%s: %s: %s\n%s", row.ID, row.Title, x.Status, x.Detail)
	}
}

// rowsByID gives the rows of those ids; an unknown id fails the test.
func rowsByID(t *testing.T, ids ...string) []kit.Row {
	t.Helper()
	var out []kit.Row
	for _, id := range ids {
		found := false
		for _, s := range conformance.Sections() {
			for _, row := range s.Rows {
				if row.ID == id {
					out, found = append(out, row), true
				}
			}
		}
		if !found {
			t.Fatalf("there is no row %s", id)
		}
	}
	return out
}
