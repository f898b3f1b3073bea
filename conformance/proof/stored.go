package proof

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Change is what a permitted write leaves behind.
type Change struct {
	// Ref is the record ("Type/id"), Next what it is then; nil for what is gone. The
	// id of what the FHIR server names stands in the canary.
	Ref  string
	Next *Resource
}

// after gives the world with the changes done.
func (w *World) after(changes []Change) *World {
	if len(changes) == 0 {
		return w
	}
	out := &World{Sets: w.Sets, Modes: w.Modes, byRef: map[string]*Resource{}}
	put := func(r *Resource) {
		out.Resources = append(out.Resources, r)
		out.byRef[r.Ref()] = r
	}
	for _, r := range w.Resources {
		if !slices.ContainsFunc(changes, func(c Change) bool { return c.Ref == r.Ref() }) {
			put(r)
		}
	}
	for i, c := range changes {
		later := slices.ContainsFunc(changes[i+1:], func(o Change) bool { return o.Ref == c.Ref })
		if c.Next != nil && !later {
			put(c.Next)
		}
	}
	return out
}

// CheckStored compares what the FHIR server holds of the written types before and
// after a request, by "Type/id": what was refused changed nothing, and what was
// permitted left what was judged, with the labels that were there (TRP-08,
// TRP-21).
func CheckStored(w *World, e Expectation, status int, before, after map[string]string) []Finding {
	var out []Finding
	leak := func(ref, format string, a ...any) {
		out = append(out, Finding{Leak: true, Ref: ref, Text: fmt.Sprintf(format, a...)})
	}
	want := w
	if status < 300 {
		want = w.after(e.Changes)
	}
	for ref, text := range after {
		name := ref
		if _, known := before[ref]; !known && want.Find(ref) == nil {
			// The FHIR server named it.
			typ, _, _ := strings.Cut(ref, "/")
			name = typ + "/" + newID(parsed(json.RawMessage(text)))
		}
		r := want.Find(name)
		switch {
		case r == nil:
			leak(name, "%s was stored and must not be", name)
		case w.Find(name) == r && text == before[ref]:
		case essence(json.RawMessage(text)) != essence(r.JSON):
			leak(name, "%s is stored otherwise than it was judged:\n%s\n%s", name, essence(json.RawMessage(text)), essence(r.JSON))
		}
	}
	for ref := range before {
		if after[ref] == "" && want.Find(ref) != nil {
			leak(ref, "%s is gone", ref)
		}
	}
	if status < 300 {
		for _, c := range e.Changes {
			held := slices.ContainsFunc(values(after), func(text string) bool { return c.Next != nil && strings.Contains(text, c.Next.Canary()) })
			if now := want.Find(c.Ref); now != nil && now == c.Next && !held {
				out = append(out, Finding{Text: c.Ref + " was permitted and is not stored", Ref: c.Ref})
			}
		}
	}
	return out
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// essence is a resource without what the FHIR server gives, its labels in order.
func essence(raw json.RawMessage) string {
	m := parsed(raw)
	delete(m, "id")
	meta, _ := m["meta"].(object)
	delete(m, "meta")
	var security []string
	for _, c := range labels(object{"meta": meta}) {
		security = append(security, c.system+"|"+c.code)
	}
	slices.Sort(security)
	return compact(m) + strings.Join(slices.Compact(security), " ")
}
