package algorithm

import (
	"slices"
	"strings"
	"time"
)

// Asked is one question, as a decision vector has it.
type Asked struct {
	Patient, Actor, Purpose, Function string
	At                                time.Time
	Hold                              bool
	Type, ID, Author                  string
	Date                              string
	Labels                            []code
	Category                          []string
	Code                              string
}

// Judgement is what the rows say of a question.
type Judgement struct {
	Permit bool
	// Reasons are those that the rows allow; several prohibitions or grants may
	// each be named.
	Reasons []string
	// Part2 says that the notice of 42 CFR 2.32 has to come with the permit.
	Part2 bool
}

// gates are the labels that open by name only, and what lies below them
// (EV-07).
var gates = []string{"42CFRPart2", "SUD", "ETHUD", "OPIOIDUD", "PSYTHPN", "HIPAAPsyNotes"}

// locks are opened by nothing but the same label: the patient's and the
// clinician's own, and care to which a minor agreed (FX-22, LB-11 to LB-13). The
// rows of the algorithm alone would let a listed R open them.
var locks = []string{"PRS", "PHY", "TBOO", "ADOL"}

var ranks = map[string]int{"U": 1, "L": 2, "M": 3, "N": 4, "R": 5, "V": 6}

// Judge answers a question about a patient from that patient's Consents.
func (p Parents) Judge(consents []map[string]any, q Asked) Judgement {
	rank, rest := p.split(q.Labels)
	has := func(code string) bool { return slices.Contains(rest, code) }
	switch {
	case q.Hold:
		return Judgement{Reasons: []string{"SAFETY_HOLD"}}
	case rank == 0 && !slices.ContainsFunc(rest, p.topic):
		return Judgement{Reasons: []string{"UNCLASSIFIED"}}
	case has("NOPAT"):
		return Judgement{Reasons: []string{"NOPAT"}}
	}
	if rank == 0 {
		rank = ranks["R"] // a topic is restricted until somebody says otherwise
	}
	data := seen{rank: rank, labels: rest, q: q}
	var denied, permitted, barred []string
	for _, m := range consents {
		a, patient := readConsent(m)
		if patient != q.Patient {
			continue
		}
		if !a.isGrant() {
			if a.inForce() && p.prohibits(&a, &data) {
				denied = append(denied, "PROHIBITED:"+a.id)
			}
			continue
		}
		if !a.valid(q.At, patient) || !p.permits(&a, &data) {
			continue
		}
		switch {
		case has("PSYTHPN") || has("HIPAAPsyNotes"):
			barred = append(barred, "PSYCHOTHERAPY_NOTES")
		case has("42CFRPart2") && !a.part2(patient):
			barred = append(barred, "PART2_INCOMPLETE")
		default:
			permitted = append(permitted, a.id)
		}
	}
	switch {
	case len(denied) > 0:
		return Judgement{Reasons: denied}
	case len(permitted) > 0:
		return Judgement{Permit: true, Reasons: permitted, Part2: has("42CFRPart2")}
	case len(barred) > 0:
		return Judgement{Reasons: barred}
	}
	return Judgement{Reasons: []string{"NO_GRANT"}}
}

// split gives the rank of the labels, 0 for none, and the codes of v3-ActCode
// among them; others are kept with their system, since nobody knows them.
func (p Parents) split(labels []code) (rank int, rest []string) {
	for _, l := range labels {
		switch {
		case l.system == confidentiality && ranks[l.code] > 0:
			rank = max(rank, ranks[l.code])
		case l.system == actCode:
			rest = append(rest, alias(l.code))
		default:
			rest = append(rest, l.system+"|"+l.code)
		}
	}
	return rank, rest
}

// alias: profiles write ETH where the hierarchy has SUD (LB-03, TR-10).
func alias(code string) string {
	if code == "ETH" {
		return "SUD"
	}
	return code
}

// topic reports whether a label says something of the data, in place of binding
// the receiver alone.
func (p Parents) topic(label string) bool {
	return !strings.Contains(label, "|") && !slices.Contains(p["v3-ActCode"][label], "RefrainPolicy") || label == "NOPAT"
}

// isGrant is EV-03.
func (a *agreement) isGrant() bool {
	switch {
	case slices.Contains(a.policyRule, "OPTOUT"), slices.Contains(a.policyRule, "OPTOUTE"):
		return false
	case slices.Contains(a.policyRule, "OPTIN"), slices.Contains(a.policyRule, "OPTINR"):
		return true
	case a.root.typ == "permit":
		return true
	}
	return a.root.typ == "deny" && len(a.root.actors) > 0 && a.root.nests("permit")
}

func (r *rule) nests(typ string) bool {
	return slices.ContainsFunc(r.nested, func(n rule) bool { return n.typ == typ })
}

// inForce: a prohibition ends by its status alone.
func (a *agreement) inForce() bool { return a.status == "active" }

// valid is EV-04 for a grant.
func (a *agreement) valid(at time.Time, patient string) bool {
	known := !slices.ContainsFunc(a.policies, func(uri string) bool {
		return !strings.HasPrefix(uri, "https://portal.example.org/policy/")
	})
	signers := map[string]bool{}
	for _, who := range a.performers {
		signers[who] = true
	}
	return a.status == "active" && !a.unknown && known && !a.given.IsZero() && !a.given.After(at) &&
		len(signers) >= max(a.signatures, 1) && signers["Patient/"+patient]
}

// part2 asks for the elements of 42 CFR 2.31 that a Consent can say: who gets it,
// who discloses, why, until when, signed by the patient.
func (a *agreement) part2(patient string) bool {
	return len(a.root.actors) > 0 && a.organized && len(a.root.purposes) > 0 && !a.root.to.IsZero() &&
		slices.Contains(a.performers, "Patient/"+patient)
}

// seen is the data of a question.
type seen struct {
	rank   int
	labels []string
	q      Asked
}

// permits is EV-09.
func (p Parents) permits(a *agreement, d *seen) bool {
	if !p.context(&a.root, &d.q, false) {
		return false
	}
	permit := false
	for i := range a.root.nested {
		n := &a.root.nested[i]
		if !p.context(n, &d.q, n.typ == "deny") || !n.data6(d, n.typ == "deny") {
			continue
		}
		if n.typ == "deny" && p.hits(n, d) {
			return false
		}
		named := len(n.actors)+len(a.root.actors) > 0 // SH-05
		permit = permit || n.typ == "permit" && named && p.covers(n, d)
	}
	return permit || a.root.typ == "permit" && len(a.root.actors) > 0 && a.root.data6(d, false) && p.covers(&a.root, d)
}

// prohibits is EV-10. A denial below the root denies as well; and an exception
// that lists labels holds for data they cover: the rows leave both open. A
// prohibition with something that is not understood has no exceptions (EV-04).
func (p Parents) prohibits(a *agreement, d *seen) bool {
	if !p.context(&a.root, &d.q, true) {
		return false
	}
	denies := a.root.data6(d, true) && p.hits(&a.root, d)
	for i := range a.root.nested {
		n := &a.root.nested[i]
		if !p.context(n, &d.q, n.typ == "deny") || !n.data6(d, n.typ == "deny") {
			continue
		}
		if n.typ == "permit" && !a.unknown && (n.labels == nil || p.covers(n, d)) {
			return false
		}
		denies = denies || n.typ == "deny" && p.hits(n, d)
	}
	return denies
}

// context is EV-05 for one rule. A permit of access without a function means
// looking, a denial of it everything: the rows leave it open.
func (p Parents) context(r *rule, q *Asked, denial bool) bool {
	switch {
	case !r.from.IsZero() && q.At.Before(r.from), !r.to.IsZero() && q.At.After(r.to):
		return false
	case r.actors != nil && !slices.Contains(r.actors, q.Actor):
		return false
	case r.functions != nil && !slices.Contains(r.functions, q.Function) && !(denial && slices.Contains(r.functions, "")):
		return false
	}
	return r.purposes == nil || slices.ContainsFunc(r.purposes, func(c code) bool {
		return c.system == actReason && p.within("v3-ActReason", q.Purpose, c.code)
	})
}

// data6 is EV-06: each element that a rule has must match.
func (r *rule) data6(d *seen, denial bool) bool {
	q := &d.q
	if r.classes != nil && !slices.ContainsFunc(r.classes, func(c code) bool {
		switch c.code {
		case "http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs":
			return q.Type == "Observation" && slices.Contains(q.Category, "vital-signs")
		case "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab":
			return q.Type == "Observation" && slices.Contains(q.Category, "laboratory")
		}
		return c.code == q.Type
	}) {
		return false
	}
	if r.codes != nil && !slices.ContainsFunc(r.codes, func(c code) bool { return q.Code != "" && c.code == q.Code }) {
		return false
	}
	if r.dataPeriod && !r.timed(q, denial) {
		return false
	}
	return r.data == nil || slices.ContainsFunc(r.data, func(x [2]string) bool {
		if x[0] == "authoredby" {
			return x[1] == q.Author
		}
		return x[1] == q.Type+"/"+q.ID
	})
}

// timed compares the date of the data, a whole day in UTC. A permit wants it
// inside, a denial is content with a part; without a date nothing is permitted and
// everything denied.
func (r *rule) timed(q *Asked, denial bool) bool {
	day, err := time.Parse(time.DateOnly, q.Date)
	if err != nil {
		return denial
	}
	end := day.AddDate(0, 0, 1).Add(-time.Nanosecond)
	in := func(t time.Time) bool {
		return (r.dataFrom.IsZero() || !t.Before(r.dataFrom)) && (r.dataTo.IsZero() || !t.After(r.dataTo))
	}
	if !denial {
		return in(day) && in(end)
	}
	return (r.dataFrom.IsZero() || !end.Before(r.dataFrom)) && (r.dataTo.IsZero() || !day.After(r.dataTo))
}

// covers is EV-07.
func (p Parents) covers(r *rule, d *seen) bool {
	rank, listed := p.split(r.labels)
	if r.labels == nil {
		return d.rank <= ranks["N"] && !slices.ContainsFunc(d.labels, p.weighs)
	}
	limit := rank
	if limit == 0 {
		limit = ranks["R"]
	}
	if d.rank > limit {
		return false
	}
	topics := 0
	for _, l := range d.labels {
		switch {
		case !p.weighs(l):
		case p.named(listed, l):
			topics++
		case p.law(l) && p.rides(listed, l, d, rank):
		case !p.law(l) && p.ordinary(l) && rank >= ranks["R"]:
		default:
			return false
		}
	}
	// A list of topics alone opens no ordinary data.
	return rank > 0 || topics > 0
}

// weighs: refrain policies bind the receiver and need no cover.
func (p Parents) weighs(label string) bool {
	return strings.Contains(label, "|") || p.topic(label)
}

// named reports whether a listed label means this one: gated labels are meant by
// gated ones only, locks by themselves.
func (p Parents) named(listed []string, label string) bool {
	return slices.ContainsFunc(listed, func(l string) bool {
		switch {
		case l == label:
			return true
		case strings.Contains(label, "|"), slices.Contains(locks, label), p.law(label):
			return false
		case slices.Contains(gates, label) && !slices.Contains(gates, l):
			return false
		}
		return p.within("v3-ActCode", label, l)
	})
}

func (p Parents) law(label string) bool { return p.within("v3-ActCode", label, "_ActPrivacyLaw") }

// ordinary: a listed R opens topics that are neither gated nor locked.
func (p Parents) ordinary(label string) bool {
	return !strings.Contains(label, "|") && !slices.Contains(gates, label) && !slices.Contains(locks, label) &&
		p.within("v3-ActCode", label, "_InformationSensitivityPolicy")
}

// rides: a law tag rides on its covered topic.
func (p Parents) rides(listed []string, law string, d *seen, rank int) bool {
	for _, l := range d.labels {
		covered := p.named(listed, l) && !p.law(l)
		switch {
		case !covered:
		case law == "42CFRPart2" && p.within("v3-ActCode", l, "SUD"), law == "HIPAAPsyNotes" && l == "PSYTHPN":
			return true
		}
	}
	return false
}

// hits is EV-08.
func (p Parents) hits(r *rule, d *seen) bool {
	if r.labels == nil {
		return true
	}
	_, listed := p.split(r.labels)
	for _, l := range r.labels {
		if n := ranks[l.code]; l.system == confidentiality && n > 0 && d.rank >= n {
			return true
		}
	}
	return slices.ContainsFunc(d.labels, func(label string) bool {
		return slices.ContainsFunc(listed, func(l string) bool { return l == label || p.within("v3-ActCode", label, l) })
	})
}
