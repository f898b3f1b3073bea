package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/web/route"
)

// paths leads to routes. The router asks one pattern after the other, each by a
// regular expression, and copies the request twice for the variables of a path.
// So a path without any is looked up, and of the others only those are compared
// that begin alike and have as many parts.
type paths struct {
	router *mux.Router
	base   route.Base
	fixed  map[fixed]http.Handler
	shaped map[shape][]pattern
	// opaque says that a route was added which only the router can tell: it comes
	// before those behind it.
	opaque bool
}

// fixed is a method at a path that has no variables.
type fixed struct{ method, path string }

// shape is what the paths of a route with variables have in common: the part
// behind the base, and how many parts there are.
type shape struct {
	method, first string
	parts         int
}

// pattern is a route whose variables are whole parts of its path.
type pattern struct {
	parts   []string
	handler http.Handler
}

func newPaths(router *mux.Router, base route.Base) *paths {
	return &paths{router: router, base: base, fixed: map[fixed]http.Handler{}, shaped: map[shape][]pattern{}}
}

// add takes note of a route that was added to the router last, where it is the
// one to which the router leads. path is what stands behind the base.
func (p *paths) add(added *mux.Route, path string, methods []string) {
	full := p.base.Path(path)
	if strings.ContainsAny(path, "{}") {
		p.addShaped(added.GetHandler(), path, methods)
		return
	}
	for _, method := range methods {
		var match mux.RouteMatch
		asked := &http.Request{Method: method, URL: &url.URL{Path: full}}
		if p.router.Match(asked, &match) && match.MatchErr == nil && match.Route == added {
			p.fixed[fixed{method, full}] = added.GetHandler()
		}
	}
}

func (p *paths) addShaped(h http.Handler, path string, methods []string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		_, variable := name(part)
		p.opaque = p.opaque || !variable && strings.ContainsAny(part, "{}") || variable && i == 0
	}
	if p.opaque {
		return
	}
	for _, method := range methods {
		s := shape{method, parts[0], len(parts)}
		p.shaped[s] = append(p.shaped[s], pattern{parts, h})
	}
}

// name gives the variable that a part of a pattern is, such as "{id}".
func name(part string) (string, bool) {
	inner, open := strings.CutPrefix(part, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	return inner, open && closed && inner != "" && !strings.ContainsAny(inner, "{}:")
}

// find gives the handler that the router would lead to, and the request with the
// parts of its path; nil where only the router knows.
func (p *paths) find(r *http.Request) (http.Handler, *http.Request) {
	if h := p.fixed[fixed{r.Method, r.URL.Path}]; h != nil {
		return h, r
	}
	path, ours := strings.CutPrefix(r.URL.EscapedPath(), p.base.Path("/"))
	if !ours {
		return nil, r
	}
	first, _, _ := strings.Cut(path, "/")
	for _, one := range p.shaped[shape{r.Method, first, strings.Count(path, "/") + 1}] {
		if vars, ok := one.match(path); ok {
			return one.handler, mux.SetURLVars(r, vars)
		}
	}
	return nil, r
}

// match compares part by part; a variable is never empty.
func (o pattern) match(path string) (map[string]string, bool) {
	rest := path
	for _, want := range o.parts {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if _, variable := name(want); !variable && part != want || part == "" {
			return nil, false
		}
	}
	vars, rest := make(map[string]string, 1), path
	for _, want := range o.parts {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if key, variable := name(want); variable {
			vars[key] = part
		}
	}
	return vars, true
}
