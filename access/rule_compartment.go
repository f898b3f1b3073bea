package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// boundTo gives the one patient on whose record the grant may act at a level;
// "" means that the level is not bound to one.
func (in *Input) boundTo(level scope.Level) string {
	g := &in.Grant
	switch {
	case level == scope.Patient:
		return g.Patient
	case g.Capacity.Kind == fhir.CapacitySelf, g.Capacity.IsProxy():
		return g.Capacity.Patient
	default:
		return ""
	}
}

// directoryTypes are about nobody: people and places that care, products,
// definitions. Every type that is neither here nor about a patient (a Bundle,
// a Linkage, a MessageHeader) may hold anybody's data and is out of reach for
// whoever is bound to one patient (SMART TRP-14, TRP-15).
var directoryTypes = []string{
	"ActivityDefinition", "CapabilityStatement", "CatalogEntry", "ChargeItemDefinition", "CodeSystem",
	"CompartmentDefinition", "ConceptMap", "DeviceDefinition", "EffectEvidenceSynthesis", "Endpoint",
	"EventDefinition", "Evidence", "EvidenceVariable", "ExampleScenario", "GraphDefinition",
	"HealthcareService", "ImplementationGuide", "InsurancePlan", "Library", "Location", "Measure",
	"Medication", "MedicationKnowledge", "MedicinalProduct", "MedicinalProductAuthorization",
	"MedicinalProductContraindication", "MedicinalProductIndication", "MedicinalProductIngredient",
	"MedicinalProductInteraction", "MedicinalProductManufactured", "MedicinalProductPackaged",
	"MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect", "MessageDefinition",
	"NamingSystem", "ObservationDefinition", "OperationDefinition", "Organization",
	"OrganizationAffiliation", "PlanDefinition", "Practitioner", "PractitionerRole", "Questionnaire",
	"ResearchDefinition", "ResearchElementDefinition", "ResearchStudy", "RiskEvidenceSynthesis",
	"SearchParameter", "Slot", "SpecimenDefinition", "StructureDefinition", "StructureMap", "Substance",
	"SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
	"SubstanceSourceMaterial", "SubstanceSpecification", "TerminologyCapabilities", "TestScript", "ValueSet",
}

// inDirectory reports whether a resource is about nobody by its nature. The
// timetable of somebody who gives care is; that of a patient is not.
func inDirectory(res *fhir.Resource) bool {
	if res.Type == "Schedule" {
		return len(res.Subjects) == 0 && !res.ForeignSubject
	}
	return slices.Contains(directoryTypes, res.Type)
}

// levelReaches reports whether the level's patient is the one this resource
// is about, or for a client that is bound to a group whether all whom it is about
// are its members. A resource that names several patients, or one that cannot be
// resolved, is out of everybody's reach but a system's (CMP-11, GW-24).
func (in *Input) levelReaches(level scope.Level, res *fhir.Resource) bool {
	patient := in.boundTo(level)
	members := in.Grant.Members
	if patient == "" && members == nil {
		return true
	}
	if inDirectory(res) {
		// Whoever is bound to one patient may look at the organisation's
		// directory, and changes only what is about that patient (SCP-12).
		return in.Op&reads != 0
	}
	if res.ForeignSubject || len(res.Subjects) == 0 {
		return false
	}
	return allAbout(res, patient, members)
}

// allAbout reports whether everybody whom a resource and what it contains are
// about is the patient, or with a list of members one of them: what is inside
// leaves with it (GW-24, SMART TRP-13). What is contained may be about nobody.
func allAbout(res *fhir.Resource, patient string, members []string) bool {
	for _, s := range res.Subjects {
		if members == nil && s != patient || members != nil && !slices.Contains(members, s) {
			return false
		}
	}
	for i := range res.Contained {
		if !allAbout(&res.Contained[i], patient, members) {
			return false
		}
	}
	return true
}

// judgeCompartment hides resources about other patients from every grant that
// is bound to one at all levels of which it has a scope.
func judgeCompartment(in *Input, _ *Decision) verdict {
	if in.isOwnIdentity(fhir.Reference{Type: in.Resource.Type, ID: in.Resource.ID}) {
		return pass
	}
	for _, level := range in.Grant.levels() {
		if in.Grant.scopedAt(level) && in.levelReaches(level, in.Resource) {
			return pass
		}
	}
	return hide("outside-compartment", in.Resource.Type)
}

// scopedAt reports whether the grant has any scope of a level.
func (g *GrantView) scopedAt(level scope.Level) bool {
	return slices.ContainsFunc(g.Scopes, func(s scope.Scope) bool { return s.Level == level })
}

// judgeRequestCompartment refuses requests that name another patient in their
// path: a compartment search or an operation on somebody else. The answer is
// the same whether or not that patient exists.
func judgeRequestCompartment(in *Input, _ *Decision) verdict {
	r := in.Request
	var named, typ string
	var op scope.Ops
	switch {
	case r.Interaction == rest.SearchCompartment:
		if r.Compartment.Type != "Patient" {
			return deny("interaction-not-offered", r.Compartment.Type)
		}
		named, typ, op = r.Compartment.ID, r.Type, scope.Search
	case r.Interaction == rest.Operation && r.Operation == operationEverything:
		named, typ, op = r.ID, "Patient", scope.Read
	default:
		return pass
	}
	if members := in.Grant.Members; members != nil {
		if slices.Contains(members, named) {
			return pass
		}
		return hide("outside-compartment", "Patient")
	}
	for _, level := range in.Grant.levels() {
		if bound := in.boundTo(level); (bound == "" || bound == named) && in.Grant.draws(level, typ, op) {
			return pass
		}
	}
	return hide("outside-compartment", "Patient")
}

// draws reports whether a level has a scope for the operation on the type, or
// on any type where a search names none.
func (g *GrantView) draws(level scope.Level, typ string, op scope.Ops) bool {
	if typ == rest.AnyType {
		types, wild := g.Scopes.Types(level, op)
		return wild || len(types) > 0
	}
	return len(g.Scopes.For(level, typ, op)) > 0
}

// narrowSearch adds what the upstream can already filter by: the patient and
// the granular parameters. The answer is filtered again in any case.
func narrowSearch(in *Input, d *Decision) verdict {
	r := in.Request
	d.Filter = r.Interaction != rest.Capabilities
	if r.Interaction == rest.Operation && r.Operation == operationExport && len(namedTypes(r)) == 0 {
		if types := in.Grant.typesWith(reads); !slices.Contains(types, scope.AnyType) {
			d.Rewrite = []Narrowing{{{Name: "_type", Values: types}}}
		}
		return pass
	}
	if r.Interaction != rest.SearchType && r.Interaction != rest.HistoryType {
		return pass
	}
	if n, ok := in.narrowing(r.Type); ok {
		d.Rewrite = []Narrowing{n}
	}
	return pass
}

// maxNarrowed is how many patients of a group stand in one search. The answer of
// a larger group's is only filtered.
const maxNarrowed = 50

// narrowing gives the parameters that every visible resource of the type
// meets. ok is false when nothing can be added.
func (in *Input) narrowing(typ string) (Narrowing, bool) {
	var out Narrowing
	patients := []string{}
	var scopes []scope.Scope
	for _, level := range in.Grant.levels() {
		for _, s := range in.Grant.Scopes.For(level, typ, scope.Search) {
			scopes = append(scopes, s)
			if p := in.boundTo(level); !slices.Contains(patients, p) {
				patients = append(patients, p)
			}
		}
	}
	if m := in.Grant.Members; m != nil && len(m) <= maxNarrowed {
		patients = m
	}
	if len(patients) > 0 && patients[0] != "" && (len(patients) == 1 || in.Grant.Members != nil) && typ != "Schedule" {
		if param, ok := compartment.SearchByPatient(typ); ok {
			var values []string
			for _, value := range patients {
				if param != "_id" {
					value = "Patient/" + value
				}
				values = append(values, value)
			}
			out = append(out, rest.Param{Name: param, Values: values})
		}
	}
	if p, ok := commonParam(scopes); ok {
		out = append(out, rest.Param{Name: p.Name, Values: p.Values})
	}
	return out, len(out) > 0
}

// commonParam joins the granular limits into one OR parameter when every
// scope has exactly one, of the same name. A union over different parameters
// cannot be said in one search (TRP-18) and is left to the filter.
func commonParam(scopes []scope.Scope) (scope.Param, bool) {
	var out scope.Param
	for _, s := range scopes {
		if len(s.Params) != 1 || s.Params[0].Modifier != "" || (out.Name != "" && s.Params[0].Name != out.Name) {
			return scope.Param{}, false
		}
		out.Name = s.Params[0].Name
		for _, v := range s.Params[0].Values {
			if !slices.Contains(out.Values, v) {
				out.Values = append(out.Values, v)
			}
		}
	}
	return out, out.Name != ""
}
