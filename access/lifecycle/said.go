package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
)

// Entry is one entry of a record as a list tells it.
type Entry struct {
	Ref fhir.Reference
	// Title and Detail are in the words of the record; empty where it has none.
	Title, Detail string
	// Date is the day it is about (UTC).
	Date time.Time
	// Kept: the patient keeps it from everybody who helps.
	Kept bool
	// Private: people are asked about it apart, because of a label or a topic.
	Private bool
}

// entryOf reads what a list tells of a resource.
func entryOf(raw []byte, r *fhir.Resource) Entry {
	e := Entry{Ref: fhir.Reference{Type: r.Type, ID: r.ID}, Date: r.LastUpdated}
	for _, name := range []string{consent.ClinicalDate(r.Type), "date", "onset-date", "period"} {
		if d := r.Dates[name]; len(d) > 0 && !d[0].Start.IsZero() {
			e.Date = d[0].Start
			break
		}
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return e
	}
	for _, name := range []string{"code", "medicationCodeableConcept", "vaccineCode", "title", "description", "type", "relationship", "category"} {
		if e.Title = spoken(m[name]); e.Title != "" {
			break
		}
	}
	for _, name := range []string{"valueQuantity", "valueCodeableConcept", "valueString", "dosageInstruction", "dosage", "conclusion", "reaction"} {
		if e.Detail = spoken(m[name]); e.Detail != "" {
			break
		}
	}
	if e.Detail == e.Title {
		e.Detail = ""
	}
	return e
}

// spoken gives the words of a string, a CodeableConcept, a Quantity, a Dosage or
// the first of a list of them; "" for anything without words.
func spoken(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return strings.TrimSpace(text)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		if len(list) == 0 {
			return ""
		}
		return spoken(list[0])
	}
	var v struct {
		Text   string
		Coding []struct{ Display string }
		Value  *float64
		Unit   string
	}
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch {
	case v.Text != "":
		return v.Text
	case v.Value != nil:
		return strings.TrimSpace(strconv.FormatFloat(*v.Value, 'f', -1, 64) + " " + v.Unit)
	}
	for _, c := range v.Coding {
		if c.Display != "" {
			return c.Display
		}
	}
	return ""
}
