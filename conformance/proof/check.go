package proof

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Finding is one fault of an answer.
type Finding struct {
	// Leak says that something left that must not; otherwise something was
	// wrongly kept or wrongly told.
	Leak bool
	Text string
	// Ref is the resource that it is about, "" for none.
	Ref string
}

func (f Finding) String() string {
	if f.Leak {
		return "leak: " + f.Text
	}
	return "wrong denial: " + f.Text
}

// Check compares an answer with what was expected of it.
func Check(w *World, g *Grant, e Expectation, status int, body []byte) []Finding {
	var out []Finding
	wrong := func(format string, a ...any) { out = append(out, Finding{Text: fmt.Sprintf(format, a...)}) }
	leak := func(format string, a ...any) { out = append(out, Finding{Leak: true, Text: fmt.Sprintf(format, a...)}) }
	if !slices.Contains(e.Status, status) {
		if status < 300 {
			leak("status %d, not %v (%s)", status, e.Status, e.Why)
		} else {
			wrong("status %d, not %v (%s)", status, e.Status, e.Why)
		}
	}
	// What was there before and what is there now: an entry of a bundle tells of
	// neither unless it may.
	may, known := e.allowed(), slices.Clone(w.Resources)
	for _, c := range e.Changes {
		if c.Next != nil {
			known = append(known, c.Next)
		}
	}
	for _, r := range known {
		if strings.Contains(string(body), r.Canary()) && !slices.Contains(may, r.Ref()) {
			out = append(out, Finding{Leak: true, Text: r.Ref(), Ref: r.Ref()})
		}
	}
	for _, ref := range (judge{w, g}).secrets(string(body)) {
		out = append(out, Finding{Leak: true, Text: "the answer refers to " + ref + " (GW-08)", Ref: ref})
	}
	if g.Kind != System && strings.Contains(string(body), systemActCode) {
		leak("a label tells a topic (LB-17)")
	}
	var m object
	if len(body) > 0 && !e.lines && json.Unmarshal(body, &m) != nil {
		wrong("no JSON")
		return out
	}
	if len(e.Entries) > 0 {
		if status == 200 {
			// Each entry is judged under the same modes and value sets.
			all := *w
			all.Resources = known
			return append(out, checkBatch(&all, g, e, m)...)
		}
		return out
	}
	if status != 200 && status != 201 {
		return out
	}
	for _, must := range e.Must {
		if !slices.ContainsFunc(known, func(r *Resource) bool { return r.Ref() == must && strings.Contains(string(body), r.Canary()) }) {
			out = append(out, Finding{Text: must + " is missing", Ref: must})
		}
	}
	if total, ok := m["total"].(float64); ok && e.Total >= 0 && int(total) != e.Total {
		leak("total is %v, %d are visible (TRP-06)", total, e.Total)
	}
	return out
}

// allowed are the resources that the answer may hold.
func (e Expectation) allowed() []string {
	out := slices.Concat(e.Must, e.May)
	for _, entry := range e.Entries {
		out = append(out, entry.allowed()...)
	}
	return out
}

// checkBatch judges the entries of a batch, each by its own expectation.
func checkBatch(w *World, g *Grant, e Expectation, m object) []Finding {
	entries := list(m["entry"])
	if len(entries) != len(e.Entries) {
		return []Finding{{Text: fmt.Sprintf("%d entries, not %d", len(entries), len(e.Entries))}}
	}
	var out []Finding
	for i, entry := range entries {
		response, _ := entry["response"].(object)
		var status int
		if _, err := fmt.Sscanf(text(response["status"]), "%d", &status); err != nil {
			out = append(out, Finding{Text: "an entry without status"})
			continue
		}
		body := entry["resource"]
		if body == nil {
			body = response["outcome"]
		}
		raw, _ := json.Marshal(body)
		out = append(out, Check(w, g, e.Entries[i], status, raw)...)
	}
	return out
}
