package dataset

import (
	"strings"
	"testing"
)

// US Core 7: what its profiles must be able to show is in Rosa's chart, where
// a test kit with her token looks for it.
func TestMustSupportShapes(t *testing.T) {
	want := map[string][]string{
		"Procedure":             {`"performedDateTime":`, `"performedPeriod":`},
		"ServiceRequest":        {`"occurrenceDateTime":`, `"occurrencePeriod":`},
		"QuestionnaireResponse": {`"_questionnaire":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/display"`, `"author":{"reference":"Practitioner/`, `"answer":[{"valueDecimal":3,"item":[`, `"answer":[{"valueCoding":`},
		"Observation":           {`"valueBoolean":true`, `"code":"disability-status"`, `"unit":"pack-years"`, `"valueString":"Sinus`, `"valueString":"Tired`},
		"MedicationRequest":     {`us-core-medication-adherence","extension":[{"url":"medicationAdherence"`},
		"DiagnosticReport":      {`"media":[{"link":{"reference":"Media/rosa-`},
		"Goal":                  {`"description":{"coding":[`},
	}
	seen := map[string]bool{}
	for _, r := range Generate(testDay) {
		for _, mark := range want[r.Type] {
			if strings.HasPrefix(r.ID, "rosa-") && strings.Contains(string(r.JSON), mark) {
				seen[r.Type+mark] = true
			}
		}
	}
	for typ, marks := range want {
		for _, mark := range marks {
			if !seen[typ+mark] {
				t.Errorf("no %s with %s", typ, mark)
			}
		}
	}
}
