package records

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/problem"
)

type object = map[string]any

// metadata serves the CapabilityStatement of this address. It is not that of the FHIR
// base, which knows none of these records.
func (d Deps) metadata(w http.ResponseWriter, r *http.Request) {
	raw, err := d.statement()
	if err != nil {
		d.Problem.FHIR(w, r, errs.Wrap(err, errs.Internal, "capability-statement", "The statement could not be written."))
		return
	}
	problem.NoStore(w)
	w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
	_, _ = w.Write(raw)
}

func (d Deps) statement() ([]byte, error) {
	reads := []object{{"code": "read"}, {"code": "vread"}, {"code": "history-instance"}, {"code": "search-type"}}
	param := func(name, typ string) object { return object{"name": name, "type": typ} }
	var types []object
	for _, typ := range evidence.Types() {
		about, of := "patient", "focus"
		if typ == evidence.TypeProvenance {
			of = "target"
		}
		types = append(types, object{
			"type": typ, "versioning": "versioned", "interaction": reads, "searchParam": []object{param(about, "reference"), param(of, "reference")},
		})
	}
	types = append(types, object{
		"type": evidence.TypeNotice, "versioning": "versioned", "interaction": reads,
		"documentation": "What the reader was told, in the words of the portal. The newest thousand are listed.",
		"searchParam":   []object{param("recipient", "reference"), param("sent", "date"), param("status", "token")},
	})
	return json.Marshal(object{
		"resourceType": "CapabilityStatement", "id": "records", "status": "active", "kind": "instance",
		"date": d.Clock.Now().UTC().Format(time.RFC3339), "publisher": "Mandate", "software": object{"name": "Mandate"},
		"implementation": object{"description": "Records beside Consents, for people who are signed in", "url": d.Base},
		"fhirVersion":    "4.0.1", "format": []string{"json", "application/fhir+json"},
		"rest": []object{{"mode": "server", "resource": types, "security": object{
			"description": "The session of a person who is signed in with two factors. What is not theirs to read is not found.",
		}}},
	})
}
