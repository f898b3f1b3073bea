package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The doctor tells which value sets are loaded, and a start is refused with
// every fault of their files.
func TestLabelFiles(t *testing.T) {
	dir := t.TempDir()
	sets := filepath.Join(dir, "sets.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(sets, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"version":"lake-3","sets":[{"name":"prognosis","off":true},{"name":"lake","codes":[{"system":"urn:lake","codes":["a"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}]}`)
	_, out, errOut := cli(t, "doctor", "--dev", "--data", dir, "--offline", "--all", "--only", "labels-", "--label-file", sets)
	if !strings.Contains(out, "palliative-2+lake-3+") || !strings.Contains(out, "no clinician and no terminology server has reviewed") || !strings.Contains(out, "lake (1 codes)") || strings.Contains(out, "prognosis (") {
		t.Errorf("%s %s", out, errOut)
	}
	write(`{"sets":[{"name":"x","codes":[],"labels":[]}]}`)
	code, _, errOut := cli(t, "config", "check", "--dev", "--data", dir, "--label-file", sets)
	if code == 0 || !strings.Contains(errOut, "version is missing") || !strings.Contains(errOut, "codes is empty") || !strings.Contains(errOut, "labels is empty") {
		t.Errorf("%d %s", code, errOut)
	}
}
