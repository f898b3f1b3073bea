package vectors

import (
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/proxy"
)

// The words of an answer.
const (
	Permit = "PERMIT"
	Deny   = "DENY"
)

// Reasons besides those of package consent.
const (
	// ReasonRelation: the relationship is not in force, or to another patient
	// (EV-01, RP-01, RP-02, RP-04).
	ReasonRelation = "RELATIONSHIP_NOT_IN_FORCE"
	// ReasonInput is followed by the member of the vector that cannot be read.
	ReasonInput = "INPUT:"
)

// Answer is the decision on one vector.
type Answer struct {
	ID string `json:"id"`
	// Expect is PERMIT or DENY.
	Expect string `json:"expect"`
	// Reason is the id of the Consent that permits, or a machine reason.
	Reason string `json:"reason"`
	// Consents are the contributing versions.
	Consents []string `json:"consents,omitempty"`
	// ValidUntil is the earliest instant at which the answer may change by
	// itself, RFC 3339 in UTC (EV-14).
	ValidUntil string `json:"valid_until,omitempty"`
	// Obligations come with a permit, and the legal review with a denial (EV-13).
	Obligations []string `json:"obligations,omitempty"`
}

// Engine answers vectors. It is not safe for concurrent use.
type Engine struct {
	bundle  *Bundle
	options consent.Options
	// consents holds those of each patient, and below "" those that do not tell.
	consents map[string][]consent.Consent
	// policies holds those compiled so far, by patient.
	policies map[string]*consent.Policy
}

// NewEngine makes an engine for the resources of a bundle.
func NewEngine(b *Bundle, o consent.Options) *Engine {
	e := &Engine{bundle: b, options: o, consents: map[string][]consent.Consent{}, policies: map[string]*consent.Policy{}}
	for _, c := range b.consents {
		e.consents[c.Patient] = append(e.consents[c.Patient], c)
	}
	return e
}

// Answer decides one vector.
func (e *Engine) Answer(v Vector) Answer {
	q, fault := v.question()
	if fault != "" {
		return Answer{ID: v.ID, Expect: Deny, Reason: ReasonInput + fault}
	}
	r := consent.Evaluate(e.policy(q.Patient), q)
	if r.Permit && q.Capacity != fhir.CapacitySelf {
		inForce, end := e.related(&q)
		if !inForce {
			return Answer{ID: v.ID, Expect: Deny, Reason: ReasonRelation}
		}
		if !end.IsZero() && (r.ValidUntil.IsZero() || end.Before(r.ValidUntil)) {
			r.ValidUntil = end
		}
	}
	a := Answer{ID: v.ID, Expect: Deny, Reason: r.Reason, Consents: r.Consents, Obligations: r.Obligations}
	if r.Permit {
		a.Expect = Permit
	}
	if !r.ValidUntil.IsZero() {
		a.ValidUntil = r.ValidUntil.UTC().Format(time.RFC3339Nano)
	}
	return a
}

func (e *Engine) policy(patient string) *consent.Policy {
	p := e.policies[patient]
	if p == nil {
		p = consent.Compile(patient, 0, slices.Concat(e.consents[patient], e.consents[""]), e.options)
		e.policies[patient] = p
	}
	return p
}

// related applies the hard gate of the relationship for those actors of which the
// bundle has one (EV-01), and gives its end. An actor of which it has none was
// settled by whoever asks.
func (e *Engine) related(q *consent.Question) (inForce bool, end time.Time) {
	for _, actor := range q.Actors {
		for _, raw := range e.bundle.relations[actor] {
			zone := e.bundle.zone
			if zone == nil {
				zone = q.At.Location()
			}
			rp, err := proxy.Parse(raw, zone)
			if err != nil || rp.Patient != q.Patient || !rp.InForce(q.At) {
				return false, time.Time{}
			}
			if until := rp.Period.End; !until.IsZero() && (end.IsZero() || until.Before(end)) {
				end = until
			}
		}
	}
	return true, end
}

// question gives the question that the engine is asked, or the member that cannot
// be read.
func (v *Vector) question() (q consent.Question, fault string) {
	if v.fault != "" {
		return q, v.fault
	}
	patient, ok := fhir.ParseReference(v.Patient)
	if !ok && fhir.ValidID(v.Patient) {
		patient, ok = fhir.Reference{Type: "Patient", ID: v.Patient}, true
	}
	if !ok || patient.Type != "Patient" {
		return q, "patient"
	}
	at, ok := v.when()
	if !ok {
		return q, "at"
	}
	q = consent.Question{
		Patient: patient.ID, Capacity: v.Capacity, Purpose: v.Purpose, Function: v.Function, At: at, SafetyHold: v.SafetyHold,
	}
	for _, a := range v.Actors {
		ref, ok := fhir.ParseReference(a)
		if !ok {
			return q, "actors"
		}
		q.Actors = append(q.Actors, ref)
	}
	if len(q.Actors) == 0 {
		return q, "actors"
	}
	if q.Capacity == "" {
		q.Capacity = capacityOf(&q, patient)
	}
	q.Resource, fault = v.Resource.hot()
	return q, fault
}

// capacityOf tells the capacity where the vector does not: patients act for
// themselves, and the purposes of representatives are theirs alone (CN-21).
func capacityOf(q *consent.Question, patient fhir.Reference) fhir.CapacityKind {
	switch {
	case len(q.Actors) == 1 && q.Actors[0] == patient:
		return fhir.CapacitySelf
	case q.Purpose == "PWATRNY", q.Purpose == "HDECD":
		return fhir.CapacityRepresentative
	}
	return fhir.CapacityDesignatedProxy
}

// hot gives what the engine needs to know of the resource, or the member that
// cannot be read.
func (r *Resource) hot() (out fhir.Resource, fault string) {
	if !fhir.ValidType(r.Type) {
		return out, "resource.type"
	}
	out = fhir.Resource{Type: r.Type, ID: r.ID, Tokens: map[string][]fhir.Coding{}}
	if out.ID == "" {
		out.ID = "asked"
	}
	for _, c := range r.Labels {
		out.Labels = append(out.Labels, labelled(c))
	}
	for _, c := range r.Cat {
		out.Tokens["category"] = append(out.Tokens["category"], categories(r.Type, c)...)
	}
	if len(r.Code) > 0 {
		name := "code"
		if r.Type == "DocumentReference" || r.Type == "Encounter" {
			name = "type"
		}
		for _, c := range r.Code {
			if c.System == "" {
				c.System = "http://loinc.org"
			}
			out.Tokens[name] = append(out.Tokens[name], c)
		}
	}
	if out.Authors, fault = references(r.Author, "resource.author"); fault != "" {
		return out, fault
	}
	if out.Targets, fault = references(r.Refs, "resource.references"); fault != "" {
		return out, fault
	}
	if r.Date != "" {
		p, ok := r.Date.period()
		if !ok {
			return out, "resource.date"
		}
		out.Dates = map[string][]fhir.Period{consent.ClinicalDate(r.Type): {p}}
	}
	return out, ""
}

func references(texts []string, member string) (out []fhir.Reference, fault string) {
	for _, s := range texts {
		ref, ok := fhir.ParseReference(s)
		if !ok {
			return nil, member
		}
		out = append(out, ref)
	}
	return out, ""
}

// labelled gives a bare label its system: a confidentiality, else a code of
// v3-ActCode.
func labelled(c fhir.Coding) fhir.Coding {
	switch {
	case c.System != "":
	case slices.Contains([]string{"U", "L", "M", "N", "R", "V"}, c.Code):
		c.System = fhir.SystemConfidentiality
	default:
		c.System = fhir.SystemActCode
	}
	return c
}

// categories gives a bare category the systems in which the type has categories.
func categories(typ string, c fhir.Coding) []fhir.Coding {
	if c.System != "" {
		return []fhir.Coding{c}
	}
	const hl7, usCore = "http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/us/core/CodeSystem/"
	systems := []string{hl7 + "observation-category"}
	switch typ {
	case "Condition":
		systems = []string{hl7 + "condition-category", usCore + "condition-category"}
	case "DiagnosticReport":
		systems = []string{hl7 + "v2-0074", "http://loinc.org"}
	case "DocumentReference":
		systems = []string{usCore + "us-core-documentreference-category", "http://loinc.org"}
	}
	if typ == "DiagnosticReport" && strings.EqualFold(c.Code, "laboratory") {
		c.Code = "LAB"
	}
	var out []fhir.Coding
	for _, s := range systems {
		out = append(out, fhir.Coding{System: s, Code: c.Code})
	}
	return out
}
