package gateway

import (
	"net/http"

	"github.com/mandate-health/mandate/oauth"
)

// The headers that browser apps may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsRequest = "Accept, Authorization, Content-Type, DPoP, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer"
	corsExpose  = "Content-Location, DPoP-Nonce, ETag, Last-Modified, Location, Mandate-As-Of, " +
		"RateLimit, RateLimit-Policy, Redisclosure-Consent, Redisclosure-Notice, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id"
)

// preflight answers a browser that asks before it sends. An origin is allowed
// when some client is registered for it; metadata is open to all (SMART CORS-01,
// CORS-02).
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request, path string) (done bool) {
	w.Header().Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if path == "/metadata" || g.registered(r) {
		allow(w, r)
		w.Header().Set("Access-Control-Allow-Methods", corsMethods)
		w.Header().Set("Access-Control-Allow-Headers", corsRequest)
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// refuse answers a request whose token is not good. No client is known then, so
// the apps of all origins with one may read why.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g.registered(r) {
		allow(w, r)
	}
	g.d.Problems.FHIR(w, r, err)
}

// registered reports whether some client runs where the request comes from. It
// reads all clients, so an ordinary request does without.
func (g *Gateway) registered(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	ok, err := g.d.Origins.Registered(r.Context(), g.d.Tenant, origin)
	if err != nil {
		g.d.Log.WarnContext(r.Context(), "origins unknown", "error", err)
	}
	return err == nil && ok
}

// allowClient lets only the origins of the token's own client read an answer.
func (g *Gateway) allowClient(w http.ResponseWriter, r *http.Request, c oauth.Client) {
	if c.RunsAt(r.Header.Get("Origin")) {
		allow(w, r)
	}
}

// allow lets the origin of the request read the answer.
func allow(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExpose)
	}
}
