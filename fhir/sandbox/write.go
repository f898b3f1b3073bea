package sandbox

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

// resource reads the body of a create or update: well-formed JSON of that
// type.
func (req *request) resource(typ *resourceType) (*node, error) {
	if req.media == mediaPatch || req.media == mediaNDJSON {
		return nil, refuse(http.StatusUnsupportedMediaType, "not-supported", "Content-Type %s is not for a resource", req.media)
	}
	root, err := parseJSON(req.body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "structure", "malformed JSON: %s", err)
	}
	if err := checkType(root, typ); err != nil {
		return nil, err
	}
	return root, nil
}

func checkType(root *node, typ *resourceType) error {
	switch name := root.get("resourceType").str(); {
	case root.kind != '{':
		return refuse(http.StatusBadRequest, "structure", "a resource is a JSON object")
	case name == "":
		return refuse(http.StatusBadRequest, "structure", "resourceType is missing")
	case name != typ.name:
		return badRequest("resourceType is %q, the address says %q", name, typ.name)
	}
	if m := root.get("meta"); m != nil && m.kind != '{' {
		return refuse(http.StatusBadRequest, "structure", "meta is not an object")
	}
	return nil
}

// create answers POST [type], conditional with If-None-Exist (FHIR R4
// http.html#create, #ccreate).
func (s *server) create(req *request, typ *resourceType) (response, error) {
	root, err := req.resource(typ)
	if err != nil {
		return response{}, err
	}
	if criteria := req.header.Get("If-None-Exist"); criteria != "" {
		rec, err := s.only(typ, criteria)
		if err != nil {
			return response{}, err
		}
		if rec != nil {
			return s.stored(req, http.StatusOK, rec), nil
		}
	}
	return s.createAs(req, typ, root, s.newID())
}

// createAs stores a new resource under the id given.
func (s *server) createAs(req *request, typ *resourceType, root *node, id string) (response, error) {
	root.set(1, "id", id)
	rec, err := s.store.put(typ, id, http.MethodPost, root.write(nil))
	if err != nil {
		return response{}, err
	}
	return s.stored(req, http.StatusCreated, rec), nil
}

// update answers PUT [type]/[id], which also creates (FHIR R4
// http.html#update, #upsert).
func (s *server) update(req *request, typ *resourceType, id string) (response, error) {
	root, err := req.resource(typ)
	if err != nil {
		return response{}, err
	}
	switch inBody := root.get("id").str(); {
	case !fhir.ValidID(id):
		return response{}, badRequest("%q is not a FHIR id", id)
	case inBody == "":
		return response{}, badRequest("id is missing in the resource")
	case inBody != id:
		return response{}, badRequest("id is %q in the resource, %q in the address", inBody, id)
	}
	return s.replace(req, typ, id, http.MethodPut, root)
}

// replace stores the next version of a resource if If-Match allows it.
func (s *server) replace(req *request, typ *resourceType, id, method string, root *node) (response, error) {
	old := s.store.find(typ.name, id)
	if err := ifMatch(req, old); err != nil {
		return response{}, err
	}
	status := http.StatusOK
	if old == nil || old.deleted() {
		status = http.StatusCreated
	}
	rec, err := s.store.put(typ, id, method, root.write(nil))
	if err != nil {
		return response{}, err
	}
	return s.stored(req, status, rec), nil
}

// ifMatch refuses a write to another version than the named one (FHIR R4
// http.html#concurrency).
func ifMatch(req *request, rec *record) error {
	tags := req.header.Get("If-Match")
	if tags == "" {
		return nil
	}
	if rec == nil || rec.deleted() || !anyTag(tags, rec.current()) {
		return preconditionFailed("the current version is not %s", tags)
	}
	return nil
}

// stored answers a write, showing what Prefer asks for (FHIR R4
// http.html#ops).
func (s *server) stored(req *request, status int, rec *record) response {
	v := rec.current()
	res := s.versionHeaders(response{status: status, rec: rec}, v)
	res.set("Location", s.url(rec)+"/_history/"+v.id)
	switch {
	case req.prefers("return=minimal"):
	case req.prefers("return=OperationOutcome"):
		res.body = outcome("information", "informational", "stored as version "+v.id)
	default:
		res.body = v.appendJSON(nil)
	}
	return res
}

// only finds the one record that matches criteria, nil when there is none. It
// refuses several matches and criteria that it does not understand in full.
func (s *server) only(typ *resourceType, criteria string) (*record, error) {
	if _, after, ok := strings.Cut(criteria, "?"); ok {
		criteria = after
	}
	query, err := url.ParseQuery(criteria)
	if err != nil {
		return nil, badRequest("the criteria are malformed")
	}
	q, err := s.parseQuery(typ, query, true)
	if err != nil {
		return nil, err
	}
	if len(q.filters) == 0 {
		return nil, badRequest("criteria are missing")
	}
	switch found := s.run(q); len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	default:
		return nil, preconditionFailed("%d resources match the criteria", len(found))
	}
}

// updateWhere answers PUT [type]?criteria (FHIR R4 http.html#cond-update).
func (s *server) updateWhere(req *request, typ *resourceType) (response, error) {
	root, err := req.resource(typ)
	if err != nil {
		return response{}, err
	}
	rec, err := s.only(typ, req.query.Encode())
	if err != nil {
		return response{}, err
	}
	id := root.get("id").str()
	switch {
	case id != "" && !fhir.ValidID(id):
		return response{}, badRequest("%q is not a FHIR id", id)
	case rec == nil && id == "":
		return s.createAs(req, typ, root, s.newID())
	case rec == nil:
		if other := s.store.find(typ.name, id); other != nil && !other.deleted() {
			return response{}, preconditionFailed("nothing matches, but the id is taken")
		}
		return s.replace(req, typ, id, http.MethodPut, root)
	case id == "":
		root.set(1, "id", rec.id)
	case id != rec.id:
		return response{}, badRequest("id is %q in the resource, another one matches", id)
	}
	return s.replace(req, typ, rec.id, http.MethodPut, root)
}

// remove answers DELETE [type]/[id]; deleting what is not there succeeds
// (FHIR R4 http.html#delete).
func (s *server) remove(req *request, typ *resourceType, id string) (response, error) {
	rec := s.store.find(typ.name, id)
	if err := ifMatch(req, rec); err != nil {
		return response{}, err
	}
	return s.removeRecord(rec), nil
}

// deleteWhere answers DELETE [type]?criteria for at most one match.
func (s *server) deleteWhere(req *request, typ *resourceType) (response, error) {
	rec, err := s.only(typ, req.query.Encode())
	if err != nil {
		return response{}, err
	}
	if err := ifMatch(req, rec); err != nil {
		return response{}, err
	}
	return s.removeRecord(rec), nil
}

func (s *server) removeRecord(rec *record) response {
	res := response{status: http.StatusNoContent}
	if rec == nil || rec.deleted() {
		return res
	}
	s.store.remove(rec)
	res.set("ETag", rec.current().etag())
	return res
}
