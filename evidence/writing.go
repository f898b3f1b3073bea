package evidence

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Writing is a version of a clinical resource that somebody wrote for a patient, such
// as a message or the answers of a form (PV-06).
type Writing struct {
	// ID is that of the Provenance.
	ID      string
	Patient string
	Target  fhir.Reference
	// Version is that of the target, as its server calls it; empty where it said none.
	Version string
	// Operation is what was done, a v3-DataOperation: CREATE, UPDATE or DELETE.
	Operation string
	At        time.Time
	// By is who wrote, with the account; App is the client that sent it.
	By, App Party
	// Consents are those under which it was done, by id.
	Consents []string
}

// Provenance gives the record of the writing: who wrote, for the patient, so that it is
// never taken for the patient's own words.
func (w Writing) Provenance() (Record, error) {
	target := w.Target.String()
	if w.Version != "" {
		target += "/_history/" + w.Version
	}
	doc := fields{
		"resourceType": TypeProvenance, "meta": restricted(),
		"target": []fields{link(target)}, "recorded": instant(w.At), "occurredDateTime": instant(w.At),
		"activity": concept(systemOperation, w.Operation),
		"agent": []fields{
			Agent{Party: w.By, Type: "author", ForPatient: true}.fields(w.Patient),
			Agent{Party: w.App, Type: "assembler"}.fields(w.Patient),
		},
	}
	var under []string
	for _, id := range w.Consents {
		under = append(under, fhir.Reference{Type: "Consent", ID: id}.String())
	}
	if under != nil {
		doc["policy"] = under
	}
	return Change{ID: w.ID, Patient: w.Patient}.record(doc)
}
