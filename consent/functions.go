package consent

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/scope"
)

const fnAll = fnView | fnDownload | fnMessage | fnSchedule | fnRefill | fnForms | fnUpload | fnBilling | fnManage

// templateFunctions gives what a policy template stands for where the Consent
// states no action, as IHE PCF ones do not (CN-11). A disclosure under 42 CFR
// Part 2 is for reading. Zero means that no policy says anything.
func templateFunctions(policies []string) functionSet {
	var out functionSet
	for _, uri := range policies {
		segments := strings.Split(uri, "/")
		for i, s := range segments {
			switch {
			case s == "part2-disclosure":
				out |= fnView
			case s == "template" && i+1 < len(segments):
				out |= templateFunction(segments[i+1])
			}
		}
	}
	return out
}

func templateFunction(name string) functionSet {
	switch name {
	case "meds-appointments":
		return fnView | fnSchedule
	case "full-normal-message":
		return fnView | fnMessage
	case "teen-shared":
		return fnView | fnMessage | fnSchedule
	case "agent-in-effect":
		return fnAll &^ fnManage
	case "estate":
		return fnView | fnDownload
	}
	return 0
}

// target is one type with the operations that a function needs on it.
type target struct {
	resourceType string
	ops          scope.Ops
}

const readSearch = scope.Read | scope.Search

// functionTargets is the fixed map from functions to types (SC-24, GW-22).
// view and download are not in it: they read whatever types the rule opens.
// A refill request is made by the function itself, never by a Task scope,
// since Task holds Mandate's own work (SC-04).
func functionTargets(fn functionSet) []target {
	switch fn {
	case fnMessage:
		return []target{{"Communication", readSearch | scope.Create}}
	case fnSchedule:
		return []target{
			{"Appointment", readSearch | scope.Create | scope.Update},
			{"AppointmentResponse", readSearch | scope.Create},
			{"Schedule", readSearch},
			{"Slot", readSearch},
		}
	case fnForms:
		return []target{{"QuestionnaireResponse", readSearch | scope.Create}}
	case fnUpload:
		return []target{{"DocumentReference", scope.Create}}
	case fnBilling:
		return []target{{"Coverage", readSearch}, {"ExplanationOfBenefit", readSearch}, {"Account", readSearch}}
	}
	return nil
}

// chartTypes is what "the whole chart" means for a proxy: an explicit list,
// computed from rules and never from what is in the chart (SC-03, SC-23).
func chartTypes() []string {
	return []string{
		"AllergyIntolerance", "Appointment", "AppointmentResponse", "Binary", "CarePlan", "CareTeam",
		"Communication", "Condition", "Device", "DiagnosticReport", "DocumentReference", "Encounter",
		"EpisodeOfCare", "FamilyMemberHistory", "Goal", "ImagingStudy", "Immunization", "Location",
		"Medication", "MedicationAdministration", "MedicationDispense", "MedicationRequest",
		"MedicationStatement", "NutritionOrder", "Observation", "Organization", "Patient",
		"Practitioner", "PractitionerRole", "Procedure", "QuestionnaireResponse", "Schedule",
		"ServiceRequest", "Slot", "Specimen",
	}
}

// NeverForProxies reports whether no proxy ever gets a scope on the type,
// because its resources tell about other people's access (SC-04).
func NeverForProxies(resourceType string) bool {
	switch resourceType {
	case "Consent", "RelatedPerson", "AuditEvent", "Provenance", "Person", "Task", "Flag",
		"VerificationResult", "Group", "Subscription":
		return true
	}
	return false
}

// codeParam names the search parameter by which a scope can say a code of a
// rule, or "" when the type has none; then only the gateway narrows.
func codeParam(resourceType, system, code string) string {
	switch resourceType {
	case "DocumentReference":
		if system == systemLOINC && code == "42348-3" || code == "clinical-note" {
			return "category"
		}
		return "type"
	case "AllergyIntolerance", "Condition", "DiagnosticReport", "Medication", "MedicationAdministration",
		"MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation", "Procedure",
		"ServiceRequest":
		return "code"
	case "Encounter", "Specimen", "Device":
		return "type"
	}
	return ""
}

// scopesOf gives the scopes of one permit rule for the given functions.
func scopesOf(r *rule, fns functionSet, closed []string) scope.Set {
	var out scope.Set
	add := func(t target, categories []scope.Param) {
		if NeverForProxies(t.resourceType) || slices.Contains(closed, t.resourceType) {
			return
		}
		if read := t.ops & readSearch; read != 0 {
			out = append(out, narrow(r, target{t.resourceType, read}, categories)...)
		}
		if write := t.ops &^ readSearch; write != 0 {
			out = append(out, scope.Scope{Level: scope.Patient, Type: t.resourceType, Ops: write})
		}
	}
	if fns.has(fnView | fnDownload) {
		for _, c := range r.readable() {
			add(target{c.resourceType, readSearch}, c.params())
		}
	}
	for _, fn := range [...]functionSet{fnMessage, fnSchedule, fnForms, fnUpload, fnBilling} {
		if !fns.has(fn) {
			continue
		}
		for _, t := range functionTargets(fn) {
			if r.opensType(t.resourceType) {
				add(t, nil)
			}
		}
	}
	return out
}

// readable lists the classes of the rule, or the chart.
func (r *rule) readable() []classRule {
	if r.narrowed.has(dimClass) {
		return r.classes
	}
	types := chartTypes()
	out := make([]classRule, 0, len(types))
	for _, t := range types {
		out = append(out, classRule{resourceType: t})
	}
	return out
}

// opensType reports whether the rule opens all of a type, so that a function
// may bring its own operations on it.
func (r *rule) opensType(resourceType string) bool {
	if !r.narrowed.has(dimClass) {
		return true
	}
	return slices.ContainsFunc(r.classes, func(c classRule) bool {
		return c.resourceType == resourceType && len(c.categories) == 0
	})
}

// params gives one parameter per category: a scope each (SC-05).
func (c classRule) params() []scope.Param {
	var out []scope.Param
	for _, cat := range c.categories {
		out = append(out, scope.Param{Name: "category", Values: []string{cat.System + "|" + cat.Code}})
	}
	return out
}

// narrow combines a target with the categories of its class and the codes of
// its rule. Only read and search carry parameters (SC-07).
func narrow(r *rule, t target, categories []scope.Param) scope.Set {
	base := []scope.Scope{{Level: scope.Patient, Type: t.resourceType, Ops: t.ops}}
	if len(categories) > 0 {
		base = base[:0]
		for _, p := range categories {
			base = append(base, scope.Scope{Level: scope.Patient, Type: t.resourceType, Ops: t.ops, Params: []scope.Param{p}})
		}
	}
	values := map[string][]string{}
	for _, c := range r.codes {
		name := codeParam(t.resourceType, c.System, c.Code)
		if name == "" {
			return base
		}
		values[name] = append(values[name], c.System+"|"+c.Code)
	}
	if len(values) == 0 {
		return base
	}
	var out scope.Set
	for _, name := range [...]string{"category", "code", "type"} {
		if len(values[name]) == 0 {
			continue
		}
		for _, b := range base {
			b.Params = append(slices.Clone(b.Params), scope.Param{Name: name, Values: values[name]})
			out = append(out, b)
		}
	}
	return out
}
