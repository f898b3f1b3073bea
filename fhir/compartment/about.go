package compartment

import "slices"

// aboutParams overrides, type by type, the general rule that of the
// membership parameters only patient and subject mean "about". Types outside
// the compartment that still name a patient are added (SMART CMP-15), and
// Contract and GuidanceResponse for the same reason.
var aboutParams = map[string][]string{
	// The actors and members of these may be several patients at once
	// (CMP-11).
	"Appointment":         {"actor"},
	"AppointmentResponse": {"actor"},
	"Schedule":            {"actor"},
	"Group":               {"member"},
	"ResearchSubject":     {"individual"},
	// A subscriber, policy holder or payor pays; the cover is the
	// beneficiary's.
	"Coverage": {"beneficiary"},
	// A linked Patient or Person is another record (CMP-12).
	"Patient":          nil,
	"Person":           nil,
	"Contract":         {"patient"},
	"Device":           {"patient"},
	"GuidanceResponse": {"patient"},
	"Task":             {"patient"},
}

// AboutParams lists the parameters which mean that a resource of typ is about
// a patient, as opposed to written, paid or attended by one (SMART CMP-10).
// A Patient is about itself by its id and has none.
func AboutParams(typ string) []string {
	if names, ok := aboutParams[typ]; ok {
		return slices.Clone(names)
	}
	var names []string
	for _, name := range table[typ].members {
		if name == "patient" || name == "subject" {
			names = append(names, name)
		}
	}
	return names
}

// Subject is an element that names whom a resource is about.
type Subject struct {
	Path string
	// Mixed elements also name practitioners, rooms or other records beside
	// patients; a local reference to another type there is no sign of a
	// foreign subject.
	Mixed bool
}

var mixed = map[string]bool{
	"Appointment": true, "AppointmentResponse": true, "Schedule": true,
	"Group": true, "Provenance": true, "AuditEvent": true,
}

// AboutElements lists the elements behind AboutParams, each once. In an
// AuditEvent the agent acts and only the entity is what the event is about. The
// focus of an Observation, when it is a patient, is who was observed beside the
// subject: a newborn in the mother's record (GW-24).
func AboutElements(typ string) []Subject {
	if typ == "AuditEvent" {
		return []Subject{{Path: "entity.what", Mixed: true}}
	}
	var out []Subject
	if typ == "Observation" {
		out = append(out, Subject{Path: "focus", Mixed: true})
	}
	for _, name := range AboutParams(typ) {
		for _, path := range Path(typ, name) {
			if s := (Subject{Path: path, Mixed: mixed[typ]}); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// SearchByPatient gives the one search parameter by which a search of typ is
// constrained to a patient; ok is false where R4 has none that finds all
// records about the patient, and the results must be filtered instead
// (Provenance: SMART CMP-13; Person, Binary and what names no patient).
// "_id" takes the bare id, every other parameter "Patient/id".
func SearchByPatient(typ string) (param string, ok bool) {
	switch typ {
	case "Patient":
		return "_id", true
	case "Provenance", "Person":
		return "", false
	}
	names := AboutParams(typ)
	if len(names) == 0 {
		return "", false
	}
	// Where R4 also has "patient" for the same element, that is the one
	// which US Core makes servers support; an actor is searched as such.
	if _, has := Find(typ, "patient"); has && names[0] != "actor" {
		return "patient", true
	}
	return names[0], true
}

// authorParams are the reference parameters that mean "by".
var authorParams = []string{
	"agent", "asserter", "attester", "author", "enterer", "operator", "performer", "provider",
	"recorder", "requester", "sender", "signer", "source",
}

// authorElements are elements that mean "by" and have no search parameter.
var authorElements = map[string][]string{
	"Condition":         {"recorder"},
	"MedicationRequest": {"recorder"},
	"Procedure":         {"recorder", "asserter"},
}

// AuthorElements lists the reference elements that say who wrote, performed,
// recorded or sent a resource of typ.
func AuthorElements(typ string) []string {
	if typ == "DeviceMetric" || typ == "Linkage" {
		return nil
	}
	out := slices.Clone(authorElements[typ])
	for _, name := range authorParams {
		for _, path := range Path(typ, name) {
			if !slices.Contains(out, path) {
				out = append(out, path)
			}
		}
	}
	return out
}

// targetElements are references and attachment addresses on whose targets
// visibility depends (SMART TRP-14, CMP-13).
var targetElements = map[string][]string{
	"Binary":            {"securityContext"},
	"Communication":     {"payload.contentAttachment.url", "payload.contentReference"},
	"Composition":       {"section.entry"},
	"DiagnosticReport":  {"presentedForm.url"},
	"DocumentManifest":  {"content"},
	"DocumentReference": {"content.attachment.url"},
	"List":              {"entry.item"},
	"Media":             {"content.url"},
	"Provenance":        {"target"},
}

// TargetElements lists the elements of typ that carry or point to other
// resources whose own visibility matters. Composition sections nest: their
// entries count at every depth.
func TargetElements(typ string) []string { return slices.Clone(targetElements[typ]) }
