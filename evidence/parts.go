package evidence

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

type fields = map[string]any

const (
	terminology      = "http://terminology.hl7.org/CodeSystem/"
	systemAgentType  = terminology + "provenance-participant-type"
	systemOperation  = terminology + "v3-DataOperation"
	systemMode       = terminology + "v3-ParticipationMode"
	systemAuthor     = terminology + "v3-ParticipationFunction"
	systemLOINC      = "http://loinc.org"
	systemSignature  = "urn:iso-astm:E1762-95:2013"
	systemAct        = fhir.Canonical + "/CodeSystem/proxy-act"
	systemState      = fhir.Canonical + "/CodeSystem/proxy-state"
	systemReason     = fhir.Canonical + "/CodeSystem/proxy-reason"
	systemFlag       = fhir.Canonical + "/CodeSystem/proxy-flag"
	systemCapacity   = fhir.Canonical + "/CodeSystem/capacity"
	systemProofing   = fhir.Canonical + "/CodeSystem/proofing"
	systemNeed       = terminology + "need"
	systemValidation = terminology + "validation-type"
	systemProcess    = terminology + "validation-process"
	systemFailure    = terminology + "failure-action"
	systemCommunic   = terminology + "verificationresult-communication-method"
	systemCategory   = terminology + "flag-category"
)

// Party is somebody who did something: a resource of this server, an account, or
// both. The zero Party is the server itself.
type Party struct {
	Resource fhir.Reference
	Account  string
	Client   string
	// Name is for people who read the record; empty leaves it out.
	Name string
}

func (p Party) reference() fields {
	out := fields{}
	if !p.Resource.IsZero() {
		out["reference"] = p.Resource.String()
	}
	switch {
	case p.Account != "":
		out["identifier"] = fields{"system": SystemAccount, "value": p.Account}
	case p.Client != "":
		out["identifier"] = fields{"system": SystemClient, "value": p.Client}
	case p.Resource.IsZero():
		out["type"], out["display"] = "Device", "Mandate"
	}
	if p.Name != "" {
		out["display"] = p.Name
	}
	return out
}

func concept(system, code string) fields {
	return fields{"coding": []fields{{"system": system, "code": code}}}
}

func link(ref string) fields { return fields{"reference": ref} }

// restricted marks a record as restricted: it tells who decides for whom (CN-01).
func restricted() fields {
	return fields{"security": []fields{{"system": fhir.SystemConfidentiality, "code": "R"}}}
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// made gives the record of a document that this package wrote.
func made(id, patient string, doc fields) (Record, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return Record{}, err
	}
	out, _, err := parse(raw)
	if err != nil {
		return Record{}, err
	}
	out.ID, out.JSON = id, raw
	if out.Patient == "" {
		out.Patient = patient
	}
	return out, nil
}
