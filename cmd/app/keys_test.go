package app_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// SE-03: keys older than their time are told by doctor, by keys status and by a
// metric, until they are rotated.
func TestOverdueKeysAreTold(t *testing.T) {
	dir := t.TempDir()
	offset := filepath.Join(dir, "offset")
	if err := os.WriteFile(offset, []byte("-9600h"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startIn(t, dir, func(c *app.Config) { c.ClockOffset = offset })
	s.stop(t)
	look := func(kind, want string) {
		t.Helper()
		_, found := findings(t, "--offline", "--dev", "--data", s.data, "--only", "keys-overdue-")
		if found["keys-overdue-"+kind] != want {
			t.Errorf("%s: %v", kind, found)
		}
	}
	for _, kind := range []string{"kek", "tenant", "data", "index", "access-token", "id-token", "id-token-es256"} {
		look(kind, "failing")
	}
	if code, out, _ := cli(t, "keys", "status", "--data", s.data); code != 1 || !strings.Contains(out, "overdue: default tenant v1") {
		t.Errorf("%d %s", code, out)
	}
	if code, out, errOut := cli(t, "keys", "rotate", "kek", "--data", s.data); code != 0 {
		t.Fatal(out, errOut)
	}
	look("kek", "fine")
	address := freeAddress(t)
	s = startIn(t, dir, func(c *app.Config) { c.Metrics.Listen = address })
	text := string(s.do(t, kit.Request{URL: "http://" + address + "/metrics"}).Body)
	for _, line := range []string{`mandate_keys_overdue{kind="kek"} 0`, `mandate_keys_overdue{kind="tenant"} 1`, `mandate_key_age_seconds{kind="tenant"} 3.456`} {
		if !strings.Contains(text, line) {
			t.Errorf("the metrics do not say %s\n%s", line, text)
		}
	}
}

// SE-03, SG-10: keys are listed with their age, rotated, and destroyed only by
// who insists; what cannot be done is said.
//
// long: one story, told in order, about one store.
func TestKeysCommand(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	s.stop(t)
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append([]string{"keys", args[0], "--data", s.data}, args[1:]...)...)
		if code != want {
			t.Errorf("keys %v: status %d\n%s%s", args, code, out, errOut)
		}
		return out + errOut
	}
	for _, kind := range []string{"kek", "tenant", "data", "index", "patients", "audit-log", "access-token", "id-token-es256"} {
		run(0, "rotate", kind)
	}
	var items []struct{ Kind, ID, State string }
	if err := json.Unmarshal([]byte(run(0, "list", "--json")), &items); err != nil {
		t.Fatal(err)
	}
	states, signing := map[string]string{}, ""
	for _, i := range items {
		states[i.Kind] += " " + i.State
		if i.Kind == "access-token" && i.State == "active" {
			signing = i.ID
		}
	}
	for _, kind := range []string{"tenant", "data", "index", "audit-log", "access-token", "id-token-es256"} {
		if states[kind] != " active announced" {
			t.Errorf("%s:%s", kind, states[kind])
		}
	}
	if out := run(0, "status"); !strings.Contains(out, "no key is overdue") || !strings.Contains(out, "encrypting again") {
		t.Error(out)
	}
	// An id may begin with a dash.
	run(0, "retire", "--", signing)
	if out := run(1, "retire", "--", signing); !strings.Contains(out, "no signing key") {
		t.Error(out)
	}
	if out := run(1, "rotate", "access-token", "--announce", "1s"); !strings.Contains(out, "30s") {
		t.Error(out)
	}
	if out := run(1, "shred", "--patient", "rosa"); !strings.Contains(out, "--yes") {
		t.Error(out)
	}
	if out := run(1, "shred", "--patient", "nobody", "--yes"); !strings.Contains(out, "Nothing is encrypted") {
		t.Error(out)
	}
	if out := run(1, "rotate", "audit-log"); !strings.Contains(out, "try again") {
		t.Error(out)
	}
	// The server goes on where the commands stopped.
	s = startIn(t, dir, nil)
	s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	// It seals the announcement, and the log's new keys sign from there on.
	until(t, func() bool {
		return strings.Contains(string(s.admin(t, "GET", "/audit/checkpoint", "", nil).Body), `"signs_from":`)
	})
	s.stop(t)
	for want, args := range map[string][]string{
		"v2 ": {"key", "--history"}, `"id":"`: {"key", "--proofs"}, " 0 lawfully erased": {"verify"},
	} {
		if code, out, errOut := cli(t, append([]string{"audit"}, append(args, "--data", s.data)...)...); code != 0 || !strings.Contains(out, want) || strings.Contains(out, "not yet") {
			t.Errorf("audit %v: %d %s%s", args, code, out, errOut)
		}
	}
}

// SE-05: a split key file opens with enough shares only, at the start of a
// server as well.
func TestSplitKeyFile(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	s.stop(t)
	shares := filepath.Join(dir, "shares")
	if code, out, errOut := cli(t, "keys", "split", "--shares", "3", "--threshold", "2", "--out", shares, "--data", s.data); code != 0 {
		t.Fatal(out, errOut)
	}
	share := func(n string) string { return filepath.Join(shares, "share-"+n+".txt") }
	code, _, errOut := cli(t, "keys", "list", "--data", s.data, "--unseal-share", share("1"))
	if code != 1 || !strings.Contains(errOut, "2 of 3 shares") {
		t.Error(code, errOut)
	}
	if code, out, errOut := cli(t, "keys", "list", "--data", s.data, "--unseal-share", share("3"), "--unseal-share", share("1")); code != 0 {
		t.Error(out, errOut)
	}
	s = startIn(t, dir, func(c *app.Config) { c.UnsealShares = []string{share("2"), share("3")} })
	s.stop(t)

	// By hand, a slip of the pen included.
	one, err1 := os.ReadFile(share("1"))
	two, err2 := os.ReadFile(share("2"))
	typed := filepath.Join(dir, "typed")
	if err1 != nil || err2 != nil || os.WriteFile(typed, append(append([]byte("mandate-share-1:oops\n"), one...), two...), 0o600) != nil {
		t.Fatal(err1, err2)
	}
	in, err := os.Open(typed)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	before := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = before }()
	if code, out, errOut := cli(t, "keys", "list", "--data", s.data, "--unseal"); code != 0 {
		t.Error(out, errOut)
	}
}

// D2: a client that asks for ES256 gets its id_token signed so, by a key of the
// published set; the others get RS256.
func TestIDTokenAlgorithm(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clients.json")
	client := `[{"client_id":"fapi","kind":"public","redirect_uris":["https://fapi.example/cb"],"scopes":"openid fhirUser launch/patient patient/Patient.rs","id_token_signed_response_alg":"ES256"}]`
	if err := os.WriteFile(file, []byte(client), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) { c.ClientFiles = []string{file} })
	for _, c := range s.Clients {
		want := map[string]string{"fapi": "ES256", s.Client("public").ID: "RS256"}[c.ID]
		if want == "" {
			continue
		}
		g := s.granted(t, kit.Launch{Client: c, Scope: "openid fhirUser launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
		head, err := base64.RawURLEncoding.DecodeString(strings.Split(g.Text("id_token"), ".")[0])
		var h struct{ Alg, Kid string }
		if err != nil || json.Unmarshal(head, &h) != nil || h.Alg != want {
			t.Errorf("%s: %s %v", c.ID, head, err)
		}
		if set := s.get(t, "/jwks"); !strings.Contains(string(set.Body), h.Kid) {
			t.Errorf("%s is not published", h.Kid)
		}
	}
}

// SE-04: the static program does not hold PKCS#11, and says what does before it
// touches a store.
func TestHSMNeedsTheOtherBuild(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	code, _, errOut := cli(t, "keys", "status", "--data", data, "--keys", "pkcs11:token=a?module-path=/usr/lib/hsm.so")
	if code != 1 || !strings.Contains(errOut, "go build -tags pkcs11") {
		t.Errorf("status %d: %s", code, errOut)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("a store was made: %v", err)
	}
	for _, args := range [][]string{{"dev"}, {"serve"}, {"keys", "status"}} {
		code, _, errOut := cli(t, append(args, "--data", data, "--signing-keys", "hsm")...)
		if code != 1 || !strings.Contains(errOut, "go build -tags pkcs11") {
			t.Errorf("%v: status %d: %s", args, code, errOut)
		}
	}
}
