package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unique"
)

// search answers a search on one type; within limits it to a patient
// compartment (FHIR R4 http.html#search).
func (s *server) search(req *request, typ *resourceType, within *filter) (response, error) {
	q, err := s.parseQuery(typ, req.query, req.prefers("handling=strict"))
	if err != nil {
		return response{}, err
	}
	if within != nil {
		q.filters = append(q.filters, *within)
	}
	found := s.run(q)
	q.order(found)
	address := s.base + "/" + strings.TrimSuffix(strings.Join(req.path, "/"), "/_search")
	return s.searchset(q, found, address), nil
}

// searchset shows one page of what a search found, with its inclusions.
func (s *server) searchset(q *query, found []*record, address string) response {
	b := bundle{typ: "searchset", total: len(found)}
	if q.noTotal && !q.countOnly {
		b.total = -1
	}
	b.links = q.page.links(address, q.applied, len(found))
	if q.countOnly {
		b.links = b.links[:1]
	} else {
		from, to := q.page.cut(len(found))
		for _, r := range found[from:to] {
			b.entries = append(b.entries, s.resourceEntry(r, "match"))
		}
		for _, r := range s.included(q, found[from:to]) {
			b.entries = append(b.entries, s.resourceEntry(r, "include"))
		}
	}
	return response{status: http.StatusOK, body: b.json(s.newID(), s.store.now())}
}

// searchCompartment answers GET Patient/[id]/[type] or Patient/[id]/* (FHIR R4
// search.html, compartments).
func (s *server) searchCompartment(req *request, id, name string) (response, error) {
	patient := unique.Make("Patient/" + id)
	if name == "*" {
		p, err := pageOf(req.query)
		if err != nil {
			return response{}, err
		}
		q := &query{page: p, applied: req.query}
		return s.searchset(q, s.compartment(patient, nil), s.base+"/Patient/"+id+"/*"), nil
	}
	typ := s.cat.types[name]
	if typ == nil {
		return response{}, refuse(http.StatusNotFound, "not-supported", "%q is not a FHIR R4 resource type", name)
	}
	if len(typ.compartment) == 0 {
		return response{}, notSupported("%s is not in the Patient compartment", name)
	}
	within := compartmentFilter(typ, patient)
	return s.search(req, typ, &within)
}

// compartment gives everything in a patient's compartment but the Patient,
// type by type; types limits it unless nil.
func (s *server) compartment(patient handle, types []string) []*record {
	var out []*record
	for _, name := range s.cat.names {
		t := s.cat.types[name]
		if len(t.compartment) == 0 || types != nil && !slices.Contains(types, name) {
			continue
		}
		out = append(out, s.run(&query{typ: t, filters: []filter{compartmentFilter(t, patient)}})...)
	}
	return out
}

// run gives the records that pass every filter, in order of creation.
func (s *server) run(q *query) []*record {
	out := make([]*record, 0, 16)
	for _, r := range s.candidates(q) {
		if r.deleted() {
			continue
		}
		if !slices.ContainsFunc(q.filters, func(f filter) bool { return !f.ok(r) }) {
			out = append(out, r)
		}
	}
	return out
}

// candidates gives the records that the narrowest index leaves over.
func (s *server) candidates(q *query) []*record {
	for _, f := range q.filters {
		if f.ids == nil {
			continue
		}
		var out []*record
		for _, id := range f.ids {
			if r := s.store.find(q.typ.name, id); r != nil {
				out = append(out, r)
			}
		}
		return inOrder(out)
	}
	for _, f := range q.filters {
		if f.refs != nil {
			return s.store.referring(q.typ.name, f.refs)
		}
	}
	if t := s.store.tables[q.typ.name]; t != nil {
		return t.all
	}
	return nil
}

// order sorts by _sort; what has no value comes last.
func (q *query) order(found []*record) {
	if len(q.sort) == 0 {
		return
	}
	slices.SortStableFunc(found, func(a, b *record) int {
		for _, key := range q.sort {
			if c := key.compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
}

func (k sortKey) compare(a, b *record) int {
	x, y := k.pick(a), k.pick(b)
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	c := k.param.compare(x, y)
	if k.descending {
		return -c
	}
	return c
}

// pick gives the value that a record is sorted by: its least, or its greatest
// when descending.
func (k sortKey) pick(r *record) *value {
	var best *value
	for i := range r.values {
		v := &r.values[i]
		if v.param != k.param.index {
			continue
		}
		if best == nil || (k.param.compare(v, best) < 0) != k.descending {
			best = v
		}
	}
	return best
}

// compare orders two values of a parameter.
func (p *param) compare(a, b *value) int {
	switch p.kind {
	case kindDate:
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi))
	case kindQuantity, kindNumber:
		return cmp.Compare(a.number(), b.number())
	case kindToken:
		return strings.Compare(a.b.Value(), b.b.Value())
	}
	return strings.Compare(a.a.Value(), b.a.Value())
}
