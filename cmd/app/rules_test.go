package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rules that keep data from people are loosened in production by an explicit
// switch only, which the doctor finds.
func TestRuleModes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mandate.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("public_url = 'https://as.example'\nupstream = 'https://fhir.example'\ndata = '"+dir+"'\naccept_file_keys = true\n[rules]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(text string, wants ...string) {
		t.Helper()
		write(text)
		code, _, errOut := cli(t, "config", "check", "--config", file)
		if code == 0 {
			t.Fatalf("%s was taken", text)
		}
		for _, want := range wants {
			if !strings.Contains(errOut, want) {
				t.Errorf("%s: %q is not told in %s", text, want, errOut)
			}
		}
	}
	refused("label = 'audit'\nscope = 'off'\n", "rules.label", "rules.scope", "rules.unsafe_loosened")
	refused("grant = 'off'\n", "rules.grant", "no such setting")
	refused("label = 'maybe'\n", "rules.label")
	write("rewrite = 'off'\n")
	if code, out, errOut := cli(t, "config", "rules", "--config", file); code != 0 || !strings.Contains(out, "rewrite      off") || !strings.Contains(out, "label        enforce") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
	write("label = 'audit'\nunsafe_loosened = true\n")
	if code, _, errOut := cli(t, "config", "check", "--config", file); code != 0 {
		t.Errorf("%d %s", code, errOut)
	}
	_, out, _ := cli(t, "doctor", "--config", file, "--offline", "--all", "--only", "rules-")
	if !strings.Contains(out, "label=audit") || !strings.Contains(out, "rules-free") {
		t.Errorf("the doctor says %s", out)
	}
	// A policy file may hold the table alone, and needs no switch.
	policy := filepath.Join(dir, "policy.toml")
	if err := os.WriteFile(policy, []byte("[rules]\nconsent = 'audit'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := cli(t, "config", "rules", "--policy", policy); code != 0 || !strings.Contains(out, "consent      audit") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
}
