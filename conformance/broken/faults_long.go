package broken

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// longEntries is how many entries a Bundle has at least that the faults take for a
// long one.
const longEntries = 30

// longBundle changes long Bundles.
func longBundle(change func(doc map[string]any, entries []any)) func(*http.Response) {
	return fhir(object(func(doc map[string]any) {
		if entries, ok := doc["entry"].([]any); ok && len(entries) >= longEntries {
			change(doc, entries)
		}
	}))
}

// body changes the bytes of answers that are longer than so many.
func body(longer int, change func([]byte) []byte) func(*http.Response) {
	return func(r *http.Response) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if len(raw) > longer {
			raw = change(raw)
		}
		replace(r, raw)
	}
}

// longFaults break answers that are too long to be held.
func longFaults() []Fault {
	return []Fault{
		{Name: "a long Bundle loses its last entry", response: longBundle(func(doc map[string]any, entries []any) {
			doc["entry"] = entries[:len(entries)-1]
		}), Rows: []string{"MANDATE LONG-01", "MANDATE LONG-03"}, Also: []string{"SMART TRP-06"}},
		{Name: "a long Bundle tells an entry twice", response: longBundle(func(doc map[string]any, entries []any) {
			doc["entry"] = append(entries, entries[0])
		}), Rows: []string{"MANDATE LONG-01", "MANDATE LONG-03"}, Also: []string{"SMART TRP-06"}},
		{Name: "a long answer ends in the middle and passes for whole", response: fhir(body(1<<20, func(raw []byte) []byte {
			return raw[:1<<20]
		})), Rows: []string{"MANDATE LONG-01", "MANDATE LONG-02", "MANDATE LONG-03"}},
		{Name: "the total stands before the entries", response: fhir(body(1<<20, totalFirst)), Rows: []string{"MANDATE LONG-02"}},
		{Name: "the total counts what is hidden", response: longBundle(func(doc map[string]any, entries []any) {
			doc["total"] = len(entries) + 6
		}), Rows: []string{"MANDATE LONG-02"}, Also: []string{"SMART TRP-06", "MANDATE LONG-03"}},
		{Name: "a compressed answer has no end", response: fhir(func(r *http.Response) {
			if r.Header.Get("Content-Encoding") == "gzip" {
				body(1<<10, func(raw []byte) []byte { return raw[:len(raw)-8] })(r)
			}
		}), Rows: []string{"MANDATE LONG-03"}},
	}
}

// totalFirst puts the total of long answers before all else.
func totalFirst(raw []byte) []byte {
	doc := map[string]any{}
	if json.Unmarshal(raw, &doc) != nil || doc["total"] == nil {
		return raw
	}
	begin := fmt.Sprintf(`{"total":%v,`, doc["total"])
	delete(doc, "total")
	rest, err := json.Marshal(doc)
	if err != nil {
		return raw
	}
	return append([]byte(begin), rest[1:]...)
}
