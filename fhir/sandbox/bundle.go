package sandbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// bundleEntry is one interaction of a batch or transaction.
type bundleEntry struct {
	fullURL  string
	req      *request
	root     *node  // the resource, nil when there is none
	assigned string // the id that a POST in a transaction gets
	err      error  // why it cannot be read as a request
}

// bundle answers POST [base] with a batch or a transaction (FHIR R4
// http.html#transaction). The lock is not held.
func (s *server) bundle(req *request) (response, error) {
	root, err := req.resource(s.cat.types["Bundle"])
	if err != nil {
		return response{}, err
	}
	var entries []*bundleEntry
	kind := root.get("type").str()
	if kind != "batch" && kind != "transaction" {
		return response{}, badRequest("Bundle.type is %q; batch or transaction is expected", kind)
	}
	items := root.get("entry").items()
	for i := range items {
		entries = append(entries, s.bundleEntry(req, &items[i]))
	}
	var answers []response
	if kind == "batch" {
		for _, e := range entries {
			if e.err != nil {
				answers = append(answers, failed(e.err))
			} else {
				answers = append(answers, s.handle(e.req))
			}
		}
	} else {
		err = s.store.write(func() (err error) {
			answers, err = s.transaction(entries)
			return err
		})
	}
	if err != nil {
		return response{}, err
	}
	b := bundle{typ: kind + "-response", total: -1}
	for i, e := range entries {
		b.entries = append(b.entries, s.answerEntry(e, &answers[i]))
	}
	return response{status: http.StatusOK, body: b.json(s.newID(), s.store.now())}, nil
}

// entryFault says which entry an error belongs to.
func entryFault(i int, err error) error {
	var f *fault
	if errors.As(err, &f) {
		return &fault{f.status, f.code, fmt.Sprintf("entry %d: %s", i, f.text)}
	}
	return err
}

// bundleEntry reads one entry as a request.
func (s *server) bundleEntry(outer *request, n *node) *bundleEntry {
	req := &request{header: make(http.Header), media: mediaJSON}
	req.header["Prefer"] = outer.header.Values("Prefer")
	e := &bundleEntry{fullURL: n.get("fullUrl").str(), req: req, root: n.get("resource")}
	ask := n.get("request")
	if e.err = s.addressEntry(req, ask); e.err != nil {
		return e
	}
	for member, name := range map[string]string{
		"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match",
		"ifNoneExist": "If-None-Exist", "ifModifiedSince": "If-Modified-Since",
	} {
		if v := ask.get(member).str(); v != "" {
			req.header.Set(name, v)
		}
	}
	if at, err := parseDate(req.header.Get("If-Modified-Since")); err == nil {
		v := version{at: at.lo / 1000}
		req.header.Set("If-Modified-Since", v.updated().Format(httpTime))
	}
	e.err = e.readBody()
	return e
}

// addressEntry reads method and url of Bundle.entry.request.
func (s *server) addressEntry(req *request, ask *node) (err error) {
	switch req.method = ask.get("method").str(); req.method {
	case "HEAD":
		req.method = http.MethodGet
	case "GET", "POST", "PUT", "PATCH", "DELETE":
	default:
		return badRequest("request.method %q is not an HTTP verb of Bundle", req.method)
	}
	address := strings.TrimPrefix(ask.get("url").str(), s.base+"/")
	plain, query, _ := strings.Cut(address, "?")
	if plain = strings.Trim(plain, "/"); plain == "" {
		return badRequest("request.url is missing")
	}
	req.path = strings.Split(plain, "/")
	if req.query, err = url.ParseQuery(query); err != nil {
		return badRequest("request.url is malformed")
	}
	return nil
}

// readBody takes the resource of an entry as the body; a JSON Patch comes as
// a Binary.
func (e *bundleEntry) readBody() error {
	switch {
	case e.req.method == http.MethodPatch:
		data, err := base64.StdEncoding.DecodeString(e.root.get("data").str())
		if err != nil {
			return badRequest("Binary.data is not base64")
		}
		e.req.media, e.req.body = e.root.get("contentType").str(), data
		e.root = nil
	case e.root != nil:
		e.req.body = e.root.write(nil)
	case e.req.method == http.MethodPost || e.req.method == http.MethodPut:
		return badRequest("resource is missing")
	}
	return nil
}

// answerEntry renders the response to an entry.
func (s *server) answerEntry(e *bundleEntry, res *response) entry {
	out := entry{response: res}
	if res.rec != nil {
		out.fullURL = s.url(res.rec)
	}
	if res.status < 400 && (e.req.method == http.MethodGet || e.req.prefers("return=representation")) {
		out.resource = res.body
	}
	return out
}

// transactionOrder is the order in which a transaction's entries are
// processed (FHIR R4 http.html#trules).
var transactionOrder = []string{http.MethodDelete, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodGet}

// transaction processes all entries or none; the lock is held.
func (s *server) transaction(entries []*bundleEntry) ([]response, error) {
	names, err := s.assign(entries)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if e.root == nil {
			continue
		}
		if err := s.resolve(e.root, names); err != nil {
			return nil, entryFault(i, err)
		}
		e.req.body = e.root.write(nil)
	}
	answers := make([]response, len(entries))
	for _, method := range transactionOrder {
		for i, e := range entries {
			if e.req.method != method {
				continue
			}
			if answers[i], err = s.dispatchEntry(e); err != nil {
				return nil, entryFault(i, err)
			}
		}
	}
	return answers, nil
}

func (s *server) dispatchEntry(e *bundleEntry) (response, error) {
	if e.assigned == "" {
		return s.dispatch(e.req)
	}
	typ := s.cat.types[e.req.path[0]]
	if err := checkType(e.root, typ); err != nil {
		return response{}, err
	}
	return s.createAs(e.req, typ, e.root, e.assigned)
}

// assign gives every resource of a transaction its address before anything is
// stored: a map from fullUrl to Type/id. It refuses two writes to one
// resource.
func (s *server) assign(entries []*bundleEntry) (map[string]string, error) {
	names, written := make(map[string]string), make(map[string]bool)
	for i, e := range entries {
		if e.err != nil {
			return nil, entryFault(i, e.err)
		}
		typ := s.cat.types[e.req.path[0]]
		if typ == nil || e.req.method == http.MethodGet {
			continue
		}
		name, err := s.address(e, typ)
		if err != nil {
			return nil, entryFault(i, err)
		}
		if name == "" {
			continue
		}
		if written[name] {
			return nil, entryFault(i, badRequest("%s is written twice in one transaction", name))
		}
		written[name] = true
		if e.fullURL != "" && (e.req.method == http.MethodPost || strings.HasPrefix(e.fullURL, "urn:")) {
			if names[e.fullURL] != "" {
				return nil, entryFault(i, badRequest("fullUrl %s occurs twice", e.fullURL))
			}
			names[e.fullURL] = name
		}
	}
	return names, nil
}

// address tells which resource an entry writes, and replaces its criteria by
// that address.
func (s *server) address(e *bundleEntry, typ *resourceType) (string, error) {
	req := e.req
	if len(req.path) == 2 {
		return req.path[0] + "/" + req.path[1], nil
	}
	if len(req.path) != 1 {
		return "", nil
	}
	criteria, isPost := req.query.Encode(), req.method == http.MethodPost
	if isPost {
		criteria = req.header.Get("If-None-Exist")
	}
	var rec *record
	if !isPost || criteria != "" {
		var err error
		if rec, err = s.only(typ, criteria); err != nil {
			return "", err
		}
	}
	switch {
	case isPost && rec == nil:
		e.assigned = s.newID()
		return typ.name + "/" + e.assigned, nil
	case isPost:
		return typ.name + "/" + rec.id, nil
	case rec != nil:
		req.path, req.query = []string{typ.name, rec.id}, url.Values{}
		return typ.name + "/" + rec.id, s.identify(e, rec.id)
	case req.method == http.MethodPut:
		id := e.root.get("id").str()
		if id == "" {
			id = s.newID()
		}
		req.path, req.query = []string{typ.name, id}, url.Values{}
		return typ.name + "/" + id, s.identify(e, id)
	}
	return "", nil
}

// identify gives the resource of a conditional update the id that was found.
func (s *server) identify(e *bundleEntry, id string) error {
	if e.req.method != http.MethodPut {
		return nil
	}
	if len(e.root.kids) == 0 {
		return refuse(http.StatusBadRequest, "structure", "the resource is empty")
	}
	if e.root.get("id") == nil {
		e.root.set(1, "id", id)
	}
	return nil
}

// resolve replaces references to other entries of a transaction, and
// conditional references, by Type/id.
func (s *server) resolve(root *node, names map[string]string) error {
	var failed error
	root.rewrite(func(key, text string) (string, bool) {
		switch name := names[text]; key {
		case "reference", "url", "uri", "valueUri", "valueUrl":
			if name != "" {
				return name, true
			}
		}
		if key != "reference" || failed != nil {
			return "", false
		}
		if strings.HasPrefix(text, "urn:uuid:") {
			failed = badRequest("the reference %s names no entry", text)
		}
		name, criteria, ok := strings.Cut(text, "?")
		typ := s.cat.types[name]
		if !ok || typ == nil {
			return "", false
		}
		rec, err := s.only(typ, criteria)
		if err == nil && rec == nil {
			err = preconditionFailed("no %s matches the conditional reference", name)
		}
		if err != nil {
			failed = err
			return "", false
		}
		return name + "/" + rec.id, true
	})
	return failed
}
