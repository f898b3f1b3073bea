package sandbox

import (
	"errors"
	"net/http"
	"strings"
)

// handle takes the lock that a request needs and answers it. A batch locks
// entry by entry, a transaction once.
func (s *server) handle(req *request) response {
	var res response
	var err error
	switch {
	case len(req.path) == 0 && req.method == http.MethodPost:
		res, err = s.bundle(req)
	case req.writes():
		err = s.store.write(func() (err error) {
			res, err = s.dispatch(req)
			return err
		})
	default:
		s.store.read(func() { res, err = s.dispatch(req) })
	}
	if err != nil {
		return failed(err)
	}
	return res
}

var errMethod = errors.New("no such interaction")

// dispatch finds the interaction of a request (FHIR R4 http.html#summary).
// The lock is held.
func (s *server) dispatch(req *request) (response, error) {
	res, err := s.interaction(req)
	if errors.Is(err, errMethod) {
		err = refuse(http.StatusMethodNotAllowed, "not-supported", "%s is not supported here", req.method)
	}
	return res, err
}

func (s *server) interaction(req *request) (response, error) {
	if len(req.path) == 0 {
		return response{}, errMethod
	}
	switch req.path[0] {
	case "metadata", "_history", "$export", exportPath:
		return s.system(req)
	}
	typ := s.cat.types[req.path[0]]
	if typ == nil {
		return response{}, refuse(http.StatusNotFound, "not-supported", "%q is not a FHIR R4 resource type", req.path[0])
	}
	switch len(req.path) {
	case 1:
		return s.onType(req, typ)
	case 2:
		if strings.HasPrefix(req.path[1], "_") || strings.HasPrefix(req.path[1], "$") {
			return s.onTypeNamed(req, typ)
		}
		return s.onInstance(req, typ, req.path[1])
	}
	return s.belowInstance(req, typ, req.path[1])
}

// system answers what concerns no type.
func (s *server) system(req *request) (response, error) {
	get, post := req.method == http.MethodGet, req.method == http.MethodPost
	switch {
	case req.path[0] == exportPath:
		return s.exportJob(req)
	case len(req.path) > 1:
		return response{}, notFound("there is nothing here")
	case req.path[0] == "$export" && (get || post):
		return s.exportStart(req, s.exportAll())
	case req.path[0] == "metadata" && get:
		return response{status: http.StatusOK, body: s.capability}, nil
	case req.path[0] == "_history" && get:
		return s.history(req, func(*record) bool { return true })
	}
	return response{}, errMethod
}

// onType answers [base]/[type].
func (s *server) onType(req *request, typ *resourceType) (response, error) {
	switch req.method {
	case http.MethodGet:
		return s.search(req, typ, nil)
	case http.MethodPost:
		return s.create(req, typ)
	case http.MethodPut:
		return s.updateWhere(req, typ)
	case http.MethodPatch:
		return s.patchWhere(req, typ)
	case http.MethodDelete:
		return s.deleteWhere(req, typ)
	}
	return response{}, errMethod
}

// onTypeNamed answers [base]/[type]/_search, _history and $operation.
func (s *server) onTypeNamed(req *request, typ *resourceType) (response, error) {
	get, post := req.method == http.MethodGet, req.method == http.MethodPost
	switch name := req.path[1]; {
	case name == "_search" && post:
		return s.search(req, typ, nil)
	case name == "_history" && get:
		return s.history(req, func(r *record) bool { return r.typ == typ })
	case name == "$export" && typ.name == "Patient" && (get || post):
		return s.exportStart(req, s.exportPatients(s.store.live("Patient")))
	case strings.HasPrefix(name, "$"):
		return response{}, refuse(http.StatusNotFound, "not-supported", "the operation %s is not supported on %s", name, typ.name)
	}
	return response{}, errMethod
}

// onInstance answers [base]/[type]/[id].
func (s *server) onInstance(req *request, typ *resourceType, id string) (response, error) {
	switch req.method {
	case http.MethodGet:
		return s.readOne(req, typ, id)
	case http.MethodPut:
		return s.update(req, typ, id)
	case http.MethodPatch:
		return s.patch(req, typ, id)
	case http.MethodDelete:
		return s.remove(req, typ, id)
	}
	return response{}, errMethod
}

// belowInstance answers [base]/[type]/[id]/…: history, operations and the
// patient compartment.
func (s *server) belowInstance(req *request, typ *resourceType, id string) (response, error) {
	get, post := req.method == http.MethodGet, req.method == http.MethodPost
	name, isPatient := req.path[2], typ.name == "Patient"
	switch {
	case name == "_history" && len(req.path) == 4 && get:
		return s.readVersion(typ, id, req.path[3])
	case name == "_history" && len(req.path) == 3 && get:
		rec := s.store.find(typ.name, id)
		if rec == nil {
			return response{}, notFound("%s/%s is not known", typ.name, id)
		}
		return s.history(req, func(r *record) bool { return r == rec })
	case name == "$everything" && len(req.path) == 3 && isPatient && (get || post):
		return s.everything(req, id)
	case name == "$export" && len(req.path) == 3 && typ.name == "Group" && (get || post):
		return s.exportGroup(req, id)
	case isPatient && (len(req.path) == 3 && get || len(req.path) == 4 && req.path[3] == "_search" && post):
		return s.searchCompartment(req, id, name)
	}
	return response{}, notFound("there is nothing here")
}
