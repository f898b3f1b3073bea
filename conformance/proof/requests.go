package proof

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Request draws what is asked: mostly one request, else a batch, a write, a
// search that is followed to its last page, or an export.
func (g *Generator) Request(w *World) Request {
	switch n := g.r.IntN(20); {
	case n < 3:
		return g.write(w)
	case n < 5:
		return g.paged(w)
	case n == 5:
		return g.export()
	case n < 17:
		return g.interrupted(g.single(w))
	}
	return g.bundle(w)
}

func (g *Generator) single(w *World) Request {
	switch n := g.r.IntN(20); {
	case n < 6:
		return Request{Method: "GET", Path: "/" + one(g, w.Resources).Ref()}
	case n == 6:
		return Request{Method: "GET", Path: "/" + one(g, types) + "/nobody"}
	case n == 7:
		return Request{Method: "GET", Path: "/" + one(g, w.Resources).Ref() + one(g, []string{"/_history/1", "/_history"})}
	case n == 8:
		return Request{Method: "GET", Path: "/Patient/" + one(g, []string{Ana, Ana, Ben}) + "/" + one(g, types[:8]) + "?_count=100"}
	case n == 9:
		return Request{Method: "GET", Path: "/Patient/" + one(g, []string{Ana, Ana, Ben}) + "/$everything?_count=100"}
	case n == 10:
		return Request{Method: "GET", Path: "/" + one(g, []string{
			"Patient?_has:Condition:patient:code=" + loinc + "|1-1", "Observation?subject.identifier=x", "Observation?_filter=code%20eq%20x",
			"Condition?_list=x", "Observation?_security=" + systemActCode + "|HIV", "Observation?_text=canary", "Observation?patient.name=x",
			"Observation?subject:Patient.identifier=x", "Condition?_has:Provenance:target:_id=r0", "Observation?_contained=true",
			"Patient?_has:Observation:subject:_has:Provenance:target:_id=r0", "Observation?performer:Patient._id=ben", "Observation?_query=all",
		})}
	}
	if g.long && !g.odds(3) {
		return Request{Method: "GET", Path: "/Observation?_count=100"}
	}
	typ, params := g.query(w)
	params.Set("_count", "100")
	if g.odds(4) {
		return Request{Method: "POST", Path: "/" + typ + "/_search", Form: params.Encode()}
	}
	return Request{Method: "GET", Path: "/" + typ + "?" + params.Encode()}
}

// query draws a search: parameters that widen, that name others, that count and
// that include.
func (g *Generator) query(w *World) (string, url.Values) {
	typ, p := one(g, types), url.Values{}
	if g.odds(2) {
		typ = one(g, types[:7])
	}
	switch typ {
	case "Observation":
		g.observations(w, p)
	case "Condition", "MedicationRequest":
		if g.odds(2) {
			p.Set("patient", one(g, []string{Ana, "Patient/" + Ana, Ben, "Patient/" + Ana + ",Patient/" + Ben}))
		}
		if typ == "Condition" && g.odds(3) {
			p.Set("category", condCategory+"|problem-list-item")
		}
	case "Patient":
		p.Set("_id", one(g, []string{Ana, Ben, Ana + "," + Ben}))
		if g.odds(2) {
			p.Set("_revinclude", one(g, []string{"Group:member", "Group:member", "Observation:subject", "Observation:performer", "Condition:subject", "Coverage:beneficiary"}))
		}
	}
	if also := inclusions[typ]; also != nil && g.odds(3) {
		p.Set("_include", one(g, also))
	}
	switch g.r.IntN(16) {
	case 0, 1:
		p.Set("_summary", "count")
	case 2, 3:
		p.Set("_total", "accurate")
	case 4:
		p.Set("_elements", "status")
	case 5:
		p.Set("_summary", one(g, []string{"true", "text", "data"}))
	case 6:
		p.Set("_sort", one(g, []string{"_id", "-_id"}))
	case 7:
		p.Set("_include:iterate", one(g, []string{"Encounter:subject", "Observation:performer", "Provenance:target"}))
	}
	return typ, p
}

// inclusions are drawn of the types beside Observation and Patient.
var inclusions = map[string][]string{
	"Condition": {"Condition:asserter", "Condition:subject", "*"}, "MedicationRequest": {"MedicationRequest:requester", "MedicationRequest:subject"},
	"AllergyIntolerance": {"AllergyIntolerance:patient"}, "Encounter": {"Encounter:subject"}, "Coverage": {"Coverage:beneficiary", "Coverage:payor"},
	"DocumentReference": {"DocumentReference:author", "DocumentReference:subject"}, "Provenance": {"Provenance:target"},
	"Appointment": {"Appointment:actor"}, "Group": {"Group:member"},
}

func (g *Generator) observations(w *World, p url.Values) {
	if g.odds(3) {
		p.Set(one(g, []string{"patient", "subject"}), one(g, []string{"Patient/" + Ana, "Patient/" + Ben, "Patient/" + Ana + ",Patient/" + Ben}))
	}
	switch g.r.IntN(6) {
	case 0:
		p.Set("category", obsCategory+"|"+one(g, obsCategories))
	case 1:
		p.Set("category", one(g, obsCategories))
	case 2:
		p.Set("category:not", obsCategory+"|"+one(g, obsCategories))
	case 3:
		p.Set("code", loinc+"|1-1")
	}
	if g.odds(4) {
		p.Set("_id", strings.Join([]string{fmt.Sprintf("o%d", g.r.IntN(8)), fmt.Sprintf("o%d", g.r.IntN(8))}, ","))
	}
	if g.odds(3) {
		p.Set("_include", one(g, []string{"Observation:performer", "Observation:subject", "Observation:encounter"}))
	} else if g.odds(4) {
		p.Set("_revinclude", "Provenance:target")
	}
}

// classTypes are what Consents speak of, a type that no proxy gets among them.
var classTypes = append([]string{"Group"}, types[:9]...)

// consent draws a Consent of Ana that is mostly about Eva.
func (g *Generator) consent(n int) json.RawMessage {
	root := g.provision(one(g, []string{"permit", "permit", "permit", "deny"}))
	if g.odds(4) {
		root = wholeChart()
	}
	var nested []any
	for range g.r.IntN(3) {
		nested = append(nested, g.provision(one(g, []string{"permit", "deny"})))
	}
	if nested != nil {
		root["provision"] = nested
	}
	m := consentOf(n, root)
	m["status"] = one(g, []string{"active", "active", "active", "active", "inactive", "proposed"})
	m["dateTime"] = Now.AddDate(0, 0, one(g, []int{-30, -30, -30, -2, 3})).Format(time.RFC3339)
	policy := one(g, []string{"OPTIN", "OPTINR", "OPTIN", "OPTOUT", ""})
	if policy != "" {
		m["policyRule"] = concept(code1(systemActCode, policy))
	} else {
		m["policy"] = []any{object{"uri": "https://mandate.example/policy/none/1"}}
	}
	if g.odds(12) {
		m["modifierExtension"] = []any{object{"url": "urn:unknown", "valueBoolean": true}}
	}
	raw, _ := json.Marshal(m)
	return raw
}

// sharesAll is a Consent of Ana by which Eva gets all that can be shared.
func sharesAll(n int) json.RawMessage {
	m := consentOf(n, wholeChart())
	m["policyRule"] = concept(code1(systemActCode, "OPTIN"))
	raw, _ := json.Marshal(m)
	return raw
}

func consentOf(n int, root object) object {
	return object{
		"resourceType": "Consent", "id": fmt.Sprintf("k%d", n),
		"status":       "active",
		"scope":        concept(code1("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")),
		"category":     []any{concept(code1(systemActCode, "INFA"))},
		"patient":      reference("Patient/" + Ana),
		"dateTime":     Now.AddDate(0, 0, -30).Format(time.RFC3339),
		"performer":    []any{reference("Patient/" + Ana)},
		"organization": []any{reference("Organization/lake")},
		"provision":    root,
	}
}

// wholeChart opens all but the most sensitive, so that what other rules keep back
// is asked for.
func wholeChart() object {
	return object{"type": "permit", "actor": []any{eva()}, "securityLabel": []any{code1(systemConfidentiality, "R")}}
}

func eva() object { return recipient(Eva) }

func recipient(id string) object {
	return object{
		"role":      concept(code1("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")),
		"reference": reference("RelatedPerson/" + id),
	}
}

func (g *Generator) provision(kind string) object {
	p := object{"type": kind}
	if !g.odds(3) {
		p["actor"] = []any{eva()}
		if g.odds(4) {
			p["actor"] = []any{recipient("other")}
		}
	}
	if g.odds(4) {
		from := Now.Add(-time.Hour).AddDate(0, 0, g.r.IntN(6)-4)
		p["period"] = object{"start": from.Format(time.RFC3339), "end": from.AddDate(0, 0, 1+g.r.IntN(4)).Format(time.RFC3339)}
	}
	if g.odds(4) {
		p["purpose"] = []any{code1("http://terminology.hl7.org/CodeSystem/v3-ActReason", one(g, []string{"FAMRQT", "PATRQT", "PWATRNY"}))}
	}
	if g.odds(2) {
		var labels []any
		for range 1 + g.r.IntN(3) {
			labels = append(labels, label(one(g, append([]string{"N", "N", "R", "R", "V"}, sensitiveCodes[:10]...))))
		}
		p["securityLabel"] = labels
	}
	if g.odds(3) {
		var classes []any
		for range 1 + g.r.IntN(2) {
			classes = append(classes, code1("http://hl7.org/fhir/resource-types", one(g, classTypes)))
		}
		p["class"] = classes
	}
	if g.odds(5) {
		p["action"] = []any{concept(code1("https://mandate.example/fhir/CodeSystem/portal-function", one(g, []string{"view", "view", "message"})))}
	}
	if g.odds(6) {
		p["code"] = []any{concept(code1(loinc, "1-1"))}
	}
	return p
}
