package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// Canonicals of the Consent that records an app approval.
const (
	approvalPolicy    = "https://mandate.example/policy/app-approval/1"
	systemClient      = fhir.Canonical + "/NamingSystem/oauth-client"
	extensionScope    = fhir.Canonical + "/StructureDefinition/approved-scope"
	systemConsentKind = fhir.Canonical + "/CodeSystem/consent-kind"
	codeAppApproval   = "app-approval"
)

// Approval is what a person agreed to on the consent screen.
type Approval struct {
	// ID is the logical id of the Consent to be.
	ID string
	// Patient is the logical id of the patient, "" when the app works for a
	// clinician on many patients.
	Patient string
	// Performer is who agreed, in the acting capacity of the grant.
	Performer    fhir.Reference
	ClientID     string
	ClientName   string
	Organization fhir.Reference
	// Scopes are the granted scopes as they go on the wire.
	Scopes []string
	// At is when it was agreed, End when it ends; a zero End is open.
	At, End time.Time
}

// DeviceID gives the logical id of the Device that stands for a client: its
// client_id where that is a FHIR id, else a digest of it.
func DeviceID(clientID string) string {
	if fhir.ValidID(clientID) {
		return clientID
	}
	sum := sha256.Sum256([]byte(clientID))
	return "client-" + hex.EncodeToString(sum[:16])
}

// Record gives the record of the FHIR R4 Consent that tells of an approval, in
// its first version. Its actor is the app as a Device, so that it is never taken
// for a permission of a person (D14, SC-20). It is written with each connection
// of an app and not read again: what NewRecord would find in it is known. Errors:
// errs.Invalid when an identifier is missing.
func (a Approval) Record(tenant string) (Record, error) {
	if !fhir.ValidID(a.ID) || a.ClientID == "" || a.Performer.IsZero() || a.At.IsZero() {
		return Record{}, errs.New(errs.Invalid, "approval-incomplete", "An approval needs id, client, performer and time.")
	}
	return Record{
		Tenant: tenant, ID: a.ID, Version: 1, Patient: a.Patient, Status: "active", Kind: KindAppApproval,
		Actors: []fhir.Reference{{Type: "Device", ID: DeviceID(a.ClientID)}}, JSON: a.json(), Updated: a.At.UTC(),
	}, nil
}

// json writes the resource. Its members stand in the order of the alphabet, as
// in the words with which the store makes it short.
func (a Approval) json() []byte {
	scope := "patient-privacy"
	if a.Performer.Type == "Practitioner" || a.Performer.Type == "PractitionerRole" {
		scope = "treatment"
	}
	w := writer{b: make([]byte, 0, 2048+128*len(a.Scopes))}
	w.concept(`{"category":[`, systemLOINC, "59284-0").concept(`,`, systemConsentKind, codeAppApproval)
	w.text(`],"dateTime":`, stampTime(a.At))
	for i, s := range a.Scopes {
		w.add([]string{`,"extension":[`, `,`}[min(i, 1)]).text(`{"url":`, extensionScope).text(`,"valueString":`, s).add(`}`)
	}
	if len(a.Scopes) > 0 {
		w.add(`]`)
	}
	w.text(`,"id":`, a.ID).text(`,"meta":{"lastUpdated":`, a.At.UTC().Format(metaTime))
	w.text(`,"security":[{"code":"R","system":`, fhir.SystemConfidentiality).add(`}],"versionId":"1"}`)
	if !a.Organization.IsZero() {
		w.text(`,"organization":[{"reference":`, a.Organization.String()).add(`}]`)
	}
	if a.Patient != "" {
		w.text(`,"patient":{"reference":`, "Patient/"+a.Patient).add(`}`)
	}
	w.text(`,"performer":[{"reference":`, a.Performer.String()).text(`}],"policy":[{"uri":`, approvalPolicy)
	w.concept(`}],"policyRule":`, fhir.SystemActCode, "OPTIN").add(`,"provision":{"actor":[{"reference":{`)
	if a.ClientName != "" {
		w.text(`"display":`, a.ClientName).add(`,`)
	}
	w.text(`"identifier":{"system":`, systemClient).text(`,"value":`, a.ClientID)
	w.text(`},"reference":`, "Device/"+DeviceID(a.ClientID)).concept(`},"role":`, fhir.SystemParticipationType, "IRCP")
	w.add(`}],"period":{`)
	if !a.End.IsZero() {
		w.text(`"end":`, stampTime(a.End)).add(`,`)
	}
	w.text(`"start":`, stampTime(a.At)).concept(`},"type":"permit"},"resourceType":"Consent","scope":`, systemConsentScope, scope)
	return w.add(`,"status":"active"}`).b
}

// metaTime is the form of meta.lastUpdated.
const metaTime = "2006-01-02T15:04:05.000Z"

// writer puts JSON together.
type writer struct{ b []byte }

func (w *writer) add(raw string) *writer {
	w.b = append(w.b, raw...)
	return w
}

// text adds raw JSON and a string behind it.
func (w *writer) text(raw, s string) *writer {
	w.b = view.AppendQuoted(append(w.b, raw...), s)
	return w
}

// concept adds raw JSON and a CodeableConcept behind it.
func (w *writer) concept(raw, system, code string) *writer {
	return w.add(raw).text(`{"coding":[{"code":`, code).text(`,"system":`, system).add(`}]}`)
}

func stampTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
