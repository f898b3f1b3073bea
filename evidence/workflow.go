package evidence

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Errand is where one person's way to one record stands (RS-07): each step of it is
// a version of one Task.
type Errand struct {
	ID, Patient string
	// Relation is the RelatedPerson, zero before there is one; Account is who is to
	// have access.
	Relation fhir.Reference
	Account  string
	// Act is what was done last, State what it led to, Reason why.
	Act, State, Reason string
	// Was is the state before: who is shut out reads what anybody reads whose access
	// ended, and nothing new where it had ended before.
	Was       string
	By        Party
	Began, At time.Time
	// Until is the agreed end, zero before anything was agreed.
	Until time.Time
	// Consents are what came of it.
	Consents []string
}

// taskStatus gives the R4 status of a state; businessStatus holds the state itself.
func (e Errand) taskStatus() string {
	switch e.Act {
	case "reject":
		return "rejected"
	case "void":
		return "entered-in-error"
	}
	state := e.State
	if state == "blocked" {
		if state = e.Was; state != "expired" && state != "ended" {
			state = "revoked"
		}
	}
	switch state {
	case "invited":
		return "requested"
	case "account":
		return "received"
	case "suspended":
		return "on-hold"
	case "revoked":
		return "cancelled"
	case "expired", "ended":
		return "completed"
	}
	return "in-progress"
}

// Task gives the record.
func (e Errand) Task() (Record, error) {
	doc := fields{
		"resourceType": TypeTask, "meta": restricted(), "status": e.taskStatus(), "intent": "order",
		"businessStatus": concept(systemState, e.State), "code": concept(systemAct, e.Act),
		"for": link("Patient/" + e.Patient), "authoredOn": instant(e.Began), "lastModified": instant(e.At),
		"requester": e.By.reference(),
	}
	if !e.Relation.IsZero() {
		doc["focus"] = link(e.Relation.String())
	}
	if e.Account != "" || !e.Relation.IsZero() {
		doc["owner"] = Party{Resource: e.Relation, Account: e.Account}.reference()
	}
	if e.Reason != "" {
		doc["statusReason"] = concept(systemReason, e.Reason)
	}
	if !e.Until.IsZero() {
		doc["restriction"] = fields{"period": fields{"end": instant(e.Until)}}
	}
	var output []fields
	for _, c := range e.Consents {
		output = append(output, fields{"type": concept("http://hl7.org/fhir/resource-types", "Consent"), "valueReference": link("Consent/" + c)})
	}
	if output != nil {
		doc["output"] = output
	}
	return made(e.ID, e.Patient, doc)
}

// Check is what staff found about an identity or a legal authority (RS-08).
type Check struct {
	ID, Patient string
	// Name is that of the patient, in a check of who the patient is; empty leaves it out.
	Name string
	// Relation is of whom it is, zero for the patient.
	Relation fhir.Reference
	// Status is attested, validated, val-fail or req-revalid.
	Status string
	At     time.Time
	// Kind is the v3-RoleCode of an instrument, or "" for an identity.
	Kind string
	// How says what was looked at: in-person, or the kinds of documents.
	How []string
	// Attested is who put it in, Checked the second person; zero: nobody yet.
	Attested, Checked     Party
	AttestedAt, CheckedAt time.Time
	// Next is when it must be looked at again; zero: never.
	Next time.Time
	// Document is the instrument, "" without; Files are the pictures of it that whoever
	// wrote this looked at. Both are DocumentReference/id.
	Document string
	Files    []string
}

// VerificationResult gives the record.
func (c Check) VerificationResult() (Record, error) {
	process := []fields{}
	for _, how := range c.How {
		process = append(process, concept(systemProofing, how))
	}
	if c.Kind != "" {
		process = append(process, concept(fhir.SystemRoleCode, c.Kind))
	}
	doc := fields{
		"resourceType": TypeVerification, "meta": restricted(),
		"target": c.targets(),
		"need":   concept(systemNeed, "initial"), "status": c.Status, "statusDate": instant(c.At),
		"validationType": concept(systemValidation, "single"), "validationProcess": process,
		"failureAction": concept(systemFailure, "fatal"),
	}
	if c.Kind != "" {
		doc["validationType"] = concept(systemValidation, "multiple")
	}
	if !c.Next.IsZero() {
		doc["nextScheduled"], doc["need"] = day(c.Next), concept(systemNeed, "periodic")
	}
	if c.Attested != (Party{}) {
		doc["attestation"] = fields{
			"who": typed(c.Attested, "Practitioner"), "date": day(c.AttestedAt), "communicationMethod": concept(systemCommunic, "manual"),
		}
	}
	// R4 has an element for the organisation that checks, and none for its person.
	var more []fields
	if c.Checked != (Party{}) {
		doc["lastPerformed"] = instant(c.CheckedAt)
		more = append(more, fields{"url": fhir.Canonical + "/StructureDefinition/checked-by", "valueReference": typed(c.Checked, "Practitioner")})
	}
	for _, d := range append([]string{c.Document}, c.Files...) {
		if d != "" {
			more = append(more, fields{"url": fhir.Canonical + "/StructureDefinition/instrument", "valueReference": link(d)})
		}
	}
	if more != nil {
		doc["extension"] = more
	}
	return made(c.ID, c.Patient, doc)
}

func (c Check) targets() []fields {
	patient := link("Patient/" + c.Patient)
	if c.Name != "" {
		patient["display"] = c.Name
	}
	if c.Relation.IsZero() {
		return []fields{patient}
	}
	return []fields{link(c.Relation.String()), patient}
}

// typed names the type of who is known by an account only.
func typed(p Party, typ string) fields {
	out := p.reference()
	out["type"] = typ
	return out
}

// Determination is what one clinician found about the patient's capacity to decide
// (RS-09, LC-13).
type Determination struct {
	ID, Patient string
	By          Party
	At          time.Time
	// Lacks is what was found: that the patient cannot decide, or can again.
	Lacks bool
	// Review is when it is looked at again; zero: never.
	Review time.Time
}

// Observation gives the record.
func (d Determination) Observation() (Record, error) {
	found, text := "has-capacity", "Can decide about health care"
	if d.Lacks {
		found, text = "lacks-capacity", "Cannot decide about health care at this time"
	}
	value := concept(systemCapacity, found)
	value["text"] = text
	code := concept(systemCapacity, "determination")
	code["text"] = "Capacity to decide about health care"
	doc := fields{
		"resourceType": TypeObservation, "meta": restricted(), "status": "final",
		"code": code, "subject": link("Patient/" + d.Patient), "effectiveDateTime": instant(d.At), "issued": instant(d.At),
		"performer": []fields{typed(d.By, "Practitioner")}, "valueCodeableConcept": value,
	}
	if !d.Review.IsZero() {
		doc["note"] = []fields{{"text": "To be looked at again by " + day(d.Review) + "."}}
	}
	return made(d.ID, d.Patient, doc)
}

// Hold is a pause because something is wrong (RS-09, LC-12).
type Hold struct {
	ID, Patient string
	// Active is false once it was released.
	Active bool
	By     Party
	Began  time.Time
	Ended  time.Time
}

// Flag gives the record.
func (h Hold) Flag() (Record, error) {
	status, period := "active", fields{"start": instant(h.Began)}
	if !h.Active {
		status, period["end"] = "inactive", instant(h.Ended)
	}
	doc := fields{
		"resourceType": TypeFlag, "meta": restricted(), "status": status, "category": []fields{concept(systemCategory, "safety")},
		"code": concept(systemFlag, "safety-hold"), "subject": link("Patient/" + h.Patient), "period": period,
		"author": typed(h.By, "Practitioner"),
	}
	return made(h.ID, h.Patient, doc)
}
