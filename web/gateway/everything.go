package gateway

import (
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// everything answers Patient/[id]/$everything (SMART M-18): what is about the
// patient and may leave, with the directory entries that this names. What came
// only for something hidden is left out, so the whole record is gathered
// before the first page is cut.
func (a *act) everything(at place) (answer, error) {
	count, _, err := a.wants()
	if err != nil {
		return answer{}, err
	}
	if len(a.req.Find("_count")) == 0 {
		count = maxCounted * countPage
	}
	l := listing{first: a.req, ops: eitherOf}
	l.first.Query = slices.DeleteFunc(slices.Clone(a.req.Query), func(p rest.Param) bool { return slices.Contains(ours, p.Name) })
	var about, beside []sight
	err = a.steady(func() (err error) {
		about, beside, err = a.gather(l)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	all := slices.Concat(about, reached(about, beside, nil))
	total := len(all)
	out := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: "searchset", Total: &total, Links: []view.Link{{Relation: "self", URL: a.selfLink()}}}
	from := min(at.Skip, total)
	to := min(from+count, total)
	for _, s := range all[from:to] {
		a.deliver(s)
		out.Entries = append(out.Entries, a.x.g.entry(s, "match"))
	}
	if to < total {
		address, err := a.pageLink(place{Skip: to})
		if err != nil {
			return answer{}, err
		}
		out.Links = append(out.Links, view.Link{Relation: "next", URL: address})
	}
	return answer{status: http.StatusOK, body: out.AppendTo(nil)}, nil
}

// gather reads all pages and parts what is about somebody from the directory.
func (a *act) gather(l listing) (about, beside []sight, err error) {
	b, err := a.firstPage(l, countPage)
	for range maxCounted {
		if err != nil {
			return nil, nil, err
		}
		for _, provenance := range []bool{false, true} {
			if provenance {
				if err := a.foresee(resourcesOf(b)); err != nil {
					return nil, nil, err
				}
			}
			for _, e := range b.Entries {
				if e.Resource == nil || e.Mode == "outcome" || isProvenance(e.Resource) != provenance {
					continue
				}
				s, ok, err := a.see(e.Resource, l.ops...)
				switch {
				case err != nil:
					return nil, nil, err
				case !ok || s.res.ID == "":
				case len(s.res.Subjects) > 0:
					about = append(about, s)
				default:
					beside = append(beside, s)
				}
			}
		}
		next, more := a.x.g.d.Upstream.Below(b.Link("next"))
		if !more {
			return about, beside, nil
		}
		b, err = a.nextPage(next)
	}
	return nil, nil, errs.New(errs.Unprocessable, "record-too-large", "The record is too large for one answer; search by type.")
}

// isProvenance reports whether a resource is judged by others, which should be
// judged first.
func isProvenance(raw []byte) bool {
	res, err := view.Scan(raw)
	return err == nil && res.Type == "Provenance"
}
