package compartment

import (
	"slices"
	"strings"
	"testing"
)

// membership is the patient compartment as SMART CMP-04 … CMP-08 tell it,
// written by hand and compared with the generated table.
func membership() map[string]string {
	m := map[string]string{}
	add := func(params, types string) {
		for _, typ := range strings.Fields(types) {
			m[typ] = params
		}
	}
	// CMP-04
	add("patient", `AuditEvent BodyStructure ClaimResponse Consent CoverageEligibilityRequest CoverageEligibilityResponse
		DetectedIssue Encounter EpisodeOfCare FamilyMemberHistory Flag Goal ImagingStudy Immunization ImmunizationEvaluation
		ImmunizationRecommendation MeasureReport MolecularSequence NutritionOrder Person Provenance RelatedPerson
		SupplyDelivery VisionPrescription`)
	// CMP-05
	add("subject", `Account AdverseEvent ChargeItem ClinicalImpression DeviceUseStatement DiagnosticReport EnrollmentRequest
		Media MedicationRequest MedicationStatement RiskAssessment Specimen SupplyRequest`)
	for _, line := range strings.Split(strings.TrimSpace(`
AllergyIntolerance: patient recorder asserter
Basic: patient author
CarePlan: patient performer
CareTeam: patient participant
Claim: patient payee
Condition: patient asserter
ExplanationOfBenefit: patient payee
Procedure: patient performer
MedicationAdministration: patient performer subject
Communication: subject sender recipient
CommunicationRequest: subject sender recipient requester
Composition: subject author attester
DeviceRequest: subject performer
DocumentManifest: subject author recipient
DocumentReference: subject author
Invoice: subject patient recipient
List: subject source
MedicationDispense: subject patient receiver
Observation: subject performer
QuestionnaireResponse: subject author
RequestGroup: subject participant
ServiceRequest: subject performer
Appointment: actor
AppointmentResponse: actor
Schedule: actor
Coverage: policy-holder subscriber beneficiary payor
Group: member
Patient: link
ResearchSubject: individual`), "\n") { // CMP-06, CMP-07, CMP-08
		typ, params, _ := strings.Cut(line, ": ")
		add(params, typ)
	}
	return m
}

func sorted(s []string) string {
	s = slices.Clone(s)
	slices.Sort(s)
	return strings.Join(s, " ")
}

func TestMembershipEqualsTheRows(t *testing.T) {
	want := membership()
	if len(Types()) != 145 || len(want) != 66 {
		t.Fatalf("CMP-01: %d types, %d in the compartment", len(Types()), len(want))
	}
	for _, typ := range Types() {
		if got := sorted(Params(typ)); got != sorted(strings.Fields(want[typ])) {
			t.Errorf("%s: %q, want %q", typ, got, want[typ])
		}
		if Member(typ) != (want[typ] != "") {
			t.Errorf("%s: Member is %v", typ, Member(typ))
		}
	}
	// CMP-09
	for _, typ := range strings.Fields(`Binary Bundle CapabilityStatement Contract Device GuidanceResponse HealthcareService
		Location Medication Organization Practitioner PractitionerRole Questionnaire ResearchStudy Substance Subscription Task ValueSet`) {
		if !Known(typ) || Member(typ) {
			t.Errorf("%s is in the compartment or unknown", typ)
		}
	}
	for _, typ := range []string{"", "observation", "Foo", "Resource", "DomainResource", "*"} {
		if Known(typ) || Member(typ) || Params(typ) != nil || AboutParams(typ) != nil {
			t.Errorf("%q is taken for a type", typ)
		}
	}
}

func TestEveryMembershipParameterReadsAnElement(t *testing.T) {
	for _, typ := range Types() {
		for _, name := range append(Params(typ), AboutParams(typ)...) {
			if len(Path(typ, name)) == 0 {
				t.Errorf("%s.%s has no element", typ, name)
			}
		}
	}
}

func TestAboutIsNotMembership(t *testing.T) {
	// SMART CMP-10 … CMP-15
	for typ, want := range map[string]string{
		"Observation": "subject", "Condition": "patient", "AllergyIntolerance": "patient", "Claim": "patient",
		"Coverage": "beneficiary", "Appointment": "actor", "Group": "member", "List": "subject",
		"Communication": "subject", "Patient": "", "Person": "", "Device": "patient", "Task": "patient",
		"Provenance": "patient", "Medication": "", "Practitioner": "", "Contract": "patient",
	} {
		if got := sorted(AboutParams(typ)); got != want {
			t.Errorf("%s: %q, want %q", typ, got, want)
		}
	}
	by := []string{"performer", "author", "recipient", "payee", "policy-holder", "subscriber", "payor", "asserter", "recorder", "participant", "link", "sender", "source", "attester", "receiver"}
	for _, typ := range Types() {
		for _, name := range AboutParams(typ) {
			if slices.Contains(by, name) {
				t.Errorf("%s: %s does not mean about", typ, name)
			}
		}
		if Member(typ) && len(AboutParams(typ)) == 0 && typ != "Patient" && typ != "Person" {
			t.Errorf("%s is in the compartment and about nobody", typ)
		}
	}
	if got := AboutElements("AuditEvent"); len(got) != 1 || got[0].Path != "entity.what" {
		t.Errorf("AuditEvent: %v", got)
	}
	if got := AboutElements("Appointment"); len(got) != 1 || got[0] != (Subject{"participant.actor", true}) {
		t.Errorf("Appointment: %v", got)
	}
}

func TestSearchByPatient(t *testing.T) {
	for typ, want := range map[string]string{
		"Observation": "patient", "Patient": "_id", "Appointment": "actor", "Schedule": "actor", "Coverage": "patient",
		"Group": "member", "Device": "patient", "AdverseEvent": "subject", "ResearchSubject": "patient", "Task": "patient",
		"SupplyRequest": "subject",
		"Provenance":    "", "Person": "", "Binary": "", "Medication": "", "Foo": "",
	} {
		got, ok := SearchByPatient(typ)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", typ, got, ok)
		}
	}
	for _, typ := range Types() {
		name, ok := SearchByPatient(typ)
		if _, found := Find(typ, name); ok && !found && typ != "Patient" {
			t.Errorf("%s: R4 does not define %s", typ, name)
		}
	}
}

func TestSearchParameterElements(t *testing.T) {
	for _, c := range []struct{ typ, name, kind, paths string }{
		// The parameters of US Core's granular scopes and searches.
		{"Observation", "category", "token", "category"},
		{"Observation", "code", "token", "code"},
		{"Observation", "status", "token", "status"},
		{"Observation", "date", "date", "effectiveDateTime effectivePeriod effectiveTiming effectiveInstant"},
		{"Condition", "category", "token", "category"},
		{"Condition", "clinical-status", "token", "clinicalStatus"},
		{"Condition", "onset-date", "date", "onsetDateTime onsetPeriod"},
		{"Condition", "recorded-date", "date", "recordedDate"},
		{"DocumentReference", "type", "token", "type"},
		{"DocumentReference", "period", "date", "context.period"},
		{"DiagnosticReport", "code", "token", "code"},
		{"MedicationRequest", "intent", "token", "intent"},
		{"MedicationRequest", "authoredon", "date", "authoredOn"},
		{"MedicationRequest", "code", "token", "medicationCodeableConcept"},
		{"MedicationRequest", "medication", "reference", "medicationReference"},
		{"Encounter", "class", "token", "class"},
		{"Encounter", "date", "date", "period"},
		{"Goal", "target-date", "date", "target.dueDate"},
		{"Goal", "description", "token", "description"},
		{"CareTeam", "role", "token", "participant.role"},
		{"Procedure", "date", "date", "performedDateTime performedPeriod"},
		{"Provenance", "target", "reference", "target"},
	} {
		p, ok := Find(c.typ, c.name)
		if !ok || string(p.Kind) != c.kind || strings.Join(Path(c.typ, c.name), " ") != c.paths {
			t.Errorf("%s.%s: %v %+v", c.typ, c.name, ok, p)
		}
	}
	// Values and person data are not decided on.
	for _, c := range []string{"Observation value-concept", "Observation combo-code", "Patient identifier", "Patient email", "Patient gender", "Patient name", "Observation _security"} {
		typ, name, _ := strings.Cut(c, " ")
		if _, ok := Find(typ, name); ok {
			t.Errorf("%s is there", c)
		}
	}
	if p, _ := Find("Observation", "patient"); p.Elements[0] != (Element{"subject", "Patient"}) {
		t.Errorf("CMP-14: %+v", p.Elements)
	}
	for i, p := range TokenParams("Observation") {
		if p.Kind != Token || i > 0 && TokenParams("Observation")[i-1].Name >= p.Name {
			t.Errorf("TokenParams: %+v", p)
		}
	}
	if len(ReferenceParams("Observation")) < 8 || len(DateParams("Observation")) != 1 {
		t.Error("parameters are missing")
	}
}

func TestAuthorsAndTargets(t *testing.T) {
	for typ, want := range map[string]string{
		"Observation": "performer", "Condition": "asserter recorder", "Provenance": "agent.who",
		"MedicationRequest": "recorder requester", "Communication": "sender", "Procedure": "asserter performer.actor recorder",
		"Composition": "attester.party author", "Linkage": "", "List": "source",
	} {
		if got := sorted(AuthorElements(typ)); got != want {
			t.Errorf("%s: %q", typ, got)
		}
	}
	if got := TargetElements("DocumentReference"); len(got) != 1 || got[0] != "content.attachment.url" {
		t.Errorf("targets: %v", got)
	}
	for typ := range targetElements {
		if !Known(typ) {
			t.Errorf("%s is not a type", typ)
		}
	}
}

func TestTableIsWellFormed(t *testing.T) {
	for line := range strings.Lines(source) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 || !Known(f[0]) || f[1] == "type" && f[2] != "" || f[1] != "type" && (f[2] == "" || f[3] == "") {
			t.Errorf("bad row %q", line)
		}
	}
	// Callers cannot change the table.
	Types()[0] = "X"
	Params("Observation")[0] = "X"
	TokenParams("Observation")[0].Elements[0].Path = "X"
	if Types()[0] == "X" || Params("Observation")[0] == "X" || TokenParams("Observation")[0].Elements[0].Path == "X" {
		t.Error("the table can be changed from outside")
	}
}
