//go:build pkcs11

package pkcs11_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/testrun"
)

// SE-04: the program built with the tag keeps the keys of a store in the token
// and rotates them there; the store opens with no other token and not without
// the PIN, and no file of it holds a key-encryption key.
func TestMandate(t *testing.T) {
	binary, err := testrun.Build(t.Context(), t.TempDir(), "pkcs11")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	place := func(label string) string {
		return "pkcs11:token=" + url.PathEscape(label) + "?module-path=" + module + "&pin-source=" + filepath.Join(folder, "pin")
	}
	mandate := func(want int, keys string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, append(args, "--data", data, "--keys", keys)...)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: status %d, %v\n%s", args, code, err, out)
		}
		if bytes.Contains(out, []byte(pin)) {
			t.Errorf("%v tells the PIN:\n%s", args, out)
		}
		return string(out)
	}
	says := func(out string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Errorf("%q is not in:\n%s", part, out)
			}
		}
	}
	mandate(0, place("hospital"), "tenant", "add", "acme", "--name", "Acme", "--upstream", "http://127.0.0.1:9/fhir")
	says(mandate(0, place("hospital"), "keys", "status"), "no key is overdue")
	says(mandate(0, place("hospital"), "keys", "list"), "pkcs11-", "acme")

	says(mandate(1, place("other hospital"), "keys", "status"), "The store was encrypted under the key pkcs11-", "other hospital")
	says(mandate(1, place("nowhere"), "keys", "status"), `There is no token "nowhere"`)
	says(mandate(1, strings.Replace(place("hospital"), "&pin-source=", "&pin-value="+pin+"&pin-source=", 1), "keys", "status"), "seen by everybody")
	says(mandate(1, "file:"+filepath.Join(folder, "kek.json"), "keys", "status"), "pkcs11-")

	says(mandate(0, place("hospital"), "keys", "rotate", "kek"), "new key-encryption key pkcs11-", "tenant keys are wrapped under it")
	says(mandate(0, place("hospital"), "keys", "status"), "no key is overdue")
	if _, err := os.Stat(data + "-keys"); !os.IsNotExist(err) {
		t.Errorf("a key file was made: %v", err)
	}
}
