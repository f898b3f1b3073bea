package consent

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Forbidden is one rule that scopes cannot say, for a resource server that
// enforces by itself (PC-17): it must not release what carries one of Labels, and
// not what Data means. One of the two is set.
type Forbidden struct {
	Labels []fhir.Coding
	Data   []Datum
}

// rankV is the highest confidentiality.
const rankV = 6

// confidentialities are the codes by rank, from 1 on.
var confidentialities = [...]string{"U", "L", "M", "N", "R", "V"}

// ResidualFor gives what is left to forbid of all that the scopes of GrantableFor
// open, for a reader that knows no more than IHE PCF: a resource that no rule
// forbids is released. It never lets through what Evaluate would refuse of data
// whose labels are all of v3-ActCode and v3-Confidentiality. It may forbid more:
// where several grants contribute, a label is left open only if each of them
// covers it, and where a rule cannot be said in labels or in named data, all is
// forbidden. There is no permit among them, since one label that is let through
// would open what another one keeps (TR-07). It follows from rules alone, never
// from what the chart holds (SC-23).
func ResidualFor(p *Policy, actors []fhir.Reference, purpose string, at time.Time) []Forbidden {
	q := &Question{Patient: p.patient, Actors: actors, Purpose: purpose, At: at}
	r := residual{highest: rankV, closed: map[string]bool{}}
	found := false
	for i := range p.grants {
		found = r.grant(&p.grants[i], q) || found
	}
	for i := range p.prohibitions {
		x := &p.prohibitions[i]
		if !x.root.context(q, fnAll) {
			continue
		}
		r.deny(&x.root, 0)
		for j := range x.denies {
			if x.denies[j].context(q, fnAll) {
				r.deny(&x.denies[j], x.root.functions)
			}
		}
	}
	if !found {
		r.highest = 0
	}
	return r.forbidden()
}

// residual is what is closed so far.
type residual struct {
	// highest is the rank above which all is closed; 0 closes everything.
	highest int
	closed  map[string]bool
	data    []Datum
}

// grant counts in what one grant leaves closed, and reports whether it stands.
func (r *residual) grant(g *grant, q *Question) (found bool) {
	if _, ok := g.stands(q, fnAll); !ok {
		return false
	}
	permit := func(x *rule) {
		if x.labels.opensSomething() {
			found = true
			r.permit(g, x)
		}
	}
	if g.root.permit {
		permit(&g.root)
	}
	for i := range g.permits {
		if g.permits[i].context(q, fnAll) {
			permit(&g.permits[i])
		}
	}
	for i := range g.carve {
		if found && g.carve[i].context(q, fnAll) {
			r.deny(&g.carve[i], g.root.functions)
		}
	}
	return found
}

// permit closes what a permit does not cover, label by label (EV-07). A list of
// topics without a confidentiality opens no ordinary data, which cannot be said by
// forbidding, and neither can a limit to codes, dates or single resources, nor to
// functions that read without viewing.
func (r *residual) permit(g *grant, x *rule) {
	highest := rankN
	if x.labels.stated {
		highest = x.labels.highest
	}
	if x.narrowed&^dimClass != 0 || !g.functionsOf(x).has(fnView) {
		highest = 0
	}
	if r.highest = min(r.highest, highest); r.highest == 0 {
		return
	}
	for _, code := range labelCodes() {
		one := readLabels([]fhir.Coding{
			{System: fhir.SystemConfidentiality, Code: confidentialities[highest-1]},
			{System: fhir.SystemActCode, Code: code},
		})
		// What has a topic and no confidentiality counts as restricted.
		restricted := one.hasTopic() && highest < rankR
		if restricted || one.nopat || one.psychNotes || one.part2 && !g.part2Complete || !x.labels.covers(&one) {
			r.closed[code] = true
		}
	}
}

// deny closes what a denial touches by its labels, whatever else limits it. Of one
// without labels the scopes say what they can (closure.add); named data is named,
// and of anything else all is closed. The functions of the rule around it bind it
// too (CN-28).
func (r *residual) deny(x *rule, parent functionSet) {
	fns := both(x.functions, parent)
	switch {
	case x.labels.stated && !x.labels.anything:
		r.denyLabels(&x.labels)
	case x.narrowed == dimData:
		r.data = append(r.data, x.data...)
	case x.narrowed == 0 && fns != 0 && !fns.has(fnView):
	case x.narrowed == dimClass && fns == 0 && !slices.ContainsFunc(x.classes, func(c classRule) bool { return len(c.categories) > 0 }):
	default:
		r.highest = 0
	}
}

func (r *residual) denyLabels(l *labelRule) {
	if l.lowest > 0 {
		r.highest = min(r.highest, l.lowest-1)
	}
	for _, code := range labelCodes() {
		label := canonicalCode(fhir.Coding{System: fhir.SystemActCode, Code: code})
		if slices.ContainsFunc(l.topics, func(t fhir.Coding) bool { return subsumes(t, label) }) {
			r.closed[code] = true
		}
	}
	if r.highest < rankR {
		// What has a topic and no confidentiality counts as restricted.
		r.closeTopics()
	}
}

func (r *residual) closeTopics() {
	for _, code := range labelCodes() {
		if one := readLabels([]fhir.Coding{{System: fhir.SystemActCode, Code: code}}); one.hasTopic() {
			r.closed[code] = true
		}
	}
}

// forbidden gives the rules: one for every confidentiality above the highest, one
// for each label, one for each named resource.
func (r *residual) forbidden() []Forbidden {
	var above []fhir.Coding
	for _, code := range confidentialities[r.highest:] {
		above = append(above, fhir.Coding{System: fhir.SystemConfidentiality, Code: code})
	}
	if r.highest == 0 {
		r.closeTopics()
	}
	var out []Forbidden
	if len(above) > 0 {
		out = append(out, Forbidden{Labels: above})
	}
	for _, code := range slices.Sorted(maps.Keys(r.closed)) {
		out = append(out, Forbidden{Labels: []fhir.Coding{{System: fhir.SystemActCode, Code: code}}})
	}
	for _, d := range r.data {
		out = append(out, Forbidden{Data: []Datum{d}})
	}
	return out
}

// labelCodes lists every v3-ActCode that a resource can be labelled with and that
// needs cover.
func labelCodes() []string {
	var out []string
	for code := range actCodeParents {
		if !strings.HasPrefix(code, "_") && !rides(fhir.Coding{System: fhir.SystemActCode, Code: code}) {
			out = append(out, code)
		}
	}
	return out
}
