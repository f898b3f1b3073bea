package rest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
)

// longQuery is the length in bytes above which a search is posted, because
// servers and proxies limit addresses.
const longQuery = 1800

// Upstream writes the request anew: the address starts with a slash below
// the upstream's base. Only headers that have a meaning here are set; the
// caller adds its own authorization. A search with a long query becomes a
// POST to _search.
func (r Request) Upstream() (method, pathAndQuery string, header http.Header, body []byte) {
	header = http.Header{"Accept": {mediaFHIR}}
	r.writeConditions(header)
	method, pathAndQuery = r.method(), "/"+r.path()
	query := encodeQuery(r.Query)
	switch {
	case r.searches() && len(query) > longQuery:
		if r.path() != "" {
			pathAndQuery += "/"
		}
		header.Set("Content-Type", mediaForm)
		return http.MethodPost, pathAndQuery + "_search", header, []byte(query)
	case r.Interaction == Patch || r.Interaction == ConditionalPatch:
		header.Set("Content-Type", mediaPatch)
		body = encodePatch(r.Patch)
	case r.Interaction == Batch || r.Interaction == Transaction:
		header.Set("Content-Type", mediaFHIR)
		body = r.bundle()
	case r.Body != nil:
		header.Set("Content-Type", mediaFHIR)
		body = r.Body
	}
	if query != "" {
		pathAndQuery += "?" + query
	}
	return method, pathAndQuery, header, body
}

func (r Request) searches() bool {
	return r.Interaction == SearchType || r.Interaction == SearchSystem || r.Interaction == SearchCompartment
}

func (r Request) method() string {
	switch r.Interaction {
	case Create, Batch, Transaction:
		return http.MethodPost
	case Update, ConditionalUpdate:
		return http.MethodPut
	case Patch, ConditionalPatch:
		return http.MethodPatch
	case Delete, ConditionalDelete:
		return http.MethodDelete
	case Operation:
		if r.Posted {
			return http.MethodPost
		}
	}
	return http.MethodGet
}

func (r Request) writeConditions(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("If-Match", r.IfMatch)
	set("If-None-Match", r.IfNoneMatch)
	set("If-None-Exist", encodeQuery(r.IfNoneExist))
	set("If-Modified-Since", r.IfModifiedSince)
	set("Prefer", r.Prefer.String())
}

// bundle writes a batch or transaction.
func (r Request) bundle() []byte {
	b := view.Bundle{Type: string(r.Interaction)}
	for _, e := range r.Entries {
		address := e.Request.path()
		if query := encodeQuery(e.Request.Query); query != "" {
			address += "?" + query
		}
		b.Entries = append(b.Entries, view.Entry{FullURL: e.FullURL, Resource: e.Request.Body, Request: e.Request.entryRequest(address)})
	}
	return b.AppendTo(nil)
}

func (r Request) entryRequest(address string) json.RawMessage {
	out := appendMember([]byte{'{'}, "method", quote(r.method()))
	out = appendMember(append(out, ','), "url", quote(address))
	for _, m := range []struct{ name, value string }{
		{"ifMatch", r.IfMatch}, {"ifNoneMatch", r.IfNoneMatch},
		{"ifNoneExist", encodeQuery(r.IfNoneExist)}, {"ifModifiedSince", instant(r.IfModifiedSince)},
	} {
		if m.value != "" {
			out = appendMember(append(out, ','), m.name, quote(m.value))
		}
	}
	return append(out, '}')
}

// httpDate turns a FHIR instant into an HTTP date.
func httpDate(s string) (string, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", errCondHeader
	}
	return t.UTC().Format(http.TimeFormat), nil
}

// instant turns an HTTP date that Parse has written into a FHIR instant.
func instant(s string) string {
	t, err := http.ParseTime(s)
	if err != nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Target gives the resource that the address names: that of a read, update,
// patch, delete or instance operation; zero for all others.
func (r Request) Target() fhir.Reference {
	if r.ID == "" {
		return fhir.Reference{}
	}
	return fhir.Reference{Type: r.Type, ID: r.ID}
}
