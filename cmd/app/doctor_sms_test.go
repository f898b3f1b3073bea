package app_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// tells runs one check of the doctor and gives its severity, finding and remedy.
func tells(t *testing.T, id string, args ...string) (severity, said string) {
	t.Helper()
	_, out, errOut := cli(t, append([]string{"doctor", "--all", "--only", id}, args...)...)
	if !strings.Contains(out, id) {
		t.Fatalf("no check %s\n%s%s", id, out, errOut)
	}
	_, found := findings(t, append([]string{"--only", id}, args...)...)
	return found[id], out
}

// SG-07, SM-09: a gateway of text messages that would not take a code is found out before
// somebody waits for one: which fault it is, by its cause code, and what to correct. The
// address, which may hold a secret, is not told.
func TestDoctorTriesTheGatewayOfTextMessages(t *testing.T) {
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	answering := func(status int) *httptest.Server {
		g := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.Method != http.MethodOptions || r.ContentLength > 0 || r.Header.Get("Authorization") != "" {
				t.Errorf("the doctor sends %s with %q", r.Method, r.Header)
			}
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
		}))
		g.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that fail on purpose
		g.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		t.Cleanup(g.Close)
		return g
	}
	secure := func(status int) string { g := answering(status); g.StartTLS(); return g.URL }
	plain := answering(http.StatusOK)
	plain.Start()
	down := answering(http.StatusOK)
	down.StartTLS()
	down.Close()
	good := secure(http.StatusMethodNotAllowed)
	base := []string{
		"--accept-file-keys", "--data", filepath.Join(t.TempDir(), "data"), "--public-url", "https://ehr.example", "--upstream", "https://fhir.example/r4",
		"--notify-sms-token", "t0ken", "--notify-webhook", "https://told.example/", "--notify-webhook-secret", strings.Repeat("s", 32),
	}
	for _, c := range []struct{ name, gateway, authority, severity, says string }{
		{"it asks who comes", good, cert, "fine", "it answers"},
		{"it is down", down.URL, cert, "failing", "sms-unreachable: The gateway of text messages cannot be reached."},
		{"a strange authority", good, "", "failing", "sms-untrusted: The gateway of text messages has a certificate of an authority that is not trusted here."},
		{"another name", strings.Replace(good, "127.0.0.1", "localhost", 1), cert, "failing", "sms-untrusted: The gateway of text messages has a certificate for another host name."},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), cert, "failing", "sms-untrusted: The gateway of text messages does not speak TLS at this address."},
		{"it moved", secure(http.StatusMovedPermanently), cert, "failing", "sms-answer: The gateway of text messages answers 301"},
		{"another path", secure(http.StatusNotFound), cert, "failing", "sms-answer: The gateway of text messages answers 404: there is nothing at this address."},
		{"it is ill", secure(http.StatusBadGateway), cert, "failing", "sms-answer: The gateway of text messages answers 502: it has a fault of its own."},
	} {
		args := append(append([]string(nil), base...), "--notify-sms", c.gateway+"/secret-path")
		if c.authority != "" {
			args = append(args, "--notify-sms-ca", c.authority)
		}
		severity, said := tells(t, "sms-gateway", args...)
		if severity != c.severity || !strings.Contains(said, c.says) || strings.Contains(said, "secret-path") || strings.Contains(said, "t0ken") {
			t.Errorf("%s: %s\n%s", c.name, severity, said)
		}
		if c.severity == "failing" && !strings.Contains(said, "notify.sms") {
			t.Errorf("%s: no remedy\n%s", c.name, said)
		}
	}
	if asked == 0 {
		t.Error("nobody was asked")
	}
}
