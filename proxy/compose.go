package proxy

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// systemAccount says that an identifier names an account of this server (RP-05).
const systemAccount = fhir.Canonical + "/NamingSystem/account"

type fields = map[string]any

// Resource gives the RelatedPerson of the case: in force when active says so.
// Its e-mail address is where the person gets notices. A relationship that ended
// has the end of its period in the past (RP-04).
func (c Case) Resource(active bool, ended time.Time) ([]byte, error) {
	coding := []fields{{"system": fhir.SystemRoleCode, "code": c.Relationship}}
	relations := []fields{{"coding": coding}}
	if c.Authority.Verified() && c.Authority.Kind != c.Relationship {
		relations = append(relations, fields{"coding": []fields{{"system": fhir.SystemRoleCode, "code": c.Authority.Kind}}})
	}
	doc := fields{
		"resourceType": "RelatedPerson", "active": active,
		"patient":      fields{"reference": "Patient/" + c.Patient},
		"relationship": relations,
		"name":         []fields{{"text": c.Name}},
	}
	if c.PersonID != "" {
		doc["identifier"] = []fields{{"system": systemAccount, "value": c.PersonID}}
	}
	if c.Email != "" {
		doc["telecom"] = []fields{{"system": "email", "value": c.Email}}
	}
	if !ended.IsZero() {
		doc["period"] = fields{"end": ended.UTC().Format(time.RFC3339)}
	}
	return json.Marshal(doc)
}
