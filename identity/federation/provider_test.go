package federation

import (
	"context"
	"testing"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
)

// shelf finds by "system|value".
type shelf map[string][]Hit

func (s shelf) ByIdentifier(_ context.Context, typ, system, value string, _ int) ([]Hit, error) {
	return s[typ+" "+system+"|"+value], nil
}

// NI-01: the first line that fits counts, and what fits none is the lowest.
func TestAssuranceTable(t *testing.T) {
	p := Provider{Assurance: []Assurance{{ACR: "low", Level: 1}, {ACR: "aal2", Level: 2}, {AMR: []string{"pwd", "otp"}, Level: 2}}}
	for _, c := range []struct {
		said Said
		want identity.Level
	}{
		{Said{}, identity.AAL1}, {Said{ACR: "unknown", AMR: []string{"mfa"}}, identity.AAL1}, {Said{ACR: "aal2"}, identity.AAL2},
		{Said{AMR: []string{"pwd"}}, identity.AAL1}, {Said{AMR: []string{"otp", "pwd"}}, identity.AAL2}, {Said{ACR: "low", AMR: []string{"otp", "pwd"}}, identity.AAL1},
	} {
		if got := p.Level(c.said); got != c.want {
			t.Errorf("%+v: %s", c.said, got)
		}
	}
}

// NI-14: a rule names one resource surely, several or contradicted ones never, and a
// value that could be read as a search names nobody.
func TestWhoSomebodyIs(t *testing.T) {
	const base, mrn = "https://here.example/fhir", "urn:mrn"
	rosa, twin := fhir.Reference{Type: "Patient", ID: "rosa"}, fhir.Reference{Type: "Patient", ID: "twin"}
	p := Provider{People: []Rule{
		{Attribute: "fhirUser", As: AsReference}, {Attribute: "mrn", As: AsPatient, System: mrn},
		{Attribute: "old", As: AsPatient, System: mrn, Review: true}, {Attribute: "login", As: AsUsername},
	}}
	find := shelf{"Patient urn:mrn|7": {{rosa, "1950-02-03"}}, "Patient urn:mrn|8": {{rosa, ""}, {twin, ""}}, "Patient urn:mrn|7,8": {{twin, ""}}}
	for what, c := range map[string]struct {
		said  map[string][]string
		found int
		name  string
		sure  bool
	}{
		"a reference":             {map[string][]string{"fhirUser": {base + "/Patient/rosa"}}, 1, "", true},
		"one elsewhere":           {map[string][]string{"fhirUser": {"https://there.example/fhir/Patient/rosa"}}, 0, "", true},
		"an identifier":           {map[string][]string{"mrn": {"7"}}, 1, "", true},
		"born the same day":       {map[string][]string{"mrn": {"7"}, "birthdate": {"1950-02-03"}}, 1, "", true},
		"born on another":         {map[string][]string{"mrn": {"7"}, "birthdate": {"1950-02-04"}}, 1, "", false},
		"two people":              {map[string][]string{"mrn": {"8"}}, 2, "", true},
		"two identifiers at once": {map[string][]string{"mrn": {"7,8"}}, 0, "", true},
		"two values":              {map[string][]string{"mrn": {"7", "8"}}, 0, "", false},
		"a rule with review":      {map[string][]string{"old": {"7"}}, 1, "", false},
		"an account":              {map[string][]string{"login": {"rosa"}}, 0, "rosa", true},
		"nothing":                 {map[string][]string{"email": {"rosa@example.com"}}, 0, "", false},
	} {
		n, err := p.Identify(t.Context(), find, base, Said{Attributes: c.said})
		if err != nil || len(n.Found) != c.found || n.Username != c.name || n.Sure != c.sure {
			t.Errorf("%s: %v %+v", what, err, n)
		}
	}
}
