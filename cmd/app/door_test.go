package app_test

import (
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// SE-03, SE-05: commands act inside the server that has the embedded store open,
// with the same questions for roles and the same record; the command line says
// so, and files are the caller's.
func TestCommandsActInsideTheServer(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append(args, "--data", s.data)...)
		if code != want || !strings.Contains(errOut, "the running server does this") {
			t.Errorf("mandate %v: status %d\n%s%s", args, code, out, errOut)
		}
		return out + errOut
	}
	run(0, "keys", "rotate", "index")
	if out := run(0, "keys", "list", "--json"); !strings.Contains(out, `"announced"`) {
		t.Error(out)
	}
	furnishOperators(t, run, s.data, me.Username)
	// The system knows who runs this: it is kees, and nobody else.
	run(0, "keys", "rotate", "tenant", "--as", "kees")
	run(0, "keys", "rotate", "access-token")
	if out := run(1, "tenant", "disable", "acme", "--as", "olga"); !strings.Contains(out, "you are the user "+me.Username) {
		t.Error(out)
	}
	if out := run(1, "tenant", "disable", "acme"); !strings.Contains(out, "does not hold the role operator") {
		t.Error(out)
	}
	shares := filepath.Join(dir, "shares")
	run(0, "keys", "split", "--shares", "3", "--threshold", "2", "--out", shares)
	if made, err := filepath.Glob(filepath.Join(shares, "*")); len(made) != 3 || err != nil {
		t.Error(made, err)
	}
	run(0, "audit", "verify")
	run(0, "jobs")
	if out := run(1, "audit", "prove", "no-such-event"); !strings.Contains(out, "mandate: ") {
		t.Error(out)
	}
	// What the door does not offer still asks for the store to itself.
	code, _, errOut := cli(t, "migrate", "down", "--to", "20", "--yes", "--data", s.data)
	if code != 1 || !strings.Contains(errOut, "in use") {
		t.Error(code, errOut)
	}
	// The server went on all the while.
	s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.stop(t)
	if _, err := os.Stat(filepath.Join(s.data, "operator.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	s.recordsWhoActed(t, me.Username)
}

// furnishOperators makes a tenant, a client, and operators of whom kees is the
// user of the machine who runs the test.
func furnishOperators(t *testing.T, run func(want int, args ...string) string, data, user string) {
	t.Helper()
	run(0, "tenant", "add", "acme", "--name", "Acme", "--upstream", "http://localhost:1")
	w := makeTwins(t)
	run(0, "client", "add", "--tenant", "acme", w.file)
	for _, who := range []string{"olga", "kees", "aud"} {
		code, out, errOut := account(t, "a long enough passphrase\n", "--username", who, "--name", who, "--role", "admin", "--data", data)
		if code != 0 || !strings.Contains(out, "second factor") {
			t.Fatal(out, errOut)
		}
	}
	run(0, "operator", "assign", "olga", "operator")
	run(0, "operator", "assign", "aud", "auditor", "--as", "olga")
	run(0, "operator", "assign", "kees", "key-custodian", "--as", "olga", "--os-user", user)
	if out := run(0, "operator", "list"); !strings.Contains(out, user) {
		t.Error(out)
	}
}

// recordsWhoActed looks for the acts of an account that the machine vouched for,
// and for a refusal.
func (s *server) recordsWhoActed(t *testing.T, user string) {
	t.Helper()
	log := must(t, "audit", "export", "--as", "aud", "--data", s.data, "--unseal-share", filepath.Join(filepath.Dir(s.data), "shares", "share-1.txt"),
		"--unseal-share", filepath.Join(filepath.Dir(s.data), "shares", "share-2.txt"))
	var acts []string
	for line := range strings.Lines(log) {
		var e struct {
			Header struct{ Kind, Reason string }
			Body   struct{ Detail map[string]string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if d := e.Body.Detail; strings.HasPrefix(e.Header.Kind, "operator.") {
			acts = append(acts, strings.Join([]string{d["act"], d["role"], d["proof"], d["peer"], e.Header.Reason}, "|"))
		}
	}
	for _, want := range []string{
		"|operator|named|" + user + "|", "|key-custodian|named|" + user + "|", "keys rotate tenant|key-custodian|os-user|" + user + "|",
		"keys rotate access-token|key-custodian|os-user|" + user + "|", "tenant-disabled|operator|named|" + user + "|operator-os-user",
		"tenant-disabled|operator|os-user|" + user + "|operator-role-missing",
	} {
		if !slices.Contains(acts, want) {
			t.Errorf("the log does not say %s: %v", want, acts)
		}
	}
}

// The socket may lie elsewhere; a server without one says so and serves.
func TestWhereTheDoorIs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MANDATE_OPERATOR_SOCKET", filepath.Join(dir, "run", "here.sock"))
	s := startIn(t, dir, func(c *app.Config) { c.Door.Socket = filepath.Join(dir, "run", "here.sock") })
	if !strings.Contains(s.out.String(), "no operator commands") {
		t.Errorf("the log says nothing: %s", s.out)
	}
	if code, _, errOut := cli(t, "keys", "list", "--data", s.data); code != 1 || !strings.Contains(errOut, "in use") {
		t.Error(code, errOut)
	}
	s.stop(t)
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	s = startIn(t, dir, func(c *app.Config) { c.Door.Socket = filepath.Join(dir, "run", "here.sock") })
	code, out, errOut := cli(t, "keys", "list", "--json", "--data", s.data)
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(errOut, "run/here.sock") {
		t.Error(code, out, errOut)
	}
}
