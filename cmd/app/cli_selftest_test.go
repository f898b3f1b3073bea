package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// selftest without a server checks one that it starts for itself, whatever the
// environment says about the store of the real one.
func TestSelftestOfItsOwn(t *testing.T) {
	t.Setenv("MANDATE_DATABASE", "postgres://nobody@127.0.0.1:1/production")
	junit := filepath.Join(t.TempDir(), "junit.xml")
	code, out, errOut := cli(t, "selftest", "--only=AZ-16,DISC-07", "--rows", "--json", "--junit="+junit)
	if code != 0 {
		t.Fatalf("%d: %s%s", code, out, errOut)
	}
	var report struct {
		Pass int `json:"pass"`
		Rows []struct {
			ID, Level, Status string
			Checks            []string
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Pass != 2 || len(report.Rows) != 2 || report.Rows[0].ID != "DISC-07" || report.Rows[0].Status != "pass" || len(report.Rows[1].Checks) < 2 {
		t.Errorf("%s", out)
	}
	if !strings.Contains(errOut, "pass        SMART AZ-16\n") {
		t.Errorf("no progress: %s", errOut)
	}
	raw, err := os.ReadFile(junit)
	if err != nil || !strings.Contains(string(raw), `name="AZ-16 SHOULD`) {
		t.Errorf("%s %v", raw, err)
	}
}

// A row without a check is told as not tested; where it binds nobody, that is
// no fault. A server that does not answer is one.
func TestSelftestOpenRow(t *testing.T) {
	code, out, _ := cli(t, "selftest", "--only=CMP-02,DISC-07", "--rows", "--quiet")
	if code != 0 || !strings.Contains(out, "not tested") || !strings.Contains(out, "1 passed, 0 failed, 1 not tested, 0 deliberately not done") {
		t.Errorf("%d: %s", code, out)
	}
	code, out, _ = cli(t, "selftest", "--base=http://127.0.0.1:1/fhir", "--only=DISC-07")
	if code != 1 || strings.Contains(out, "pass") {
		t.Errorf("%d: %s", code, out)
	}
}

// What cannot be run says what to do.
func TestSelftestMistakes(t *testing.T) {
	for _, x := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"--only=AZ-166"}, 1, "AZ-166"},
		{[]string{"--base=http://127.0.0.1:1/fhir"}, 1, "the server does not answer"},
		{[]string{"--ready-file=no-such-file"}, 2, "no-such-file"},
		{[]string{"--junit=/no/such/folder/x"}, 1, "JUnit"},
		{[]string{"--format=pdf"}, 2, "pdf"},
	} {
		code, out, errOut := cli(t, append([]string{"selftest"}, x.args...)...)
		if code != x.code || !strings.Contains(errOut+out, x.text) {
			t.Errorf("%v gives %d: %s%s", x.args, code, out, errOut)
		}
	}
	code, out, _ := cli(t, "selftest", "--describe")
	if code != 0 || !strings.Contains(out, "private_jwks") {
		t.Errorf("%d: %s", code, out)
	}
}
