package gateway

import (
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// owned answers for the types that Mandate keeps itself. The room behind it
// judged each resource; here labels are stripped and pages cut.
func (a *act) owned(d access.Decision, at place) (answer, error) {
	req := a.req
	if len(d.Rewrite) == 1 {
		req = req.With(d.Rewrite[0]...)
	}
	count, onlyCount, err := a.wants()
	if err != nil {
		return answer{}, err
	}
	if onlyCount && req.Type == access.LogType {
		return answer{}, errs.New(errs.Unprocessable, "count-too-large", "The audit log is not counted; list it.")
	}
	res, err := a.x.g.d.Owned.Do(a.x.ctx, fhirapi.Call{
		Tenant: a.x.g.d.Tenant, Input: a.x.in, Origin: a.x.origin, Request: req, Page: fhirapi.Page{Count: count, After: at.Next},
	})
	if err != nil {
		return answer{}, err
	}
	switch req.Interaction {
	case rest.Read, rest.VRead:
		s, err := a.item(res.One)
		if err != nil {
			return answer{}, err
		}
		return a.show(s), nil
	case rest.Create, rest.Update:
		return a.ownedWrite(res)
	}
	if res.Paged {
		return a.ownedPage(res)
	}
	return a.ownedList(res.Many, at)
}

// ownedPage answers with one page of a log, whose length nobody counts.
func (a *act) ownedPage(res fhirapi.Answer) (answer, error) {
	b := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: "searchset", Links: []view.Link{{Relation: "self", URL: a.selfLink()}}}
	for _, it := range res.Many {
		s, err := a.item(it)
		if err != nil {
			return answer{}, err
		}
		a.deliver(s)
		b.Entries = append(b.Entries, a.x.g.entry(s, "match"))
	}
	if res.Next != "" {
		address, err := a.pageLink(place{Next: res.Next})
		if err != nil {
			return answer{}, err
		}
		b.Links = append(b.Links, view.Link{Relation: "next", URL: address})
	}
	return answer{status: http.StatusOK, body: b.AppendTo(nil), asOf: res.AsOf}, nil
}

// item releases a stored resource that was judged visible.
func (a *act) item(it fhirapi.Item) (sight, error) {
	res, err := view.Scan(it.Raw)
	if err != nil {
		return sight{}, err
	}
	raw, err := a.strip(it.Raw, nil, access.Decision{Obligations: []access.Obligation{access.StripLabels}})
	if err != nil {
		return sight{}, err
	}
	res.VersionID, res.LastUpdated = strconv.Itoa(it.Version), it.Updated
	return sight{raw: raw, res: res}, nil
}

// ownedWrite answers a write; the body only to those who may read it (M-12).
func (a *act) ownedWrite(res fhirapi.Answer) (answer, error) {
	s, err := a.item(res.One)
	if err != nil {
		return answer{}, err
	}
	return a.written(s, res.Created), nil
}

func (a *act) ownedList(items []fhirapi.Item, at place) (answer, error) {
	count, onlyCount, err := a.wants()
	if err != nil {
		return answer{}, err
	}
	total := len(items)
	b := view.Bundle{ID: a.x.g.d.IDs.ID(), Type: "searchset", Total: &total, Links: []view.Link{{Relation: "self", URL: a.selfLink()}}}
	kind := "match"
	if a.req.Interaction == rest.HistoryInstance {
		b.Type, kind = "history", ""
	}
	if onlyCount {
		return answer{status: http.StatusOK, body: b.AppendTo(nil)}, nil
	}
	from := min(at.Skip, total)
	to := min(from+count, total)
	var page []sight
	for _, it := range items[from:to] {
		s, err := a.item(it)
		if err != nil {
			return answer{}, err
		}
		page = append(page, s)
		a.deliver(s)
		if kind == "" {
			b.Entries = append(b.Entries, a.x.g.historyEntry(s))
			continue
		}
		b.Entries = append(b.Entries, a.x.g.entry(s, kind))
	}
	beside, err := a.provenancesOf(page)
	if err != nil {
		return answer{}, err
	}
	for _, s := range beside {
		a.deliver(s)
		b.Entries = append(b.Entries, a.x.g.entry(s, "include"))
	}
	if to < total {
		address, err := a.pageLink(place{Skip: to})
		if err != nil {
			return answer{}, err
		}
		b.Links = append(b.Links, view.Link{Relation: "next", URL: address})
	}
	return answer{status: http.StatusOK, body: b.AppendTo(nil)}, nil
}
