package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/telemetry"
	"github.com/mandate-health/mandate/internal/watch"
)

// The documentation lists every metric as the code has it.
func TestMetricsAreDocumented(t *testing.T) {
	code, out, errOut := cli(t, "config", "example", "--metrics")
	if code != 0 {
		t.Fatal(errOut)
	}
	generated(t, "../../docs/operations/metrics.md", "metrics", out)
}

// collector takes traces and keeps what it got.
type collector struct {
	mu  sync.Mutex
	got []byte
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.got = append(c.got, raw...)
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// SE-01, SA-17: canaries planted in names, tokens, passwords, query strings,
// headers and paths go through every flow and show in no line of the log, no
// metric and no trace; what an operator needs does.
func TestNothingOfARequestShows(t *testing.T) {
	spans := &collector{}
	sink := httptest.NewServer(spans)
	defer sink.Close()
	address := freeAddress(t)
	log := &lockedBuffer{}
	s := start(t, func(c *app.Config) {
		c.Metrics.Listen, c.Trace = address, telemetry.TraceConfig{Endpoint: sink.URL + "/v1/traces", Share: 1}
		c.Staleness = watch.DefaultStaleness
		c.Logging = telemetry.LogConfig{Level: "debug", Format: "json", Requests: "all"}
		c.Log = telemetry.NewLogger(log, c.Logging)
	})
	const canary = "canaryBird"
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid patient/Patient.rs offline_access", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.fetch(t, g.Access(), "Patient?family="+canary, http.StatusOK)
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	s.plant(t, canary)
	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if public := s.get(t, "/metrics"); public.Status != http.StatusNotFound {
		t.Errorf("metrics on the public listener: %s", public)
	}
	s.stop(t)
	spans.mu.Lock()
	defer spans.mu.Unlock()
	secrets := []string{canary, strings.ToLower(canary), g.Access(), g.RefreshToken(), s.Person("rosa").Password, "Alvarez", "Rosa", "Patient/rosa"}
	for where, text := range map[string]string{"the log": log.String(), "the metrics": string(metrics), "the traces": string(spans.got)} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				at := strings.Index(text, secret)
				t.Errorf("%s shows %q: …%s…", where, secret, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
	for _, want := range []string{`"route":"/token"`, `"route":"fhir"`, `"status":200`, `"request_id":"`, `"duration":`, `"bytes":`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, want := range []string{
		`mandate_http_request_duration_seconds_count{method="POST",route="/token",status="2xx"}`, `mandate_token_requests_total{grant="authorization_code",result="issued"} 1`,
		`mandate_token_requests_total{grant="other",result="`, `mandate_fhir_events_total{kind="fhir.read"} `, "mandate_store_transactions_total ", "mandate_ready 1",
		`mandate_signing_key_age_seconds{use="access-token"}`, "mandate_audit_queue_room 4096", "go_goroutines ",
		"mandate_change_feed_age_seconds ", "mandate_store_connections ", "mandate_store_waits_total ", "mandate_audit_seal_lag_seconds ",
		`mandate_audit_alerts{rule="audit-backdated"} 0`, `mandate_audit_alerts{rule="node-silent"} 0`,
	} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, want := range []string{"POST /token", "GET fhir", "mandate.request_id", "\x0a\xf7\x65\x19\x16\xcd\x43\xdd"} {
		if !strings.Contains(string(spans.got), want) {
			t.Errorf("the traces lack %q", want)
		}
	}
	documented(t, string(metrics))
}

// plant sends a word to every kind of endpoint, in every part of a request.
func (s *server) plant(t *testing.T, canary string) {
	t.Helper()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, r := range []kit.Request{
		{Method: "GET", URL: s.at("/" + canary + "?token=" + canary)},
		{Method: "GET", URL: s.FHIRBase + "/Patient/" + canary + "?name=" + canary, Header: http.Header{"Authorization": {"Bearer " + canary}}},
		{Method: "POST", URL: s.at("/token"), Header: form, Body: strings.NewReader("grant_type=" + canary + "&client_id=" + canary + "&code=" + canary)},
		{Method: "POST", URL: s.at("/token"), Header: form, Body: strings.NewReader("grant_type=password&username=" + canary + "&password=" + canary)},
		{Method: "GET", URL: s.at("/authorize?client_id=" + canary + "&redirect_uri=https://" + canary + ".example&state=" + canary)},
		{Method: "POST", URL: s.at("/introspect"), Header: form, Body: strings.NewReader("token=" + canary)},
		{Method: "GET", URL: s.at("/healthz"), Header: http.Header{"User-Agent": {canary}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {"x=" + canary}}},
	} {
		s.do(t, r)
	}
}

// documented wants every metric of Mandate that a server gives in the document,
// under its type.
func documented(t *testing.T, metrics string) {
	t.Helper()
	doc := read(t, "../../docs/operations/metrics.md")
	found := 0
	for line := range strings.Lines(metrics) {
		var name, kind string
		if n, _ := fmt.Sscanf(line, "# TYPE %s %s", &name, &kind); n != 2 || !strings.HasPrefix(name, "mandate_") {
			continue
		}
		found++
		if !strings.Contains(doc, "| `"+name+"` | "+kind+" |") {
			t.Errorf("%s (%s) is not documented", name, kind)
		}
	}
	if found < 12 {
		t.Errorf("only %d metrics of our own", found)
	}
}
