package preview

import (
	"context"
	"net/url"
	"slices"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
)

// Record reads a patient's resources.
type Record interface {
	// Search calls each with every match of a search on one type.
	Search(ctx context.Context, typ string, params url.Values, each func(raw []byte) error) error
}

// Counts is what a grant would open.
type Counts struct {
	// Ordinary counts the visible resources of each type that carry no
	// sensitive topic.
	Ordinary map[string]int
	// Categories counts, by type, the ordinary resources per category coding.
	Categories map[string]map[fhir.Coding]int
	// Topics counts the resources that become visible when all topics are
	// shared, by each topic they carry.
	Topics map[access.Topic]int
}

// searchPage is how many resources are asked for at a time.
const searchPage = "500"

// Count runs the decision over every resource of the types for the input's
// patient. The input's grant should hold all scopes that could be granted;
// its topics are ignored: ordinary and sensitive resources are counted apart.
// Errors: errs.Upstream.
func Count(ctx context.Context, rec Record, in access.Input, types []string) (Counts, error) {
	c := Counts{
		Ordinary:   map[string]int{},
		Categories: map[string]map[fhir.Coding]int{},
		Topics:     map[access.Topic]int{},
	}
	in.Request = nil
	in.Grant.Topics = allTopics()
	for _, typ := range types {
		params, ok := aboutPatient(typ, in.Grant.Capacity.Patient)
		if !ok {
			continue
		}
		err := rec.Search(ctx, typ, params, func(raw []byte) error {
			r, err := view.Scan(raw)
			if err != nil {
				// What cannot be read is never released, so it does not count.
				return nil
			}
			c.add(in, &r)
			return nil
		})
		if err != nil {
			return Counts{}, err
		}
	}
	return c, nil
}

func allTopics() []string {
	var out []string
	for _, t := range access.Topics() {
		out = append(out, string(t))
	}
	return out
}

func aboutPatient(typ, patient string) (url.Values, bool) {
	param, ok := compartment.SearchByPatient(typ)
	if !ok || patient == "" {
		return nil, false
	}
	value := patient
	if param != "_id" {
		value = "Patient/" + patient
	}
	return url.Values{param: {value}, "_count": {searchPage}}, true
}

// add counts one resource if it could be searched or read under the grant.
func (c *Counts) add(in access.Input, r *fhir.Resource) {
	if !visible(in, r) {
		return
	}
	topics := in.Topics(r)
	if len(topics) > 0 && in.Grant.Capacity.Kind == fhir.CapacitySelf {
		for _, t := range topics {
			c.Topics[t]++
		}
		return
	}
	c.Ordinary[r.Type]++
	var seen []fhir.Coding
	for _, cat := range r.Tokens["category"] {
		if slices.Contains(seen, cat) {
			continue
		}
		seen = append(seen, cat)
		if c.Categories[r.Type] == nil {
			c.Categories[r.Type] = map[fhir.Coding]int{}
		}
		c.Categories[r.Type][cat]++
	}
}

func visible(in access.Input, r *fhir.Resource) bool {
	in.Resource = r
	for _, op := range []scope.Ops{scope.Search, scope.Read} {
		in.Op = op
		if access.Decide(in).Allow {
			return true
		}
	}
	return false
}
