package preview_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// record holds resources by type and remembers what was asked.
type record struct {
	byType map[string][]string
	asked  []string
	down   bool
}

func (r *record) Search(_ context.Context, typ string, params url.Values, each func([]byte) error) error {
	if r.down {
		return errs.New(errs.Upstream, "down", "down")
	}
	r.asked = append(r.asked, typ+"?"+params.Encode())
	for _, raw := range r.byType[typ] {
		if err := each([]byte(raw)); err != nil {
			return err
		}
	}
	return nil
}

func observation(id, category, labels string) string {
	return `{"resourceType":"Observation","id":"` + id + `","meta":{"security":[` + labels + `]},"category":[{"coding":[{"system":"c","code":"` + category + `"}]}],"subject":{"reference":"Patient/rosa"}}`
}

// The numbers on the consent page are those of the production decision: what
// it would refuse does not count, what needs a tick counts apart.
func TestCount(t *testing.T) {
	label := func(code string) string {
		return `{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + code + `"}`
	}
	rec := &record{byType: map[string][]string{
		"Observation": {
			observation("a", "lab", ""), observation("b", "lab", ""), observation("c", "vital", ""),
			observation("d", "lab", label("HIV")), observation("e", "lab", label("HIV")+","+label("ETH")), observation("f", "lab", label("PSYTHPN")),
			strings.Replace(observation("g", "lab", ""), "Patient/rosa", "Patient/ines", 1), `{"broken`,
			`{"resourceType":"Observation","id":"h","contained":[{"resourceType":"Medication","meta":{"security":[` + label("HIV") + `]}}],"subject":{"reference":"Patient/rosa"}}`,
		},
		"Patient": {`{"resourceType":"Patient","id":"rosa"}`},
	}}
	req, err := scope.Parse("patient/Observation.rs patient/Patient.r", scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in := access.Input{Now: time.Now(), Grant: access.GrantView{Patient: "rosa", Scopes: req.Clinical,
		Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Patient: "rosa", Acting: fhir.Reference{Type: "Patient", ID: "rosa"}}}}
	c, err := preview.Count(t.Context(), rec, in, []string{"Observation", "Patient", "Condition", "Practitioner"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Ordinary["Observation"] != 3 || c.Ordinary["Patient"] != 1 || c.Ordinary["Condition"] != 0 {
		t.Errorf("%v", c.Ordinary)
	}
	if c.Categories["Observation"][fhir.Coding{System: "c", Code: "lab"}] != 2 || c.Topics[access.TopicHIV] != 3 || c.Topics[access.TopicSubstanceUse] != 1 || c.Topics[access.TopicMentalHealth] != 0 {
		t.Errorf("%v %v", c.Categories, c.Topics)
	}
	for _, asked := range rec.asked {
		if strings.HasPrefix(asked, "Practitioner") || !strings.Contains(asked, "rosa") {
			t.Errorf("asked %s", asked)
		}
	}
	rec.down = true
	if _, err := preview.Count(t.Context(), rec, in, []string{"Observation"}); !errs.Is(err, errs.Upstream) {
		t.Error(err)
	}
}
