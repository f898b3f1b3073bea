package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/web/route"
)

// Tenants leads each request to the handler of the tenant that its path names.
type Tenants struct {
	// Home answers for the tenant at the root, and for every address that
	// belongs to no tenant there is.
	Home http.Handler
	// HomeID is the name under which the tenant at the root answers below
	// /t/ as well (D13).
	HomeID string
	// Of gives the handler of another tenant; nil when there is none or it is
	// disabled, which nobody can tell apart.
	Of func(id string) http.Handler
}

// ServeHTTP answers one request.
func (t Tenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if inserted, ok := inserted(path); ok {
		path = inserted
	}
	id, rest, named := named(path)
	if !named {
		t.Home.ServeHTTP(w, r)
		return
	}
	if id == t.HomeID {
		t.Home.ServeHTTP(w, at(r, rest))
		return
	}
	if h := t.Of(id); h != nil {
		h.ServeHTTP(w, at(r, route.BaseOf(id).Path(rest)))
		return
	}
	t.Home.ServeHTTP(w, r)
}

// named cuts "/t/acme/fhir" into tenant and rest. The id is taken as it was
// sent: an encoded one names nobody.
func named(path string) (id, rest string, ok bool) {
	below, ok := strings.CutPrefix(path, route.TenantPrefix)
	if !ok {
		return "", "", false
	}
	id, rest, _ = strings.Cut(below, "/")
	return id, "/" + rest, true
}

// wellKnown is where RFC 8414 §3.1 puts the metadata of an issuer: between the
// host and the issuer's path. OpenID Connect puts it behind the path.
const wellKnown = "/.well-known/"

// inserted turns /.well-known/NAME/t/acme into /t/acme/.well-known/NAME, and for
// the resource below it /.well-known/NAME/t/acme/fhir into
// /t/acme/.well-known/NAME/fhir (RFC 9728 §3.1).
func inserted(path string) (string, bool) {
	below, ok := strings.CutPrefix(path, wellKnown)
	if !ok {
		return "", false
	}
	name, base, ok := strings.Cut(below, "/")
	id, rest, named := named("/" + base)
	switch {
	case !ok || !named || id == "":
		return "", false
	case "/"+base == route.TenantPrefix+id:
		rest = ""
	case name != protectedResource:
		return "", false
	}
	return route.TenantPrefix + id + wellKnown + name + rest, true
}

// protectedResource is the name of the metadata of a resource.
const protectedResource = "oauth-protected-resource"

// at gives the request with another path, both as sent and decoded.
func at(r *http.Request, escaped string) *http.Request {
	if escaped == r.URL.EscapedPath() {
		return r
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return r
	}
	moved := *r
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	moved.URL = &u
	return &moved
}
