package consent

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Canonicals of the Consents that people make on Mandate's own pages.
const (
	policyDesignated     = "https://mandate.example/policy/proxy/designated/1"
	policyRepresentative = "https://mandate.example/policy/proxy/representative/1"
	profileProxyConsent  = fhir.Canonical + "/StructureDefinition/proxy-consent"
	systemFunction       = fhir.Canonical + functionSystemSuffix
	systemParticipation  = "http://terminology.hl7.org/CodeSystem/v3-ParticipationFunction"
)

// DataKind is one kind of data as people choose it, with the FHIR types that it
// opens.
type DataKind struct {
	Name  string
	Types []string
}

// DataKinds lists what can be chosen, in the order of the page. Together they
// are the chart types that a proxy can read.
func DataKinds() []DataKind {
	return []DataKind{
		{"medicines", []string{"MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration", "Medication"}},
		{"allergies", []string{"AllergyIntolerance"}},
		{"results", []string{"Observation", "DiagnosticReport", "Specimen"}},
		{"conditions", []string{"Condition", "FamilyMemberHistory"}},
		{"visits", []string{"Encounter", "EpisodeOfCare", "Procedure", "Immunization", "ImagingStudy", "ServiceRequest"}},
		{"plans", []string{"CarePlan", "CareTeam", "Goal", "NutritionOrder", "Device"}},
		{"notes", []string{"DocumentReference", "Binary", "QuestionnaireResponse"}},
	}
}

// Functions lists what a designated proxy can be let do besides looking, in the
// order of the page. manage-proxies is not among them (FX-06).
func Functions() []string {
	return []string{"download", "message", "schedule", "refill", "sign-forms", "upload", "billing"}
}

// Designation is a grant to one person that Mandate writes itself.
type Designation struct {
	Patient string
	// Actor is the RelatedPerson that is let in, Performer who agreed.
	Actor, Performer fhir.Reference
	Organization     fhir.Reference
	// Functions are portal-function codes besides view, Kinds names of DataKinds.
	Functions, Kinds []string
	// Purpose is FAMRQT, SUPNWK, PWATRNY or HDECD; Role the v3-RoleCode of the actor.
	Purpose, Role string
	// Place is where the instrument of an agent names the actor: 0 first, 1 and 2 the
	// alternates (FX-29).
	Place int
	// From, Until bound the grant; At is when it was agreed.
	At, From, Until time.Time
	// Status is active, or proposed while it sleeps.
	Status string
	// Restricted opens ordinary restricted data too, as a representative has.
	Restricted bool
	// Powers are those that the instrument of a representative gives in so many
	// words; empty: Restricted alone decides (FX-28). Topics are the v3-ActCode labels
	// that each power over a topic opens.
	Powers []string
	Topics map[string][]string
	// DataUntil leaves out data from after it; zero leaves out none (LC-23).
	DataUntil time.Time
	// Source is the ceremony in which it was agreed; zero leaves it out (CN-10).
	Source fhir.Reference
	// Signatures is how many must sign; Cosigner is the second who did, zero while
	// nobody has (FX-33).
	Signatures int
	Cosigner   fhir.Reference
}

// labels gives the lists of labels of which each opens data by itself. A
// restricted level opens every ordinary topic, so that an instrument that leaves
// one out opens the others by their names instead.
func (d Designation) labels() [][]fields {
	normal, restricted := code(fhir.SystemConfidentiality, "N"), code(fhir.SystemConfidentiality, "R")
	if len(d.Powers) == 0 {
		if d.Restricted {
			return [][]fields{{normal, restricted}}
		}
		return [][]fields{{normal}}
	}
	all := true
	var topics []fields
	for _, power := range []string{"mental-health", "hiv", "sexual-health", "violence", "genetics", "substance-use"} {
		if !slices.Contains(d.Powers, power) {
			all = all && power == "substance-use"
			continue
		}
		for _, l := range d.Topics[power] {
			topics = append(topics, code(fhir.SystemActCode, l))
		}
	}
	switch {
	case all:
		return [][]fields{append([]fields{normal, restricted}, topics...)}
	case len(topics) == 0:
		return [][]fields{{normal}}
	}
	return [][]fields{{normal}, topics}
}

// agentPlaces are the LOINC codes of agents in their order, as advance directives
// name them: primary, first and second alternate (PACIO ADI).
func agentPlaces() []string { return []string{"75783-1", "75784-9", "75785-6"} }

type fields = map[string]any

// JSON gives the FHIR R4 Consent: a denial of everything with a permit for each
// function that was chosen, so that whatever does not understand it opens
// nothing. Errors: errs.Invalid when a kind or function is not known.
func (d Designation) JSON() ([]byte, error) {
	var types []string
	for _, name := range d.Kinds {
		i := slices.IndexFunc(DataKinds(), func(k DataKind) bool { return k.Name == name })
		if i < 0 {
			return nil, errs.New(errs.Invalid, "proxy-kind", "There is no such kind of data.")
		}
		types = append(types, DataKinds()[i].Types...)
	}
	// An executor acts by an instrument as an agent does (E7).
	representative := d.Purpose == "PWATRNY" || d.Purpose == "HDECD"
	policy, role := policyDesignated, code(fhir.SystemRoleCode, "DELEGATEE")
	if representative {
		policy, role = policyRepresentative, code(fhir.SystemRoleCode, d.Role)
	}
	roles := []fields{code(fhir.SystemParticipationType, "IRCP"), role, code(systemParticipation, "AUCG")}
	if agents := agentPlaces(); (d.Role == "HPOWATT" || d.Role == "DPOWATT") && d.Place < len(agents) {
		roles = append(roles, code(systemLOINC, agents[d.Place]))
	}
	actor := []fields{{
		"role":      fields{"coding": roles},
		"reference": fields{"reference": d.Actor.String()},
	}}
	purpose := []fields{code(fhir.SystemActReason, d.Purpose)}
	rules, category, err := d.permits(types)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		r["actor"], r["purpose"] = actor, purpose
	}
	doc := fields{
		"resourceType": "Consent", "status": d.Status,
		"meta":       fields{"profile": []string{profileProxyConsent}, "security": []fields{code(fhir.SystemConfidentiality, "R")}},
		"scope":      codeable(code(systemConsentScope, "patient-privacy")),
		"category":   []fields{codeable(code(systemLOINC, "59284-0")), codeable(code(fhir.SystemActCode, category))},
		"patient":    fields{"reference": "Patient/" + d.Patient},
		"dateTime":   stampTime(d.At),
		"performer":  []fields{{"reference": d.Performer.String()}},
		"policy":     []fields{{"uri": policy}},
		"policyRule": codeable(code(fhir.SystemActCode, "OPTINR")),
		"provision": fields{
			"type": "deny", "period": fields{"start": stampTime(d.From), "end": stampTime(d.Until)},
			"actor": actor, "purpose": purpose, "provision": rules,
		},
	}
	if d.Signatures > 1 {
		doc["extension"] = []fields{{"url": fhir.Canonical + "/StructureDefinition/consent-required-signatures", "valueUnsignedInt": d.Signatures}}
	}
	if !d.Cosigner.IsZero() {
		doc["performer"] = []fields{{"reference": d.Performer.String()}, {"reference": d.Cosigner.String()}}
	}
	if !d.Organization.IsZero() {
		doc["organization"] = []fields{{"reference": d.Organization.String()}}
	}
	if !d.Source.IsZero() {
		doc["sourceReference"] = fields{"reference": d.Source.String()}
	}
	return json.Marshal(doc)
}

// permits gives a rule for looking and one for each further function, and the
// category: INFAO forbids copies in so many words, INFASO allows them.
func (d Designation) permits(types []string) (rules []fields, category string, err error) {
	category = "INFAO"
	permit := func(types []string, functions ...string) {
		for _, labels := range d.labels() {
			rules = append(rules, permitRule(labels, types, functions))
		}
	}
	looking := []string{"view"}
	if slices.Contains(d.Functions, "download") {
		looking, category = append(looking, "download"), "INFASO"
	}
	about := []string{"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"}
	if d.DataUntil.IsZero() || len(types) == 0 {
		permit(append(about, types...), looking...)
	} else {
		permit(about, looking...)
		from := len(rules)
		permit(types, looking...)
		for _, r := range rules[from:] {
			r["dataPeriod"] = fields{"end": stampTime(d.DataUntil)}
		}
	}
	for _, f := range d.Functions {
		switch f {
		case "download":
		case "message":
			permit([]string{"Communication"}, "view", f)
		case "schedule":
			permit([]string{"Appointment", "AppointmentResponse", "Schedule", "Slot"}, "view", f)
		case "refill":
			// No type: a refill is asked for by the function itself and reads nothing.
			permit(nil, f)
		case "sign-forms":
			permit([]string{"QuestionnaireResponse"}, f)
		case "upload":
			permit([]string{"DocumentReference"}, f)
		case "billing":
			permit([]string{"Coverage", "ExplanationOfBenefit", "Account"}, "view", f)
		default:
			return nil, "", errs.New(errs.Invalid, "proxy-function", "There is no such function.")
		}
	}
	return rules, category, nil
}

func permitRule(labels []fields, types, functions []string) fields {
	actions := []fields{codeable(code(systemConsentAction, "access"))}
	for _, f := range functions {
		actions = append(actions, codeable(code(systemFunction, f)))
	}
	rule := fields{"type": "permit", "action": actions, "securityLabel": labels}
	var classes []fields
	for _, t := range types {
		classes = append(classes, code(systemResourceTypes, t))
	}
	if len(classes) > 0 {
		rule["class"] = classes
	}
	return rule
}

func code(system, value string) fields { return fields{"system": system, "code": value} }

func codeable(c fields) fields { return fields{"coding": []fields{c}} }
