package broken

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// described gives the client_id of a request that is the address of a document.
func described(r *http.Request) (id string, ok bool) {
	id = r.URL.Query().Get("client_id")
	return id, r.URL.Path == "/authorize" && (strings.HasPrefix(id, "http://") || strings.HasPrefix(id, "https://"))
}

// documentFaults break clients that are described by a document.
func (p *Proxy) documentFaults() []Fault {
	// followed lets a request go on that was refused, where a test holds.
	followed := func(when func(id string) bool) func(*http.Response) {
		return func(r *http.Response) {
			if id, ok := described(r.Request); ok && r.StatusCode == http.StatusBadRequest && when(id) {
				r.StatusCode = http.StatusFound
				r.Header.Set("Location", "/signin")
			}
		}
	}
	here := func(id string) bool { return strings.HasPrefix(id, "http://"+p.documentHost()+"/") }
	return []Fault{
		{Name: "documents are not offered", response: at("/openid-configuration", object(drop("client_id_metadata_document_supported"))), Rows: []string{"MANDATE CID-02"}},
		{Name: "an app that nobody describes is followed", response: followed(func(id string) bool { return !here(id) }), Rows: []string{"MANDATE CID-01"}},
		{Name: "any document will do", response: followed(here), Rows: []string{"MANDATE CID-03", "MANDATE CID-04"}},
		{Name: "documents are read at every request", request: func(r *http.Request) {
			if id, ok := described(r); ok && here(id) {
				p.visit(id)
			}
		}, Rows: []string{"MANDATE CID-04"}},
		{Name: "the host of a document is not named", response: func(r *http.Response) {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				return
			}
			if raw, err := io.ReadAll(r.Body); err == nil {
				replace(r, bytes.ReplaceAll(raw, []byte(p.documentHost()), []byte("an app")))
			}
		}, Rows: []string{"MANDATE CID-02"}},
		{Name: "the redirect URIs of a document are not looked at", request: authorizeQuery(func(q url.Values) {
			if here(q.Get("client_id")) {
				q.Set("redirect_uri", "http://"+p.documentHost()+"/callback")
			}
		}), Rows: []string{"MANDATE CID-05"}},
	}
}

// documentHost is where the checks publish documents.
func (p *Proxy) documentHost() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready.DocumentHost
}

// visit reads a document for nothing.
func (p *Proxy) visit(address string) {
	if res, err := p.direct.Get(address); err == nil { //nolint:noctx // the client has a time limit
		_ = res.Body.Close()
	}
}
