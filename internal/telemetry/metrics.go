package telemetry

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
)

// MetricsConfig is the settings of the metrics.
type MetricsConfig struct {
	Listen string `name:"metrics-listen" help:"Address of a listener of its own with /metrics (Prometheus); left out: none. Anybody who reaches it can read it: keep it on loopback or in the network of the operators." placeholder:"HOST:PORT"`
}

// Validate reports every fault of the settings.
func (c *MetricsConfig) Validate() error {
	var f config.Faults
	if c.Listen != "" && !config.HostPort(c.Listen) {
		f.Add("listen", "%q is not HOST:PORT", c.Listen)
	}
	return f.Err()
}

// Metric is one metric as documented.
type Metric struct{ Name, Type, Labels, Help string }

// The names of the metrics that are counted where something happens. They are
// stable: dashboards and alerts are built on them.
const (
	requestSeconds  = "mandate_http_request_duration_seconds"
	requestsNow     = "mandate_http_requests_in_flight"
	tokenRequests   = "mandate_token_requests_total"
	fhirDecisions   = "mandate_fhir_events_total"
	wouldDeny       = "mandate_would_deny_total"
	pinReports      = "mandate_tls_pin_reports_total"
	buildInfo       = "mandate_build_info"
	gaugeErrors     = "mandate_gauge_errors_total"
	grantLabel      = "grant"
	resultIssued    = "issued"
	unknownGrant    = "other"
	statusClasses   = 6
	helpRequests    = "How long requests took, by route pattern, method and class of status; its count is the number of requests."
	helpTokens      = "Requests to the token endpoint, by grant type and result: issued, or the kind of the error."
	helpFHIR        = "Audit events of the FHIR gateway, by kind: what was read, searched, written and refused."
	helpAudited     = "Requests in which a rule that is only audited would have refused something, by rule."
	helpPinReports  = "Reports of apps that met a key which they had not pinned."
	helpInFlight    = "Requests being answered."
	helpBuild       = "Always 1; the labels are the versions of the program and of Go."
	helpGaugeErrors = "Readings of the store for a gauge that failed."
)

// own lists the metrics of this file.
func own() []Metric {
	return []Metric{
		{requestSeconds, "histogram", "route, method, status", helpRequests},
		{requestsNow, "gauge", "", helpInFlight},
		{tokenRequests, "counter", "grant, result", helpTokens},
		{fhirDecisions, "counter", "kind", helpFHIR},
		{wouldDeny, "counter", "rule", helpAudited},
		{pinReports, "counter", "", helpPinReports},
		{gaugeErrors, "counter", "", helpGaugeErrors},
		{buildInfo, "gauge", "version, go", helpBuild},
	}
}

// Metrics counts what happens. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	tokens   map[string]map[string]prometheus.Counter
	events   *prometheus.CounterVec
	would    *prometheus.CounterVec
	pins     prometheus.Counter
	failed   prometheus.Counter
}

// grantTypes are the values of the label grant, everything else is "other".
var grantTypes = []string{"authorization_code", "refresh_token", "client_credentials", unknownGrant}

// tokenResults are the values of the label result.
func tokenResults() []string {
	return []string{
		resultIssued, string(errs.InvalidRequest), string(errs.InvalidClient), string(errs.InvalidGrant), string(errs.UnauthorizedClient),
		string(errs.UnsupportedGrantType), string(errs.InvalidScope), string(errs.AccessDenied), string(errs.RateLimited), string(errs.Unavailable), string(errs.Internal),
	}
}

// NewMetrics makes the metrics of one process.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: requestSeconds, Help: helpRequests,
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: requestsNow, Help: helpInFlight}),
		tokens:   map[string]map[string]prometheus.Counter{},
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: fhirDecisions, Help: helpFHIR}, []string{"kind"}),
		would:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: wouldDeny, Help: helpAudited}, []string{"rule"}),
		pins:     prometheus.NewCounter(prometheus.CounterOpts{Name: pinReports, Help: helpPinReports}),
		failed:   prometheus.NewCounter(prometheus.CounterOpts{Name: gaugeErrors, Help: helpGaugeErrors}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: buildInfo, Help: helpBuild}, []string{"version", "go"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	tokens := prometheus.NewCounterVec(prometheus.CounterOpts{Name: tokenRequests, Help: helpTokens}, []string{grantLabel, "result"})
	for _, grant := range grantTypes {
		m.tokens[grant] = map[string]prometheus.Counter{}
		for _, result := range tokenResults() {
			m.tokens[grant][result] = tokens.WithLabelValues(grant, result)
		}
	}
	m.registry.MustRegister(m.seconds, m.inFlight, tokens, m.events, m.would, m.pins, m.failed, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Token counts a request to the token endpoint. err is nil when a token was
// issued.
func (m *Metrics) Token(grant string, err error) {
	if m == nil {
		return
	}
	if !slices.Contains(grantTypes, grant) {
		grant = unknownGrant
	}
	result := resultIssued
	if err != nil {
		if result = string(errs.KindOf(err)); m.tokens[grant][result] == nil {
			result = string(errs.Internal)
		}
	}
	m.tokens[grant][result].Inc()
}

// FHIR counts an audit event of the gateway; its kind comes from a fixed list.
func (m *Metrics) FHIR(kind string) {
	if m != nil {
		m.events.WithLabelValues(kind).Inc()
	}
}

// WouldDeny counts a request in which a rule that is only audited would have
// refused something; the rules are a fixed list.
func (m *Metrics) WouldDeny(rule string) {
	if m != nil {
		m.would.WithLabelValues(rule).Inc()
	}
}

// PinReport counts a report of a pin failure.
func (m *Metrics) PinReport() {
	if m != nil {
		m.pins.Inc()
	}
}

// Route is the counters of one route. Each is looked up once, when it is first
// needed, so that what never happens takes no line.
type Route struct {
	Name    string
	method  string
	metrics *Metrics
	seconds [statusClasses]atomic.Pointer[prometheus.Observer]
}

// Route gives the counters of a route. Name is its pattern, never a path.
func (m *Metrics) Route(method, name string) *Route {
	return &Route{Name: name, method: method, metrics: m}
}

// Begin counts a request in, Done counts it out with its status and the time
// that it took.
func (m *Metrics) Begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

// Done counts a request out.
func (r *Route) Done(status int, took time.Duration) {
	if r.metrics == nil {
		return
	}
	r.metrics.inFlight.Dec()
	class := status / 100
	if class < 1 || class >= statusClasses {
		class = 0
	}
	o := r.seconds[class].Load()
	if o == nil {
		fresh := r.metrics.seconds.WithLabelValues(r.Name, r.method, strconv.Itoa(class)+"xx")
		o = &fresh
		r.seconds[class].Store(o)
	}
	(*o).Observe(took.Seconds())
}
