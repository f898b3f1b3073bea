package proof

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// written are the types of which writes are drawn, with the element that says
// whom each is about.
var written = map[string]string{"Observation": "subject", "Condition": "subject", "MedicationRequest": "subject", "AllergyIntolerance": "patient"}

// write draws a create, update, patch or delete: of what is there, now and then
// of what is not, into states inside and outside of what the grant reaches.
func (g *Generator) write(w *World) Request {
	if g.odds(3) {
		typ := one(g, []string{"Observation", "Observation", "Condition", "AllergyIntolerance"})
		m := g.fresh(typ)
		m["resourceType"], m["identifier"] = typ, []any{object{"system": "urn:canary", "value": canary(typ, "new")}}
		return Request{Method: "POST", Path: "/" + typ, Body: compact(m)}
	}
	r := one(g, w.Resources)
	for written[r.Type] == "" {
		r = one(g, w.Resources)
	}
	path := "/" + r.Ref()
	if g.odds(15) {
		path = "/" + r.Type + "/nobody"
	}
	switch g.r.IntN(5) {
	case 0:
		return Request{Method: "DELETE", Path: path}
	case 1, 2:
		var op object
		if g.odds(2) || r.Type != "Observation" {
			op = object{"op": "replace", "path": "/" + written[r.Type], "value": g.subject()}
		} else {
			op = object{"op": "add", "path": "/category", "value": []any{concept(code1(obsCategory, one(g, obsCategories)))}}
		}
		return Request{Method: "PATCH", Path: path, Body: compact([]any{op})}
	}
	m := parsed(r.JSON)
	m["id"] = path[strings.LastIndex(path, "/")+1:]
	if m["id"] != r.ID {
		m["identifier"] = []any{object{"system": "urn:canary", "value": canary(r.Type, "nobody")}}
	}
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
	return Request{Method: "PUT", Path: path, Body: compact(m)}
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
// it from one, by one operation. Whoever acts for somebody writes none of the
// types that are drawn (SC-24).
func (j judge) mayWrite(r *Resource, op string) bool {
	return j.g.Kind != Proxy && j.scoped(r, op) && j.lawful(&r.facts) && j.shared(&r.facts)
}

// write judges a write by the stored state and by the resulting one (TRP-08,
// TRP-09, TRP-10).
func (j judge) write(q Request) Expectation {
	parts := strings.Split(strings.Trim(q.Path, "/"), "/")
	typ, op := parts[0], map[string]string{"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}[q.Method]
	if !j.g.speaks(typ, op) {
		return refused("TRP-02", 403)
	}
	if q.Method == "POST" {
		return j.into(typ, "new", parsed(json.RawMessage(q.Body)), "c", 201)
	}
	id := parts[1]
	prior := j.w.Find(typ + "/" + id)
	switch {
	case prior == nil && q.Method == "PUT" && j.g.Kind == System:
		return j.into(typ, id, parsed(json.RawMessage(q.Body)), "u", 201)
	case prior == nil:
		return refused("TRP-25", j.hidden(404)...)
	case !j.mayWrite(prior, op) && !j.visible(prior, "r"):
		return refused("TRP-03", j.hidden(404)...)
	case !j.mayWrite(prior, op):
		return refused("TRP-08: the stored state", 403)
	case q.Method == "DELETE":
		return Expectation{Status: []int{204}, Total: -1}
	}
	before := parsed(prior.JSON)
	if j.g.Kind != System && slices.ContainsFunc(list(before["contained"]), func(c object) bool { return len(labels(c)) > 0 }) {
		return refused("TRP-21: what was not shown whole is not written back", 403, 422)
	}
	return j.into(typ, id, j.after(before, q), "u", 200)
}

// into judges the state that is to be.
func (j judge) into(typ, id string, m object, op string, status int) Expectation {
	raw := json.RawMessage(compact(m))
	next := &Resource{Type: typ, ID: id, JSON: raw, facts: read(typ, id, raw)}
	if !j.mayWrite(next, op) {
		return refused("TRP-09, TRP-10: the resulting state", 403)
	}
	e := Expectation{Status: []int{status}, Total: -1, Next: next}
	if j.visible(next, "r") {
		e.Must = []string{next.Ref()}
	}
	return e
}

// after gives what a PUT or PATCH makes of a resource: labels that the app was
// not shown stay (TRP-21).
func (j judge) after(before object, q Request) object {
	var m object
	if q.Method == "PUT" {
		m = parsed(json.RawMessage(q.Body))
	} else {
		m = maps.Clone(before)
		var ops []object
		_ = json.Unmarshal([]byte(q.Body), &ops)
		for _, op := range ops {
			m[strings.TrimPrefix(text(op["path"]), "/")] = op["value"]
		}
	}
	if j.g.Kind == System {
		return m
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
	return m
}

// CheckStored compares what the FHIR server holds before and after a write, ""
// for nothing: a refused one changes nothing, and none takes labels away.
func CheckStored(g *Grant, status int, before, after string) []Finding {
	if status >= 300 {
		if before != after {
			return []Finding{{Leak: true, Text: "a refused write was done"}}
		}
		return nil
	}
	if before == "" || after == "" || g.Kind == System {
		return nil
	}
	has := labels(object{"meta": parsed(json.RawMessage(after))["meta"]})
	for _, c := range labels(object{"meta": parsed(json.RawMessage(before))["meta"]}) {
		if !slices.Contains(has, c) {
			return []Finding{{Leak: true, Text: "a write took the label " + c.code + " away (TRP-21)"}}
		}
	}
	return nil
}
