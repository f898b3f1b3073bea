package protocol

import (
	"net/http"

	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// corsExpose are the headers that a browser app may read beside the answer: when
// to try again above all.
const corsExpose = "DPoP-Nonce, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"

// allow lets the browser of the named client read the answer: the origin is
// reflected only when that client registered it (SMART CORS-02). A failed
// look-up allows nothing.
func (d Deps) allow(w http.ResponseWriter, r *http.Request, who clientauth.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	w.Header().Add("Vary", "Origin")
	id := clientauth.Named(who)
	if id == "" {
		return
	}
	c, err := d.Clients.ClientByID(r.Context(), who.Tenant, id)
	if err == nil && c.RunsAt(origin) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExpose)
	}
}

// preflight answers before the client is known: any client's origin will do.
func (d Deps) preflight(w http.ResponseWriter, r *http.Request, tenant string) {
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && r.Header.Get("Access-Control-Request-Method") != "" && d.registered(r, tenant, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
		h.Set("Access-Control-Max-Age", "300")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d Deps) registered(r *http.Request, tenant, origin string) bool {
	ok, err := d.Clients.Registered(r.Context(), tenant, origin)
	return err == nil && ok
}

// anyOrigin opens a public document to every origin.
func anyOrigin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "*")
		h.Set("Access-Control-Max-Age", "300")
	}
}
