package proof

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// patch draws one to three operations of a JSON Patch (RFC 6902).
func (g *Generator) patch(r *Resource) string {
	var ops []any
	for range 1 + g.r.IntN(3) {
		ops = append(ops, g.operation(r))
	}
	return compact(ops)
}

func (g *Generator) operation(r *Resource) object {
	op := func(name, path string, value any) object { return object{"op": name, "path": path, "value": value} }
	m := parsed(r.JSON)
	code := "/code/coding/0/code"
	if m["code"] == nil {
		code = "/medicationCodeableConcept/coding/0/code"
	}
	switch n := g.r.IntN(12); {
	case n < 3:
		return op("replace", "/"+written[r.Type], g.subject())
	case n == 3:
		return op("replace", code, one(g, []string{"1-1", "3-3", "quarrel", "private", "opioid"}))
	case n == 4:
		return op("test", code, one(g, []string{"1-1", "2-2", "opioid", "other"}))
	case n == 5:
		return op("test", "/meta/security/0/code", one(g, []string{"N", "R", "HIV"}))
	case n == 6:
		return op("add", "/meta/security/-", label(one(g, []string{"R", "HIV", "PSY"})))
	case n == 7 && len(labels(object{"meta": m["meta"]})) > 1:
		return object{"op": "remove", "path": "/meta/security/0"}
	case n == 8 && r.Type == "Observation":
		return object{"op": "copy", "from": "/performer", "path": "/focus"}
	case n == 9 && len(list(m["category"])) > 1:
		return object{"op": "move", "from": "/category/1", "path": "/category/0"}
	}
	if r.Type == "Observation" {
		return op("add", "/category", []any{concept(code1(obsCategory, one(g, obsCategories)))})
	}
	return op("add", "/"+written[r.Type], g.subject())
}

// applied gives what a JSON Patch makes of a resource; ok is false where one
// operation does not apply.
func applied(m object, patch string) (object, bool) {
	var ops []struct {
		Op, Path, From string
		Value          any
	}
	if json.Unmarshal([]byte(patch), &ops) != nil {
		return nil, false
	}
	var doc any = m
	for _, o := range ops {
		path, from := strings.Split(o.Path, "/")[1:], strings.Split(o.From, "/")
		value, ok := o.Value, true
		switch o.Op {
		case "test":
			have, found := lookup(doc, path)
			if !found || !reflect.DeepEqual(have, value) {
				return nil, false
			}
			continue
		case "copy", "move":
			value, ok = lookup(doc, from[1:])
		}
		if ok && (o.Op == "remove" || o.Op == "replace" || o.Op == "move") {
			gone := path
			if o.Op == "move" {
				gone = from[1:]
			}
			doc, ok = put(doc, gone, nil, true)
		}
		if ok && o.Op != "remove" {
			doc, ok = put(doc, path, value, false)
		}
		if !ok {
			return nil, false
		}
	}
	out, ok := doc.(object)
	return parsed(json.RawMessage(compact(out))), ok
}

func lookup(doc any, path []string) (any, bool) {
	for _, p := range path {
		switch have := doc.(type) {
		case object:
			var ok bool
			if doc, ok = have[p]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i >= len(have) {
				return nil, false
			}
			doc = have[i]
		default:
			return nil, false
		}
	}
	return doc, true
}

// put adds a value at a path, or takes away what is there.
func put(doc any, path []string, value any, gone bool) (any, bool) {
	at, last := path[0], len(path) == 1
	switch have := doc.(type) {
	case object:
		inner, there := have[at]
		switch {
		case last && gone:
			delete(have, at)
			return have, there
		case last:
			have[at] = value
			return have, true
		case !there:
			return nil, false
		}
		next, ok := put(inner, path[1:], value, gone)
		have[at] = next
		return have, ok
	case []any:
		i, err := strconv.Atoi(at)
		if at == "-" {
			i, err = len(have), nil
		}
		switch {
		case err != nil || i > len(have) || i == len(have) && (gone || !last):
			return nil, false
		case last && gone:
			return slices.Delete(slices.Clone(have), i, i+1), true
		case last:
			return slices.Insert(slices.Clone(have), i, value), true
		}
		next, ok := put(have[i], path[1:], value, gone)
		have[i] = next
		return have, ok
	}
	return nil, false
}
