package proof

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Generator draws worlds, grants and requests. The same seed gives the same
// cases in the same order. It is not safe for concurrent use.
type Generator struct {
	r *rand.Rand
	// bare makes more of the records unlabelled, long makes them large.
	bare, long bool
	// made counts the records that are drawn to be created.
	made int
}

// NewGenerator makes a generator of a seed.
func NewGenerator(seed uint64) *Generator {
	return &Generator{r: rand.New(rand.NewPCG(seed, 0x6d616e64617465))}
}

func one[T any](g *Generator, of []T) T { return of[g.r.IntN(len(of))] }

// odds is true once in n times.
func (g *Generator) odds(n int) bool { return g.r.IntN(n) == 0 }

// largeOnce is how seldom the records of a world are large: so large that the
// answer to a search of them does not leave in one piece.
const largeOnce = 40

// modes draws how strictly the rules are applied: mostly as they come.
func (g *Generator) modes() map[string]string {
	if !g.odds(5) {
		return nil
	}
	return map[string]string{one(g, []string{"law", "label", "label", "rewrite", "input"}): one(g, []string{"off", "audit"})}
}

// World draws some thirty records of Ana and Ben that cross in the ways that
// the rows know of.
func (g *Generator) World() *World {
	w := &World{byRef: map[string]*Resource{}, Modes: g.modes()}
	if g.bare = g.odds(2); g.bare {
		w.Sets = valueSets()
	}
	g.long = g.odds(largeOnce)
	for _, id := range []string{Ana, Ben} {
		g.add(w, "Patient", id, object{"meta": g.meta(true)})
	}
	g.add(w, "Practitioner", "chen", object{})
	g.add(w, "Practitioner", "diaz", object{"meta": meta("N")})
	g.add(w, "Organization", "lake", object{"name": "Lake"})
	g.add(w, "Location", "ward", object{"name": "Ward"})
	g.add(w, "Encounter", "e1", object{"status": "finished", "class": code1("urn:class", "AMB"), "subject": g.subject(), "meta": g.meta(false)})
	for i := range 8 + g.r.IntN(6) {
		g.add(w, "Observation", fmt.Sprintf("o%d", i), g.observation())
	}
	for i := range 3 + g.r.IntN(3) {
		g.add(w, "Condition", fmt.Sprintf("c%d", i), g.about("subject", object{"category": g.conditionCategory(), "code": g.code(), "asserter": g.by()}))
	}
	for i := range 3 + g.r.IntN(3) {
		g.add(w, "MedicationRequest", fmt.Sprintf("m%d", i), g.about("subject", object{
			"status": "active", "intent": "order", "medicationCodeableConcept": concept(code1(drugs, one(g, []string{"opioid", "other", "other"}))),
			"requester": reference(one(g, []string{"Practitioner/chen", "Practitioner/diaz"})),
		}))
	}
	for i := range 1 + g.r.IntN(3) {
		g.add(w, "AllergyIntolerance", fmt.Sprintf("a%d", i), g.about("patient", object{"code": g.code()}))
		g.add(w, "Coverage", fmt.Sprintf("v%d", i), g.about("beneficiary", object{"status": "active", "payor": []any{reference("Patient/" + one(g, []string{Ana, Ben}))}}))
		g.add(w, "Binary", fmt.Sprintf("b%d", i), object{"contentType": "text/plain"})
		g.add(w, "DocumentReference", fmt.Sprintf("d%d", i), g.about("subject", object{
			"status": "current", "author": []any{g.by()}, "type": concept(code1(notes, one(g, []string{"private", "quarrel", "plain", "plain"}))),
			"content": []any{object{"attachment": object{"url": fmt.Sprintf("Binary/b%d", g.r.IntN(i+1))}}},
		}))
	}
	g.crossing(w)
	g.telling(w)
	for _, r := range w.Resources {
		r.facts = read(r.Type, r.ID, r.JSON, w.Sets)
	}
	return w
}

// crossing adds what names several patients, and what speaks of other records.
func (g *Generator) crossing(w *World) {
	people := [][]string{{Ana}, {Ben}, {Ana, Ben}}
	for i := range 2 {
		var actors, members []any
		for _, p := range one(g, people) {
			actors = append(actors, object{"actor": reference("Patient/" + p), "status": "accepted"})
			members = append(members, object{"entity": reference("Patient/" + p)})
		}
		actors = append(actors, object{"actor": reference("Practitioner/chen"), "status": "accepted"})
		g.add(w, "Appointment", fmt.Sprintf("p%d", i), object{"status": "booked", "participant": actors, "meta": g.meta(false)})
		g.add(w, "Group", fmt.Sprintf("g%d", i), object{"type": "person", "actual": true, "member": members, "meta": g.meta(false)})
		g.add(w, "Task", fmt.Sprintf("t%d", i), object{"status": "requested", "intent": "order", "for": reference("Patient/" + Ana), "meta": g.meta(true)})
	}
	for i := range 2 {
		var targets []any
		for range 1 + g.r.IntN(2) {
			targets = append(targets, reference(one(g, w.Resources[6:]).Ref()))
		}
		g.add(w, "Provenance", fmt.Sprintf("r%d", i), object{
			"target": targets, "recorded": "2026-10-01T09:31:00Z", "meta": g.meta(true), "agent": []any{object{"who": object{"display": canary("Provenance", fmt.Sprintf("r%d", i))}}},
		})
	}
}

func canary(typ, id string) string { return (&Resource{Type: typ, ID: id}).Canary() }

// add puts a resource with its canary into the world.
func (g *Generator) add(w *World, typ, id string, m object) {
	m["resourceType"], m["id"] = typ, id
	switch typ {
	case "Binary":
		m["data"] = base64.StdEncoding.EncodeToString([]byte(id))
		m["meta"] = object{"tag": []any{object{"system": "urn:canary", "code": canary(typ, id)}}}
	case "Provenance":
	default:
		m["identifier"] = []any{object{"system": "urn:canary", "value": canary(typ, id)}}
	}
	if m["meta"] == nil {
		delete(m, "meta")
	}
	// Maps of strings, lists and maps can always be written.
	raw, _ := json.Marshal(m)
	r := &Resource{Type: typ, ID: id, JSON: raw}
	w.Resources = append(w.Resources, r)
	w.byRef[r.Ref()] = r
}

func reference(to string) object { return object{"reference": to} }

func code1(system, code string) object { return object{"system": system, "code": code} }

func concept(codings ...any) object { return object{"coding": codings} }

// label gives a code of v3-Confidentiality or v3-ActCode with its system.
func label(code string) object {
	if ranks[code] > 0 {
		return code1(systemConfidentiality, code)
	}
	return code1(systemActCode, code)
}

func meta(codes ...string) any {
	var out []any
	for _, c := range codes {
		out = append(out, label(c))
	}
	if out == nil {
		return nil
	}
	return object{"security": out}
}

var sensitiveCodes = []string{"HIV", "PSY", "SUD", "ETH", "OPIOIDUD", "42CFRPart2", "STD", "SDV", "GDIS", "PRS", "NOPAT", "PSYTHPN", "NORDSCLCD", "UNHEARD"}

// meta draws labels: mostly ordinary, sometimes none, one or two topics.
func (g *Generator) meta(plain bool) any {
	switch n := g.r.IntN(10); {
	case !plain && g.bare && g.odds(3):
		return one(g, []any{nil, nil, meta("NORDSCLCD")})
	case plain || n < 4:
		return meta("N")
	case n == 4:
		return nil
	case n == 5:
		return meta(one(g, []string{"R", "V", "L"}))
	case n == 6:
		return meta(one(g, sensitiveCodes))
	case n == 7:
		return meta("N", one(g, sensitiveCodes))
	case n == 8:
		return meta("R", one(g, sensitiveCodes))
	}
	return meta("R", one(g, sensitiveCodes), one(g, sensitiveCodes))
}

// subject draws whom a record is about: mostly Ana.
func (g *Generator) subject() object {
	switch n := g.r.IntN(12); {
	case n < 7:
		return reference("Patient/" + Ana)
	case n < 10:
		return reference("Patient/" + Ben)
	case n == 10:
		return reference("https://other.example/fhir/Patient/" + Ana)
	}
	return object{"identifier": object{"system": "urn:mrn", "value": "1"}}
}

// by draws who wrote it, a patient among them.
func (g *Generator) by() object {
	return reference(one(g, []string{"Practitioner/chen", "Practitioner/diaz", "Patient/" + Ana, "Patient/" + Ben}))
}

func (g *Generator) about(element string, m object) object {
	m[element], m["meta"] = g.subject(), g.meta(false)
	if g.odds(6) {
		m["contained"] = []any{object{"resourceType": "Organization", "id": "in", "name": "inside", "meta": g.meta(false)}}
		if c, _ := m["contained"].([]any)[0].(object); c["meta"] == nil {
			delete(c, "meta")
		}
	}
	if g.odds(10) {
		inside, _ := m["contained"].([]any)
		m["contained"] = append(inside, object{
			"resourceType": "Observation", "id": "beside", "status": "final", "code": g.code(), "subject": reference("Patient/" + one(g, []string{Ana, Ben})),
		})
	}
	return m
}

const (
	obsCategory  = "http://terminology.hl7.org/CodeSystem/observation-category"
	condCategory = "http://terminology.hl7.org/CodeSystem/condition-category"
	loinc        = "http://loinc.org"
)

var obsCategories = []string{"laboratory", "vital-signs", "social-history"}

func (g *Generator) observation() object {
	m := g.about("subject", object{"status": "final", "code": g.code(), "performer": []any{g.by()}})
	var categories []any
	for range g.r.IntN(3) {
		c := code1(one(g, []string{obsCategory, obsCategory, obsCategory, "urn:other"}), one(g, obsCategories))
		categories = append(categories, concept(c))
	}
	if categories != nil {
		m["category"] = categories
	}
	if g.odds(3) {
		m["encounter"] = reference("Encounter/e1")
	}
	if g.long {
		m["note"] = []any{object{"text": strings.Repeat("long ", 24000)}}
	}
	if g.odds(8) {
		m["focus"] = []any{reference(one(g, []string{"Patient/" + Ana, "Patient/" + Ben, "Practitioner/chen"}))}
	}
	return m
}

func (g *Generator) code() object {
	if g.odds(8) {
		return concept(code1(notes, one(g, []string{"quarrel", "private", "plain"})))
	}
	return concept(code1(loinc, one(g, []string{"1-1", "1-1", "2-2", "2-2", "3-3"})))
}

func (g *Generator) conditionCategory() []any {
	return []any{concept(code1(condCategory, one(g, []string{"problem-list-item", "encounter-diagnosis"})))}
}

// Grant draws who asks.
func (g *Generator) Grant() *Grant {
	out := &Grant{Kind: one(g, []string{Self, Self, Proxy, Proxy, Proxy, Practitioner, System})}
	levels := []string{"patient"}
	switch out.Kind {
	case Self:
		out.Patient = Ana
		for _, t := range []string{"SUD", "MH", "HIV", "SEX", "SDV", "GDIS", "R"} {
			if g.odds(2) {
				out.Topics = append(out.Topics, t)
			}
		}
		levels = []string{"patient", "patient", "user"}
	case Proxy:
		out.Patient, out.Related, out.Purpose = Ana, !g.odds(12), "FAMRQT"
		for range 1 + g.r.IntN(3) {
			out.Consents = append(out.Consents, g.consent(len(out.Consents)))
		}
	case Practitioner:
		levels = []string{"user"}
		if g.odds(2) {
			out.Patient, levels = Ana, []string{"patient", "patient", "user"}
		}
	case System:
		levels = []string{"system"}
	}
	var words []string
	for range 1 + g.r.IntN(4) {
		words = append(words, g.scope(one(g, levels)))
	}
	if out.Kind == Proxy && g.odds(5) {
		// What no proxy gets is then kept back by its type alone.
		words, out.Consents = append(words, "patient/*.rs"), append(out.Consents, sharesAll(len(out.Consents)))
	}
	if g.long && g.odds(2) {
		// Much leaves, in several pieces.
		words = append(words, one(g, levels)+"/Observation.rs")
	}
	out.Scopes = strings.Join(words, " ")
	out.Ended = out.Kind != System && g.odds(25)
	return out
}

var types = []string{
	"Observation", "Observation", "Observation", "Condition", "Condition", "MedicationRequest", "Patient", "Encounter", "AllergyIntolerance",
	"Coverage", "DocumentReference", "Binary", "Appointment", "List", "Group", "Provenance", "Practitioner", "Organization", "Task",
}

func (g *Generator) scope(level string) string {
	ops := one(g, []string{"rs", "rs", "rs", "r", "s", "cruds", "cruds", "cu"})
	if g.odds(4) {
		return level + "/*." + ops
	}
	typ := one(g, types)
	s := level + "/" + typ + "." + ops
	if !g.odds(2) {
		return s
	}
	switch typ {
	case "Observation":
		s += "?category=" + one(g, []string{obsCategory + "|", ""}) + one(g, obsCategories)
		if g.odds(4) {
			s += "&code=" + loinc + "|1-1"
		}
	case "Condition":
		s += "?category=" + condCategory + "|" + one(g, []string{"problem-list-item", "encounter-diagnosis"})
	}
	return s
}
