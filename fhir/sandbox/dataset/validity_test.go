package dataset

import (
	"testing"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
)

// Every resource parses and validates as FHIR R4: cardinality, reference
// types, required codes, dates (decision D6).
func TestEveryResourceIsValidR4(t *testing.T) {
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		t.Fatal(err)
	}
	u.MaxNestingDepth = 32
	faults := 0
	for _, r := range everything(testDay) {
		if _, err := u.Unmarshal(r.JSON); err != nil {
			t.Errorf("%s/%s: %v\n%s", r.Type, r.ID, err, r.JSON)
			if faults++; faults == 12 {
				t.Fatal("and more")
			}
		}
	}
}
