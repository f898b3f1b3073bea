package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
)

// Unclassified is the label by which people who act for a patient do not get
// what a value set recognised but does not wholly classify: no consent opens it.
var Unclassified = fhir.Coding{System: fhir.Canonical + "/CodeSystem/labelling", Code: "unclassified"}

// LabelSet says which codes of a resource make it sensitive.
type LabelSet struct {
	// Name is unique among the sets.
	Name string
	// Types limits the set to resources of these types; empty takes any.
	Types []string
	// Codes are looked for in every coded element that is searched by.
	Codes []fhir.Coding
	// Labels are those that a resource with one of the codes gets.
	Labels []fhir.Coding
	// Whole says that these labels classify the resource wholly. Without, it
	// stays hidden from people who act for the patient, as what nobody
	// classified does (LB-01, GW-23).
	Whole bool
}

// Labelling classifies resources that their source did not label. It is a pure
// function of the resource, and safe for concurrent use; nil classifies nothing.
type Labelling struct {
	// Version names what is loaded.
	Version string
	// Review says, of each file, who checked its codes.
	Review string
	sets   []LabelSet
	by     map[fhir.Coding][]int
}

// NewLabelling compiles value sets, which must be valid.
func NewLabelling(version string, sets []LabelSet) *Labelling {
	l := &Labelling{Version: version, sets: sets, by: map[fhir.Coding][]int{}}
	for i, s := range sets {
		for _, c := range s.Codes {
			l.by[c] = append(l.by[c], i)
		}
	}
	return l
}

// Sets gives the value sets.
func (l *Labelling) Sets() []LabelSet {
	if l == nil {
		return nil
	}
	return slices.Clone(l.sets)
}

// Of gives the labels of a resource that its source did not label, with the
// names of the sets that gave them; nothing for any other resource. What it
// contains is looked at too, since it leaves with it.
func (l *Labelling) Of(res *fhir.Resource) (labels []fhir.Coding, sets []string) {
	if l == nil || len(l.by) == 0 || res == nil || labelledBySource(res) {
		return nil, nil
	}
	var hits []int
	l.find(res, &hits)
	if hits == nil {
		return nil, nil
	}
	slices.Sort(hits)
	whole := false
	for _, i := range hits {
		whole = whole || l.sets[i].Whole
		sets = append(sets, l.sets[i].Name)
		for _, c := range l.sets[i].Labels {
			if !slices.Contains(labels, c) {
				labels = append(labels, c)
			}
		}
	}
	if !whole {
		labels = append(labels, Unclassified)
	}
	return labels, sets
}

// find collects the sets that a resource belongs to, by what it contains too.
func (l *Labelling) find(res *fhir.Resource, hits *[]int) {
	for _, codings := range res.Tokens {
		for _, c := range codings {
			for _, i := range l.by[c] {
				if types := l.sets[i].Types; (len(types) == 0 || slices.Contains(types, res.Type)) && !slices.Contains(*hits, i) {
					*hits = append(*hits, i)
				}
			}
		}
	}
	for i := range res.Contained {
		l.find(&res.Contained[i], hits)
	}
}

// labelledBySource reports whether the source classified a resource: by a
// confidentiality or a topic, not by a handling alone (LB-01).
func labelledBySource(res *fhir.Resource) bool {
	return slices.ContainsFunc(res.Labels, func(c fhir.Coding) bool {
		return c.System == fhir.SystemConfidentiality || c.System == fhir.SystemActCode && !slices.Contains(handlingCodes, c.Code)
	})
}

// labelled gives the resource with the labels by which it is judged: its own,
// those of what it contains (SMART TRP-13), and those that the value sets give.
func (in *Input) labelled(res *fhir.Resource) (*fhir.Resource, []string) {
	added, sets := in.Labelling.Of(res)
	if res == nil || len(res.Contained) == 0 && added == nil {
		return res, nil
	}
	whole := *res
	whole.Labels = append(LabelsOf(res), added...)
	if added == nil && len(whole.Labels) > len(res.Labels) && !labelledBySource(res) {
		// A label of a part says nothing about the rest (LB-01).
		whole.Labels = append(whole.Labels, Unclassified)
	}
	return &whole, sets
}

// Labels gives the labels by which the resource is judged: its own, those of what
// it contains, and those of the value sets. What stands for it inherits them.
func (in *Input) Labels(res *fhir.Resource) []fhir.Coding {
	whole, _ := in.labelled(res)
	return whole.Labels
}

// Topics gives the topics about which a patient is asked before an app sees the
// resource, as TopicsOfResource does, by the labels of the value sets too.
func (in *Input) Topics(res *fhir.Resource) []Topic {
	whole, _ := in.labelled(res)
	return TopicsOfResource(whole)
}
