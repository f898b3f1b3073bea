package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
)

// Limits of what the tests wait for.
const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
	rowLimit   = 2 * time.Minute
)

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
	shared.binary = filepath.Join(shared.dir, "mandate")
	build := exec.Command("go", "build", "-o", shared.binary, "../cmd/mandate")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("the binary is not built: %w\n%s", err, out)
	}
	if shared.main, err = startFull("main", "--tls"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, shared.main.stop()) }()
	return m.Run(), nil
}

// server is a running mandate dev.
type server struct {
	ready string
	log   string
	// ca is a file with the authority of its certificate, where the ready file
	// names none.
	ca     string
	cmd    *exec.Cmd
	exited chan error
}

// start runs the binary with a data folder of its own and waits until it is
// ready.
func start(name string, args ...string) (*server, error) {
	dir := filepath.Join(shared.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &server{ready: filepath.Join(dir, "ready.json"), log: filepath.Join(dir, "log"), exited: make(chan error, 1)}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	all := append([]string{"dev", "--ready-file", s.ready}, args...)
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		all = append(all, "--listen", "127.0.0.1:0")
	}
	if !strings.Contains(strings.Join(args, " "), "--data") {
		all = append(all, "--data", filepath.Join(dir, "data"))
	}
	if !strings.Contains(strings.Join(args, " "), "--keys") {
		all = append(all, "--keys", "file:"+filepath.Join(shared.dir, "kek.json"))
	}
	s.cmd = exec.Command(shared.binary, all...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.exited <- s.cmd.Wait() }()
	return s, s.await()
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
	return s, extras.Complete(s.ready)
}

// await returns when the ready file is there.
func (s *server) await() error {
	tick, late := time.NewTicker(20*time.Millisecond), time.NewTimer(startLimit)
	defer tick.Stop()
	defer late.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := os.Stat(s.ready); err == nil {
				return nil
			}
		case err := <-s.exited:
			s.exited <- err
			return fmt.Errorf("the server ended: %w\n%s", err, s.tail())
		case <-late.C:
			return errors.Join(fmt.Errorf("the server is not ready after %s\n%s", startLimit, s.tail()), s.stop())
		}
	}
}

func (s *server) tail() string {
	raw, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}

// stop asks the process to end and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.NewTimer(stopLimit)
	defer late.Stop()
	select {
	case <-s.exited:
		return nil
	case <-late.C:
		return errors.Join(errors.New("the server does not end"), s.cmd.Process.Kill())
	}
}

// open makes a target of a server.
func (s *server) open(t *testing.T) *conformance.Target {
	t.Helper()
	target, err := conformance.Open(t.Context(), conformance.Options{ReadyFile: s.ready, CAFile: s.ca})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// another starts a server for one test.
func another(t *testing.T, name string, args ...string) *server {
	t.Helper()
	s, err := start(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// freeAddress gives a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
