package matter

import (
	"bytes"
	_ "embed" // grounds are data
	"encoding/json"
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
)

//go:embed grounds.json
var grounds []byte

// Ground is one reason that the law knows for keeping something from somebody who
// stands in the patient's shoes (IB-01).
type Ground struct {
	// ID is stable; Cite and Text say where the law has it, in English.
	ID   string `json:"id"`
	Cite string `json:"cite"`
	Text string `json:"text"`
	// Ends: it holds for a time only and is looked at again (IB-02).
	Ends bool `json:"ends,omitempty"`
}

// Grounds lists all of them. Errors: errs.Internal when the data is broken, which the
// tests rule out.
func Grounds() ([]Ground, error) {
	var out []Ground
	d := json.NewDecoder(bytes.NewReader(grounds))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return nil, errs.Wrap(err, errs.Internal, "grounds-broken", "The grounds cannot be read.")
	}
	return out, nil
}

// Known reports whether there is such a ground.
func Known(id string) bool {
	list, err := Grounds()
	return err == nil && slices.ContainsFunc(list, func(g Ground) bool { return g.ID == id })
}
