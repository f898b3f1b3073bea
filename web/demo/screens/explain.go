package screens

import "github.com/mandate-health/mandate/web/pages"

// explainScreen answers a question about an app, or about a line of the log.
func explainScreen(s State, allowed bool) pages.Page {
	x := &pages.Explained{
		Allowed: allowed, Sentence: "Allowed: every rule lets the request pass.", Request: "GET /Observation?category=laboratory",
		Grant: "f3b0c2a19d", Client: "heart-diary", Patient: "rosa", Relation: "RelatedPerson/rosa-elena → Patient/rosa", InForce: true, Filtered: true,
		Scopes: []string{"patient/Observation.rs"}, Consents: []string{"Consent/e1-daughter/_history/2"}, Narrowed: []string{"patient=Patient/rosa"},
	}
	p := pages.OperatorExplain{Frame: staff(in(s, names(s).Nurse, general())), Of: pages.ExplainGrant, ID: x.Grant, Request: x.Request, Answer: x}
	if allowed {
		return p
	}
	x.Sentence = "Refused: nothing that was granted, or that the consents leave of it, covers Goal.s."
	x.Rule, x.Code, x.Request, x.Scopes, x.Near, x.InForce = "scope", "no-scope", "GET /Goal", nil, []string{"patient/Goal.r"}, false
	x.Then = &pages.ExplainedThen{At: ago(2), Allowed: true, Consents: x.Consents, Delivered: 12}
	p.Of, p.ID, p.Request = pages.ExplainEvent, "77c1e0b2", ""
	return p
}
