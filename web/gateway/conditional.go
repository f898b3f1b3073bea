package gateway

import (
	"bytes"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// errAmbiguous is R4's answer to a condition that more than one meets.
var errAmbiguous = errs.New(errs.PreconditionFailed, "condition-ambiguous", "More than one resource meets the condition.")

// resolve gives the one visible resource that meets a condition, nil when
// none does. The condition is a search and judged as one (SMART M-08…M-10);
// what is hidden does not exist for it. The upstream never sees a condition,
// because its answer would count hidden ones.
func (a *act) resolve(query []rest.Param) (*sight, error) {
	search := rest.Request{Interaction: rest.SearchType, Type: a.req.Type, Query: query}
	d, err := a.decide(search)
	if err != nil {
		return nil, err
	}
	if err := a.x.g.understoodWhole(search); err != nil {
		return nil, err
	}
	if len(d.Rewrite) == 1 {
		search = search.With(d.Rewrite[0]...)
	}
	var matches []sight
	l := listing{first: search, count: defaultCount, ops: []scope.Ops{scope.Search}}
	next, err := a.walk(l, place{}, &found{match: func(s sight) error {
		if s.raw = bytes.Clone(s.raw); len(matches) < 2 {
			matches = append(matches, s)
		}
		return nil
	}})
	switch {
	case err != nil:
		return nil, err
	case len(matches) > 1:
		return nil, errAmbiguous
	case next != nil:
		return nil, errs.New(errs.Unprocessable, "condition-too-wide", "The condition selects too much; narrow it.")
	case len(matches) == 0:
		return nil, nil
	}
	return &matches[0], nil
}

// planConditional turns a conditional write into the plain one that it means.
func (a *act) planConditional() (plan, error) {
	found, err := a.resolve(a.req.Query)
	if err != nil {
		return plan{}, err
	}
	kind := a.req.Interaction
	a.req.Query = nil
	if found == nil {
		if kind == rest.ConditionalUpdate {
			return a.planUnmatched()
		}
		return plan{}, errAbsent
	}
	a.req.ID = found.res.ID
	switch kind {
	case rest.ConditionalPatch:
		a.req.Interaction = rest.Patch
	case rest.ConditionalDelete:
		a.req.Interaction = rest.Delete
	default:
		a.req.Interaction = rest.Update
		if a.req.Body, err = named(a.req.Body, a.req.ID); err != nil {
			return plan{}, err
		}
	}
	return a.plan()
}

// planUnmatched creates where a conditional update meets nothing: under the
// id of the body when there is one, as an update would.
func (a *act) planUnmatched() (plan, error) {
	a.req.Interaction = rest.Create
	if a.req.Resource != nil && a.req.Resource.ID != "" {
		a.req.Interaction, a.req.ID = rest.Update, a.req.Resource.ID
	}
	return a.plan()
}

// named gives the body the id of the resource that it is for.
func named(body []byte, id string) ([]byte, error) {
	list, err := view.Members(body)
	if err != nil {
		return nil, err
	}
	quoted := view.Quote(id)
	if have := view.Value(list, "id"); have != nil && string(have) != string(quoted) {
		return nil, errs.New(errs.Invalid, "id-mismatch", "The body has another id than the resource that meets the condition.")
	}
	return view.Join(view.Set(list, "id", quoted)), nil
}
