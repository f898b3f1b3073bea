package proof

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// rule is one provision of a Consent, read straight from its JSON.
type rule struct {
	permit   bool
	from, to time.Time
	actors   []string
	purposes []string
	types    []string
	codes    []coding
	actions  []string
	labels   []coding
	labelled bool
}

// agreement is a privacy Consent of Ana.
type agreement struct {
	grants bool
	// void: it is no grant that counts, or a prohibition that is over.
	void bool
	// strange: it says something that is not understood, so that a prohibition
	// has no exceptions (EV-04).
	strange bool
	root    rule
	nested  []rule
}

// agreements reads Consents by EV-03 and EV-04.
func agreements(all []json.RawMessage) []agreement {
	var out []agreement
	for _, raw := range all {
		var m object
		if json.Unmarshal(raw, &m) != nil {
			continue
		}
		root, _ := m["provision"].(object)
		a := agreement{root: ruleOf(root)}
		for _, p := range list(root["provision"]) {
			a.nested = append(a.nested, ruleOf(p))
		}
		a.grants = isGrant(m, a)
		given, _ := time.Parse(time.RFC3339, text(m["dateTime"]))
		a.void, a.strange = m["status"] != "active", m["modifierExtension"] != nil
		if a.grants {
			a.void = a.void || given.After(Now) || a.strange
		}
		out = append(out, a)
	}
	return out
}

// isGrant classifies (EV-03): the policy rule decides; without one a permit at
// the root grants, and a deny with an actor and nested permits does.
func isGrant(m object, a agreement) bool {
	for _, c := range concepts(m["policyRule"]) {
		switch c.code {
		case "OPTIN", "OPTINR":
			return true
		case "OPTOUT", "OPTOUTE":
			return false
		}
	}
	return a.root.permit || len(a.root.actors) > 0 && slices.ContainsFunc(a.nested, func(r rule) bool { return r.permit })
}

func ruleOf(m object) rule {
	r := rule{permit: m["type"] == "permit"}
	period, _ := m["period"].(object)
	r.from, _ = time.Parse(time.RFC3339, text(period["start"]))
	r.to, _ = time.Parse(time.RFC3339, text(period["end"]))
	for _, a := range list(m["actor"]) {
		r.actors = append(r.actors, rawReferences(a["reference"])...)
	}
	for _, c := range codings(m["purpose"]) {
		r.purposes = append(r.purposes, c.code)
	}
	for _, c := range codings(m["class"]) {
		r.types = append(r.types, c.code)
	}
	r.codes = concepts(m["code"])
	for _, c := range concepts(m["action"]) {
		if strings.HasSuffix(c.system, "/portal-function") {
			r.actions = append(r.actions, c.code)
		}
	}
	r.labels = codings(m["securityLabel"])
	r.labelled = len(r.labels) > 0
	return r
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// context is EV-05 for Eva, who looks: actor, purpose, period and function.
func (r *rule) context(purpose string) bool {
	switch {
	case !r.from.IsZero() && Now.Before(r.from), !r.to.IsZero() && Now.After(r.to):
		return false
	case len(r.actors) > 0 && !slices.Contains(r.actors, "RelatedPerson/"+Eva):
		return false
	case len(r.actions) > 0 && !slices.Contains(r.actions, "view"):
		return false
	}
	return len(r.purposes) == 0 || slices.ContainsFunc(r.purposes, func(p string) bool {
		return p == purpose || p == "PATRQT" && slices.Contains([]string{"FAMRQT", "PWATRNY", "SUPNWK"}, purpose)
	})
}

// data is EV-06.
func (r *rule) data(typ string, f *facts) bool {
	if len(r.types) > 0 && !slices.Contains(r.types, typ) {
		return false
	}
	return len(r.codes) == 0 || slices.ContainsFunc(r.codes, func(c coding) bool {
		return slices.Contains(f.tokens["code"], c) || slices.Contains(f.tokens["category"], c) || slices.Contains(f.tokens["type"], c)
	})
}

// covers is EV-07: what a permit must say of labelled data to open it.
func (r *rule) covers(data []coding) bool {
	level, _ := rank(data)
	topics := sensitive(data)
	if !r.labelled {
		return level <= ranks["N"] && len(topics) == 0
	}
	highest, named := 0, false
	for _, l := range r.labels {
		if l.system == systemConfidentiality {
			highest = max(highest, ranks[l.code])
		}
	}
	if highest > 0 && level > highest || highest == 0 && level > ranks["R"] {
		return false
	}
	for _, t := range topics {
		switch {
		case r.names(t):
			named = true
		case t == "42CFRPart2":
			// A law tag rides on its topic.
			if !slices.ContainsFunc(topics, func(o string) bool { return o != t && below(o, "SUD") && r.names(o) }) {
				return false
			}
		case topicsKnown(t) && !slices.Contains(gatedLabels, t) && highest >= ranks["R"]:
		default:
			return false
		}
	}
	return highest > 0 || named
}

func topicsKnown(code string) bool { return topics[code] != "" }

// names reports whether the list says the label, or a wider one of its kind.
func (r *rule) names(code string) bool {
	return slices.ContainsFunc(r.labels, func(l coding) bool {
		if l.system != systemActCode {
			return false
		}
		if slices.Contains(lockedLabels, code) || !topicsKnown(code) || code == "42CFRPart2" {
			return l.code == code
		}
		return below(code, l.code)
	})
}

// hits is EV-08: any shared label, or confidentiality at or above the listed.
func (r *rule) hits(data []coding) bool {
	if !r.labelled {
		return true
	}
	level, _ := rank(data)
	return slices.ContainsFunc(r.labels, func(l coding) bool {
		if l.system == systemConfidentiality {
			return level >= ranks[l.code]
		}
		return slices.ContainsFunc(data, func(d coding) bool { return d.system == l.system && below(d.code, l.code) })
	})
}

// permitted is A.9 for Eva, who wants to look at data about Ana.
func (g *Grant) permitted(typ string, f *facts) bool {
	switch {
	case !g.Related, !f.classified, has(f.labels, "NOPAT"), has(f.labels, "PSYTHPN"):
		return false
	}
	part2 := has(f.labels, "42CFRPart2")
	permit := false
	for _, a := range agreements(g.Consents) {
		if a.void {
			continue
		}
		if !a.grants && a.denies(g.Purpose, typ, f) {
			return false
		}
		permit = permit || a.grants && (!part2 || a.complete()) && a.permits(g.Purpose, typ, f)
	}
	return permit
}

// complete asks for what 42 CFR 2.31 wants written down and the generator may
// leave out: a purpose and an end. Who gets it, who gives it and who signed are
// in every Consent that it makes.
func (a *agreement) complete() bool { return len(a.root.purposes) > 0 && !a.root.to.IsZero() }

// permits is EV-09: a carve-out takes its grant away, and no other.
func (a *agreement) permits(purpose, typ string, f *facts) bool {
	if !a.root.context(purpose) {
		return false
	}
	// A permit that names nobody, and stands below none that does, is for nobody
	// (CN-18).
	named := len(a.root.actors) > 0
	permit := named && a.root.permit && a.root.data(typ, f) && a.root.covers(f.labels)
	for _, n := range a.nested {
		if !n.context(purpose) || !n.data(typ, f) {
			continue
		}
		if !n.permit && n.hits(f.labels) {
			return false
		}
		permit = permit || n.permit && (named || len(n.actors) > 0) && n.covers(f.labels)
	}
	return permit
}

// denies is EV-10: an exception that applies lifts the prohibition and permits
// nothing.
func (a *agreement) denies(purpose, typ string, f *facts) bool {
	for _, n := range a.nested {
		if n.permit && !a.strange && n.context(purpose) && a.root.who(purpose) && n.data(typ, f) && (!n.labelled || n.covers(f.labels)) {
			return false
		}
	}
	if !a.root.context(purpose) {
		return false
	}
	if a.root.data(typ, f) && a.root.hits(f.labels) {
		return true
	}
	return slices.ContainsFunc(a.nested, func(n rule) bool {
		return !n.permit && n.context(purpose) && n.data(typ, f) && n.hits(f.labels)
	})
}

// who is the part of the context that names people and purpose.
func (r *rule) who(purpose string) bool {
	only := rule{actors: r.actors, purposes: r.purposes}
	return only.context(purpose)
}
