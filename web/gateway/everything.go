package gateway

import (
	"slices"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// everything answers Patient/[id]/$everything (SMART M-18): what is about the
// patient and may leave, with the directory entries that this names. What came
// only for something hidden is left out, so the whole record is looked through
// for each page.
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
	var out *sheet
	total := 0
	err = a.steady(func() error {
		out, total = a.sheet("searchset"), 0
		b := anywhere()
		err := a.gather(l, b, func(s sight) error {
			if total++; total <= at.Skip || total > at.Skip+count {
				return nil
			}
			return out.add(s, a.x.g.entry(s, "match"))
		})
		if err != nil {
			return err
		}
		rest := b.reached()
		page := rest[min(max(at.Skip-total, 0), len(rest)):min(max(at.Skip+count-total, 0), len(rest))]
		total += len(rest)
		return a.reveal(page, func(s sight) error { return out.add(s, a.x.g.entry(s, "match")) })
	})
	if err != nil {
		return answer{}, err
	}
	links := []view.Link{{Relation: "self", URL: a.selfLink()}}
	if at.Skip+count < total {
		address, err := a.pageLink(place{Skip: at.Skip + count})
		if err != nil {
			return answer{}, err
		}
		links = append(links, view.Link{Relation: "next", URL: address})
	}
	return out.end(&total, links), nil
}

// gather reads all pages and hands over what is about somebody; the directory
// and what stands for others is held until the end.
func (a *act) gather(l listing, b *beside, about func(sight) error) error {
	at := place{}
	l.count = countPage
	for range maxCounted {
		p, err := a.open(l, at)
		if err != nil {
			return err
		}
		link, err := eachPart(p, func(part []view.Entry) error { return a.gatherPart(l, part, b, about) })
		if err == nil {
			err = b.settle(a)
		}
		if err != nil {
			return err
		}
		next, more := a.x.g.d.Upstream.Below(link)
		if !more {
			return nil
		}
		at = place{Next: next}
	}
	return errs.New(errs.Unprocessable, "record-too-large", "The record is too large for one answer; search by type.")
}

func (a *act) gatherPart(l listing, part []view.Entry, b *beside, about func(sight) error) error {
	if err := a.learnPart(part); err != nil {
		return err
	}
	for _, e := range part {
		if e.Resource == nil || e.Mode == "outcome" {
			continue
		}
		if isProvenance(e) {
			if err := b.take(a, e); err != nil {
				return err
			}
			continue
		}
		s, ok, err := a.seeEntry(e, l.ops...)
		switch {
		case err != nil:
			return err
		case !ok || s.res.ID == "":
			continue
		case len(s.res.Subjects) == 0:
			b.hold(s, false)
			continue
		}
		b.match(s)
		if err := about(s); err != nil {
			return err
		}
	}
	return nil
}

// isProvenance reports whether a resource is judged by others, which should be
// judged first.
func isProvenance(e view.Entry) bool {
	if e.Hot != nil {
		return e.Hot.Type == "Provenance"
	}
	return view.TypeOf(e.Resource) == "Provenance"
}
