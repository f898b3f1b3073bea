package dataset

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/codec"
)

// Resources parse and validate as FHIR R4: cardinality, reference types,
// required codes, dates (decision D6). All that is shared or of the people of
// the examples is read, and a third of the other charts: those repeat the same
// shapes, and the race detector makes parsing ten times slower.
func TestResourcesAreValidR4(t *testing.T) {
	c, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	for i, r := range everything(testDay) {
		if i%3 != 0 && generated(r.ID) {
			continue
		}
		if err := c.ValidateType(r.JSON, r.Type); err != nil {
			t.Errorf("%s/%s: %v\n%s", r.Type, r.ID, err, r.JSON)
			if faults++; faults == 12 {
				t.Fatal("and more")
			}
		}
	}
}

// generated tells the ids of p01 to p39; p40, the infant, has shapes of his own.
func generated(id string) bool {
	for i := range len(patientNames) - 1 {
		if strings.HasPrefix(id, patientID(i)) {
			return true
		}
	}
	return false
}

// FHIR JSON has no empty strings, arrays or objects; google/fhir lets them pass.
func TestNothingIsEmpty(t *testing.T) {
	for _, r := range everything(testDay) {
		for _, empty := range []string{`""`, `[]`, `{}`, `null`} {
			if bytes.Contains(r.JSON, []byte(":"+empty)) {
				t.Errorf("%s/%s contains %s", r.Type, r.ID, empty)
			}
		}
	}
}

// What has happened lies between the birth of the patient and the start day,
// and before a death.
func TestEventsFallIntoTheLifeOfThePatient(t *testing.T) {
	set := Generate(testDay)
	born, died := map[string]time.Time{}, map[string]time.Time{}
	for _, r := range set {
		if r.Type != "Patient" {
			continue
		}
		var p struct {
			BirthDate        string
			DeceasedDateTime time.Time
		}
		if err := json.Unmarshal(r.JSON, &p); err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, p.BirthDate)
		if err != nil {
			t.Fatal(err)
		}
		born["Patient/"+r.ID], died["Patient/"+r.ID] = day, testDay
		if !p.DeceasedDateTime.IsZero() {
			died["Patient/"+r.ID] = p.DeceasedDateTime
		}
	}
	for _, r := range set {
		var x struct {
			Subject                                     struct{ Reference string }
			EffectiveDateTime, Issued, AuthoredOn, Sent time.Time
			OccurrenceDateTime, ReceivedTime            time.Time
		}
		if json.Unmarshal(r.JSON, &x) != nil || x.Subject.Reference == "" {
			continue // a type in which one of these is a date
		}
		for _, at := range []time.Time{x.EffectiveDateTime, x.Issued, x.AuthoredOn, x.Sent, x.OccurrenceDateTime, x.ReceivedTime} {
			if !at.IsZero() && (at.Before(born[x.Subject.Reference]) || at.After(died[x.Subject.Reference])) {
				t.Errorf("%s/%s happened on %s", r.Type, r.ID, at)
			}
		}
	}
}
