package app_test

import (
	"os"
	"path/filepath"
	"testing"
)

// RFC 8705: a client whose certificate nobody asks for gets no token, and the
// doctor says so before the client does.
func TestDoctorMissesCertificates(t *testing.T) {
	dir := t.TempDir()
	at := []string{"--data", filepath.Join(dir, "data"), "--keys", "file:" + filepath.Join(dir, "kek.json")}
	run := func(args ...string) {
		if code, _, errOut := cli(t, append(args, at...)...); code != 0 {
			t.Fatalf("%v: %d %s", args, code, errOut)
		}
	}
	look := func(want string, args ...string) {
		t.Helper()
		if _, found := findings(t, append(append([]string{"--offline", "--dev", "--only", "client-certificates"}, at...), args...)...); found["client-certificates"] != want {
			t.Errorf("%v: %v, not %s", args, found, want)
		}
	}
	run("migrate", "up")
	look("fine")
	file := filepath.Join(dir, "clients.json")
	client := `[{"client_id":"app","kind":"backend","token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_dns":"app.example"}]`
	if err := os.WriteFile(file, []byte(client), 0o600); err != nil {
		t.Fatal(err)
	}
	run("client", "add", file)
	look("failing")
	// A proxy shows certificates, but no authority of theirs is known.
	look("failing", "--client-cert-proxy", "10.0.0.0/8")
}
