package app_test

import (
	"os"
	"path/filepath"
	"testing"
)

// SMART BRD-01: a server publishes nothing by itself, and the doctor says so
// until an operator did.
func TestDoctorMissesBrands(t *testing.T) {
	dir := t.TempDir()
	at := []string{"--data", filepath.Join(dir, "data"), "--keys", "file:" + filepath.Join(dir, "kek.json")}
	run := func(args ...string) string {
		code, out, errOut := cli(t, append(args, at...)...)
		if code != 0 {
			t.Fatalf("%v: %d %s", args, code, errOut)
		}
		return out
	}
	look := func(want string) {
		t.Helper()
		if _, found := findings(t, append([]string{"--offline", "--dev", "--only", "brands-"}, at...)...); found["brands-published"] != want {
			t.Errorf("%v, not %s", found, want)
		}
	}
	run("migrate", "up")
	look("warning")
	code, bundle, errOut := cli(t, "brand", "make", "--name", "Hill", "--website", "https://www.hill.example", "--logo", "https://www.hill.example/logo.svg",
		"--category", "prov", "--fhir-base", "https://ehr.example/fhir", "--developers", "https://www.hill.example/developers")
	if code != 0 {
		t.Fatal(errOut)
	}
	file := filepath.Join(dir, "brands.json")
	if err := os.WriteFile(file, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	run("brand", "publish", file)
	look("fine")
	run("brand", "withdraw")
	look("warning")
}
