package view_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/view"
)

// GW-08: a reference goes with what it leaves behind.
func TestWithhold(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"nothing to drop":             {`{"resourceType":"List", "id":"l","entry":[{"item":{"reference":"Condition/a"}}]}`, `{"resourceType":"List", "id":"l","entry":[{"item":{"reference":"Condition/a"}}]}`},
		"an entry":                    {`{"resourceType":"List","text":{"div":"both"},"note":[{"text":"both"}],"entry":[{"item":{"reference":"Condition/a"}},{"date":"2020","item":{"reference":"Condition/x","display":"HIV"}}]}`, `{"resourceType":"List","entry":[{"item":{"reference":"Condition/a"}}]}`},
		"the last of a list":          {`{"resourceType":"DiagnosticReport","status":"final","result":[{"reference":"Observation/x"}],"conclusion":"HIV","presentedForm":[{"data":"AA=="}]}`, `{"resourceType":"DiagnosticReport","status":"final"}`},
		"a single element":            {`{"resourceType":"Observation","encounter":{"reference":"Encounter/x","display":"ward"},"status":"final"}`, `{"resourceType":"Observation","status":"final"}`},
		"a holder":                    {`{"resourceType":"Encounter","diagnosis":[{"condition":{"reference":"Condition/x"},"rank":1},{"condition":{"reference":"Condition/a"}}]}`, `{"resourceType":"Encounter","diagnosis":[{"condition":{"reference":"Condition/a"}}]}`},
		"an extension":                {`{"resourceType":"Observation","extension":[{"url":"http://e","valueReference":{"reference":"Condition/x"}}],"status":"final"}`, `{"resourceType":"Observation","status":"final"}`},
		"an escaped one":              {`{"resourceType":"Observation","encounter":{"reference":"Encounter\/x"},"status":"final"}`, `{"resourceType":"Observation","status":"final"}`},
		"a contained one":             {`{"resourceType":"Observation","text":{"div":"x"},"contained":[{"resourceType":"Condition","text":{"div":"x"},"encounter":{"reference":"Encounter/x"},"id":"c"}]}`, `{"resourceType":"Observation","contained":[{"resourceType":"Condition","id":"c"}]}`},
		"a section":                   {`{"resourceType":"Composition","title":"t","section":[{"title":"HIV","text":{"div":"HIV"},"entry":[{"reference":"Condition/x"}]},{"title":"Rest","text":{"div":"r"},"entry":[{"reference":"Condition/a"}]}]}`, `{"resourceType":"Composition","title":"t","section":[{"title":"Rest","text":{"div":"r"},"entry":[{"reference":"Condition/a"}]}]}`},
		"a section of others":         {`{"resourceType":"Composition","section":[{"title":"O","text":{"div":"tells"},"section":[{"title":"HIV","entry":[{"reference":"Condition/x"}]},{"title":"R","entry":[{"reference":"Condition/a"}]}]}]}`, `{"resourceType":"Composition","section":[{"title":"O","section":[{"title":"R","entry":[{"reference":"Condition/a"}]}]}]}`},
		"what cannot be without":      {`{"resourceType":"MedicationRequest","status":"active","medicationReference":{"reference":"Medication/x"}}`, ``},
		"a contained one that cannot": {`{"resourceType":"CarePlan","id":"c","contained":[{"resourceType":"MedicationRequest","id":"m","medicationReference":{"reference":"Medication/x"}}]}`, `{"resourceType":"CarePlan","id":"c"}`},
	} {
		var asked []string
		out, err := view.Withhold([]byte(c.in), func(ref string, _ bool) bool {
			asked = append(asked, ref)
			return strings.HasSuffix(ref, "/x")
		})
		if err != nil || string(out) != c.out {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, c.out)
		}
		var found []string
		view.Mentions([]byte(c.in), func(ref []byte) { found = append(found, string(ref)) })
		for _, ref := range asked {
			if !slices.Contains(found, ref) {
				t.Errorf("%s: %s was asked about and not found before", name, ref)
			}
		}
	}
	if _, err := view.Withhold([]byte(`{"resourceType":"List","id":1,"id":2}`), nil); err == nil {
		t.Error("a key twice was read")
	}
}
