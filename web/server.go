package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/route"
)

// Deps is what the handler is made of.
type Deps struct {
	Routes []route.Route
	// Base is put in front of the path of every route.
	Base route.Base
	// FHIRBasePath is the full path of the FHIR base; everything below it goes to
	// the gateway, with the raw path kept as the client sent it (TRP-22).
	FHIRBasePath string
	Gateway      http.Handler
	// NotFound and Failed answer for addresses that lead nowhere and for
	// faults of our own.
	NotFound http.Handler
	Failed   func(http.ResponseWriter, *http.Request, error)
	// FailedClient is Failed where OAuth clients call; nil is Failed.
	FailedClient func(http.ResponseWriter, *http.Request, error)
	IDs          ids.Source
	Log          *slog.Logger
	// HSTS says that the public URL is https.
	HSTS bool
	// Observer is told about every request.
	Observer Observer
}

// New validates the routes and joins them. Errors: every fault of every
// route.
func New(d Deps) (http.Handler, error) {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	table := newPaths(router, d.Base)
	var faults []error
	seen, programs := map[string]bool{}, map[string]bool{}
	for _, rt := range d.Routes {
		err := rt.Validate()
		if key := rt.Method + " " + rt.Path; seen[key] {
			err = errors.Join(err, fmt.Errorf("route %s: registered twice", key))
		} else {
			seen[key] = true
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		programs[d.Base.Path(rt.Path)] = rt.Auth == route.Client || programs[d.Base.Path(rt.Path)]
		// A HEAD is answered where a GET is.
		methods := []string{rt.Method}
		if rt.Method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		// Without the tenant: what is slow for one is slow for all.
		h := metered(d.Observer.Metrics.Route(rt.Method, rt.Path), decoded(rt))
		table.add(router.Handle(d.Base.Path(rt.Path), h).Methods(methods...), rt.Path, methods)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	d.Gateway = metered(d.Observer.Metrics.Route("any", "fhir"), d.Gateway)
	router.NotFoundHandler = d.NotFound
	router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(taken(router, *r), ", "))
		failed := d.Failed
		if programs[r.URL.Path] && d.FailedClient != nil {
			failed = d.FailedClient
		}
		failed(w, r, errs.New(errs.NotSupported, "method-not-allowed", "This address does not take that method."))
	})
	return d.Observer.watch(d.Observer.Metrics.Route("any", "none"), d.wrap(d.split(table)), d.IDs.ID), nil
}

// decoded gives the handler of a route the parts of its path as they are, though
// the path is matched as it was sent: a part, such as a client_id, may hold a
// slash.
func decoded(rt route.Route) http.Handler {
	if !strings.Contains(rt.Path, "{") {
		return rt.Handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		vars := mux.Vars(r)
		for name, sent := range vars {
			// What cannot be decoded is no path that the server would have taken.
			vars[name], _ = url.PathUnescape(sent)
		}
		rt.Handler.ServeHTTP(w, r)
	})
}

// taken lists the methods that an address takes (RFC 9110 §15.5.6).
func taken(router *mux.Router, r http.Request) []string {
	var out []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		var match mux.RouteMatch
		if r.Method = method; router.Match(&r, &match) && match.MatchErr == nil {
			out = append(out, method)
		}
	}
	return out
}

// split sends requests below the FHIR base to the gateway before the router
// could clean or decode their path. Routes that are registered below the base
// win: the discovery document lives there.
func (d *Deps) split(table *paths) http.Handler {
	among := d.amongFHIR()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, named := table.find(r); h != nil {
			h.ServeHTTP(w, named)
			return
		}
		path := r.URL.EscapedPath()
		under := path == d.FHIRBasePath || strings.HasPrefix(path, d.FHIRBasePath+"/")
		var match mux.RouteMatch
		// The router asks one pattern after the other, so only where one could fit.
		if under && (!among || !table.router.Match(r, &match) || match.MatchErr != nil) {
			d.Gateway.ServeHTTP(w, r)
			return
		}
		table.router.ServeHTTP(w, r)
	})
}

// amongFHIR reports whether a route with variables could lead below the FHIR base.
func (d *Deps) amongFHIR() bool {
	below := d.FHIRBasePath + "/"
	return slices.ContainsFunc(d.Routes, func(rt route.Route) bool {
		literal, _, varies := strings.Cut(d.Base.Path(rt.Path), "{")
		return varies && (strings.HasPrefix(literal, below) || strings.HasPrefix(below, literal))
	})
}

// strict are the headers of every answer: what is no page is never shown as one.
// Pages set a policy of their own over it (AS-22).
var strict = map[string][]string{
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
}

type requestIDKey struct{}

// RequestID gives the id that joins everything recorded about a request
// (AR-02).
func RequestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

// wrap gives each request an id and turns a panic into an error page: one
// request's fault must not take the others with it.
func (d *Deps) wrap(next http.Handler) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, r *http.Request, id string) {
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		h := w.Header()
		h.Set("X-Request-Id", id)
		for name, value := range strict {
			h[name] = value
		}
		if d.HSTS {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload")
		}
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			d.Log.ErrorContext(r.Context(), "request failed", "request_id", id, "fault", fault, "stack", string(debug.Stack()))
			d.Failed(w, r, errs.New(errs.Internal, "unexpected", "An unexpected error occurred."))
		}()
		next.ServeHTTP(w, r)
	}
}
