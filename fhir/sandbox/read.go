package sandbox

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
	"time"
)

// readOne answers GET [type]/[id] (FHIR R4 http.html#read).
func (s *server) readOne(req *request, typ *resourceType, id string) (response, error) {
	rec := s.store.find(typ.name, id)
	if rec == nil {
		return response{}, notFound("%s/%s is not known", typ.name, id)
	}
	v := rec.current()
	if v.body == nil {
		return response{}, gone(rec)
	}
	if notModified(req, v) {
		return s.versionHeaders(response{status: http.StatusNotModified}, v), nil
	}
	if req.native {
		return binaryContent(req, v)
	}
	return s.show(http.StatusOK, v), nil
}

func gone(rec *record) error {
	return refuse(http.StatusGone, "deleted", "%s/%s is deleted", rec.typ.name, rec.id)
}

// readVersion answers GET [type]/[id]/_history/[version].
func (s *server) readVersion(typ *resourceType, id, version string) (response, error) {
	if rec := s.store.find(typ.name, id); rec != nil {
		for i := range rec.versions {
			v := &rec.versions[i]
			if v.id != version {
				continue
			}
			if v.body == nil {
				return response{}, gone(rec)
			}
			return s.show(http.StatusOK, v), nil
		}
	}
	return response{}, notFound("%s/%s has no version %s", typ.name, id, version)
}

// show answers with one version of a resource.
func (s *server) show(status int, v *version) response {
	return s.versionHeaders(response{status: status, body: v.appendJSON(nil)}, v)
}

func (s *server) versionHeaders(res response, v *version) response {
	res.set("ETag", v.etag())
	res.set("Last-Modified", v.updated().Format(httpTime))
	return res
}

// notModified judges If-None-Match and If-Modified-Since (FHIR R4
// http.html#cread).
func notModified(req *request, v *version) bool {
	if tags := req.header.Get("If-None-Match"); tags != "" {
		return anyTag(tags, v)
	}
	since, err := time.Parse(httpTime, req.header.Get("If-Modified-Since"))
	return err == nil && !v.updated().Truncate(time.Second).After(since)
}

// anyTag reports whether one of the entity tags names the version.
func anyTag(tags string, v *version) bool {
	for tag := range strings.SplitSeq(tags, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) == v.id {
			return true
		}
	}
	return false
}

// binaryContent answers a Binary in its own media type.
func binaryContent(req *request, v *version) (response, error) {
	root, err := parseJSON(v.body)
	if err != nil {
		return response{}, err
	}
	content := root.get("contentType").str()
	media, _, err := mime.ParseMediaType(content)
	if err != nil || !strings.Contains(strings.Join(req.header.Values("Accept"), ","), media) {
		return response{}, refuse(http.StatusNotAcceptable, "not-supported", "this Binary is neither wanted as JSON nor as its own media type")
	}
	data, err := base64.StdEncoding.DecodeString(root.get("data").str())
	if err != nil {
		return response{}, refuse(http.StatusInternalServerError, "structure", "the Binary's data is not base64")
	}
	res := response{status: http.StatusOK, media: content, body: data}
	res.set("ETag", v.etag())
	return res, nil
}

// history answers the history of the records that want admits, newest first
// (FHIR R4 http.html#history).
func (s *server) history(req *request, want func(*record) bool) (response, error) {
	p, err := pageOf(req.query)
	if err != nil {
		return response{}, err
	}
	var since span
	if text := req.query.Get("_since"); text != "" {
		if since, err = parseDate(text); err != nil {
			return response{}, badRequest("_since: %s", err)
		}
	} else {
		since.lo = beginning
	}
	var found []change
	for i := len(s.store.log) - 1; i >= 0; i-- {
		c := s.store.log[i]
		if want(c.rec) && c.rec.versions[c.version].at*1000 >= since.lo {
			found = append(found, c)
		}
	}
	b := bundle{typ: "history", total: len(found)}
	b.links = p.links(s.base+"/"+strings.Join(req.path, "/"), req.query, len(found))
	from, to := p.cut(len(found))
	for _, c := range found[from:to] {
		b.entries = append(b.entries, s.historyEntry(c))
	}
	return response{status: http.StatusOK, body: b.json(s.newID(), s.store.now())}, nil
}

func (s *server) historyEntry(c change) entry {
	v := &c.rec.versions[c.version]
	res := s.versionHeaders(response{status: http.StatusOK}, v)
	e := entry{fullURL: s.url(c.rec), rec: c.rec, version: v, method: v.method, response: &res}
	e.url = c.rec.typ.name + "/" + c.rec.id
	switch {
	case v.body == nil:
		res.status = http.StatusNoContent
	case c.version == 0:
		res.status = http.StatusCreated
	}
	if v.method == http.MethodPost {
		e.url = c.rec.typ.name
	}
	return e
}
