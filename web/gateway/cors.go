package gateway

import (
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/oauth"
)

// The headers that browser apps may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsRequest = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer"
	corsExpose  = "Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id"
)

// cors answers a preflight and says so. Until the token is known an origin is
// allowed when some client is registered for it, so that an app can read why
// it was refused; metadata is open to all (SMART CORS-01, CORS-02).
func (g *Gateway) cors(w http.ResponseWriter, r *http.Request, path string) (done bool) {
	w.Header().Add("Vary", "Origin")
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	origin := r.Header.Get("Origin")
	if origin != "" && (path == "/metadata" || g.registered(r, origin)) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExpose)
		if preflight {
			w.Header().Set("Access-Control-Allow-Methods", corsMethods)
			w.Header().Set("Access-Control-Allow-Headers", corsRequest)
			w.Header().Set("Access-Control-Max-Age", "600")
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}

func (g *Gateway) registered(r *http.Request, origin string) bool {
	ok, err := g.d.Origins.Registered(r.Context(), g.d.Tenant, origin)
	if err != nil {
		g.d.Log.WarnContext(r.Context(), "origins unknown", "error", err)
	}
	return err == nil && ok
}

// allowOrigin lets only the origins of the token's own client read an answer.
func (g *Gateway) allowOrigin(w http.ResponseWriter, r *http.Request, c oauth.Client) {
	if origin := r.Header.Get("Origin"); origin != "" && !slices.Contains(c.Origins(), origin) {
		w.Header().Del("Access-Control-Allow-Origin")
		w.Header().Del("Access-Control-Expose-Headers")
	}
}
