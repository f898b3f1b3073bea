package flow

import (
	"slices"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Kind is one kind of data that a consent page offers as a choice of its own
// (US-10, US-11).
type Kind struct {
	// Type is the resource type; scope.AnyType stands for all types that have
	// no row of their own.
	Type string
	// Count is how many ordinary entries the token could fetch; -1 when not
	// counted.
	Count int
	// Query is true when the request limits the kind by something else than
	// categories.
	Query bool
	// Categories are the sub-kinds that may be chosen.
	Categories []Category
	// Required is the maker's reason why the app cannot work without it.
	Required string
}

// Category is one sub-kind.
type Category struct {
	Coding fhir.Coding
	Count  int
}

// Value gives "system|code", as scopes and form fields write it.
func (c Category) Value() string { return c.Coding.System + "|" + c.Coding.Code }

// Action is something the app could do beyond reading.
type Action struct {
	Type string
	Ops  scope.Ops
	// Required is the maker's reason why the app cannot work without it.
	Required string
}

// writes are the operations that change a record, reads those by which data
// leaves.
const (
	writes = scope.Create | scope.Update | scope.Delete
	reads  = scope.Read | scope.Search
)

// chartTypes are the kinds that a wildcard scope is spelt out to (US-11,
// US-22), in the order in which pages show them.
var chartTypes = []string{
	"Patient", "Condition", "MedicationRequest", "MedicationDispense", "Medication", "AllergyIntolerance",
	"Observation", "DiagnosticReport", "Specimen", "Immunization", "Procedure", "DocumentReference",
	"Encounter", "Appointment", "CarePlan", "CareTeam", "Goal", "ServiceRequest", "Device",
	"QuestionnaireResponse", "Communication", "Coverage", "RelatedPerson", "Provenance",
	"Practitioner", "PractitionerRole", "Organization", "Location",
}

// The category code systems of US Core (US-17, US-18, US-20).
const (
	systemObservationCategory = "http://terminology.hl7.org/CodeSystem/observation-category"
	systemConditionCategory   = "http://terminology.hl7.org/CodeSystem/condition-category"
	systemUSCoreCategory      = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
	systemUSCoreCondition     = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
	systemUSCoreDocument      = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
	systemLOINC               = "http://loinc.org"
)

// offeredCategories are the sub-kinds by type. They come from the rules, never
// from what is in the chart (SC-23).
var offeredCategories = map[string][]fhir.Coding{
	"Observation": {
		{System: systemObservationCategory, Code: "laboratory"},
		{System: systemObservationCategory, Code: "vital-signs"},
		{System: systemObservationCategory, Code: "social-history"},
		{System: systemObservationCategory, Code: "survey"},
		{System: systemUSCoreCategory, Code: "sdoh"},
		{System: systemObservationCategory, Code: "procedure"},
	},
	"Condition": {
		{System: systemConditionCategory, Code: "problem-list-item"},
		{System: systemConditionCategory, Code: "encounter-diagnosis"},
		{System: systemUSCoreCondition, Code: "health-concern"},
	},
	"DocumentReference": {
		{System: systemUSCoreDocument, Code: "clinical-note"},
		{System: systemLOINC, Code: "42348-3"},
	},
}

// SupportedScopes lists the granular scopes that are advertised beside the
// whole types (US-23): each is grantable.
func SupportedScopes() []string {
	var out []string
	for _, level := range []scope.Level{scope.Patient, scope.User, scope.System} {
		out = append(out, string(level)+"/*.cruds", string(level)+"/*.rs", string(level)+"/*.read")
		for _, typ := range chartTypes {
			out = append(out, string(level)+"/"+typ+".rs", string(level)+"/"+typ+".read")
			for _, c := range offeredCategories[typ] {
				out = append(out, string(level)+"/"+typ+".rs?category="+c.System+"|"+c.Code)
			}
		}
	}
	return out
}

// kindsOf spells the grantable scopes out into kinds and actions.
func kindsOf(granted scope.Set) (kinds []Kind, actions []Action) {
	for _, typ := range typesOf(granted, reads) {
		kinds = append(kinds, kindOf(granted, typ))
	}
	for _, typ := range typesOf(granted, writes) {
		a := Action{Type: typ}
		for _, s := range granted {
			if s.Type == typ {
				a.Ops |= s.Ops & writes
			}
		}
		actions = append(actions, a)
	}
	return kinds, actions
}

// typesOf lists the types that a set speaks about for any of the operations.
// For reading, a wildcard becomes the chart types and a last row for the rest;
// for writing it stays one row.
func typesOf(granted scope.Set, ops scope.Ops) []string {
	var out []string
	add := func(typ string) {
		if !slices.Contains(out, typ) {
			out = append(out, typ)
		}
	}
	any := false
	for _, s := range granted {
		switch {
		case s.Ops&ops == 0:
		case s.Type == scope.AnyType:
			any = true
		default:
			add(s.Type)
		}
	}
	if any && ops == writes {
		return []string{scope.AnyType}
	}
	if any {
		for _, typ := range chartTypes {
			add(typ)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return order(a) - order(b) })
	if any {
		out = append(out, scope.AnyType)
	}
	return out
}

func order(typ string) int {
	if i := slices.Index(chartTypes, typ); i >= 0 {
		return i
	}
	return len(chartTypes)
}

// kindOf makes the row of one type: with all offered categories when the whole
// type is grantable, with the granted ones when only those are.
func kindOf(granted scope.Set, typ string) Kind {
	k := Kind{Type: typ, Count: -1}
	var categories []string
	whole := false
	for _, s := range granted {
		if s.Ops&reads == 0 || (s.Type != typ && s.Type != scope.AnyType) {
			continue
		}
		switch {
		case len(s.Params) == 0:
			whole = true
		case len(s.Params) == 1 && s.Params[0].Name == "category":
			categories = append(categories, s.Params[0].Values...)
		default:
			k.Query = true
		}
	}
	for _, c := range offeredCategories[typ] {
		value := c.System + "|" + c.Code
		if (whole || slices.Contains(categories, value)) && !k.Query {
			k.Categories = append(k.Categories, Category{Coding: c, Count: -1})
		}
	}
	if whole {
		k.Query = false
	}
	return k
}

// restTypes are the patient-related types that have no row of their own: what
// "everything else" means when it has to be spelt out.
func restTypes() []string {
	var out []string
	for _, typ := range compartment.Types() {
		if compartment.Member(typ) && !slices.Contains(chartTypes, typ) && !access.NeverForApps(typ) {
			out = append(out, typ)
		}
	}
	return out
}
