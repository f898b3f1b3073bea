package evidence

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// systemFunction says what somebody may do at the portal.
const systemFunction = fhir.Canonical + "/CodeSystem/portal-function"

// Approver is one person who agreed.
type Approver struct {
	Party
	At time.Time
}

// Together is what people who must act together ask for (FX-30): a Task that is a
// proposal until two agreed, and an order from then on.
type Together struct {
	ID, Patient string
	// Function is the portal-function that is asked for.
	Function string
	// Approved are those who agreed, who asked first.
	Approved []Approver
	// Outcome is done, undone, declined or lapsed, empty while it is open.
	Outcome   string
	Began, At time.Time
	// Due is the last day.
	Due time.Time
}

// status gives the R4 status.
func (r Together) status() string {
	switch r.Outcome {
	case "done":
		return "completed"
	case "undone":
		return "failed"
	case "declined":
		return "rejected"
	case "lapsed":
		return "cancelled"
	}
	if len(r.Approved) > 1 {
		return "accepted"
	}
	return "requested"
}

// Task gives the record. R4 has one requester and no list of who agreed; the list is
// an extension.
func (r Together) Task() (Record, error) {
	intent := "proposal"
	if len(r.Approved) > 1 {
		intent = "order"
	}
	doc := fields{
		"resourceType": TypeTask, "meta": restricted(), "status": r.status(), "intent": intent,
		"code": concept(systemFunction, r.Function), "for": link("Patient/" + r.Patient),
		"authoredOn": instant(r.Began), "lastModified": instant(r.At),
		"restriction": fields{"period": fields{"end": instant(r.Due)}},
	}
	var agreed []fields
	for _, a := range r.Approved {
		agreed = append(agreed, fields{"url": fhir.Canonical + "/StructureDefinition/approved-by", "extension": []fields{
			{"url": "who", "valueReference": a.reference()}, {"url": "when", "valueDateTime": instant(a.At)},
		}})
	}
	if agreed != nil {
		doc["requester"], doc["extension"] = r.Approved[0].reference(), agreed
	}
	if r.Outcome != "" {
		doc["statusReason"] = concept(systemReason, r.Outcome)
	}
	return made(r.ID, r.Patient, doc)
}
