package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// supporting are the types that records of a patient refer to without being
// in the patient's compartment.
var supporting = []string{
	"Device", "HealthcareService", "Location", "Medication", "Organization",
	"Practitioner", "PractitionerRole", "Substance",
}

// everything answers Patient/[id]/$everything (FHIR R4
// patient-operation-everything.html) with _since, _type and _count.
func (s *server) everything(req *request, id string) (response, error) {
	rec := s.store.find("Patient", id)
	if rec == nil || rec.deleted() {
		return response{}, notFound("Patient/%s is not known", id)
	}
	params, err := req.operationParameters()
	if err != nil {
		return response{}, err
	}
	if params.Has("start") || params.Has("end") {
		return response{}, notSupported("$everything: start and end are not supported")
	}
	sel, err := s.selection(params)
	if err != nil {
		return response{}, err
	}
	p, err := pageOf(params)
	if err != nil {
		return response{}, err
	}
	found := sel.apply(s.about([]*record{rec}))
	q := &query{page: p, applied: params}
	return s.searchset(q, found, s.base+"/Patient/"+id+"/$everything"), nil
}

// about gives everything on some patients: the Patients, their compartments,
// the Provenance of it, and the supporting resources it refers to.
func (s *server) about(patients []*record) []*record {
	seen := make(map[*record]bool)
	var out []*record
	take := func(recs ...*record) {
		for _, r := range recs {
			if r != nil && !r.deleted() && !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		}
	}
	take(patients...)
	for _, p := range patients {
		// Another patient's record is not about this one, linked or not.
		for _, r := range s.compartment(p.key, nil) {
			if r.typ.name != "Patient" {
				take(r)
			}
		}
	}
	keys := make([]handle, len(out))
	for i, r := range out {
		keys[i] = r.key
	}
	take(s.store.referring("Provenance", keys)...)
	for i := 0; i < len(out); i++ {
		for j := range out[i].values {
			v := &out[i].values[j]
			if out[i].typ.params[v.param].kind != kindReference {
				continue
			}
			if r := s.target(v.a, ""); r != nil && slices.Contains(supporting, r.typ.name) {
				take(r)
			}
		}
	}
	return out
}

// operationParameters reads the parameters of an operation from the query and
// from a Parameters resource.
func (req *request) operationParameters() (url.Values, error) {
	out := url.Values{}
	for name, values := range req.query {
		out[name] = values
	}
	if len(req.body) == 0 {
		return out, nil
	}
	root, err := parseJSON(req.body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "structure", "malformed JSON: %s", err)
	}
	if root.get("resourceType").str() != "Parameters" {
		return nil, badRequest("a Parameters resource is expected")
	}
	items := root.get("parameter").items()
	for i := range items {
		name := items[i].get("name").str()
		for _, member := range items[i].kids {
			switch {
			case member.key == "valueReference":
				out.Add(name, member.get("reference").str())
			case strings.HasPrefix(member.key, "value"):
				out.Add(name, member.scalar())
			}
		}
	}
	return out, nil
}

// selection limits $everything and $export.
type selection struct {
	types   []string // nil: every type
	since   int64    // microseconds
	filters map[string][]*query
}

func (s *server) selection(params url.Values) (*selection, error) {
	sel := &selection{since: beginning, filters: make(map[string][]*query)}
	for _, list := range params["_type"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); s.cat.types[name] == nil {
				return nil, badRequest("_type: %q is not a FHIR R4 resource type", name)
			}
			sel.types = append(sel.types, name)
		}
	}
	if text := params.Get("_since"); text != "" {
		at, err := parseDate(text)
		if err != nil {
			return nil, badRequest("_since: %s", err)
		}
		sel.since = at.lo
	}
	for _, text := range params["_typeFilter"] {
		name, criteria, _ := strings.Cut(text, "?")
		values, err := url.ParseQuery(criteria)
		if typ := s.cat.types[name]; typ != nil && err == nil {
			q, err := s.parseQuery(typ, values, true)
			if err != nil {
				return nil, err
			}
			sel.filters[name] = append(sel.filters[name], q)
			continue
		}
		return nil, badRequest("_typeFilter is Type?parameters")
	}
	return sel, nil
}

func (sel *selection) apply(recs []*record) []*record {
	return slices.DeleteFunc(recs, func(r *record) bool {
		if sel.types != nil && !slices.Contains(sel.types, r.typ.name) {
			return true
		}
		if r.deleted() || r.current().at*1000 < sel.since {
			return true
		}
		filters := sel.filters[r.typ.name]
		return len(filters) > 0 && !slices.ContainsFunc(filters, func(q *query) bool {
			return !slices.ContainsFunc(q.filters, func(f filter) bool { return !f.ok(r) })
		})
	})
}
