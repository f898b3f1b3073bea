package gateway

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// defaultCount and maxCount are how many matches a page has.
	defaultCount = 50
	maxCount     = 500
	// maxFill is how many upstream pages are read to fill one of ours.
	maxFill = 20
	// countPage and maxCounted bound a count of visible matches: entries per
	// upstream page, and pages.
	countPage  = 500
	maxCounted = 100
)

// listing is a search or history whose answer is a bundle.
type listing struct {
	// first is the upstream request of the first page.
	first rest.Request
	count int
	// ops are those under which a match is judged: any of them lets it
	// leave.
	ops []scope.Ops
	// check is asked of every visible match besides; nil passes.
	check func(sight) (bool, error)
	kind  string
}

// ours are the parameters that the gateway serves itself, after filtering
// (SMART TRP-20): the upstream must give whole resources, and its totals count
// hidden ones.
var ours = []string{"_summary", "_elements", "_total", "_count", pageParam}

// list answers a search of a type or compartment, or a type's history.
func (a *act) list(d access.Decision, at place) (answer, error) {
	count, onlyCount, err := a.wants()
	if err != nil {
		return answer{}, err
	}
	first := a.req
	first.Query = slices.DeleteFunc(slices.Clone(first.Query), func(p rest.Param) bool { return slices.Contains(ours, p.Name) })
	if len(d.Rewrite) == 1 {
		first = first.With(d.Rewrite[0]...)
	}
	l := listing{first: first, count: count, ops: []scope.Ops{scope.Search}, kind: "searchset"}
	if a.req.Interaction == rest.HistoryType {
		l.kind, l.check = "history", a.stillVisible
	}
	if onlyCount {
		return a.countOnly(l)
	}
	if at.Next == "" && at.Skip == 0 && a.wantsTotal() {
		if at.Total, err = a.total(l); err != nil {
			return answer{}, err
		}
	}
	return a.page(l, at)
}

// wants reads how many matches a page may have, and whether only their number
// is asked for.
func (a *act) wants() (count int, onlyCount bool, err error) {
	count = defaultCount
	for _, p := range a.req.Find("_count") {
		n, err := strconv.Atoi(p.Raw)
		if err != nil || n < 0 {
			return 0, false, errs.New(errs.Invalid, "count-malformed", "_count must be a number.")
		}
		onlyCount, count = n == 0, min(n, maxCount)
	}
	for _, p := range a.req.Find("_summary") {
		onlyCount = onlyCount || p.Raw == "count"
	}
	return count, onlyCount, nil
}

func (a *act) wantsTotal() bool {
	for _, p := range a.req.Find("_total") {
		return p.Raw == "accurate" || p.Raw == "estimate"
	}
	return false
}

// countOnly answers with the number of visible matches (GW-03, SMART TRP-06).
func (a *act) countOnly(l listing) (answer, error) {
	total, err := a.total(l)
	if err != nil {
		return answer{}, err
	}
	if total == nil {
		return answer{}, errs.New(errs.Unprocessable, "count-too-large", "There is too much to count; narrow the search.")
	}
	b := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: l.kind, Total: total, Links: []view.Link{{Relation: "self", URL: a.selfLink()}}}
	return answer{status: http.StatusOK, body: b.AppendTo(nil)}, nil
}

// total counts the visible matches; nil when there are more than is looked
// through.
func (a *act) total(l listing) (*int, error) {
	query := slices.DeleteFunc(slices.Clone(l.first.Query), func(p rest.Param) bool {
		return p.Name == "_include" || p.Name == "_revinclude" || p.Name == "_sort"
	})
	l.first.Query = query
	b, err := a.firstPage(l, countPage)
	total := 0
	for range maxCounted {
		if err != nil {
			return nil, err
		}
		if err := a.foreseeMatches(l, b); err != nil {
			return nil, err
		}
		for _, e := range b.Entries {
			_, ok, err := a.match(l, e)
			if err != nil {
				return nil, err
			}
			if ok {
				total++
			}
		}
		next, more := a.x.g.d.Upstream.Below(b.Link("next"))
		if !more {
			return &total, nil
		}
		b, err = a.nextPage(next)
	}
	return nil, nil
}

// page answers one page: filled from as many upstream pages as it takes, so
// that it does not show where something was left out.
func (a *act) page(l listing, at place) (answer, error) {
	var matches, included []sight
	var next *place
	err := a.steady(func() (err error) {
		matches, included = nil, nil
		next, err = a.walk(l, at, &matches, &included)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	out := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: l.kind, Total: at.Total}
	if out.Total == nil && next == nil && at.Next == "" && at.Skip == 0 {
		n := len(matches)
		out.Total = &n
	}
	out.Links = []view.Link{{Relation: "self", URL: a.selfLink()}}
	if next != nil {
		next.Total = out.Total
		address, err := a.pageLink(*next)
		if err != nil {
			return answer{}, err
		}
		out.Links = append(out.Links, view.Link{Relation: "next", URL: address})
	}
	for _, s := range matches {
		a.deliver(s)
		out.Entries = append(out.Entries, a.listed(l, s))
	}
	for _, s := range reached(matches, included, edgesOf(a.req.Query)) {
		a.deliver(s)
		out.Entries = append(out.Entries, a.x.g.entry(s, "include"))
	}
	return answer{status: http.StatusOK, body: out.AppendTo(nil)}, nil
}

func (a *act) listed(l listing, s sight) view.Entry {
	if l.kind == "history" {
		return a.x.g.historyEntry(s)
	}
	return a.x.g.entry(s, "match")
}

// walk gathers up to a page of visible matches with what is included beside
// them, and gives the place to go on with, nil at the end.
func (a *act) walk(l listing, at place, matches, included *[]sight) (*place, error) {
	for range maxFill {
		b, err := a.pageAt(l, at)
		if err != nil {
			return nil, err
		}
		full, err := a.take(l, b, at.Skip, matches)
		if err != nil {
			return nil, err
		}
		if err := a.takeIncluded(b, included); err != nil {
			return nil, err
		}
		if full > 0 {
			return &place{Next: at.Next, Skip: full}, nil
		}
		next, more := a.x.g.d.Upstream.Below(b.Link("next"))
		if !more {
			return nil, nil
		}
		at = place{Next: next}
		if len(*matches) == l.count {
			break
		}
	}
	return &at, nil
}

// take adds the visible matches of one upstream page. full is the index of
// the first visible one that has no place any more, 0 when all had one.
func (a *act) take(l listing, b view.Bundle, skip int, matches *[]sight) (full int, err error) {
	if err := a.foreseeMatches(l, b); err != nil {
		return 0, err
	}
	for i, e := range b.Entries {
		if i < skip {
			continue
		}
		s, ok, err := a.match(l, e)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		if len(*matches) == l.count {
			return i, nil
		}
		*matches = append(*matches, s)
	}
	return 0, nil
}

// match judges an entry as a match of the listing.
func (a *act) match(l listing, e view.Entry) (sight, bool, error) {
	if e.Resource == nil || e.Mode != "" && e.Mode != "match" {
		return sight{}, false, nil
	}
	s, ok, err := a.see(e.Resource, l.ops...)
	if err != nil || !ok || s.res.ID == "" {
		return sight{}, false, err
	}
	if l.check != nil {
		ok, err = l.check(s)
	}
	return s, ok, err
}

// takeIncluded judges what came beside the matches, each on its own (GW-05).
// What stands for others comes last, when those were judged.
func (a *act) takeIncluded(b view.Bundle, included *[]sight) error {
	if err := a.foresee(resourcesOf(b)); err != nil {
		return err
	}
	for _, provenance := range []bool{false, true} {
		for _, e := range b.Entries {
			if e.Mode != "include" || e.Resource == nil || isProvenance(e.Resource) != provenance {
				continue
			}
			s, ok, err := a.see(e.Resource, eitherOf...)
			if err != nil {
				return err
			}
			if ok && !slices.ContainsFunc(*included, func(o sight) bool { return o.ref() == s.ref() }) {
				*included = append(*included, s)
			}
		}
	}
	return nil
}
