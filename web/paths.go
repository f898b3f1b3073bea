package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"
)

// paths leads to routes. The router asks one pattern after the other and copies
// the request twice for the variables of a path; a path without any is looked up.
type paths struct {
	router *mux.Router
	fixed  map[fixed]http.Handler
}

// fixed is a method at a path that has no variables.
type fixed struct{ method, path string }

// add takes note of a route that was added to the router last, where it is the
// one to which the router leads.
func (p paths) add(route *mux.Route, path string, methods []string) {
	if strings.ContainsAny(path, "{}") {
		return
	}
	for _, method := range methods {
		var match mux.RouteMatch
		asked := &http.Request{Method: method, URL: &url.URL{Path: path}}
		if p.router.Match(asked, &match) && match.MatchErr == nil && match.Route == route {
			p.fixed[fixed{method, path}] = route.GetHandler()
		}
	}
}
