package proof

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// written are the types of which writes are drawn, with the element that says
// whom each is about.
var written = map[string]string{"Observation": "subject", "Condition": "subject", "MedicationRequest": "subject", "AllergyIntolerance": "patient"}

// Written lists the types of which writes are drawn.
func Written() []string {
	return []string{"AllergyIntolerance", "Condition", "MedicationRequest", "Observation"}
}

// write draws a create, update, patch or delete, plain or conditional: of what is
// there, now and then of what is not, into states inside and outside of what the
// grant reaches.
func (g *Generator) write(w *World) Request {
	if g.odds(4) {
		return g.create(w)
	}
	r := one(g, w.Resources)
	for written[r.Type] == "" {
		r = one(g, w.Resources)
	}
	q := Request{Path: "/" + r.Ref()}
	conditional := g.odds(3)
	switch {
	case conditional:
		q.Path = "/" + r.Type + "?" + g.condition(w, r)
	case g.odds(15):
		q.Path = "/" + r.Type + "/nobody"
	}
	switch g.r.IntN(5) {
	case 0:
		q.Method = "DELETE"
		return q
	case 1, 2:
		q.Method, q.Body = "PATCH", g.patch(r)
		return q
	}
	m := g.changed(r)
	switch {
	case conditional && !g.odds(4):
		delete(m, "id")
		m["identifier"] = []any{object{"system": "urn:canary", "value": canary(r.Type, g.newID())}}
	case strings.HasSuffix(q.Path, "/nobody"):
		m["id"], m["identifier"] = "nobody", []any{object{"system": "urn:canary", "value": canary(r.Type, "nobody")}}
	}
	q.Method, q.Body = "PUT", compact(m)
	return q
}

// newID gives what stands for the id that the FHIR server will give.
func (g *Generator) newID() string {
	g.made++
	return fmt.Sprintf("new%d", g.made)
}

func (g *Generator) create(w *World) Request {
	typ := one(g, []string{"Observation", "Observation", "Condition", "AllergyIntolerance"})
	m := g.fresh(typ)
	m["resourceType"], m["identifier"] = typ, []any{object{"system": "urn:canary", "value": canary(typ, g.newID())}}
	q := Request{Method: "POST", Path: "/" + typ, Body: compact(m)}
	if g.odds(3) {
		r := one(g, w.Resources)
		for r.Type != typ {
			r = one(g, w.Resources)
		}
		q.IfNoneExist = g.condition(w, r)
	}
	return q
}

// condition draws what a conditional write asks for: mostly one record, now and
// then several, none, or what nobody may ask.
func (g *Generator) condition(w *World, r *Resource) string {
	switch g.r.IntN(8) {
	case 0:
		return "code=" + url.QueryEscape(loinc+"|"+one(g, []string{"1-1", "3-3"}))
	case 1:
		return "patient=Patient/" + one(g, []string{Ana, Ben})
	case 2:
		return one(g, []string{"_id=nobody", "patient.name=x", "_has:Provenance:target:_id=r0"})
	case 3:
		return "_id=" + r.ID + "&patient=Patient/" + one(g, []string{Ana, Ben})
	case 4:
		return "_id=" + r.ID
	}
	return "identifier=" + url.QueryEscape("urn:canary|"+r.Canary())
}

// changed draws another state of a record.
func (g *Generator) changed(r *Resource) object {
	m := parsed(r.JSON)
	if g.odds(2) {
		m[written[r.Type]] = g.subject()
	}
	if g.odds(2) {
		if m["meta"] = g.meta(false); m["meta"] == nil {
			delete(m, "meta")
		}
	}
	if r.Type == "Observation" && g.odds(2) {
		m["category"] = []any{concept(code1(obsCategory, one(g, obsCategories)))}
	}
	if m["code"] != nil && g.odds(4) {
		m["code"] = g.code()
	}
	return m
}

// fresh draws a record that is not there yet.
func (g *Generator) fresh(typ string) object {
	switch typ {
	case "Observation":
		return dropMeta(g.observation())
	case "Condition":
		return dropMeta(g.about("subject", object{"category": g.conditionCategory(), "code": g.code()}))
	}
	return dropMeta(g.about("patient", object{"code": g.code()}))
}

func dropMeta(m object) object {
	if m["meta"] == nil {
		delete(m, "meta")
	}
	return m
}

func parsed(raw json.RawMessage) object {
	var m object
	// The generator wrote it.
	_ = json.Unmarshal(raw, &m)
	return m
}

func compact(v any) string {
	// Maps of strings, lists and maps can always be written.
	raw, _ := json.Marshal(v)
	return string(raw)
}

// mayWrite answers whether the grant may bring a resource into a state, or take
// it from one, by one operation.
func (j judge) mayWrite(r *Resource, op string) bool {
	return j.scoped(r, op) && j.lawful(&r.facts) && j.shared(&r.facts)
}

// needed are the operations that a write needs a scope for: a condition is a
// search, and may end in a create (M-08, M-09, M-10).
func needed(q Request) string {
	op := map[string]string{"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}[q.Method]
	switch {
	case q.IfNoneExist != "":
		op = "cs"
	case strings.Contains(q.Path, "?") && q.Method == "PUT":
		op = "ucs"
	case strings.Contains(q.Path, "?"):
		op += "s"
	}
	return op
}

// write judges a write by the stored state and by the resulting one (TRP-08,
// TRP-09, TRP-10), and a condition by what the grant can find.
func (j judge) write(q Request) Expectation {
	path, query, conditional := strings.Cut(strings.Trim(q.Path, "/"), "?")
	typ, id, _ := strings.Cut(path, "/")
	for _, op := range needed(q) {
		if !j.g.speaks(typ, string(op)) {
			return refused("TRP-02", 403)
		}
	}
	if j.g.Kind == Proxy {
		// Whoever acts for somebody writes none of the types that are drawn (SC-24).
		return refused("SC-24", 403, 404, 412, 422)
	}
	if q.Method == "POST" {
		return j.create(typ, q)
	}
	if !conditional {
		return j.change(typ, id, q)
	}
	found, e := j.meets(typ, query)
	switch {
	case e.Status != nil:
		return e
	case found == nil && q.Method != "PUT":
		return refused("M-10: nothing meets the condition", 404)
	case found == nil:
		m := parsed(json.RawMessage(q.Body))
		if id = text(m["id"]); id == "" {
			return j.into(typ, newID(m), m, "c", 201)
		}
		return j.change(typ, id, q)
	}
	if m := parsed(json.RawMessage(q.Body)); q.Method == "PUT" && m["id"] != nil && m["id"] != found.ID {
		return refused("M-09: another id", 400)
	} else if q.Method == "PUT" {
		m["id"] = found.ID
		q.Body = compact(m)
	}
	return j.change(typ, found.ID, q)
}

// newID finds what stands for the id of a resource that has none.
func newID(m object) string {
	for _, i := range list(m["identifier"]) {
		if _, id, ok := strings.Cut(strings.TrimPrefix(text(i["value"]), "canary-"), "-"); ok {
			return strings.TrimSuffix(id, ".")
		}
	}
	return ""
}

// meets gives the one record that a condition means, or a refusal. What is hidden
// does not count.
func (j judge) meets(typ, query string) (*Resource, Expectation) {
	params, _ := url.ParseQuery(query)
	if j.probing(params) {
		return nil, refused("GW-06", 400, 403)
	}
	var found []*Resource
	for _, r := range j.w.Resources {
		if r.Type == typ && matchesAll(r, params) && j.visible(r, "s") {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return nil, Expectation{}
	case 1:
		return found[0], Expectation{}
	}
	return nil, refused("M-08: several meet the condition", 412)
}

// create judges the state that is to be, then whether there is one already.
func (j judge) create(typ string, q Request) Expectation {
	m := parsed(json.RawMessage(q.Body))
	made := j.into(typ, newID(m), m, "c", 201)
	if q.IfNoneExist == "" || made.Status[0] != 201 {
		return made
	}
	found, e := j.meets(typ, q.IfNoneExist)
	switch {
	case e.Status != nil:
		return e
	case found == nil:
		return made
	}
	out := Expectation{Status: []int{200}, Total: -1}
	if j.visible(found, "r") {
		out.Must = []string{found.Ref()}
	}
	return out
}

// change judges what is done to one record.
func (j judge) change(typ, id string, q Request) Expectation {
	op := map[string]string{"PUT": "u", "PATCH": "u", "DELETE": "d"}[q.Method]
	prior := j.w.Find(typ + "/" + id)
	switch {
	case prior == nil && q.Method == "PUT" && j.g.Kind == System:
		return j.into(typ, id, parsed(json.RawMessage(q.Body)), "u", 201)
	case prior == nil:
		return refused("TRP-25", 404)
	case !j.mayWrite(prior, op) && !j.visible(prior, "r"):
		return refused("TRP-03", 404)
	case !j.mayWrite(prior, op):
		return refused("TRP-08: the stored state", 403)
	case q.Method == "DELETE":
		return Expectation{Status: []int{204}, Total: -1, Changes: []Change{{Ref: prior.Ref()}}}
	}
	before := parsed(prior.JSON)
	next, ok := j.after(before, q)
	switch {
	case !ok:
		return refused("the patch does not apply", 422)
	case j.g.Kind != System && slices.ContainsFunc(list(before["contained"]), func(c object) bool { return len(labels(c)) > 0 }):
		return refused("TRP-21: what was not shown whole is not written back", 403, 422)
	}
	e := j.into(typ, id, next, "u", 200)
	switch {
	case len(e.Changes) == 0:
	case hollow(next):
		return refused("FHIR has no empty lists", 400)
	case !j.toldOf(before):
		return refused("TRP-21: what was not shown whole is not written back", 422)
	}
	return e
}

// hollow reports whether a list is empty somewhere, as a patch leaves it that takes
// the last item away.
func hollow(v any) bool {
	switch v := v.(type) {
	case object:
		for _, inner := range v {
			if hollow(inner) {
				return true
			}
		}
	case []any:
		return len(v) == 0 || slices.ContainsFunc(v, hollow)
	}
	return false
}

// into judges the state that is to be.
func (j judge) into(typ, id string, m object, op string, status int) Expectation {
	raw := json.RawMessage(compact(m))
	next := &Resource{Type: typ, ID: id, JSON: raw, facts: read(typ, id, raw, j.w.Sets), mark: canary(typ, newID(m))}
	if !j.mayWrite(next, op) {
		return refused("TRP-09, TRP-10: the resulting state", 403)
	}
	e := Expectation{Status: []int{status}, Total: -1, Changes: []Change{{next.Ref(), next}}}
	if j.visible(next, "r") {
		e.Must = []string{next.Ref()}
	}
	return e
}

// after gives what a PUT or PATCH makes of a resource: labels that the app was
// not shown stay (TRP-21). ok is false for a patch that does not apply to what
// the app was shown.
func (j judge) after(before object, q Request) (m object, ok bool) {
	if q.Method == "PUT" {
		m = parsed(json.RawMessage(q.Body))
	} else if m, ok = applied(j.shown(before), q.Body); !ok {
		return nil, false
	}
	if j.g.Kind == System {
		return m, true
	}
	old, _ := before["meta"].(object)
	now, _ := m["meta"].(object)
	all := list(now["security"])
	for _, c := range list(old["security"]) {
		if !slices.ContainsFunc(all, func(have object) bool { return have["system"] == c["system"] && have["code"] == c["code"] }) {
			all = append(all, c)
		}
	}
	if len(all) > 0 {
		kept := make([]any, len(all))
		for i, c := range all {
			kept[i] = c
		}
		m["meta"] = object{"security": kept}
	}
	return m, true
}

// shown is a resource as an app sees it: without labels that tell topics (LB-17).
func (j judge) shown(m object) object {
	m = parsed(json.RawMessage(compact(m)))
	meta, _ := m["meta"].(object)
	if j.g.Kind == System || meta == nil {
		return m
	}
	var kept []any
	for _, c := range list(meta["security"]) {
		if c["system"] == systemConfidentiality {
			kept = append(kept, c)
		}
	}
	if meta["security"] = kept; kept == nil {
		delete(meta, "security")
	}
	return m
}
