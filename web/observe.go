package web

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/telemetry"
)

// Observer is told about requests. Its zero value tells nobody.
type Observer struct {
	Metrics *telemetry.Metrics
	Tracer  *telemetry.Tracer
	Log     *slog.Logger
	// Lines says which requests leave a line in the log: none, failed or all.
	Lines string
}

// slow is from when on a request leaves a line though it went well.
const slow = time.Second

// answer is a ResponseWriter that remembers what was answered.
type answer struct {
	http.ResponseWriter
	route  *telemetry.Route
	status int
	bytes  int64
}

var answers = sync.Pool{New: func() any { return new(answer) }}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// metered tells which route a request came to.
func metered(route *telemetry.Route, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := w.(*answer); ok {
			a.route = route
		}
		h.ServeHTTP(w, r)
	})
}

// watch measures requests. It stands outside of what answers for a panic, so
// that a request which fails is counted too.
func (o Observer) watch(unknown *telemetry.Route, next func(http.ResponseWriter, *http.Request, string), id func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requestID, begun := id(), clock.Ticks()
		a := answers.Get().(*answer)
		*a = answer{ResponseWriter: w, route: unknown}
		o.Metrics.Begin()
		r, span := o.Tracer.Begin(r, requestID)
		// Deferred, as a handler may break the connection off by a panic.
		defer func() {
			took := clock.Ticks() - begun
			a.route.Done(a.status, took)
			span.Done(r.Method, a.route.Name, a.status)
			o.line(r, requestID, a, took)
			*a = answer{}
			answers.Put(a)
		}()
		next(a, r, requestID)
	})
}

// line writes one line about a request: its route, never its path or query.
func (o Observer) line(r *http.Request, id string, a *answer, took time.Duration) {
	failed := a.status >= http.StatusInternalServerError || a.status == 0 || took >= slow
	if o.Lines != "all" && (o.Lines != "failed" || !failed) {
		return
	}
	o.Log.InfoContext(r.Context(), "request", "request_id", id, "method", r.Method, "route", a.route.Name, "status", a.status,
		"duration", took, "bytes", a.bytes)
}
