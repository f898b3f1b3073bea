package consent

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Kind is what a Consent is for Mandate.
type Kind string

// The kinds (EV-03, D14).
const (
	// KindGrant is a privacy Consent that lets somebody in.
	KindGrant Kind = "privacy-grant"
	// KindProhibition is a privacy Consent that keeps somebody out.
	KindProhibition Kind = "prohibition"
	// KindAppApproval records what a person allowed an app (SC-20). It is never
	// an input of the decision for a person.
	KindAppApproval Kind = "app-approval"
	// KindOther is a Consent that is not about privacy: an advance directive,
	// research, treatment.
	KindOther Kind = "other"
)

// Record is one stored version of a FHIR Consent: its exact bytes and the
// columns by which it is found.
type Record struct {
	Tenant string
	// ID is the logical id, Version counts from 1.
	ID      string
	Version int
	// Patient is the logical id of the patient.
	Patient string
	// Status is Consent.status.
	Status string
	Kind   Kind
	// Actors are all local references named as actor at any level.
	Actors []fhir.Reference
	// JSON is the resource as filed, with id and meta.versionId set.
	JSON []byte
	// Updated is when this version was stored, UTC.
	Updated time.Time
}

// Reference gives "Consent/id/_history/version", the form in which audit
// events, decisions and grants name a version.
func (r Record) Reference() string { return versioned(r.ID, r.Version) }
