package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// Accounts come from another system with their stored passwords, all or, where a line
// has a fault, none; who is in then is put out by a reset.
func TestAccountsAreTakenOver(t *testing.T) {
	s := start(t, nil)
	file := filepath.Join(t.TempDir(), "people.jsonl")
	write := func(lines ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lea := `{"username":"lea","name":"Lea Ortiz","role":"patient","identity":["Patient/noah"],` +
		`"hash":"$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44"}`
	kim := `{"username":"kim","name":"Kim","role":"patient","keycloak":{"secretData":"{\"value\":\"sFkIcpbYB9Gl4RGqw7k3uSHRHRmBSgvHKiMMmZ4NhbI=\",\"salt\":\"c2Vhc2FsdHNlYXNhbHQ=\"}",` +
		`"credentialData":"{\"hashIterations\":10,\"algorithm\":\"pbkdf2-sha256\"}"}}`
	for _, bad := range []string{`{`, `{"username":"x","role":"patient","hash":"plain"}`, `{"username":"x","role":"queen","hash":"plain"}`, `{"user":"x"}`} {
		write(lea, bad)
		if code, out, errOut := cli(t, "account", "import", file, "--data", s.data); code == 0 || !strings.Contains(errOut, "line 2") {
			t.Errorf("%s: %d %s %s", bad, code, out, errOut)
		}
	}
	write(lea, "", kim)
	if code, out, errOut := cli(t, "account", "import", file, "--data", s.data); code != 0 || !strings.Contains(out, "2 accounts made, 0 were there") {
		t.Fatal(code, out, errOut)
	}
	if code, out, errOut := cli(t, "account", "import", file, "--data", s.data); code != 0 || !strings.Contains(out, "0 accounts made, 2 were there") {
		t.Fatal(code, out, errOut)
	}
	for range 2 {
		s.open(t, s.NewBrowser(kit.Person{Username: "lea", Password: "password"}), "/account")
	}
	if code, out, errOut := cli(t, "account", "reset-password", "lea", "--data", s.data); code != 0 {
		t.Fatal(out, errOut)
	}
	if _, err := s.NewBrowser(kit.Person{Username: "lea", Password: "password"}).SignIn(t.Context(), s.at("/account")); err == nil {
		t.Error("the password still lets her in")
	}
}
