package app

import (
	"context"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/web/gateway"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// measure is one limit for each address.
type measure struct {
	class string
	rule  limit.Rule
}

// limitBuckets gives the limits on the routes of a class. What clients call shares
// one with the authorization endpoint, so that nobody has a full measure at each;
// registration has a narrower one besides.
func (a *App) limitBuckets(class string) []measure {
	network := limit.PerSecond(a.cfg.Limits.Network)
	switch class {
	case "signin":
		return []measure{{class, limit.PerSecond(a.cfg.Limits.SignIn)}}
	case "register":
		return []measure{{class, limit.PerHour(a.cfg.Limits.Register)}, {"network", network}}
	case "fhir":
		return []measure{{class, network}}
	}
	return []measure{{"network", network}}
}

// admitClient counts a request of an authenticated client.
func (a *App) admitClient(ctx context.Context, tenant, clientID string) error {
	return a.limiter.Take(ctx, tenant, "client:"+clientID, limit.PerSecond(a.cfg.Limits.Client))
}

// admitPerson counts a request about what a person allowed: with a code or a
// token of theirs, or by their own browser.
func (a *App) admitPerson(ctx context.Context, tenant, personID string) error {
	return a.limiter.Take(ctx, tenant, "person:"+personID, limit.PerSecond(a.cfg.Limits.Person))
}

// admitFHIR counts a request at the FHIR base for its client, its person and the
// patient to whose record it is bound.
func (a *App) admitFHIR(ctx context.Context, tenant string, c gateway.Caller) error {
	if err := a.admitClient(ctx, tenant, c.Client); err != nil {
		return err
	}
	if c.Person != "" {
		if err := a.admitPerson(ctx, tenant, c.Person); err != nil {
			return err
		}
	}
	if c.Patient == "" {
		return nil
	}
	return a.limiter.Take(ctx, tenant, "patient:"+c.Patient, limit.PerSecond(a.cfg.Limits.Patient))
}

// spiked counts a part of what a client exports, and reports whether it is the first
// one too many of its hour at all nodes together.
func (a *App) spiked(ctx context.Context, tenant, client string, perHour int) bool {
	if a.limiter.Take(ctx, tenant, "export:"+client, limit.PerHour(perHour)) == nil {
		return false
	}
	return a.limiter.Take(ctx, tenant, "export-told:"+client, limit.PerHour(1)) == nil
}

// limitPerson bounds what the browsers of one person begin. It needs session.Load
// before it; a browser without a log-in is bounded by its address alone.
func (t *tenant) limitPerson(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, ok := session.From(r); ok {
			if err := t.admitPerson(r.Context(), t.id, who.Person.ID); err != nil {
				t.problem.HTML(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// limited bounds the routes that name a class, before anything of a request is
// read: by the address it comes from.
func (t *tenant) limited(routes []route.Route) []route.Route {
	for i := range routes {
		if r := &routes[i]; r.Limit != "" {
			r.Handler = t.limit(r.Limit, t.refusal(r.Limit), r.Handler)
		}
	}
	return routes
}

// limit lets a request through while its address has a permit of each of the class.
func (t *tenant) limit(class string, refuse func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	buckets := slices.DeleteFunc(t.limitBuckets(class), func(b measure) bool { return b.rule.Every <= 0 })
	if len(buckets) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := identity.AddressPrefix(t.session.Address(r))
		for _, b := range buckets {
			if class == "signin" && t.admitDevice(r) {
				continue
			}
			if err := t.limiter.Take(r.Context(), t.id, b.class+":"+address, b.rule); err != nil {
				if readable(w, class); !preflight(w, r) {
					refuse(w, r, err)
				}
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// perDevice is how many log-ins in a second a device of its own measure may try.
const perDevice = 5

// admitDevice counts a log-in from a device on which somebody signed in before, by
// itself: who floods the address of a hospital shuts nobody of it out (SM-17). With
// more than its measure it counts as any other of its address.
func (t *tenant) admitDevice(r *http.Request) bool {
	device := t.session.OwnDevice(r)
	return device != "" && t.limiter.Take(r.Context(), t.id, "signin-device:"+t.hasher.Hash("device-limit", device), limit.PerSecond(perDevice)) == nil
}

// readable lets the page of a browser app read that it asked too often, and for
// how long to wait: without, it would see a failure of the network. The refusal
// says nothing about anybody, so every origin may read it and no client is
// looked up (SMART CORS-02). Pages of people have no such readers (CORS-03).
func readable(w http.ResponseWriter, class string) {
	switch class {
	case "signin", "authorize":
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id")
}

// preflight answers a browser that asks before it sends too much: what it then
// sends is refused readably. The answer looks nothing up and is not kept. It
// reports whether this was such a question.
func preflight(w http.ResponseWriter, r *http.Request) bool {
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, *")
	h.Set("Access-Control-Max-Age", "0")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// refusal gives how routes of a class tell errors.
func (t *tenant) refusal(class string) func(http.ResponseWriter, *http.Request, error) {
	switch class {
	case "signin", "authorize":
		return t.problem.HTML
	case "fhir":
		return t.problem.FHIR
	}
	return t.problem.OAuth
}
