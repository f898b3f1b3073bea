package proof

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// paged draws a search or a record that is asked for in small pages.
func (g *Generator) paged(w *World) Request {
	count := 1 + g.r.IntN(4)
	if g.odds(4) {
		return Request{Method: "GET", Path: fmt.Sprintf("/Patient/%s/$everything?_count=%d", one(g, []string{Ana, Ana, Ben}), count), Follow: count}
	}
	typ, params := g.query(w)
	params.Del("_summary")
	params.Set("_count", fmt.Sprint(count))
	return Request{Method: "GET", Path: "/" + typ + "?" + params.Encode(), Follow: count}
}

// Join makes one answer of the pages of a search, and tells what is wrong with
// the pages themselves: all but the last hold as many matches as were asked for
// and the total is the same on each (GW-03, GW-04). A link tells nothing.
func Join(pages [][]byte, count int) (body []byte, faults []Finding) {
	wrong := func(format string, a ...any) {
		faults = append(faults, Finding{Leak: true, Text: fmt.Sprintf(format, a...)})
	}
	whole := object{}
	var entries []any
	var seen []string
	for i, raw := range pages {
		m := parsed(raw)
		matches := 0
		for _, e := range list(m["entry"]) {
			entries = append(entries, e)
			search, _ := e["search"].(object)
			if search["mode"] == "include" {
				continue
			}
			matches++
			if at := text(e["fullUrl"]); slices.Contains(seen, at) {
				wrong("%s is on two pages", at)
			} else {
				seen = append(seen, at)
			}
		}
		if matches == 0 && i > 0 {
			wrong("page %d is empty: what would be on it is hidden", i+1)
		}
		if matches > count || matches < count && i < len(pages)-1 {
			wrong("page %d of %d holds %d matches, not %d", i+1, len(pages), matches, count)
		}
		if i == 0 {
			whole = m
		} else if whole["total"] != m["total"] && m["total"] != nil {
			wrong("the total is %v on the first page and %v on page %d", whole["total"], m["total"], i+1)
		}
		if next := NextPage(raw); next != "" {
			u, err := url.Parse(next)
			if err != nil || len(u.Query()) != 1 || strings.Contains(next, "patient") {
				wrong("a link to a page tells more than a handle: %s", next)
			}
		}
	}
	whole["entry"] = entries
	body, _ = json.Marshal(whole)
	return body, faults
}

// NextPage gives the address of the next page, "" for none.
func NextPage(raw []byte) string {
	for _, l := range list(parsed(raw)["link"]) {
		if l["relation"] == "next" {
			return text(l["url"])
		}
	}
	return ""
}
