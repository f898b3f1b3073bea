package consent

import (
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

const usCore = "http://hl7.org/fhir/us/core/StructureDefinition/"

// classRule is one entry of provision.class: a type, and for a profile the
// categories that make it (CN-22: a profile is a predicate, not meta.profile).
type classRule struct {
	resourceType string
	// categories restrict Tokens["category"] when not empty; any one will do.
	categories []fhir.Coding
}

// compileClasses gives the readable entries; ok is false when one is unknown.
func compileClasses(p Provision) (out []classRule, ok bool) {
	ok = !p.unread.has(dimClass)
	for _, c := range p.Classes {
		rule, known := classOfCoding(c)
		ok = ok && known
		if known {
			out = append(out, rule)
		}
	}
	return out, ok
}

func classOfCoding(c fhir.Coding) (classRule, bool) {
	switch c.System {
	case systemResourceTypes:
		return classRule{resourceType: c.Code}, fhir.ValidType(c.Code)
	case systemURI:
		canonical, _, _ := strings.Cut(c.Code, "|")
		name, found := strings.CutPrefix(canonical, usCore)
		if !found {
			return classRule{}, false
		}
		return profileClass(name)
	}
	return classRule{}, false
}

// profileClass knows the US Core profiles that stand for a category (SC-05).
func profileClass(name string) (classRule, bool) {
	switch name {
	case "us-core-vital-signs":
		return observation("vital-signs"), true
	case "us-core-observation-lab":
		return observation("laboratory"), true
	case "us-core-observation-clinical-result":
		return observation("laboratory", "imaging", "procedure"), true
	case "us-core-simple-observation":
		return observation("social-history", "survey", "exam", "therapy", "activity"), true
	case "us-core-observation-screening-assessment":
		return observation("survey"), true
	case "us-core-smokingstatus", "us-core-observation-sexual-orientation", "us-core-observation-occupation",
		"us-core-observation-pregnancystatus", "us-core-observation-pregnancyintent":
		return observation("social-history"), true
	case "us-core-condition-problems-health-concerns":
		return classRule{"Condition", []fhir.Coding{
			{System: "http://terminology.hl7.org/CodeSystem/condition-category", Code: "problem-list-item"},
			{System: "http://hl7.org/fhir/us/core/CodeSystem/condition-category", Code: "health-concern"},
		}}, true
	case "us-core-condition-encounter-diagnosis":
		return classRule{"Condition", []fhir.Coding{
			{System: "http://terminology.hl7.org/CodeSystem/condition-category", Code: "encounter-diagnosis"},
		}}, true
	case "us-core-diagnosticreport-lab":
		return classRule{"DiagnosticReport", []fhir.Coding{
			{System: "http://terminology.hl7.org/CodeSystem/v2-0074", Code: "LAB"},
		}}, true
	case "us-core-diagnosticreport-note":
		return classRule{"DiagnosticReport", []fhir.Coding{
			{System: systemLOINC, Code: "LP29684-5"},
			{System: systemLOINC, Code: "LP29708-2"},
			{System: systemLOINC, Code: "LP7839-6"},
		}}, true
	case "us-core-documentreference":
		return classRule{"DocumentReference", []fhir.Coding{
			{System: "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", Code: "clinical-note"},
		}}, true
	case "us-core-adi-documentreference":
		return classRule{"DocumentReference", []fhir.Coding{{System: systemLOINC, Code: "42348-3"}}}, true
	}
	return plainProfile(name)
}

func observation(categories ...string) classRule {
	out := classRule{resourceType: "Observation"}
	for _, c := range categories {
		out.categories = append(out.categories, fhir.Coding{System: systemObservationCat, Code: c})
	}
	return out
}

// plainProfile knows the US Core profiles that cover a whole type.
func plainProfile(name string) (classRule, bool) {
	var t string
	switch name {
	case "us-core-allergyintolerance":
		t = "AllergyIntolerance"
	case "us-core-careplan":
		t = "CarePlan"
	case "us-core-careteam":
		t = "CareTeam"
	case "us-core-coverage":
		t = "Coverage"
	case "us-core-implantable-device":
		t = "Device"
	case "us-core-encounter":
		t = "Encounter"
	case "us-core-goal":
		t = "Goal"
	case "us-core-immunization":
		t = "Immunization"
	case "us-core-medication":
		t = "Medication"
	case "us-core-medicationdispense":
		t = "MedicationDispense"
	case "us-core-medicationrequest":
		t = "MedicationRequest"
	case "us-core-patient":
		t = "Patient"
	case "us-core-procedure":
		t = "Procedure"
	case "us-core-servicerequest":
		t = "ServiceRequest"
	case "us-core-specimen":
		t = "Specimen"
	}
	return classRule{resourceType: t}, t != ""
}

func (c *classRule) matches(r *fhir.Resource) bool {
	if c.resourceType != r.Type {
		return false
	}
	if len(c.categories) == 0 {
		return true
	}
	for _, has := range r.Tokens["category"] {
		for _, want := range c.categories {
			if has == want {
				return true
			}
		}
	}
	return false
}
