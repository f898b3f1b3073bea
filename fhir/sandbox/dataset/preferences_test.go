package dataset

import (
	"strings"
	"testing"
)

// US Core 7: what somebody wishes is on record, in words and as a code, in a
// category of its own, and so are mean blood pressures.
func TestPreferencesAndMeans(t *testing.T) {
	found := map[string]int{}
	for _, r := range Generate(testDay) {
		if r.Type != "Observation" || !strings.HasPrefix(r.ID, "rosa-") {
			continue
		}
		text := string(r.JSON)
		for _, mark := range []string{
			`us-core-category","code":"treatment-intervention-preference"`, `us-core-category","code":"care-experience-preference"`,
			`StructureDefinition/us-core-average-blood-pressure`, `"effectivePeriod":{"start":"`,
		} {
			if strings.Contains(text, mark) {
				found[mark]++
			}
		}
		if strings.Contains(text, "preference") && strings.Contains(text, `"valueString"`) == strings.Contains(text, `"valueCodeableConcept"`) {
			t.Errorf("%s has no single value", r.ID)
		}
	}
	if len(found) != 4 {
		t.Errorf("%v", found)
	}
	for mark, n := range found {
		if n != 2 {
			t.Errorf("%d with %s", n, mark)
		}
	}
}
