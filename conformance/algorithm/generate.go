package algorithm

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// noon is about when everything happens.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// drawer draws Consents and questions that mean something: from few words, so that
// rules and questions meet.
type drawer struct{ *rand.Rand }

// one draws from words.
func one[T any](d drawer, words ...T) T { return words[d.IntN(len(words))] }

// often says yes n times of ten.
func (d drawer) often(n int) bool { return d.IntN(10) < n }

func concept(system, code string) any {
	return map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}}
}

func coding(system, code string) any { return map[string]any{"system": system, "code": code} }

func instant(t time.Time) string { return t.Format(time.RFC3339) }

var topics = []string{"HIV", "PSY", "SPI", "MH", "SUD", "ETH", "OPIOIDUD", "ETHUD", "42CFRPart2", "PSYTHPN", "PRS", "ADOL", "SEX", "STD", "GDIS"}

func (d drawer) labels(from int) (out []any) {
	for range from + d.IntN(3) {
		if d.often(4) {
			out = append(out, coding(confidentiality, one(d, "N", "N", "R", "R", "V", "HIV")))
			continue
		}
		out = append(out, coding(actCode, one(d, topics...)))
	}
	return out
}

// rule draws a provision. Most elements are left out, so that a fair share of
// questions is permitted.
func (d drawer) rule(typ string, nested bool) map[string]any {
	p := map[string]any{"type": typ}
	if !nested || d.often(5) {
		actors := []any{}
		for _, a := range [][]string{{"a"}, {"b"}, {"a", "b"}}[d.IntN(3)] {
			actors = append(actors, map[string]any{
				"role": concept(hl7+"v3-ParticipationType", "IRCP"), "reference": map[string]any{"reference": "RelatedPerson/" + a},
			})
		}
		p["actor"] = actors
	}
	if d.often(3) {
		p["period"] = d.period(3)
	}
	if d.often(3) {
		p["purpose"] = []any{coding(actReason, one(d, "FAMRQT", "PATRQT", "PWATRNY", "SUPNWK"))}
	}
	if d.often(5) {
		p["securityLabel"] = append(d.labels(1), coding(confidentiality, one(d, "N", "R")))[d.IntN(2):]
	}
	if d.often(2) {
		p["class"] = []any{
			coding("http://hl7.org/fhir/resource-types", one(d, "MedicationRequest", "Observation", "Condition")),
			one(d, coding("http://hl7.org/fhir/resource-types", "Condition"),
				coding("urn:ietf:rfc:3986", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs")),
		}
	}
	if d.often(2) {
		p["action"] = []any{one(d, concept("https://portal.example.org/fhir/CodeSystem/portal-function", one(d, "view", "message", "download")),
			concept(hl7+"consentaction", "access"))}
	}
	if d.often(1) {
		p["code"] = []any{concept("http://loinc.org", one(d, "1-8", "2-6"))}
	}
	if d.often(1) {
		p["dataPeriod"] = d.period(300)
	}
	if d.often(1) {
		p["data"] = []any{one(d,
			map[string]any{"meaning": "authoredby", "reference": map[string]any{"reference": "Organization/o"}},
			map[string]any{"meaning": "instance", "reference": map[string]any{"reference": "Observation/r"}})}
	}
	return p
}

func (d drawer) period(days int) any {
	start := noon.Add(time.Duration(d.IntN(2*days*24)-days*24-12) * time.Hour)
	m := map[string]any{"start": instant(start), "end": instant(start.Add(time.Duration(1+d.IntN(days*48)) * time.Hour))}
	if d.often(1) {
		delete(m, one(d, "start", "end"))
	}
	return m
}

// consent draws one Consent.
func (d drawer) consent(patient, id string) map[string]any {
	root := d.rule(one(d, "permit", "permit", "deny"), false)
	nested := []any{}
	for range d.IntN(3) {
		nested = append(nested, d.rule(one(d, "permit", "deny"), true))
	}
	if len(nested) > 0 {
		root["provision"] = nested
	}
	c := map[string]any{
		"resourceType": "Consent", "id": id, "status": one(d, "active", "active", "active", "active", "inactive", "proposed"),
		"scope":        concept(hl7+"consentscope", "patient-privacy"),
		"category":     []any{concept(actCode, "INFA")},
		"patient":      map[string]any{"reference": "Patient/" + patient},
		"dateTime":     instant(noon.Add(-time.Duration(d.IntN(200)) * time.Hour)),
		"performer":    []any{map[string]any{"reference": "Patient/" + patient}},
		"organization": []any{map[string]any{"reference": "Organization/custodian"}},
		"policy":       []any{map[string]any{"uri": "https://portal.example.org/policy/proxy/designated/1"}},
		"policyRule":   concept(actCode, one(d, "OPTIN", "OPTINR", "OPTINR", "OPTINR", "OPTOUT", "OPTOUTE", "42CFRPart2")),
		"provision":    root,
	}
	if d.often(1) {
		delete(c, "policyRule")
	}
	if d.often(2) {
		d.spoil(c, root)
	}
	return c
}

// spoil changes something so that the Consent is not valid, or not understood.
func (d drawer) spoil(c, root map[string]any) {
	place := root
	if nested, _ := root["provision"].([]any); len(nested) > 0 && d.often(5) {
		place, _ = nested[0].(map[string]any)
	}
	stranger := map[string]any{"reference": "RelatedPerson/b"}
	switch d.IntN(12) {
	case 0:
		c["modifierExtension"] = []any{map[string]any{"url": "urn:x", "valueBoolean": true}}
	case 1:
		place["modifierExtension"] = []any{map[string]any{"url": "urn:x", "valueBoolean": true}}
	case 2:
		place["unheardOf"] = "x"
	case 3:
		name := one(d, "actor", "purpose", "securityLabel", "class", "action", "data", "code")
		place[name] = []any{}
	case 4:
		place["period"] = map[string]any{"start": instant(noon), "end": instant(noon.Add(-time.Hour))}
	case 5:
		delete(c, "dateTime")
	case 6:
		c["dateTime"] = instant(noon.AddDate(0, 1, 0))
	case 7:
		c["performer"] = []any{stranger}
	case 8:
		c["extension"] = []any{map[string]any{"url": "https://portal.example.org/fhir/StructureDefinition/consent-required-signatures", "valueUnsignedInt": 2}}
		if d.often(5) {
			c["performer"] = []any{map[string]any{"reference": c["patient"].(map[string]any)["reference"]}, stranger}
		}
	case 9:
		c["policy"] = []any{map[string]any{"uri": "https://unknown.example/policy/1"}}
	case 10:
		place["provision"] = []any{map[string]any{"type": "deny", "provision": []any{map[string]any{"type": "permit", "provision": []any{map[string]any{"type": "deny"}}}}}}
	case 11:
		c["patient"] = map[string]any{"reference": "Patient/another"}
	}
}

// asked draws one question.
func (d drawer) asked(patient string) Asked {
	q := Asked{
		Patient: patient, Actor: "RelatedPerson/" + one(d, "a", "b"), Purpose: one(d, "FAMRQT", "FAMRQT", "PWATRNY", "SUPNWK"),
		Function: one(d, "view", "view", "view", "message", "download"), At: noon.Add(time.Duration(d.IntN(96)-48) * time.Hour),
		Hold: d.IntN(30) == 0, Type: one(d, "MedicationRequest", "Observation", "Condition"), ID: "r",
	}
	if d.often(9) {
		q.Labels = append(q.Labels, code{confidentiality, one(d, "N", "N", "N", "R", "R", "V", "L")})
	}
	for range max(0, d.IntN(5)-2) {
		q.Labels = append(q.Labels, code{actCode, one(d, append(topics, "NORDSCLCD", "NOPAT")...)})
	}
	if d.often(5) {
		q.Category = []string{one(d, "vital-signs", "laboratory")}
	}
	if d.often(3) {
		q.Code = one(d, "1-8", "2-6")
	}
	if d.often(4) {
		q.Author = one(d, "Organization/o", "Organization/p")
	}
	if d.often(7) {
		q.Date = noon.AddDate(0, 0, -d.IntN(400)).Format(time.DateOnly)
	}
	return q
}

// World is the Consents of one patient and questions about the record.
type World struct {
	Patient  string
	Consents []map[string]any
	Asked    []Asked
}

// Draw draws the world of a seed. Equal seeds give equal worlds.
func Draw(seed uint64) World {
	d := drawer{rand.New(rand.NewPCG(1, seed))}
	w := World{Patient: fmt.Sprintf("p%d", seed)}
	for i := range 1 + d.IntN(5) {
		w.Consents = append(w.Consents, d.consent(w.Patient, fmt.Sprintf("%s-c%d", w.Patient, i)))
	}
	for range 8 {
		w.Asked = append(w.Asked, d.asked(w.Patient))
	}
	return w
}

// Vector gives the question as a decision vector.
func (q Asked) Vector(id string) map[string]any {
	labels, cat := []any{}, []any{}
	for _, l := range q.Labels {
		labels = append(labels, coding(l.system, l.code))
	}
	for _, c := range q.Category {
		cat = append(cat, c)
	}
	resource := map[string]any{"type": q.Type, "id": q.ID, "labels": labels, "cat": cat}
	for name, v := range map[string]string{"author": q.Author, "code": q.Code, "date": q.Date} {
		if v != "" {
			resource[name] = v
		}
	}
	return map[string]any{
		"id": id, "patient": "Patient/" + q.Patient, "actors": []any{q.Actor}, "purpose": q.Purpose, "function": q.Function,
		"at": q.At.Format(time.RFC3339Nano), "safety_hold": q.Hold, "resource": resource,
	}
}
