package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/web/route"
)

// limitRule gives the rule for one address on the routes of a class.
func (a *App) limitRule(class string) limit.Rule {
	if class == "signin" {
		return limit.PerSecond(a.cfg.Limits.SignIn)
	}
	return limit.PerSecond(a.cfg.Limits.Network)
}

// admitClient counts a request of an authenticated client.
func (a *App) admitClient(ctx context.Context, tenant, clientID string) error {
	return a.limiter.Take(ctx, tenant, "client:"+clientID, limit.PerSecond(a.cfg.Limits.Client))
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

// limit lets a request through while its address has a permit of the class.
func (t *tenant) limit(class string, refuse func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	rule := t.limitRule(class)
	if rule.Every <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := class + ":" + identity.AddressPrefix(t.session.Address(r))
		if err := t.limiter.Take(r.Context(), t.id, key, rule); err != nil {
			tellLimit(w, class, err)
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tellLimit says which limit was met and when it is worth trying again
// (draft-ietf-httpapi-ratelimit-headers).
func tellLimit(w http.ResponseWriter, class string, err error) {
	var over *limit.Exceeded
	if !errors.As(err, &over) {
		return
	}
	seconds := strconv.Itoa(max(1, int(math.Ceil(over.After.Seconds()))))
	window := max(1, int(math.Ceil(over.Rule.Every.Seconds()*float64(over.Rule.Burst))))
	w.Header().Set("Retry-After", seconds)
	w.Header().Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", class, over.Rule.Burst, window))
	w.Header().Set("RateLimit", fmt.Sprintf("%q;r=0;t=%s", class, seconds))
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
