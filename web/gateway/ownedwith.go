package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// provenancesOf gives the upstream's Provenances of a page of owned matches,
// when they are asked for and may be seen (SMART US-26). Those of other types
// come with the upstream's own search.
func (a *act) provenancesOf(page []sight) ([]sight, error) {
	asked := slices.ContainsFunc(a.req.Find("_revinclude"), func(p rest.Param) bool {
		return slices.Contains(p.Values, "Provenance:target")
	})
	if !asked || len(page) == 0 {
		return nil, nil
	}
	var targets []string
	for _, s := range page {
		a.x.remember(s.res, true, true)
		targets = append(targets, s.ref().String())
	}
	p, err := a.ask(rest.Request{Interaction: rest.SearchType, Type: "Provenance", Query: []rest.Param{
		{Name: "target", Values: targets}, {Name: "_count", Values: []string{strconv.Itoa(lookupChunk)}},
	}})
	if err != nil {
		return nil, err
	}
	var out []sight
	_, err = eachPart(p, func(part []view.Entry) error {
		if err := a.foresee(resourcesOf(part)); err != nil {
			return err
		}
		for _, e := range part {
			if e.Resource == nil || !isProvenance(e) {
				continue
			}
			s, ok, err := a.seeEntry(e, eitherOf...)
			if err != nil {
				return err
			}
			if ok {
				s.raw = bytes.Clone(s.raw)
				out = append(out, s)
			}
		}
		return nil
	})
	return out, err
}

// ownedLines adds Mandate's own record for each RelatedPerson that the
// upstream exports; one that Mandate does not keep, or that may not be seen,
// has no line (D14).
func (a *act) ownedLines(chunk []json.RawMessage, members []string, to *bytes.Buffer) error {
	for _, raw := range chunk {
		theirs, err := view.Scan(raw)
		if err != nil || theirs.Type != "RelatedPerson" {
			continue
		}
		res, err := a.x.g.d.Owned.Do(a.x.ctx, fhirapi.Call{
			Tenant: a.x.g.d.Tenant, Input: a.x.in, Origin: a.x.origin,
			Request: rest.Request{Interaction: rest.Read, Type: theirs.Type, ID: theirs.ID},
		})
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		s, err := a.item(res.One)
		if err != nil {
			return err
		}
		if outsider(&s.res, members) {
			continue
		}
		a.deliver(s)
		to.Write(s.raw)
		to.WriteByte('\n')
	}
	return nil
}
