package algorithm

import (
	_ "embed" // the code hierarchies
	"encoding/json"
	"slices"
	"strings"
	"time"
)

//go:embed code-parents.json
var hierarchies []byte

const (
	hl7             = "http://terminology.hl7.org/CodeSystem/"
	confidentiality = hl7 + "v3-Confidentiality"
	actCode         = hl7 + "v3-ActCode"
	actReason       = hl7 + "v3-ActReason"
)

// Parents lists the direct parents of each code, by the name of its system.
type Parents map[string]map[string][]string

// ReadParents reads the published hierarchies.
func ReadParents() (Parents, error) {
	var out Parents
	return out, json.Unmarshal(hierarchies, &out)
}

// within reports whether code is the ancestor or below it.
func (p Parents) within(system, code, ancestor string) bool {
	return code == ancestor || slices.ContainsFunc(p[system][code], func(up string) bool { return p.within(system, up, ancestor) })
}

type code struct{ system, code string }

// rule is one provision as the rows read it. An element that is absent is nil.
type rule struct {
	typ        string
	from, to   time.Time
	actors     []string
	purposes   []code
	functions  []string
	labels     []code
	classes    []code
	codes      []code
	dataFrom   time.Time
	dataTo     time.Time
	data       [][2]string
	nested     []rule
	dataPeriod bool
}

// agreement is a Consent as the rows read it.
type agreement struct {
	id, status string
	given      time.Time
	policyRule []string
	root       rule
	// unknown: an element or a modifier extension that is not understood
	// (EV-04).
	unknown    bool
	performers []string
	signatures int
	policies   []string
	organized  bool
}

type object = map[string]any

func list(v any) (out []object) {
	l, _ := v.([]any)
	for _, e := range l {
		m, _ := e.(object)
		out = append(out, m)
	}
	return out
}

func text(v any) string { s, _ := v.(string); return s }

func codes(v any) (out []code) {
	for _, c := range list(v) {
		out = append(out, code{text(c["system"]), text(c["code"])})
	}
	return out
}

func concepts(v any) (out []code) {
	for _, c := range list(v) {
		out = append(out, codes(c["coding"])...)
	}
	return out
}

func references(v any) (out []string) {
	for _, r := range list(v) {
		out = append(out, text(r["reference"]))
	}
	return out
}

// readConsent reads one Consent, and patient as it names it.
func readConsent(m object) (a agreement, patient string) {
	who, _ := m["patient"].(object)
	concept, _ := m["policyRule"].(object)
	for _, c := range codes(concept["coding"]) {
		if c.system == actCode {
			a.policyRule = append(a.policyRule, c.code)
		}
	}
	a.id, a.status = text(m["id"]), text(m["status"])
	a.given, _ = time.Parse(time.RFC3339, text(m["dateTime"]))
	a.performers = references(m["performer"])
	for _, p := range list(m["policy"]) {
		a.policies = append(a.policies, text(p["uri"]))
	}
	for _, e := range list(m["extension"]) {
		if n, ok := e["valueUnsignedInt"].(float64); ok && strings.HasSuffix(text(e["url"]), "/consent-required-signatures") {
			a.signatures = int(n)
		}
	}
	a.organized = len(list(m["organization"])) > 0
	provision, _ := m["provision"].(object)
	a.root = a.readRule(provision, 1)
	a.unknown = a.unknown || m["modifierExtension"] != nil
	return a, strings.TrimPrefix(text(who["reference"]), "Patient/")
}

// elements are those of a provision that are known.
var elements = []string{"type", "period", "actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data", "provision"}

// readRule reads a provision. What it does not understand it notes, and leaves
// out, so that a denial is not narrowed by it.
func (a *agreement) readRule(m object, depth int) rule {
	r := rule{typ: text(m["type"])}
	for name, v := range m {
		empty, isList := v.([]any)
		if !slices.Contains(elements, name) || isList && len(empty) == 0 {
			a.unknown = true
		}
	}
	if depth > 1 && r.typ == "" || depth > 2 {
		a.unknown = true
	}
	for _, x := range list(m["actor"]) {
		ref, _ := x["reference"].(object)
		r.actors = append(r.actors, text(ref["reference"]))
	}
	r.purposes, r.labels, r.classes = codes(m["purpose"]), codes(m["securityLabel"]), codes(m["class"])
	r.codes = concepts(m["code"])
	for _, c := range concepts(m["action"]) {
		switch {
		case strings.HasSuffix(c.system, "/portal-function"):
			r.functions = append(r.functions, c.code)
		case c.code == "access":
			r.functions = append(r.functions, "view", "") // "" for whatever there is
		}
	}
	for _, d := range list(m["data"]) {
		ref, _ := d["reference"].(object)
		r.data = append(r.data, [2]string{text(d["meaning"]), text(ref["reference"])})
	}
	r.from, r.to = a.period(m["period"])
	r.dataFrom, r.dataTo = a.period(m["dataPeriod"])
	r.dataPeriod = !r.dataFrom.IsZero() || !r.dataTo.IsZero()
	for _, n := range list(m["provision"]) {
		r.nested = append(r.nested, a.readRule(n, depth+1))
	}
	return r
}

// period reads a Period whose bounds have a zone. One that ends before it begins
// is not understood.
func (a *agreement) period(v any) (from, to time.Time) {
	m, _ := v.(object)
	from, _ = time.Parse(time.RFC3339, text(m["start"]))
	to, _ = time.Parse(time.RFC3339, text(m["end"]))
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		a.unknown = true
		return time.Time{}, time.Time{}
	}
	return from, to
}
