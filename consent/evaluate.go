package consent

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Question asks whether somebody may do one thing with one resource now.
// The caller has settled the hard gates of EV-01 (account, RelatedPerson
// active and in period, assurance, client).
type Question struct {
	// Patient is the logical id of the patient whose record it is.
	Patient string
	// Capacity is the acting capacity; "" is judged like a designated proxy.
	Capacity fhir.CapacityKind
	// Actors are the references under which the person may be named: the
	// RelatedPerson of the chosen capacity, groups it belongs to.
	Actors []fhir.Reference
	// Purpose is the v3-ActReason code of the capacity.
	Purpose string
	// Function is a portal-function code; "" means view.
	Function string
	At       time.Time
	// SafetyHold: a coercion or misuse report is open for this pair.
	SafetyHold bool
	Resource   fhir.Resource
}

// Result is the answer and what comes with it.
type Result struct {
	Permit bool
	// Reason is a machine reason: the id of the Consent that permits, or one
	// of the Reason constants.
	Reason string
	// Consents are the contributing versions, "Consent/id/_history/n". The
	// slice is shared: do not change it.
	Consents []string
	// ValidUntil is the earliest instant at which the answer may change by
	// itself; zero when none is known (EV-14).
	ValidUntil time.Time
	// Obligations are of the Obligation constants. The slice is shared.
	Obligations []string
}

// Evaluate answers by A.9. Law and safety come first, then any prohibition
// denies, then any grant permits, then the base policy of the capacity
// decides: deny for proxies, permit for patients and for capacities that
// other rules govern. The answer does not depend on the order of Consents.
func Evaluate(p *Policy, q Question) Result {
	fn := functionBit(q.Function)
	if p.patient != q.Patient {
		return Result{Reason: ReasonOtherPatient}
	}
	labels := readLabels(q.Resource.Labels)
	switch q.Capacity {
	case fhir.CapacitySelf:
		if labels.nopat {
			return Result{Reason: ReasonNoPat}
		}
		return Result{Permit: true, Reason: ReasonSelf}
	case fhir.CapacityPractitioner, fhir.CapacityStaff, fhir.CapacitySystem:
		return evaluateClinical(p, &q, fn, &labels)
	}
	switch {
	case q.SafetyHold:
		return Result{Reason: ReasonSafetyHold}
	case labels.unclassified:
		return Result{Reason: ReasonUnclassified}
	case labels.nopat:
		return Result{Reason: ReasonNoPat}
	}
	stop, next := p.prohibited(&q, fn, &labels)
	if stop != nil {
		return refuse(&q, stop)
	}
	best, end, reason := p.bestGrant(&q, fn, &labels)
	if best == nil {
		r := Result{Reason: reason}
		if reason == ReasonNoGrant && keptFromRepresentative(&q, &labels) {
			r.Obligations = legalReview()
		}
		return r
	}
	r := Result{Permit: true, Reason: best.id, Consents: best.versions, ValidUntil: earlier(end, next)}
	r.Obligations = best.obligations[0]
	if labels.part2 {
		r.Obligations = best.obligations[1]
	}
	return r
}

// evaluateClinical lets a patient's prohibitions bind clinicians, such as a
// general dissent with break-the-glass as exception. Everything else is the
// organisation's policy, which the caller applies.
func evaluateClinical(p *Policy, q *Question, fn functionSet, labels *resourceLabels) Result {
	stop, next := p.prohibited(q, fn, labels)
	if stop != nil {
		return refuse(q, stop)
	}
	return Result{Permit: true, Reason: ReasonBase, ValidUntil: next}
}

func refuse(q *Question, stop *prohibition) Result {
	r := Result{Reason: ReasonProhibited + stop.id, Consents: stop.versions}
	if q.Capacity == fhir.CapacityRepresentative {
		r.Obligations = legalReview()
	}
	return r
}

func legalReview() []string { return []string{ObligationLegalReview} }

// keptFromRepresentative: the patient's own lock against a representative is
// a legal question with a clock, not a final answer (LB-12).
func keptFromRepresentative(q *Question, labels *resourceLabels) bool {
	if q.Capacity != fhir.CapacityRepresentative {
		return false
	}
	for i := range labels.n {
		if labels.entries[i].coding == (fhir.Coding{System: fhir.SystemActCode, Code: "PRS"}) {
			return true
		}
	}
	return false
}

// prohibited gives the first prohibition, by id, that denies (EV-10), and the
// next instant at which one may start to.
func (p *Policy) prohibited(q *Question, fn functionSet, labels *resourceLabels) (*prohibition, time.Time) {
	var next time.Time
	for i := range p.prohibitions {
		x := &p.prohibitions[i]
		excepted, end := x.excepted(q, fn, labels)
		if excepted {
			next = earlier(next, end)
			continue
		}
		denies, start := x.deniesNow(q, fn, labels)
		if denies {
			return x, time.Time{}
		}
		next = earlier(next, start)
	}
	return nil, next
}

// excepted reports whether a nested permit lifts the prohibition, and until
// when. An exception that lists labels lifts it for data they cover only.
func (x *prohibition) excepted(q *Question, fn functionSet, labels *resourceLabels) (bool, time.Time) {
	lifted, end := false, time.Time{}
	for i := range x.excepts {
		e := &x.excepts[i]
		if e.context(q, fn) && x.root.who(q.Actors, q.Purpose) && e.matches(&q.Resource) &&
			(!e.labels.stated || e.labels.covers(labels)) {
			lifted, end = true, earlier(end, e.period.End)
		}
	}
	return lifted, end
}

// deniesNow applies the root and the nested denials of one prohibition.
func (x *prohibition) deniesNow(q *Question, fn functionSet, labels *resourceLabels) (bool, time.Time) {
	start := x.root.futureStart(q, fn)
	if !x.root.context(q, fn) {
		return false, start
	}
	if x.root.matches(&q.Resource) && x.root.labels.hits(labels) {
		return true, start
	}
	for i := range x.denies {
		n := &x.denies[i]
		if n.context(q, fn) && n.matches(&q.Resource) && n.labels.hits(labels) {
			return true, start
		}
		start = earlier(start, n.futureStart(q, fn))
	}
	return false, start
}

// futureStart gives the start of a rule that is not yet, but will be, in
// force for this question; zero otherwise.
func (r *rule) futureStart(q *Question, fn functionSet) time.Time {
	if r.period.Start.After(q.At) && r.does(fn) && r.who(q.Actors, q.Purpose) {
		return r.period.Start
	}
	return time.Time{}
}

// bestGrant gives, of the grants that permit, the one that lasts longest
// (ties by id), so that adding a grant never takes anything away.
func (p *Policy) bestGrant(q *Question, fn functionSet, labels *resourceLabels) (*grant, time.Time, string) {
	var best *grant
	var bestEnd time.Time
	reason := ReasonNoGrant
	for i := range p.grants {
		g := &p.grants[i]
		permits, end := g.permitsNow(q, fn, labels)
		if !permits {
			continue
		}
		if barred := g.barred(labels); barred != "" {
			reason = barred
			continue
		}
		if best == nil || (!bestEnd.IsZero() && (end.IsZero() || end.After(bestEnd))) {
			best, bestEnd = g, end
		}
	}
	return best, bestEnd, reason
}

// barred applies the law layer to a grant that would permit (EV-11): the
// reason why it must not, or "".
func (g *grant) barred(labels *resourceLabels) string {
	switch {
	case labels.psychNotes:
		return ReasonPsychotherapy
	case labels.part2 && !g.part2Complete:
		return ReasonPart2
	}
	return ""
}

// stands reports whether a grant is in force for the question, and the instant
// until which its frame holds. A token and a resource are judged by the same.
func (g *grant) stands(q *Question, fn functionSet) (end time.Time, ok bool) {
	if g.from.After(q.At) || (!g.until.IsZero() && q.At.After(g.until)) || !g.root.context(q, fn) {
		return time.Time{}, false
	}
	return earlier(g.root.period.End, g.until), true
}

// permitsNow applies EV-09 and gives the instant until which it holds.
func (g *grant) permitsNow(q *Question, fn functionSet, labels *resourceLabels) (bool, time.Time) {
	end, ok := g.stands(q, fn)
	if !ok {
		return false, time.Time{}
	}
	for i := range g.carve {
		n := &g.carve[i]
		if n.context(q, fn) && n.matches(&q.Resource) && n.labels.hits(labels) {
			return false, time.Time{}
		}
		end = earlier(end, n.futureStart(q, fn))
	}
	permitted, last := false, time.Time{}
	for i := range g.permits {
		n := &g.permits[i]
		if n.context(q, fn) && g.allows(n, fn) && n.matches(&q.Resource) && n.labels.covers(labels) {
			if !permitted || (!last.IsZero() && (n.period.End.IsZero() || n.period.End.After(last))) {
				last = n.period.End
			}
			permitted = true
		}
	}
	if g.root.permit && g.allows(&g.root, fn) && g.root.matches(&q.Resource) && g.root.labels.covers(labels) {
		permitted, last = true, time.Time{}
	}
	return permitted, earlier(end, last)
}

// allows asks whether the rule's functions, or those of the template where no
// action states any, hold fn. Managing proxies needs a stated action under a
// representative policy (FX-06).
func (g *grant) allows(r *rule, fn functionSet) bool {
	stated := r.functions | g.root.functions
	if fn == fnManage {
		return g.representative && stated.has(fnManage)
	}
	if stated != 0 {
		return fn != 0
	}
	if g.template != 0 {
		return g.template.has(fn)
	}
	return fn != 0 && (fn != fnDownload || !g.accessOnly)
}

// earlier gives the earlier instant, where zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
