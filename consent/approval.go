package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
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

type object = map[string]any

func concept(system, code string) object {
	return object{"coding": []object{{"system": system, "code": code}}}
}

// AppApproval gives the FHIR R4 Consent that records an approval. Its
// actor is the app as a Device, so that it is never taken for a permission of
// a person (D14, SC-20). Errors: errs.Invalid when an identifier is missing.
func AppApproval(a Approval) ([]byte, error) {
	if !fhir.ValidID(a.ID) || a.ClientID == "" || a.Performer.IsZero() || a.At.IsZero() {
		return nil, errs.New(errs.Invalid, "approval-incomplete", "An approval needs id, client, performer and time.")
	}
	scope := "patient-privacy"
	if a.Performer.Type == "Practitioner" || a.Performer.Type == "PractitionerRole" {
		scope = "treatment"
	}
	device := object{
		"reference":  "Device/" + DeviceID(a.ClientID),
		"identifier": object{"system": systemClient, "value": a.ClientID},
	}
	if a.ClientName != "" {
		device["display"] = a.ClientName
	}
	period := object{"start": stampTime(a.At)}
	if !a.End.IsZero() {
		period["end"] = stampTime(a.End)
	}
	c := object{
		"resourceType": "Consent",
		"id":           a.ID,
		"meta":         object{"security": []object{{"system": fhir.SystemConfidentiality, "code": "R"}}},
		"status":       "active",
		"scope":        concept(systemConsentScope, scope),
		"category":     []object{concept(systemLOINC, "59284-0"), concept(systemConsentKind, codeAppApproval)},
		"dateTime":     stampTime(a.At),
		"performer":    []object{{"reference": a.Performer.String()}},
		"policy":       []object{{"uri": approvalPolicy}},
		"policyRule":   concept(fhir.SystemActCode, "OPTIN"),
		"provision": object{
			"type":   "permit",
			"period": period,
			"actor":  []object{{"role": concept(fhir.SystemParticipationType, "IRCP"), "reference": device}},
		},
	}
	if a.Patient != "" {
		c["patient"] = object{"reference": "Patient/" + a.Patient}
	}
	if !a.Organization.IsZero() {
		c["organization"] = []object{{"reference": a.Organization.String()}}
	}
	if len(a.Scopes) > 0 {
		var scopes []object
		for _, s := range a.Scopes {
			scopes = append(scopes, object{"url": extensionScope, "valueString": s})
		}
		c["extension"] = scopes
	}
	return json.Marshal(c)
}

func stampTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
