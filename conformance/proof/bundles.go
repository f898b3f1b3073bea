package proof

import (
	"slices"
	"strings"
)

// bundle draws a batch or a transaction of reads, searches and writes.
func (g *Generator) bundle(w *World) Request {
	q := Request{Transaction: g.odds(2)}
	for range 2 + g.r.IntN(3) {
		if g.odds(2) {
			entry := g.write(w)
			for entry.Method == "PATCH" && !g.odds(20) {
				entry = g.write(w)
			}
			q.Batch = append(q.Batch, entry)
			continue
		}
		entry := g.single(w)
		for !embeddable(entry, q.Transaction) {
			entry = g.single(w)
		}
		q.Batch = append(q.Batch, entry)
	}
	return q
}

// embeddable reports whether a request can stand in a bundle; a transaction reads
// and searches by type alone.
func embeddable(q Request, transaction bool) bool {
	if q.Form != "" || strings.Contains(q.Path, "$") {
		return false
	}
	path, _, _ := strings.Cut(strings.Trim(q.Path, "/"), "?")
	typ, _, _ := strings.Cut(path, "/")
	return !transaction || written[typ] != "" && !strings.Contains(path, "_history")
}

// batch judges entry after entry, each in the world that the ones before left.
func (j judge) batch(q Request) Expectation {
	if slices.ContainsFunc(q.Batch, func(e Request) bool { return e.Method == "PATCH" }) {
		return refused("a bundle has no patch", 405)
	}
	e := Expectation{Status: []int{200}, Total: -1}
	if j.g.Ended {
		e.Status = []int{200, 401, 403}
	}
	w := j.w
	for _, entry := range q.Batch {
		one := Expect(w, j.g, entry)
		w = w.after(one.Changes)
		e.Entries = append(e.Entries, one)
		e.Changes = append(e.Changes, one.Changes...)
	}
	return e
}

// transaction judges all entries in the world as it is: one that is refused
// refuses the whole. Reads give what is there afterwards.
func (j judge) transaction(q Request) Expectation {
	switch {
	case slices.ContainsFunc(q.Batch, func(e Request) bool { return e.Method == "PATCH" }):
		return refused("a bundle has no patch", 405)
	case j.g.Ended:
		return refused("SC-14", 401, 403)
	}
	e := Expectation{Status: []int{200}, Total: -1}
	var touched []string
	for _, entry := range q.Batch {
		one := Expect(j.w, j.g, entry)
		if one.Status[0] >= 400 || j.g.Kind == Proxy && len(one.Status) > 1 {
			// What is open for one entry is so for all of them.
			return Expectation{Status: append(one.Status, 403, 404), Total: -1, Why: one.Why, May: j.all(q)}
		}
		for _, c := range one.Changes {
			if slices.Contains(touched, c.Ref) {
				return refused("R4: two entries write the same", 400)
			}
			touched = append(touched, c.Ref)
		}
		e.Entries = append(e.Entries, one)
		e.Changes = append(e.Changes, one.Changes...)
	}
	w := j.w.after(e.Changes)
	for i, entry := range q.Batch {
		if entry.Method == "GET" {
			e.Entries[i] = Expect(w, j.g, entry)
		}
	}
	return e
}

// all lists what the reads of a bundle may give.
func (j judge) all(q Request) []string {
	var out []string
	for _, entry := range q.Batch {
		if entry.Method == "GET" {
			out = append(out, Expect(j.w, j.g, entry).allowed()...)
		}
	}
	return out
}
