package proxy

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// RelatedPerson is one version of the record of one human's relation to one
// patient (RS-02). JSON holds the exact FHIR bytes; the other fields are read
// from it when it is stored.
type RelatedPerson struct {
	Tenant  string
	ID      string
	Version int
	// Patient is the logical id of the patient (RP-02).
	Patient string
	// Active is true only when the resource says so explicitly (RP-01).
	Active bool
	// Period bounds the relationship (RP-04).
	Period       fhir.Period
	Relationship []fhir.Coding
	JSON         []byte
	Updated      time.Time
}

// Reference gives RelatedPerson/id.
func (r RelatedPerson) Reference() fhir.Reference {
	return fhir.Reference{Type: "RelatedPerson", ID: r.ID}
}

// InForce reports whether the relation holds at t: active, and in its period.
// It is a hard gate (EV-01): without it no consent counts.
func (r RelatedPerson) InForce(t time.Time) bool { return r.Active && r.Period.Contains(t) }
