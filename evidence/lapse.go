package evidence

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Lapse is a prohibition that ends by itself: a Task for staff, to be looked at before
// it does (TR-27).
type Lapse struct {
	ID, Patient string
	Consent     fhir.Reference
	By          Party
	At          time.Time
	// Ends is its last instant.
	Ends time.Time
}

// Task gives the record.
func (l Lapse) Task() (Record, error) {
	return made(l.ID, l.Patient, fields{
		"resourceType": TypeTask, "meta": restricted(), "status": "requested", "intent": "order",
		"code":        concept(systemAct, "look-at-prohibition"),
		"description": "This prohibition ends by itself. Ask the patient before it does.",
		"focus":       link(l.Consent.String()), "for": link("Patient/" + l.Patient), "requester": l.By.reference(),
		"authoredOn": instant(l.At), "lastModified": instant(l.At), "restriction": fields{"period": fields{"end": instant(l.Ends)}},
	})
}
