package gateway

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// adoptProvenance makes a Provenance be about whom its targets are about,
// when each of them may be seen (SMART CMP-13, GW-20). One target that may
// not, or that cannot be resolved, hides it. A Provenance of a Provenance is not
// resolved, whether or not that one happens to be known: it would show on one page
// and not on another.
func (a *act) adoptProvenance(res *fhir.Resource) (reachable bool, err error) {
	if err := a.lookUp(res.Targets); err != nil {
		return false, err
	}
	var subjects []string
	foreign := false
	for _, ref := range res.Targets {
		t := a.target(ref)
		if !t.visible || ref.Type == "Provenance" {
			return false, nil
		}
		foreign = foreign || t.res.ForeignSubject
		for _, s := range everybody(&t.res) {
			if !slices.Contains(subjects, s) {
				subjects = append(subjects, s)
			}
		}
	}
	res.Subjects, res.ForeignSubject = subjects, foreign
	return len(res.Targets) > 0, nil
}

// target gives what is known about a target. What was not looked up is hidden.
func (a *act) target(ref fhir.Reference) seen {
	s := a.x.memory.seen[ref]
	if s.reachable && !s.visible {
		// It was judged under another operation.
		_, s.visible = a.judgeAny(&s.res, eitherOf)
	}
	return s
}

// foresee looks up, in few requests, the targets of all Provenances among the
// resources.
func (a *act) foresee(raws []json.RawMessage) error {
	var targets []fhir.Reference
	for _, raw := range raws {
		res, err := view.Scan(a.x.g.local(raw, ""))
		if err == nil && res.Type == "Provenance" {
			targets = append(targets, res.Targets...)
		}
	}
	return a.lookUp(targets)
}

// foreseeMatches is foresee for a search on Provenance; in other searches most
// targets are the matches themselves.
func (a *act) foreseeMatches(l listing, part []view.Entry) error {
	if l.first.Type != "Provenance" {
		return nil
	}
	return a.foresee(resourcesOf(part))
}

func resourcesOf(part []view.Entry) []json.RawMessage {
	var out []json.RawMessage
	for _, e := range part {
		if e.Resource != nil {
			out = append(out, e.Resource)
		}
	}
	return out
}

// lookupChunk is how many resources are asked for in one request.
const lookupChunk = 100

// lookUp reads and judges the resources that are not known yet.
func (a *act) lookUp(refs []fhir.Reference) error {
	missing := map[string][]string{}
	for _, ref := range refs {
		_, known := a.x.memory.seen[ref]
		if !known && !ref.IsZero() && ref.Type != "Provenance" && !fhirapi.Owns(ref.Type) && !access.NeverForApps(ref.Type) && !slices.Contains(missing[ref.Type], ref.ID) {
			missing[ref.Type] = append(missing[ref.Type], ref.ID)
		}
	}
	for typ, ids := range missing {
		for chunk := range slices.Chunk(ids, lookupChunk) {
			if err := a.lookUpSome(typ, chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *act) lookUpSome(typ string, ids []string) error {
	if a.x.memory.lookups >= maxLookups {
		return nil
	}
	a.x.memory.lookups++
	p, err := a.ask(rest.Request{Interaction: rest.SearchType, Type: typ, Query: []rest.Param{
		{Name: "_id", Values: ids}, {Name: "_count", Values: []string{strconv.Itoa(len(ids))}},
	}})
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.NotSupported) || errs.Is(err, errs.Unprocessable) {
		// The upstream does not have the type: nothing to see.
		return nil
	}
	if err != nil {
		return err
	}
	_, err = eachPart(p, func(part []view.Entry) error { return a.lookedUp(typ, part) })
	return err
}

func (a *act) lookedUp(typ string, part []view.Entry) error {
	for _, e := range part {
		res, err := view.Scan(a.x.g.local(e.Resource, ""))
		if err != nil || res.Type != typ {
			continue
		}
		reachable, err := a.adopt(&res)
		if err != nil {
			return err
		}
		visible := reachable
		if reachable {
			_, visible = a.judgeAny(&res, eitherOf)
		}
		a.x.remember(res, reachable, visible)
	}
	return nil
}
