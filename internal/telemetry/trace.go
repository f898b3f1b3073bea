package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
)

// TraceConfig is the settings of traces.
type TraceConfig struct {
	Endpoint string  `name:"trace-endpoint" help:"OTLP/HTTP address that takes traces, such as https://collector.example:4318/v1/traces; left out: no traces." placeholder:"URL"`
	Share    float64 `name:"trace-share" default:"0.01" help:"Share of the requests that are traced, 0 to 1; what a caller's traceparent asks for is traced too."`
}

// Validate reports every fault of the settings.
func (c *TraceConfig) Validate() error {
	var f config.Faults
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		f.Add("endpoint", "%q is not an http or https URL", c.Endpoint)
	}
	if c.Share < 0 || c.Share > 1 {
		f.Add("share", "%g is not between 0 and 1", c.Share)
	}
	return f.Err()
}

// Tracer sends spans of requests. Spans are named by route patterns and carry
// the request id, method and status: no path, no query, no header. A nil Tracer
// does nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// NewTracer connects to the collector, nil without an endpoint. Errors:
// errs.Invalid with code trace-endpoint.
func NewTracer(ctx context.Context, cfg TraceConfig, version string) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil //nolint:nilnil // a nil Tracer does nothing
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "trace-endpoint", "The address for traces cannot be read.")
	}
	o := []otlptracehttp.Option{otlptracehttp.WithEndpoint(u.Host), otlptracehttp.WithURLPath(u.Path), otlptracehttp.WithTimeout(5 * time.Second)}
	if u.Scheme == "http" {
		o = append(o, otlptracehttp.WithInsecure())
	}
	exporter, err := otlptrace.New(ctx, otlptracehttp.NewClient(o...))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "trace-endpoint", "The collector of traces cannot be used.")
	}
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(2048)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(cfg.Share))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "mandate"), attribute.String("service.version", version))),
	)
	return &Tracer{provider: p, tracer: p.Tracer("mandate")}, nil
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Span is one request.
type Span struct{ span trace.Span }

// Begin starts the span of a request, below the caller's when its traceparent
// header (W3C) names one.
func (t *Tracer) Begin(r *http.Request, requestID string) (*http.Request, Span) {
	if t == nil {
		return r, Span{}
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	// What a caller writes into tracestate is free text, and would be sent on.
	ctx = trace.ContextWithRemoteSpanContext(ctx, trace.SpanContextFromContext(ctx).WithTraceState(trace.TraceState{}))
	ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("mandate.request_id", requestID)))
	return r.WithContext(ctx), Span{span}
}

// Done ends the span.
func (s Span) Done(method, route string, status int) {
	if s.span == nil {
		return
	}
	s.span.SetName(method + " " + route)
	s.span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
	s.span.End()
}

// Propagate names the span of ctx to a server behind (W3C traceparent).
func Propagate(ctx context.Context, header http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
}
