package sandbox_test

import (
	"slices"
	"strings"
	"testing"
)

// compartments lists, from R4's CompartmentDefinition/patient, the parameters
// of the types that granular scopes and proxies meet most.
var compartments = map[string]string{
	"AllergyIntolerance": "asserter patient recorder",
	"Appointment":        "actor",
	"Communication":      "recipient sender subject",
	"Coverage":           "beneficiary payor policy-holder subscriber",
	"Encounter":          "patient",
	"Group":              "member",
	"MedicationRequest":  "subject",
	"Observation":        "performer subject",
	"Patient":            "link",
	"Provenance":         "patient",
}

// SMART CMP-01, CMP-04 to CMP-08: each compartment parameter leads into the
// compartment.
func TestPatientCompartmentHoldsByEachParameter(t *testing.T) {
	element := map[string]string{
		"asserter": `"asserter":R`, "patient": `"patient":R`, "recorder": `"recorder":R`, "actor": `"participant":[{"actor":R}]`,
		"recipient": `"recipient":[R]`, "sender": `"sender":R`, "subject": `"subject":R`, "beneficiary": `"beneficiary":R`,
		"payor": `"payor":[R]`, "policy-holder": `"policyHolder":R`, "subscriber": `"subscriber":R`,
		"member": `"member":[{"entity":R}]`, "performer": `"performer":[R]`, "link": `"link":[{"other":R}]`,
	}
	special := map[string]string{"Encounter": `"subject":R`, "Provenance": `"target":[R]`}
	for typ, params := range compartments {
		for name := range strings.SplitSeq(params, " ") {
			text := element[name]
			if s := special[typ]; s != "" {
				text = s
			}
			w := start(t, nil)
			w.do("PUT", "/"+typ+"/x", `{"resourceType":"`+typ+`","id":"x",`+strings.ReplaceAll(text, "R", `{"reference":"Patient/rosa"}`)+`}`).want(201)
			w.finds("/Patient/rosa/"+typ, typ+"/x")
			w.finds("/"+typ+"?"+name+"=Patient/rosa", typ+"/x")
			w.finds("/Patient/ines/" + typ)
		}
	}
}

// Every type that the CapabilityStatement lists can be stored, read, searched
// and deleted, and every parameter that it lists is accepted.
func TestEveryListedTypeAndParameterWorks(t *testing.T) {
	w := start(t, nil)
	value := map[string]string{"date": "2026", "number": "1", "quantity": "1", "reference": "Patient/x", "string": "x", "token": "x", "uri": "urn:x"}
	statement := w.get("/metadata").want(200)
	listed, _ := statement.at("rest", 0, "resource").([]any)
	for i := range listed {
		typ := statement.text("rest", 0, "resource", i, "type")
		w.do("PUT", "/"+typ+"/x", `{"resourceType":"`+typ+`","id":"x"}`).want(201)
		w.get("/" + typ + "/x/_history/1").want(200)
		w.finds("/"+typ+"?_id=x", typ+"/x")
		params, _ := statement.at("rest", 0, "resource", i, "searchParam").([]any)
		var names []string
		for j := range params {
			name, kind := statement.text("rest", 0, "resource", i, "searchParam", j, "name"), statement.text("rest", 0, "resource", i, "searchParam", j, "type")
			w.get("/"+typ+"?"+name+"="+value[kind], "Prefer: handling=strict").want(200)
			names = append(names, name)
		}
		includes, _ := statement.at("rest", 0, "resource", i, "searchInclude").([]any)
		for _, in := range includes {
			w.get("/"+typ+"?_include="+in.(string), "Prefer: handling=strict").want(200)
		}
		if slices.Sort(names); len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s lists a parameter twice: %v", typ, names)
		}
		w.do("DELETE", "/"+typ+"/x", "").want(204)
	}
}

// The search parameters that the US Core server capability statement demands
// for the types of the record set.
func TestUSCoreParametersAreListed(t *testing.T) {
	w := start(t, nil)
	for typ, params := range map[string]string{
		"AllergyIntolerance":    "clinical-status patient",
		"CarePlan":              "category date patient status",
		"CareTeam":              "patient role status",
		"Condition":             "abatement-date asserted-date category clinical-status code encounter onset-date patient recorded-date",
		"Coverage":              "patient",
		"Device":                "patient status type",
		"DiagnosticReport":      "category code date patient status",
		"DocumentReference":     "_id category date patient period status type",
		"Encounter":             "_id _lastUpdated class date discharge-disposition identifier location patient status type",
		"Goal":                  "description lifecycle-status patient target-date",
		"Immunization":          "date patient status",
		"Location":              "address address-city address-postalcode address-state name",
		"MedicationDispense":    "patient status type",
		"MedicationRequest":     "authoredon encounter intent patient status",
		"Observation":           "_lastUpdated category code date patient status",
		"Organization":          "address name",
		"Patient":               "_id birthdate death-date ethnicity family gender given identifier name race",
		"Practitioner":          "_id identifier name",
		"PractitionerRole":      "practitioner specialty",
		"Procedure":             "code date patient status",
		"QuestionnaireResponse": "_id authored patient questionnaire status",
		"RelatedPerson":         "_id name patient",
		"ServiceRequest":        "_id authored category code patient status",
		"Specimen":              "_id patient",
	} {
		for name := range strings.SplitSeq(params, " ") {
			w.get("/"+typ+"?"+name+":missing=true", "Prefer: handling=strict").want(200)
		}
	}
}
