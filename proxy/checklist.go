package proxy

import (
	"bytes"
	_ "embed" // checklists are data
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

//go:embed checklists.json
var checklists []byte

// CheckItem is one thing that a verifier looks at.
type CheckItem struct {
	// ID is stable; it is kept with the case and names the words of pages.
	ID string `json:"id"`
	// Required: without it nobody verifies.
	Required bool `json:"required"`
}

// Checklist is what the second pair of eyes goes through for one kind of instrument
// (SP-04, RS-08).
type Checklist struct {
	// Instrument is one of AuthorityKinds.
	Instrument string `json:"instrument"`
	// Months is after how long it is looked at again, unless the paper says less.
	Months int         `json:"review_months"`
	Items  []CheckItem `json:"items"`
}

// Checklists lists those of all kinds. Errors: errs.Internal when the data is broken,
// which the tests rule out.
func Checklists() ([]Checklist, error) {
	var out []Checklist
	d := json.NewDecoder(bytes.NewReader(checklists))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return nil, errs.Wrap(err, errs.Internal, "checklists-broken", "The checklists cannot be read.")
	}
	return out, nil
}

// ChecklistOf gives that of an instrument, the zero one for an unknown kind.
func ChecklistOf(instrument string) Checklist {
	all, _ := Checklists()
	for _, l := range all {
		if l.Instrument == instrument {
			return l
		}
	}
	return Checklist{}
}

// Judge refuses ticks that are not of the list, or leave out what is required.
// Errors: errs.Invalid with code proxy-checklist.
func (l Checklist) Judge(ticked []string) error {
	known := func(id string) bool {
		return slices.ContainsFunc(l.Items, func(i CheckItem) bool { return i.ID == id })
	}
	missing := slices.ContainsFunc(l.Items, func(i CheckItem) bool { return i.Required && !slices.Contains(ticked, i.ID) })
	if missing || len(l.Items) == 0 || slices.ContainsFunc(ticked, func(id string) bool { return !known(id) }) {
		return errs.New(errs.Invalid, "proxy-checklist", "Everything that the checklist asks for must have been seen.")
	}
	return nil
}

// NextReview proposes when the instrument of a case is looked at again: the day that
// was chosen, otherwise that of its kind, and never after the instrument ends.
func (c Case) NextReview(now time.Time) time.Time {
	at := c.Authority.Reviews
	if at.IsZero() {
		at = now.AddDate(0, ChecklistOf(c.Authority.Kind).Months, 0)
	}
	if end := c.Authority.Ends; !end.IsZero() && end.Before(at) {
		return end
	}
	return at
}
