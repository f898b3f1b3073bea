package telemetry_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/telemetry"
)

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// Labels come from fixed lists: what a request sends makes no new series.
func TestLabelsAreBounded(t *testing.T) {
	m := telemetry.NewMetrics("1")
	for _, grant := range []string{"authorization_code", "canary", "", strings.Repeat("x", 1000)} {
		m.Token(grant, nil)
		m.Token(grant, errs.New(errs.Kind("canary-kind"), "x", "x"))
		m.Token(grant, errors.New("canary"))
	}
	r := m.Route("POST", "/token")
	m.Begin()
	r.Done(200, 3*time.Millisecond)
	m.Begin()
	r.Done(999, time.Second)
	out := scrape(t, m)
	for _, want := range []string{
		`mandate_token_requests_total{grant="authorization_code",result="issued"} 1`, `mandate_token_requests_total{grant="other",result="issued"} 3`,
		`mandate_http_request_duration_seconds_count{method="POST",route="/token",status="2xx"} 1`,
		`mandate_http_request_duration_seconds_bucket{method="POST",route="/token",status="2xx",le="0.005"} 1`,
		`mandate_http_request_duration_seconds_count{method="POST",route="/token",status="0xx"} 1`, "mandate_http_requests_in_flight 0",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(out, "canary") {
		t.Error("a label from a request")
	}
}

// A gauge that cannot be read gives no value, and counts.
func TestGauges(t *testing.T) {
	m := telemetry.NewMetrics("1")
	broken := error(nil)
	err := m.Add([]telemetry.Gauge{
		{Name: "mandate_a", Help: "A.", Label: "use", Read: func(context.Context) (map[string]float64, error) {
			return map[string]float64{"x": 1, "y": 2}, nil
		}},
		{Name: "mandate_b", Help: "B.", Counter: true, Read: func(context.Context) (map[string]float64, error) {
			broken = errors.New("down")
			return nil, broken
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The library reads all at once, so what the failing one counted may show
	// at the next reading only.
	scrape(t, m)
	out := scrape(t, m)
	if !strings.Contains(out, `mandate_a{use="y"} 2`) || strings.Contains(out, "\nmandate_b ") || strings.Contains(out, "mandate_gauge_errors_total 0") {
		t.Error(out)
	}
	if m.Add([]telemetry.Gauge{{Name: "mandate_a"}}) == nil {
		t.Error("one name twice")
	}
}

// Without metrics and traces nothing is counted, and nothing fails.
func TestOff(t *testing.T) {
	var m *telemetry.Metrics
	m.Begin()
	m.Token("x", nil)
	m.FHIR("x")
	m.PinReport()
	m.Route("GET", "/").Done(200, 1)
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TraceConfig{}, "1")
	if err != nil || tracer != nil {
		t.Fatal(err)
	}
	_, span := tracer.Begin(httptest.NewRequest("GET", "/", nil), "1")
	span.Done("GET", "/", 200)
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range []telemetry.TraceConfig{{Endpoint: "collector"}, {Share: 2}} {
		if c.Validate() == nil {
			t.Errorf("%+v", c)
		}
	}
	if (&telemetry.MetricsConfig{Listen: "9090"}).Validate() == nil {
		t.Error("a port alone")
	}
}

// Counting a request allocates nothing (the token path has 2 µs for all of it).
func TestCountingAllocatesNothing(t *testing.T) {
	m := telemetry.NewMetrics("1")
	r := m.Route("POST", "/token")
	if n := testing.AllocsPerRun(100, func() {
		m.Begin()
		r.Done(200, time.Millisecond)
		m.Token("refresh_token", nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRequest is what the metrics cost one token request.
func BenchmarkRequest(b *testing.B) {
	m := telemetry.NewMetrics("1")
	r := m.Route("POST", "/token")
	for b.Loop() {
		m.Begin()
		r.Done(200, time.Millisecond)
		m.Token("refresh_token", nil)
	}
}
