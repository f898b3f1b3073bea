package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/telemetry"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/gateway"
)

// openTelemetry opens the listener of the metrics and the way to the collector
// of traces, where they are asked for.
func (a *App) openTelemetry(ctx context.Context) (err error) {
	if a.tracer, err = telemetry.NewTracer(ctx, a.cfg.Trace, Version); err != nil {
		return explain(err)
	}
	if a.cfg.Metrics.Listen == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w. Choose another with --metrics-listen", a.cfg.Metrics.Listen, err)
	}
	a.metricsListener, a.metrics = l, telemetry.NewMetrics(Version)
	return a.metrics.Add(a.gauges())
}

// serveMetrics answers on that listener. The gauges read the rooms, which must
// be built.
func (a *App) serveMetrics(ctx context.Context, servers *group) {
	if a.metricsListener == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	servers.start(a.metricsListener, mux, nil)
	a.log.InfoContext(ctx, "metrics", "at", "http://"+a.metricsListener.Addr().String()+"/metrics")
}

// gauges lists what is read when somebody asks for the metrics. A room that
// gets some adds one line.
func (a *App) gauges() []telemetry.Gauge {
	one := func(read func() float64) func(context.Context) (map[string]float64, error) {
		return func(context.Context) (map[string]float64, error) { return map[string]float64{"": read()}, nil }
	}
	return append([]telemetry.Gauge{
		{Name: "mandate_audit_queue_events", Help: "Audit events that wait to be written; at mandate_audit_queue_room requests are refused.", Read: one(func() float64 {
			waiting, _ := a.queue.Waiting()
			return float64(waiting)
		})},
		{Name: "mandate_password_hashes_waiting", Help: "Log-ins that wait until others were checked.", Read: one(func() float64 { return float64(a.passwords.Waiting()) })},
		{Name: "mandate_password_hashes_at_once", Help: "Password hashes that may run at once.", Read: one(func() float64 { return float64(a.passwords.Ceiling()) })},
		{Name: "mandate_audit_queue_room", Help: "Audit events that may wait.", Read: one(func() float64 {
			_, room := a.queue.Waiting()
			return float64(room)
		})},
		{Name: "mandate_change_feed_age_seconds", Help: "How old copies in memory may be; beyond revocation_staleness every token is checked against the store. Absent while nothing is kept.", Read: func(context.Context) (map[string]float64, error) {
			age, ok := a.feed.Age()
			if !ok {
				return map[string]float64{}, nil
			}
			return map[string]float64{"": age.Seconds()}, nil
		}},
		{Name: "mandate_ready", Help: "1 while the server takes requests, as /readyz says.", Read: func(ctx context.Context) (map[string]float64, error) {
			ready, _ := a.ready.Ready(ctx)
			return map[string]float64{"": number(ready)}, nil
		}},
		{Name: "mandate_tls_certificate_end_seconds", Help: "When the certificate ends, in seconds since 1970; absent where TLS ends before this server.", Read: func(context.Context) (map[string]float64, error) {
			if a.tls == nil {
				return nil, nil //nolint:nilnil // no certificate, no value
			}
			return map[string]float64{"": float64(a.tls.Leaf().NotAfter.Unix())}, nil
		}},
		{Name: "mandate_key_age_seconds", Help: "Age of the oldest key in use, by kind; of a kind whose age the key provider does not tell there is none.", Label: "kind", Read: func(ctx context.Context) (map[string]float64, error) {
			sums, err := a.keySums(ctx)
			return sums.ages, err
		}},
		{Name: "mandate_keys_overdue", Help: "Keys that should have been replaced before now, by kind; mandate keys status names them.", Label: "kind", Read: func(ctx context.Context) (map[string]float64, error) {
			sums, err := a.keySums(ctx)
			return sums.overdue, err
		}},
	}, slices.Concat(a.auditGauges(), a.journalGauges(), a.backupGauges(), a.store.Gauges())...)
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// observer is told about the requests of all tenants.
func (a *App) observer() web.Observer {
	lines := a.cfg.Logging.Requests
	if lines == "" {
		lines = "failed"
	}
	return web.Observer{Metrics: a.metrics, Tracer: a.tracer, Log: a.log, Lines: lines}
}

// closeTelemetry sends the spans that are left.
func (a *App) closeTelemetry() {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.HTTP.complete().DrainTimeout)
	defer cancel()
	if err := a.tracer.Close(ctx); err != nil {
		a.log.Warn("traces not sent", "err", err)
	}
}

// counted counts the gateway's events by kind and hands them on.
type counted struct {
	audit.Recorder
	metrics *telemetry.Metrics
}

// Record implements audit.Recorder.
func (c counted) Record(ctx context.Context, e audit.Event) error {
	err := c.Recorder.Record(ctx, e)
	if err == nil {
		c.metrics.FHIR(string(e.Kind))
		for text := range strings.FieldsSeq(e.Detail[gateway.WouldDeny]) {
			rule, _, _ := strings.Cut(text, ":")
			c.metrics.WouldDeny(rule)
		}
	}
	return err
}

// metricNames lists every metric, for documentation.
func metricNames() []telemetry.Metric {
	a := &App{store: new(store.Store)}
	return telemetry.Catalogue(a.gauges())
}
