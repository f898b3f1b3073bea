package fhirapi

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// wanted is a search: what leads to candidates, and every condition that each
// of them must meet.
type wanted struct {
	patient string
	actor   fhir.Reference
	ids     []string
	// conditions are judged on hot fields with the semantics of granular
	// scopes; texts on the resource itself.
	conditions scope.Scope
	texts      []rest.Param
}

// shown are the parameters that only shape the answer, which the gateway does.
// Nothing refers to an owned type from upstream, so includes find nothing.
var shown = []string{"_count", "_summary", "_elements", "_total", "_sort", "_include", "_revinclude"}

// read takes the search parameters apart. Errors: errs.Invalid naming the
// parameter that is not known.
func (w *wanted) read(r rest.Request) error {
	w.conditions.Type = r.Type
	if r.Interaction == rest.SearchCompartment {
		w.patient = r.Compartment.ID
		w.conditions.Params = append(w.conditions.Params, scope.Param{Name: "patient", Values: []string{r.Compartment.String()}})
	}
	for _, p := range r.Query {
		limit := scope.Param{Name: p.Name, Modifier: p.Modifier, Values: p.Values}
		switch {
		case slices.Contains(shown, p.Name):
		case p.Name == "_id" && p.Modifier == "":
			w.narrowIDs(p.Values)
		case textual(r.Type, p.Name) && p.Modifier == "":
			w.texts = append(w.texts, p)
		case scope.Supported(limit, r.Type):
			w.conditions.Params = append(w.conditions.Params, limit)
			w.leadBy(p)
		default:
			return errs.New(errs.Invalid, "search-parameter-unknown", "The search parameter "+p.Name+" is not offered on this type.")
		}
	}
	return nil
}

// narrowIDs keeps what all _id parameters name.
func (w *wanted) narrowIDs(ids []string) {
	if w.ids == nil {
		w.ids = slices.Clone(ids)
		return
	}
	w.ids = slices.DeleteFunc(w.ids, func(id string) bool { return !slices.Contains(ids, id) })
}

// leadBy uses a patient or actor for finding candidates.
func (w *wanted) leadBy(p rest.Param) {
	if len(p.Values) != 1 {
		return
	}
	ref, ok := fhir.ParseReference(p.Values[0])
	switch {
	case p.Name == "patient" && w.patient == "" && ok:
		w.patient = ref.ID
	case p.Name == "patient" && w.patient == "" && fhir.ValidID(p.Values[0]):
		w.patient = p.Values[0]
	case p.Name == "actor" && ok:
		w.actor = ref
	}
}

// find gives all records that match and that may be found.
func find(ctx context.Context, sh shelf, c Call) ([]Item, error) {
	var w wanted
	if err := w.read(c.Request); err != nil {
		return nil, err
	}
	all, err := sh.candidates(ctx, w)
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, it := range all {
		if !w.matches(it) {
			continue
		}
		d, err := judge(c, it.Raw, scope.Search)
		if err != nil {
			return nil, err
		}
		if d.Allow {
			out = append(out, it)
		}
	}
	return out, nil
}

func (w *wanted) matches(it Item) bool {
	if w.ids != nil && !slices.Contains(w.ids, it.Ref.ID) {
		return false
	}
	res, err := view.Scan(it.Raw)
	if err != nil || !w.conditions.Matches(&res) {
		return false
	}
	if len(w.texts) == 0 {
		return true
	}
	var human named
	if err := json.Unmarshal(it.Raw, &human); err != nil {
		return false
	}
	return !slices.ContainsFunc(w.texts, func(p rest.Param) bool { return !human.has(p) })
}

// textual lists the parameters that are not among the hot fields: on
// identifiers, names and booleans.
func textual(typ, name string) bool {
	return name == "identifier" || typ == "RelatedPerson" && (name == "name" || name == "active")
}

// named is what the textual parameters read.
type named struct {
	Active     bool `json:"active"`
	Identifier []struct {
		System string `json:"system"`
		Value  string `json:"value"`
	} `json:"identifier"`
	Name []struct {
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	} `json:"name"`
}

func (n *named) has(p rest.Param) bool {
	return slices.ContainsFunc(p.Values, func(v string) bool {
		switch p.Name {
		case "name":
			return n.startsWith(v)
		case "active":
			return v == strconv.FormatBool(n.Active)
		}
		return n.identifiedBy(v)
	})
}

func (n *named) identifiedBy(v string) bool {
	system, code, both := strings.Cut(v, "|")
	if !both {
		system, code = "", v
	}
	for _, id := range n.Identifier {
		if id.Value == code && (!both || id.System == system) {
			return true
		}
	}
	return false
}

// startsWith compares as R4 does for strings: the beginning, without regard
// to case.
func (n *named) startsWith(v string) bool {
	v = strings.ToLower(v)
	for _, name := range n.Name {
		for _, part := range append([]string{name.Text, name.Family}, name.Given...) {
			if strings.HasPrefix(strings.ToLower(part), v) {
				return true
			}
		}
	}
	return false
}
