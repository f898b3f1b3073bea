package access_test

import (
	"fmt"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
)

// A resource server of its own decides as Mandate's FHIR base does: first about
// the request, then about each resource of the answer. Nothing is loaded: what a
// decision depends on is in its input.
func Example() {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	// An app for which Rosa ticked her laboratory results, and no sensitive topic.
	const icd = "http://hl7.org/fhir/sid/icd-10-cm"
	sets := access.NewLabelling("1", []access.LabelSet{{
		Name: "family-conflict", Codes: []fhir.Coding{{System: icd, Code: "Z63.8"}}, Labels: []fhir.Coding{{System: fhir.SystemActCode, Code: "PSY"}},
	}})
	asked, err := scope.Parse("launch/patient patient/Observation.rs?category=laboratory patient/Condition.rs", scope.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in := access.Input{
		Grant: access.GrantView{
			Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa"},
			Patient:  "rosa",
			Scopes:   asked.Clinical,
			Ends:     now.Add(time.Hour),
		},
		Now: now, Labelling: sets,
	}

	// May the search run, and to what does it come down?
	search := in
	search.Request = &rest.Request{Interaction: rest.SearchType, Type: "Observation"}
	d := access.Decide(search)
	fmt.Println("search:", d.Allow, d.Rewrite[0][0].Name, d.Rewrite[0][0].Values, "each again:", d.Filter)

	// May this one leave?
	for _, text := range []string{
		`{"resourceType":"Observation","id":"lab","subject":{"reference":"Patient/rosa"},"category":[{"coding":[{"code":"laboratory"}]}]}`,
		`{"resourceType":"Observation","id":"pulse","subject":{"reference":"Patient/rosa"},"category":[{"coding":[{"code":"vital-signs"}]}]}`,
		`{"resourceType":"Observation","id":"theirs","subject":{"reference":"Patient/ines"},"category":[{"coding":[{"code":"laboratory"}]}]}`,
		`{"resourceType":"Condition","id":"quarrel","subject":{"reference":"Patient/rosa"},"code":{"coding":[{"system":"` + icd + `","code":"Z63.8"}]}}`,
	} {
		res, err := view.Scan([]byte(text))
		if err != nil {
			fmt.Println(err)
			return
		}
		one := in
		one.Resource, one.Op = &res, scope.Search
		d := access.Decide(one)
		fmt.Println(res.ID+":", d.Allow, d.Reasons[0].Rule, d.Reasons[0].Code, d.Obligations)
	}
	// Output:
	// search: true patient [Patient/rosa] each again: true
	// lab: true scope scope [strip-labels]
	// pulse: false scope outside-scope []
	// theirs: false compartment outside-compartment []
	// quarrel: false label topic-not-shared []
}
