package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
)

// definition serves Mandate's own profiles, extensions and code systems to
// anybody, by id or by canonical URL: events that leave this server refer to
// them (TR-17). It reports whether the request is for one.
func (g *Gateway) definition(w http.ResponseWriter, r *http.Request, path string) bool {
	typ, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	url, _, _ := strings.Cut(r.URL.Query().Get("url"), "|")
	for _, d := range g.d.Definitions {
		if d.Type != typ || id != d.ID && (id != "" || url != d.URL) {
			continue
		}
		allow(w, r)
		if _, err := rest.Parse(rest.Incoming{Method: r.Method, Path: path, RawQuery: r.URL.RawQuery, Header: r.Header}); err != nil {
			g.d.Problems.FHIR(w, r, err)
			return true
		}
		body := d.JSON
		if id == "" {
			one := 1
			b := view.Bundle{ID: g.d.IDs.ID(), Type: "searchset", Total: &one, Links: []view.Link{{Relation: "self", URL: g.d.Base + path + "?" + r.URL.RawQuery}}}
			b.Entries = append(b.Entries, view.Entry{FullURL: g.d.Base + "/" + d.Type + "/" + d.ID, Resource: body, Search: []byte(`{"mode":"match"}`)})
			body = b.AppendTo(nil)
		}
		answer{status: http.StatusOK, body: body}.write(w, r)
		return true
	}
	return false
}

// defined are the types of the definitions in the CapabilityStatement, where
// the upstream does not list them.
func (g *Gateway) defined(types []resource) []resource {
	var out []resource
	for _, d := range g.d.Definitions {
		listed := func(r resource) bool { return r.Type == d.Type }
		if slices.ContainsFunc(types, listed) || slices.ContainsFunc(out, listed) {
			continue
		}
		out = append(out, resource{Type: d.Type, Interaction: []coded{{"read"}, {"search-type"}}, SearchParam: params("url", "uri")})
	}
	return out
}
