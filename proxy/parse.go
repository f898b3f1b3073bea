package proxy

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// relatedJSON is what the room reads from a RelatedPerson.
type relatedJSON struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Active       *bool  `json:"active"`
	Patient      struct {
		Reference string `json:"reference"`
	} `json:"patient"`
	Relationship []struct {
		Coding []fhir.Coding `json:"coding"`
	} `json:"relationship"`
	Period struct {
		Start string `json:"start"`
		End   string `json:"end"`
	} `json:"period"`
}

// Parse reads the columns from a RelatedPerson resource; JSON, version and
// time are the caller's. Dates without a zone mean days in the zone given.
// Errors: errs.Invalid naming the element: no RelatedPerson, no local patient
// (RP-02), active not said (RP-01), a period that cannot be read (RP-04).
func Parse(raw []byte, zone *time.Location) (RelatedPerson, error) {
	// Repeated members would let two readers see two relations.
	if _, err := view.Scan(raw); err != nil {
		return RelatedPerson{}, err
	}
	var in relatedJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return RelatedPerson{}, errs.Wrap(err, errs.Invalid, "relatedperson-malformed", "The resource is not a RelatedPerson.")
	}
	if in.ResourceType != "RelatedPerson" {
		return RelatedPerson{}, fault("RelatedPerson.resourceType", "must be RelatedPerson")
	}
	patient, ok := fhir.ParseReference(in.Patient.Reference)
	if !ok || patient.Type != "Patient" {
		return RelatedPerson{}, fault("RelatedPerson.patient", "must name a patient of this server")
	}
	if in.Active == nil {
		return RelatedPerson{}, fault("RelatedPerson.active", "must be said")
	}
	out := RelatedPerson{ID: in.ID, Patient: patient.ID, Active: *in.Active}
	if out.Period, ok = period(in.Period.Start, in.Period.End, zone); !ok {
		return RelatedPerson{}, fault("RelatedPerson.period", "must be a start and an end in this order")
	}
	for _, r := range in.Relationship {
		out.Relationship = append(out.Relationship, r.Coding...)
	}
	return out, nil
}

func fault(path, text string) error {
	return errs.New(errs.Invalid, "relatedperson-invalid", path+" "+text+".")
}

// period reads both bounds; the end is the last instant that its precision
// stands for.
func period(start, end string, zone *time.Location) (p fhir.Period, ok bool) {
	if start != "" {
		first, ok := instantIn(start, zone)
		if !ok {
			return fhir.Period{}, false
		}
		p.Start = first.Start
	}
	if end != "" {
		last, ok := instantIn(end, zone)
		if !ok {
			return fhir.Period{}, false
		}
		p.End = last.End
	}
	return p, p.Start.IsZero() || p.End.IsZero() || !p.End.Before(p.Start)
}

// instantIn reads a FHIR date as a range, a date without a time as one in the
// zone.
func instantIn(s string, zone *time.Location) (fhir.Period, bool) {
	p, ok := fhir.ParseDate(s)
	if !ok || len(s) > len("2006-01-02") || zone == nil {
		return p, ok
	}
	return fhir.InZone(p, zone), true
}
