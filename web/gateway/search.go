package gateway

import (
	"errors"
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
	// ask is how many the upstream is asked for at once, 0 for as many.
	ask int
	// ops are those under which a match is judged: any of them lets it
	// leave.
	ops []scope.Ops
	// check is asked of every visible match besides; nil passes.
	check func(sight) (bool, error)
	kind  string
	// counted asks for the number of all visible matches on the first page.
	counted bool
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
	a.lone = a.x.to != nil && first.Type != "Provenance" && first.Type != rest.AnyType && len(edgesOf(first.Query)) == 0
	if onlyCount {
		return a.countOnly(l)
	}
	l.counted = at.Next == "" && at.Skip == 0 && a.wantsTotal()
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
	var total *int
	err := a.steady(func() (err error) {
		total, err = a.total(l)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	if total == nil {
		return answer{}, errs.New(errs.Unprocessable, "count-too-large", "There is too much to count; narrow the search.")
	}
	b := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: l.kind, Total: total, Links: []view.Link{{Relation: "self", URL: a.selfLink()}}}
	if a.ignored != nil {
		b.Entries = []view.Entry{ignoredEntry(a.ignored)}
	}
	return answer{status: http.StatusOK, body: b.AppendTo(nil)}, nil
}

// total counts the visible matches; nil when there are more than is looked
// through.
func (a *act) total(l listing) (*int, error) {
	query := slices.DeleteFunc(slices.Clone(l.first.Query), func(p rest.Param) bool {
		return p.Name == "_include" || p.Name == "_revinclude" || p.Name == "_sort"
	})
	l.first.Query, l.count = query, countPage
	at, total := place{}, 0
	for range maxCounted {
		p, err := a.open(l, at)
		if err != nil {
			return nil, err
		}
		link, err := eachPart(p, func(part []view.Entry) error {
			n, err := a.countPart(l, part)
			total += n
			return err
		})
		if err != nil {
			return nil, err
		}
		next, more := a.x.g.d.Upstream.Below(link)
		if !more {
			return &total, nil
		}
		at = place{Next: next}
	}
	return nil, nil
}

func (a *act) countPart(l listing, part []view.Entry) (n int, err error) {
	if err := a.foreseeMatches(l, part); err != nil {
		return 0, err
	}
	if err := a.learnPart(part); err != nil {
		return 0, err
	}
	for _, e := range part {
		_, ok, err := a.match(l, e)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// page answers one page: filled from as many upstream pages as it takes, so
// that it does not show where something was left out.
func (a *act) page(l listing, at place) (answer, error) {
	var out *sheet
	var next *place
	matches := 0
	// One more tells mostly without a further request whether another page follows.
	l.ask = l.count + 1
	err := a.steady(func() (err error) {
		if l.counted {
			if at.Total, err = a.total(l); err != nil {
				return err
			}
		}
		out = a.sheet(l.kind)
		f := &found{match: func(s sight) error { return out.add(s, a.listed(l, s)) }, beside: along(edgesOf(a.req.Query))}
		if next, err = a.walk(l, at, f); err != nil {
			return err
		}
		matches = f.matches
		return a.reveal(f.beside.reached(), func(s sight) error { return out.add(s, a.x.g.entry(s, "include")) })
	})
	if err != nil {
		return answer{}, err
	}
	total := at.Total
	if total == nil && next == nil && at.Next == "" && at.Skip == 0 {
		total = &matches
	}
	links := []view.Link{{Relation: "self", URL: a.selfLink()}}
	if next != nil {
		next.Total = total
		address, err := a.pageLink(*next)
		if err != nil {
			return answer{}, err
		}
		links = append(links, view.Link{Relation: "next", URL: address})
	}
	return out.end(total, links), nil
}

func (a *act) listed(l listing, s sight) view.Entry {
	if l.kind == "history" {
		return a.x.g.historyEntry(s)
	}
	return a.x.g.entry(s, "match")
}

// found is what a walk comes by.
type found struct {
	// match is called for each visible match, whose memory is good for the call.
	match   func(sight) error
	matches int
	// beside takes what comes beside them; nil leaves it out.
	beside *beside
	// ahead says that the page is full, and that only the next match is looked for.
	ahead bool
}

// walk looks for up to a page of visible matches with what is included beside
// them, and gives the place to go on with, nil at the end.
func (a *act) walk(l listing, at place, f *found) (*place, error) {
	for range maxFill {
		full, link, err := a.walkPage(l, at, f)
		if err != nil {
			return nil, err
		}
		if full >= 0 {
			return &place{Next: at.Next, Skip: full}, nil
		}
		next, more := a.x.g.d.Upstream.Below(link)
		if !more {
			return nil, nil
		}
		at = place{Next: next}
		if f.matches == l.count && !f.ahead {
			return a.ahead(l, at)
		}
	}
	return &at, nil
}

// ahead looks for the next visible match behind a full page: a link to a further
// page that holds nothing would tell of what is hidden there.
func (a *act) ahead(l listing, at place) (*place, error) {
	return a.walk(l, at, &found{matches: l.count, ahead: true})
}

// walkPage goes through one upstream page. full is the index of the first
// visible match that has no place any more, -1 when all had one.
func (a *act) walkPage(l listing, at place, f *found) (full int, link string, err error) {
	p, err := a.open(l, at)
	if err != nil {
		return -1, "", err
	}
	index := 0
	full = -1
	link, err = eachPart(p, func(part []view.Entry) (err error) {
		a.x.expect(part)
		if err := a.learnPart(part); err != nil {
			return err
		}
		if full < 0 {
			var i int
			if i, err = a.take(l, part, at.Skip-index, f); i >= 0 {
				full = index + i
			}
		}
		index += len(part)
		switch {
		case err != nil:
			return err
		case f.beside != nil:
			return a.takeIncluded(l, part, f.beside)
		case full >= 0:
			return errEnough
		}
		return nil
	})
	if err == nil {
		err = f.beside.settle(a)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return full, link, err
}

// take hands over the visible matches of a part of a page, without the first
// ones that are to be skipped. full is the index of the first that has no place
// any more, -1 when all had one.
func (a *act) take(l listing, part []view.Entry, skip int, f *found) (full int, err error) {
	if err := a.foreseeMatches(l, part); err != nil {
		return -1, err
	}
	for i, e := range part {
		if i < skip {
			continue
		}
		s, ok, err := a.match(l, e)
		if err != nil {
			return -1, err
		}
		if !ok {
			continue
		}
		if f.matches == l.count {
			return i, nil
		}
		f.matches++
		f.beside.match(s)
		if err := f.match(s); err != nil {
			return -1, err
		}
	}
	return -1, nil
}

// foreign reports whether an entry is of another type than is searched for: from a
// server that does not say what it included, that is no match.
func (l listing) foreign(e view.Entry) bool {
	if l.first.Interaction != rest.SearchType {
		return false
	}
	if e.Hot != nil {
		return e.Hot.Type != l.first.Type
	}
	return view.TypeOf(e.Resource) != l.first.Type
}

// match judges an entry as a match of the listing.
func (a *act) match(l listing, e view.Entry) (sight, bool, error) {
	if e.Resource == nil || e.Mode != "" && e.Mode != "match" || e.Mode == "" && l.foreign(e) {
		return sight{}, false, nil
	}
	s, ok, err := a.seeEntry(e, l.ops...)
	if err != nil || !ok || s.res.ID == "" {
		return sight{}, false, err
	}
	if l.check != nil {
		ok, err = l.check(s)
	}
	return s, ok && !a.foundBySecret(l.first.Query, s), err
}

// takeIncluded judges what came beside the matches.
func (a *act) takeIncluded(l listing, part []view.Entry, b *beside) error {
	for _, e := range part {
		if e.Resource == nil || e.Mode != "include" && (e.Mode != "" || !l.foreign(e)) {
			continue
		}
		if err := b.take(a, e); err != nil {
			return err
		}
	}
	return nil
}
