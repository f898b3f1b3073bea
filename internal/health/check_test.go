package health_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
)

// The worst comes first, with its remedy; what is fine is told only on request.
func TestReport(t *testing.T) {
	check := func(id string, f health.Finding) health.Check {
		return health.Check{ID: id, Looks: "at " + id, Remedy: "mend " + id, Look: func(context.Context) health.Finding { return f }}
	}
	results := health.Run(t.Context(), []health.Check{
		check("a-fine", health.Want(true, "good")), check("a-note", health.Note("so it is")), check("a-warning", health.Wish(false, "hm")),
		check("a-failure", health.Want(false, "bad")), check("a-skip", health.Unseen("dark")),
	})
	var text, all strings.Builder
	health.WriteText(&text, results, false)
	health.WriteText(&all, results, true)
	lines := strings.Split(text.String(), "\n")
	if health.Worst(results) != health.Failing || !strings.HasPrefix(lines[0], "failing  a-failure") || !strings.Contains(lines[1], "mend a-failure") {
		t.Error(text.String())
	}
	if strings.Contains(text.String(), "a-fine") || !strings.Contains(all.String(), "a-fine") || strings.Contains(all.String(), "mend a-fine") {
		t.Error(all.String())
	}
	if !strings.Contains(text.String(), "5 checks: 1 failing, 1 warning, 1 skipped, 1 noted, 1 fine") || health.Worst(nil) != health.Fine {
		t.Error(text.String())
	}
}

// keys writes an Ed25519 key pair as PEM files.
func keys(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte, err error) string {
		path := filepath.Join(t.TempDir(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = write("key.pem", "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(pub)
	return private, write("pub.pem", "PUBLIC KEY", der, err)
}

// SG-07: one changed value is one alert; an untouched configuration none; and a
// baseline that somebody edited is not believed.
func TestDrift(t *testing.T) {
	private, public := keys(t)
	file := filepath.Join(t.TempDir(), "baseline.json")
	facts := map[string]string{"listen": `"a"`, "tls.reload": `"10s"`, "gone": "1"}
	if err := health.SignBaseline(file, private, facts, time.Now()); err != nil {
		t.Fatal(err)
	}
	b, err := health.ReadBaseline(file, public)
	if err != nil || len(b.Drift(facts)) != 0 {
		t.Fatal(err, b.Drift(facts))
	}
	if _, err := health.ReadBaseline(file, private); err != nil {
		t.Error("the private key verifies too:", err)
	}
	found := b.Drift(map[string]string{"listen": `"b"`, "tls.reload": `"10s"`, "new": "2"})
	if len(found) != 3 || found[1].ID != "drift:listen" || found[1].Finding != `was "a", is "b"` || health.Worst(found) != health.Failing {
		t.Errorf("%+v", found)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(raw), `\"a\"`, `\"b\"`, 1)
	if edited == string(raw) {
		t.Fatal("nothing was edited")
	}
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := health.ReadBaseline(file, public); errs.As(err).Code != "baseline-signature" {
		t.Error(err)
	}
	_, other := keys(t)
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := health.ReadBaseline(file, other); errs.As(err).Code != "baseline-signature" {
		t.Error("another key:", err)
	}
	if err := health.SignBaseline(file, public, facts, time.Now()); errs.As(err).Code != "baseline-key" {
		t.Error("signed with a public key:", err)
	}
	if _, err := health.ReadBaseline(file, file); errs.As(err).Code != "baseline-key" {
		t.Error(err)
	}
}
