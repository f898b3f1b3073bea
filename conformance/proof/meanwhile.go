package proof

// What happens while the FHIR server answers a request for data.
const (
	// Revoked ends the token, Withdrawn every Consent, Unrelated the relation.
	Revoked   = "revoked"
	Withdrawn = "withdrawn"
	Unrelated = "unrelated"
)

// interrupted lets something happen meanwhile, now and then.
func (g *Generator) interrupted(q Request) Request {
	if q.Method == "GET" && (g.odds(14) || g.long && g.odds(2)) {
		q.Meanwhile = one(g, []string{Revoked, Revoked, Withdrawn, Unrelated})
	}
	return q
}

// Late says what the answer may be when what the request names happened before
// anything left: nothing leaves on what does not stand any more (GW-26).
func Late(w *World, g *Grant, q Request) Expectation {
	now := *g
	switch q.Meanwhile {
	case Revoked:
		// What is not there at all was known before the token was asked about again.
		return Expectation{Status: []int{400, 401, 403, 404}, Total: -1, Why: "GW-26"}
	case Withdrawn:
		now.Consents = nil
	case Unrelated:
		now.Related = false
	}
	return Expect(w, &now, q)
}
