package gateway

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// adoptProvenance makes a Provenance be about whom its targets are about,
// when each of them may be seen (SMART CMP-13, GW-20). One target that may
// not, or that cannot be resolved, hides it.
func (a *act) adoptProvenance(res *fhir.Resource) (reachable bool, err error) {
	var subjects []string
	for _, ref := range res.Targets {
		t, err := a.target(ref)
		if err != nil || !t.visible {
			return false, err
		}
		for _, s := range t.res.Subjects {
			if !slices.Contains(subjects, s) {
				subjects = append(subjects, s)
			}
		}
	}
	res.Subjects, res.ForeignSubject = subjects, false
	return len(res.Targets) > 0, nil
}

// target judges what a Provenance is about, from memory or by reading it.
func (a *act) target(ref fhir.Reference) (seen, error) {
	if ref.IsZero() || ref.Type == "Provenance" || fhirapi.Owns(ref.Type) {
		return seen{}, nil
	}
	if s, ok := a.x.memory.seen[ref]; ok {
		if !s.visible {
			// It was judged under another operation.
			_, s.visible = a.judgeAny(&s.res, eitherOf)
		}
		return s, nil
	}
	if a.x.memory.lookups >= maxLookups {
		return seen{}, nil
	}
	a.x.memory.lookups++
	raw, err := a.x.fetch("/" + ref.String())
	if errs.Is(err, errs.NotFound) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, err
	}
	res, scanErr := view.Scan(localise(raw, a.x.g.d.Upstream.Base(), ""))
	if scanErr != nil || (fhir.Reference{Type: res.Type, ID: res.ID}) != ref {
		return seen{}, nil
	}
	ok, err := a.adopt(&res)
	if err != nil {
		return seen{}, err
	}
	if ok {
		_, ok = a.judgeAny(&res, eitherOf)
	}
	a.x.remember(res, ok)
	return seen{visible: ok, res: res}, nil
}
