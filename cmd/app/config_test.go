package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// generated compares a part of a document with what a command prints, and
// writes it anew where MANDATE_UPDATE asks for it.
func generated(t *testing.T, path, name, want string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	head, rest, ok := strings.Cut(string(raw), begin)
	if !ok {
		t.Fatalf("%s has no part %q", path, name)
	}
	got, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("the part %q of %s has no end", name, path)
	}
	if got == want {
		return
	}
	if os.Getenv("MANDATE_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the code says; run: MANDATE_UPDATE=1 go test ./cmd/app -run %s", path, t.Name())
}

// The documentation lists every setting as the code has it.
func TestSettingsAreDocumented(t *testing.T) {
	code, out, errOut := cli(t, "config", "example", "--markdown")
	if code != 0 {
		t.Fatal(errOut)
	}
	generated(t, "../../docs/operations/configuration.md", "mandate config example --markdown", out)
}

// SG-07: a start is refused with every fault at once, and what is printed holds
// no secret.
func TestConfigurationFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mandate.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen = '8080'\nupstreem = 'http://fhir'\n")
	for _, command := range [][]string{{"serve"}, {"config", "check"}} {
		code, _, errOut := cli(t, append(command, "--config", file)...)
		if code != 1 || !strings.Contains(errOut, "upstreem (mandate.toml line 2)") || !strings.Contains(errOut, "Did you mean upstream?") {
			t.Errorf("%v: status %d, %s", command, code, errOut)
		}
	}
	write("upstream = 'http://fhir'\npublic_url = 'http://ehr.example'\nlisten = '8080'\n")
	code, _, errOut := cli(t, "serve", "--config", file, "--organization-ref", "hill")
	for _, want := range []string{"public_url (mandate.toml line 2)", "listen (mandate.toml line 3)", "organization_ref (--organization-ref)"} {
		if code != 1 || !strings.Contains(errOut, want) {
			t.Errorf("status %d, no %s in %s", code, want, errOut)
		}
	}
	t.Setenv("MANDATE_DATABASE", "postgres://u:hunter2@h/d")
	write("upstream = 'http://fhir'\npublic_url = 'https://ehr.example'\naccept_file_keys = true\n")
	if code, _, errOut := cli(t, "config", "check", "--config", file); code != 1 || !strings.Contains(errOut, "say where the key-encryption keys are") {
		t.Errorf("a database without keys: %d %s", code, errOut)
	}
	write("upstream = 'http://fhir'\npublic_url = 'https://ehr.example'\naccept_file_keys = true\nkeys = 'file:/etc/mandate/kek.json'\n")
	code, out, errOut := cli(t, "config", "print", "--config", file)
	if code != 0 || strings.Contains(out, "hunter2") || !strings.Contains(out, `upstream = "http://fhir"`) || !strings.Contains(out, "MANDATE_DATABASE") {
		t.Error(code, out, errOut)
	}
	if code, out, errOut = cli(t, "config", "check", "--config", file); code != 0 || !strings.Contains(out, "no fault") {
		t.Error(code, out, errOut)
	}
}

// Notices that could never be sent are told at the start and not by waiting in
// the store.
func TestUnusableMailAuthoritiesRefuseTheStart(t *testing.T) {
	dir := t.TempDir()
	file, authorities := filepath.Join(dir, "mandate.toml"), filepath.Join(dir, "ca.pem")
	for path, text := range map[string]string{
		authorities: "no certificate\n",
		file: "upstream = 'http://fhir'\npublic_url = 'https://ehr.example'\naccept_file_keys = true\nkeys = 'file:/etc/mandate/kek.json'\n" +
			"[notify]\nsmtp = 'smtp://mail.example:587'\nsmtp_from = 'notices@ehr.example'\nsmtp_ca_file = '" + authorities + "'\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{{"serve"}, {"config", "check"}} {
		code, _, errOut := cli(t, append(command, "--config", file)...)
		if code != 1 || !strings.Contains(errOut, "notify.smtp_ca_file (mandate.toml line 8)") || !strings.Contains(errOut, "holds no certificate") {
			t.Errorf("%v: status %d, %s", command, code, errOut)
		}
	}
}
