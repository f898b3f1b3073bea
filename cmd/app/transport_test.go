package app_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// SE-06…SE-11: what a started server speaks, and what it publishes about its
// keys.
func TestTransport(t *testing.T) {
	backup := "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	s := start(t, func(c *app.Config) {
		c.TLS, c.HTTP.RedirectListen = true, freeAddress(t)
		c.Transport = tlsconf.Config{BackupPins: []string{backup}, NextRotation: "2027-06-30"}
	})
	base, err := url.Parse(s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	if _, err := tls.Dial("tcp", base.Host, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
		t.Errorf("TLS 1.1: %v", err)
	}
	c, err := tls.Dial("tcp", base.Host, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	state := c.ConnectionState()
	_ = c.Close()
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x, exchange %s", state.Version, state.CurveID)
	}
	plain := "http://" + base.Host
	if res, err := http.Get(plain + "/healthz"); err == nil && res.StatusCode != http.StatusBadRequest {
		t.Errorf("the TLS port answers plain HTTP with %d", res.StatusCode)
	}
	res := s.get(t, "/healthz")
	if h := res.Header.Get("Strict-Transport-Security"); h != "max-age=63072000; includeSubDomains; preload" {
		t.Errorf("HSTS %q", h)
	}
	var set tlsconf.PinSet
	pins := s.get(t, "/.well-known/mandate-key-pins")
	if err := json.Unmarshal(pins.Body, &set); err != nil || len(set.Pins) != 2 || set.Pins[0].Pin != tlsconf.PinOf(state.PeerCertificates[0]) ||
		set.Pins[1].Pin != backup || set.NextRotation != "2027-06-30" || set.Issuer != s.Issuer {
		t.Errorf("%s %v", pins.Body, err)
	}
	s.reportsPins(t, set)
}

// reportsPins sends reports of pin failures, good, bad and too many. Nothing of
// a report is given back.
func (s *server) reportsPins(t *testing.T, set tlsconf.PinSet) {
	t.Helper()
	report := func(body string) *kit.Response {
		return s.do(t, kit.Request{Method: http.MethodPost, URL: set.ReportURI, Body: strings.NewReader(body), Header: http.Header{"Content-Type": {"application/json"}}})
	}
	good := `{"host":"canary.example","seen_pins":["` + set.Pins[1].Pin + `"],"time":"2026-11-22T10:00:00Z"}`
	for body, want := range map[string]int{
		good: http.StatusNoContent, "{": http.StatusBadRequest, good + good: http.StatusBadRequest, `{"host":"canary"}`: http.StatusBadRequest,
		strings.Replace(good, "host", "canary", 1): http.StatusBadRequest, `{"host":"` + strings.Repeat("x", 9000) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		if res := report(body); res.Status != want || strings.Contains(string(res.Body), "canary") {
			t.Errorf("%.60s: %s", body, res)
		}
	}
	for range 60 {
		if res := report(good); res.Status == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("reports are not limited")
}

// SE-08: the plain listener leads browsers to https from the start page, and
// refuses everything else, tokens above all.
func TestPlainListener(t *testing.T) {
	address := freeAddress(t)
	s := start(t, func(c *app.Config) { c.TLS, c.HTTP.RedirectListen = true, address })
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, host string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader("x=y"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	if res := ask("GET", "/", "evil.example"); res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != s.Issuer+"/" {
		t.Errorf("%d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	for _, path := range []string{"/token", "/fhir/Patient/rosa", "/authorize", "/signin", "/healthz"} {
		for _, method := range []string{"GET", "POST"} {
			if res := ask(method, path, ""); res.StatusCode != http.StatusForbidden || res.Header.Get("Location") != "" {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
		}
	}
	if res := ask("POST", "/", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("POST /: %d", res.StatusCode)
	}
}

// A client that sends its request drop by drop, or an endless head, is cut off.
func TestSlowAndLargeRequests(t *testing.T) {
	s := start(t, func(c *app.Config) { c.HTTP.ReadHeaderTimeout, c.HTTP.MaxHeaderBytes = 300*time.Millisecond, 4096 })
	address := strings.TrimPrefix(s.Issuer, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	open := func(text string) *bufio.Reader {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetDeadline(time.Now().Add(startDeadline)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, text)
		return bufio.NewReader(c)
	}
	// The head never ends; the server does not wait for it.
	if _, err := io.ReadAll(open("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")); err != nil {
		t.Errorf("slow head: %v", err)
	}
	line, err := open("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 16<<10) + "\r\n\r\n").ReadString('\n')
	if err != nil || !strings.Contains(line, "431") {
		t.Errorf("large head: %q %v", line, err)
	}
}

// A balancer learns why a server is not ready.
func TestReadyz(t *testing.T) {
	s := start(t, nil)
	res := s.get(t, "/readyz")
	for _, part := range []string{"ready\n", "store fine", "keys fine", "audit-queue fine", "upstream fine"} {
		if res.Status != http.StatusOK || !strings.Contains(string(res.Body), part) {
			t.Errorf("%s lacks %s", res, part)
		}
	}
	behind := freeAddress(t)
	down := start(t, func(c *app.Config) { c.Upstream, c.ReadyUpstream = "http://"+behind+"/fhir", true })
	if res := down.get(t, "/readyz"); res.Status != http.StatusServiceUnavailable || !strings.Contains(string(res.Body), "upstream failing") {
		t.Errorf("%s", res)
	}
}
