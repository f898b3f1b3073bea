package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Grantable is the most that a proxy's token may carry now. It follows from
// the rules of the Consents alone, so it tells nothing about the chart
// (SC-23); sensitivity labels stay with the gateway (SC-08).
type Grantable struct {
	// Scopes are explicit patient-level scopes: no wildcard type (SC-03),
	// no type of SC-04. Empty means that nothing may be granted.
	Scopes scope.Set
	// Offline: every contributing grant permits download or is more than
	// view-only, so a refresh token may outlive the session (SC-16).
	Offline bool
	// Functions are the portal-function codes that some grant holds.
	Functions []string
	// ValidUntil is the earliest end of a contributing grant, or the start
	// of a prohibition to come; zero when none is known (EV-14).
	ValidUntil time.Time
	// GrantsEnd is the earliest end of a contributing grant alone, which the
	// person was told when it was given; zero when none ends. It tells nothing
	// of a prohibition to come.
	GrantsEnd time.Time
	// Policies are the policy URIs of the contributing grants, each once.
	Policies []string
	// Consents are the contributing versions, "Consent/id/_history/n".
	Consents []string
	// Denied: a prohibition shuts the person out altogether. The person must
	// not be able to tell this from having no grant (SC-10).
	Denied bool
}

// GrantableFor derives the scopes for somebody who may be named by any of
// actors, under one purpose, at one time (A.10).
func GrantableFor(p *Policy, actors []fhir.Reference, purpose string, at time.Time) Grantable {
	q := &Question{Patient: p.patient, Actors: actors, Purpose: purpose, At: at}
	shut := p.closed(q)
	if shut.everything {
		return Grantable{Denied: true, Consents: shut.consents}
	}
	out := Grantable{Offline: true, ValidUntil: shut.next}
	var fns functionSet
	for i := range p.grants {
		g := &p.grants[i]
		set, held, end, known := g.grantable(q, shut)
		if len(set) == 0 && held == 0 {
			continue
		}
		out.Scopes = append(out.Scopes, set...)
		fns |= held
		out.Offline = out.Offline && (held.has(fnDownload) || g.knownCategory && !g.accessOnly)
		out.ValidUntil = earlier(out.ValidUntil, end)
		out.GrantsEnd = earlier(out.GrantsEnd, known)
		for _, uri := range g.policies {
			if !slices.Contains(out.Policies, uri) {
				out.Policies = append(out.Policies, uri)
			}
		}
		out.Consents = append(out.Consents, g.versions...)
	}
	if len(out.Consents) == 0 {
		return Grantable{}
	}
	out.Functions = fns.names()
	slices.SortFunc(out.Scopes, func(a, b scope.Scope) int { return strings.Compare(a.Canonical(), b.Canonical()) })
	out.Scopes = out.Scopes.Normalise()
	return out
}

// closure is what rules without regard to single data close.
type closure struct {
	everything bool
	functions  functionSet
	types      []string
	next       time.Time
	consents   []string
}

// add counts a denial in, when it is one that scopes can say: no labels, no
// data elements but whole types. The functions of the rule around it bind
// it too (CN-28).
func (c *closure) add(r *rule, parent functionSet) {
	if (r.labels.stated && !r.labels.anything) || r.narrowed&^dimClass != 0 {
		return
	}
	fns := both(r.functions, parent)
	switch {
	case r.narrowed == 0 && fns == 0:
		c.everything = true
	case r.narrowed == 0:
		c.functions |= fns
	case fns == 0:
		for _, class := range r.classes {
			if len(class.categories) == 0 {
				c.types = append(c.types, class.resourceType)
			}
		}
	}
}

// both gives the functions that two sets have in common, where zero restricts
// nothing.
func both(a, b functionSet) functionSet {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	case a&b == 0:
		return fnNone
	}
	return a & b
}

// closed gathers the prohibitions that bind this person now. One with an
// exception in force is left to the decision on each resource.
func (p *Policy) closed(q *Question) closure {
	var out closure
	for i := range p.prohibitions {
		x := &p.prohibitions[i]
		out.next = earlier(out.next, x.root.futureStart(q, fnAll))
		if !x.root.context(q, fnAll) || slices.ContainsFunc(x.excepts, func(e rule) bool { return e.context(q, fnAll) }) {
			continue
		}
		out.add(&x.root, 0)
		for j := range x.denies {
			out.next = earlier(out.next, x.denies[j].futureStart(q, fnAll))
			if x.denies[j].context(q, fnAll) {
				out.add(&x.denies[j], x.root.functions)
			}
		}
		if out.everything {
			out.consents = x.versions
			return out
		}
	}
	return out
}

// grantable gives the scopes and functions of one grant, its end, and the end
// that its permits alone have, without what it begins to carve out.
func (g *grant) grantable(q *Question, shut closure) (out scope.Set, held functionSet, end, known time.Time) {
	end, ok := g.stands(q, fnAll)
	if !ok {
		return nil, 0, time.Time{}, time.Time{}
	}
	known = end
	own := closure{functions: shut.functions, types: slices.Clone(shut.types)}
	for i := range g.carve {
		end = earlier(end, g.carve[i].futureStart(q, fnAll))
		if g.carve[i].context(q, fnAll) {
			own.add(&g.carve[i], g.root.functions)
		}
	}
	if own.everything {
		return nil, 0, time.Time{}, time.Time{}
	}
	contribute := func(r *rule) {
		fns := g.functionsOf(r) &^ own.functions
		set := scopesOf(r, fns, own.types)
		if len(set) > 0 || fns != 0 && !r.narrowed.has(dimClass) {
			held |= fns
			end, known = earlier(end, r.period.End), earlier(known, r.period.End)
		}
		out = append(out, set...)
	}
	if g.root.permit && g.root.labels.opensSomething() {
		contribute(&g.root)
	}
	for i := range g.permits {
		if g.permits[i].context(q, fnAll) && g.permits[i].labels.opensSomething() {
			contribute(&g.permits[i])
		}
	}
	return out, held, end, known
}

// functionsOf gives the functions that a permit rule stands for when a token
// is made. Where neither action nor template says any, it is reading only.
func (g *grant) functionsOf(r *rule) functionSet {
	fns := both(r.functions, g.root.functions)
	if fns == 0 {
		fns = g.template
	}
	if fns == 0 {
		fns = fnView
	}
	if !g.representative {
		fns &^= fnManage
	}
	return fns &^ fnNone
}

// opensSomething reports whether the list can cover any data at all.
func (l *labelRule) opensSomething() bool {
	return !l.stated || l.highest > 0 || len(l.topics) > 0
}

// ProxyPurposes lists the purposes of use under which a proxy can have access
// (CN-21). Whether the person holds the capacity behind a purpose is the
// caller's question.
func ProxyPurposes() []string { return []string{"FAMRQT", "SUPNWK", "PWATRNY", "HDECD"} }
