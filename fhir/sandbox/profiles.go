package sandbox

// structures is the base of the US Core profiles.
const structures = "http://hl7.org/fhir/us/core/StructureDefinition/"

// profiles lists, by type, the US Core profiles (3.1.1 to 7.0.0) that the
// synthetic data is made for. A client reads from it what it can expect.
var profiles = map[string][]string{
	"AllergyIntolerance": {"us-core-allergyintolerance"},
	"CarePlan":           {"us-core-careplan"},
	"CareTeam":           {"us-core-careteam"},
	"Condition":          {"us-core-condition", "us-core-condition-encounter-diagnosis", "us-core-condition-problems-health-concerns"},
	"Coverage":           {"us-core-coverage"},
	"Device":             {"us-core-implantable-device"},
	"DiagnosticReport":   {"us-core-diagnosticreport-lab", "us-core-diagnosticreport-note"},
	"DocumentReference":  {"us-core-documentreference"},
	"Encounter":          {"us-core-encounter"},
	"Goal":               {"us-core-goal"},
	"Immunization":       {"us-core-immunization"},
	"Location":           {"us-core-location"},
	"Medication":         {"us-core-medication"},
	"MedicationDispense": {"us-core-medicationdispense"},
	"MedicationRequest":  {"us-core-medicationrequest"},
	"Observation": {
		"head-occipital-frontal-circumference-percentile", "pediatric-bmi-for-age", "pediatric-weight-for-height",
		"us-core-average-blood-pressure", "us-core-blood-pressure", "us-core-bmi", "us-core-body-height",
		"us-core-body-temperature", "us-core-body-weight", "us-core-care-experience-preference",
		"us-core-head-circumference", "us-core-heart-rate", "us-core-observation-clinical-result",
		"us-core-observation-lab", "us-core-observation-occupation", "us-core-observation-pregnancyintent",
		"us-core-observation-pregnancystatus", "us-core-observation-screening-assessment",
		"us-core-observation-sexual-orientation", "us-core-pulse-oximetry", "us-core-respiratory-rate",
		"us-core-simple-observation", "us-core-smokingstatus", "us-core-treatment-intervention-preference",
		"us-core-vital-signs",
	},
	"Organization":          {"us-core-organization"},
	"Patient":               {"us-core-patient"},
	"Practitioner":          {"us-core-practitioner"},
	"PractitionerRole":      {"us-core-practitionerrole"},
	"Procedure":             {"us-core-procedure"},
	"Provenance":            {"us-core-provenance"},
	"QuestionnaireResponse": {"us-core-questionnaireresponse"},
	"RelatedPerson":         {"us-core-relatedperson"},
	"ServiceRequest":        {"us-core-servicerequest"},
	"Specimen":              {"us-core-specimen"},
}

// supportedProfiles gives the canonical addresses for a type.
func supportedProfiles(typ string) []string {
	var out []string
	for _, name := range profiles[typ] {
		out = append(out, structures+name)
	}
	return out
}
