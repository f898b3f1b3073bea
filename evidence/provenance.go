package evidence

import (
	"strconv"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Agent is who took part in a change, and how (PV-01…PV-05).
type Agent struct {
	Party
	// Type is a provenance-participant-type: author, enterer, verifier, attester
	// or performer.
	Type string
	// Role is the v3-ParticipationFunction of who authored a directive: SUBCON,
	// POACON, GRDCON or PRCON (RC-18); may be empty.
	Role string
	// ForPatient says that the agent signed on behalf of the patient.
	ForPatient bool
}

// RoleOf gives the code of who signs by an instrument (RC-18); "" is the patient.
func RoleOf(instrument string) string {
	switch instrument {
	case "":
		return "SUBCON"
	case "HPOWATT", "DPOWATT", "SPOWATT", "POWATT":
		return "POACON"
	case "GUARD", "GUADLTM":
		return "GRDCON"
	}
	return "PRCON"
}

// Change is one version of a resource that somebody made.
type Change struct {
	// ID is that of the Provenance.
	ID      string
	Patient string
	Target  fhir.Reference
	// Version is that of the target; above 1 the one before is its revision.
	Version int
	At      time.Time
	// Purpose is a v3-ActReason, may be empty.
	Purpose string
	// Channel is the v3-ParticipationMode by which it was said, such as Online; may be
	// empty (PV-03).
	Channel string
	Agents  []Agent
	// Sources are what it rests on, such as an Observation or a DocumentReference.
	Sources []string
	// Signed says that the authors agreed to just this version, after having
	// proven who they are.
	Signed bool
	// Seal is a detached JWS over the target's exact version (PV-08), by the server
	// of the tenant; may be empty.
	Seal, Tenant string
}

// Online is the channel of who answers on a page.
const Online = "ONLINEWRIT"

// sealFormat and sealedForm are how a Seal is written, and what it is over: FHIR's
// canonical JSON of the whole resource, in the form of RFC 8785.
const (
	sealFormat = "application/jose"
	sealedForm = "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json"
)

// Provenance gives the record of the change.
func (c Change) Provenance() (Record, error) {
	activity := "CREATE"
	var entities []fields
	if c.Version > 1 {
		activity = "UPDATE"
		entities = append(entities, fields{"role": "revision", "what": link(c.version(c.Version - 1))})
	}
	for _, s := range c.Sources {
		entities = append(entities, fields{"role": "source", "what": link(s)})
	}
	doc := fields{
		"resourceType": TypeProvenance, "meta": restricted(),
		"target": []fields{link(c.version(c.Version))}, "recorded": instant(c.At), "occurredDateTime": instant(c.At),
		"activity": concept(systemOperation, activity),
	}
	var agents, signatures []fields
	for _, a := range c.Agents {
		agents = append(agents, a.fields(c.Patient))
		if c.Signed && a.Type == "author" {
			signatures = append(signatures, fields{
				"type": []fields{{"system": systemSignature, "code": "1.2.840.10065.1.12.1.7", "display": "Consent Signature"}},
				"when": instant(c.At), "who": a.reference(),
			})
		}
	}
	if c.Seal != "" {
		signatures = append(signatures, fields{
			"type": []fields{{"system": systemSignature, "code": "1.2.840.10065.1.12.1.5", "display": "Verification Signature"}},
			"when": instant(c.At), "who": fields{"identifier": fields{"system": SystemTenant, "value": c.Tenant}},
			"targetFormat": sealedForm, "sigFormat": sealFormat, "data": []byte(c.Seal),
		})
	}
	doc["agent"] = agents
	if entities != nil {
		doc["entity"] = entities
	}
	if signatures != nil {
		doc["signature"] = signatures
	}
	if c.Purpose != "" {
		doc["reason"] = []fields{concept(fhir.SystemActReason, c.Purpose)}
	}
	if c.Channel != "" {
		doc["extension"] = []fields{{
			"url":         fhir.Canonical + "/StructureDefinition/channel",
			"valueCoding": fields{"system": systemMode, "code": c.Channel},
		}}
	}
	return c.record(doc)
}

// record adds the patient, whom not every Provenance names.
func (c Change) record(doc fields) (Record, error) {
	if c.Patient == "" {
		return Record{}, Fault("Provenance.agent.onBehalfOf", "must name a patient of this server")
	}
	return made(c.ID, c.Patient, doc)
}

func (c Change) version(n int) string {
	return c.Target.String() + "/_history/" + strconv.Itoa(n)
}

func (a Agent) fields(patient string) fields {
	out := fields{"type": concept(systemAgentType, a.Type), "who": a.reference()}
	if a.Role != "" {
		out["role"] = []fields{concept(systemAuthor, a.Role)}
	}
	if a.ForPatient {
		out["onBehalfOf"] = link("Patient/" + patient)
	}
	return out
}
