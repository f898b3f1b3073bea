package consent

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
)

// labelClass says how a label of a resource must be covered (EV-07).
type labelClass uint8

const (
	// ordinaryTopic is covered by name, by an ancestor, or by a listed R.
	ordinaryTopic labelClass = iota
	// gatedTopic is covered by name or by a gated ancestor only.
	gatedTopic
	// exactTopic is covered by exactly the same label: locks and labels of
	// unknown meaning.
	exactTopic
	// lawTag rides on the topic it belongs to.
	lawTag
	// riding needs no cover.
	riding
)

// maxLabels bounds the labels of one resource; more are treated as unknown.
const maxLabels = 16

type labelEntry struct {
	coding fhir.Coding
	class  labelClass
}

// resourceLabels is what a decision needs of meta.security, without
// allocation.
type resourceLabels struct {
	// rank is the highest confidentiality; R when only topics are given,
	// since every topic is restricted by default (LB-02…LB-11).
	rank    int
	entries [maxLabels]labelEntry
	n       int
	// unclassified: no confidentiality and no known topic (LB-01).
	unclassified bool
	nopat        bool
	part2        bool
	psychNotes   bool
}

func readLabels(labels []fhir.Coding) resourceLabels {
	var out resourceLabels
	topic := false
	for _, raw := range labels {
		if raw.System == fhir.SystemConfidentiality {
			if rank := confidentialityRank(raw.Code); rank > 0 {
				out.rank = max(out.rank, rank)
				continue
			}
		}
		c := canonicalCode(raw)
		class := classOf(c)
		if c.System == fhir.SystemActCode {
			switch c.Code {
			case "NOPAT":
				out.nopat = true
			case "42CFRPart2":
				out.part2 = true
			case "PSYTHPN", "HIPAAPsyNotes":
				out.psychNotes = true
			}
			_, known := actCodeParents[c.Code]
			topic = topic || (known && class != riding)
		}
		if out.n == maxLabels {
			out.unclassified = true
			break
		}
		out.entries[out.n] = labelEntry{coding: c, class: class}
		out.n++
	}
	if out.rank == 0 {
		out.unclassified = out.unclassified || !topic
		out.rank = rankR
	}
	return out
}

func classOf(c fhir.Coding) labelClass {
	switch {
	case rides(c):
		return riding
	case c.System != fhir.SystemActCode || kept(c.Code):
		return exactTopic
	case isA(actCodeParents, c.Code, "_ActPrivacyLaw"):
		return lawTag
	case gated(c):
		return gatedTopic
	case isA(actCodeParents, c.Code, "_InformationSensitivityPolicy"):
		return ordinaryTopic
	}
	return exactTopic
}

// labelRule is the securityLabel list of one provision.
type labelRule struct {
	stated bool
	// ranks holds the listed confidentialities: highest for cover, lowest
	// for hit; 0 when none is listed.
	highest, lowest int
	topics          []fhir.Coding
	// anything: the list could not be read, a denial hits all data.
	anything bool
}

func compileLabels(p Provision) labelRule {
	out := labelRule{stated: p.stated.has(dimLabel), anything: p.unread.has(dimLabel)}
	for _, l := range p.Labels {
		rank := 0
		if l.System == fhir.SystemConfidentiality {
			rank = confidentialityRank(l.Code)
		}
		if rank == 0 {
			out.topics = append(out.topics, canonicalCode(l))
			continue
		}
		out.highest = max(out.highest, rank)
		if out.lowest == 0 || rank < out.lowest {
			out.lowest = rank
		}
	}
	return out
}

// covers applies EV-07: does a permit with this list open data with these
// labels?
func (l *labelRule) covers(r *resourceLabels) bool {
	if !l.stated {
		return r.rank <= rankN && !r.hasTopic()
	}
	if l.highest > 0 {
		if r.rank > l.highest {
			return false
		}
	} else if r.rank > rankR {
		return false
	}
	named := false
	for i := range r.n {
		e := &r.entries[i]
		switch byName := l.names(e); {
		case e.class == riding:
		case byName:
			named = true
		case e.class == ordinaryTopic && l.highest >= rankR:
		case e.class == lawTag && l.carries(e.coding.Code, r):
		default:
			return false
		}
	}
	return l.highest > 0 || named
}

func (r *resourceLabels) hasTopic() bool {
	for i := range r.n {
		if r.entries[i].class != riding {
			return true
		}
	}
	return false
}

func (l *labelRule) names(e *labelEntry) bool {
	for _, t := range l.topics {
		switch e.class {
		case exactTopic, lawTag:
			if t == e.coding {
				return true
			}
		case gatedTopic:
			if gated(t) && subsumes(t, e.coding) {
				return true
			}
		default:
			if subsumes(t, e.coding) {
				return true
			}
		}
	}
	return false
}

// carries reports whether a law tag rides on a topic that the list covers:
// 42 CFR Part 2 on a substance-use topic, the psychotherapy privilege on
// psychotherapy notes, another law on any listed topic or a listed R.
func (l *labelRule) carries(law string, r *resourceLabels) bool {
	for i := range r.n {
		e := &r.entries[i]
		if e.class == lawTag || !l.names(e) {
			continue
		}
		switch law {
		case "42CFRPart2":
			if isA(actCodeParents, e.coding.Code, "SUD") {
				return true
			}
		case "HIPAAPsyNotes":
			if e.coding.Code == "PSYTHPN" {
				return true
			}
		default:
			return true
		}
	}
	return law != "42CFRPart2" && law != "HIPAAPsyNotes" && l.highest >= rankR
}

// hits applies EV-08: does a denial with this list touch data with these
// labels?
func (l *labelRule) hits(r *resourceLabels) bool {
	if !l.stated || l.anything || (l.lowest > 0 && r.rank >= l.lowest) {
		return true
	}
	for i := range r.n {
		label := r.entries[i].coding
		if slices.ContainsFunc(l.topics, func(t fhir.Coding) bool { return subsumes(t, label) }) {
			return true
		}
	}
	return false
}
