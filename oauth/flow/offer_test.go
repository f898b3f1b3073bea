package flow_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/flow"
)

// entry gives an Observation of rosa's with a category and a label.
func entry(id, category, system, label string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"meta":{"security":[{"system":%q,"code":%q}]},"status":"final",`+
		`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":%q}]}],`+
		`"code":{"text":"x"},"subject":{"reference":"Patient/rosa"}}`, id, system, label, category)
}

const (
	confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	actCode         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

func kind(o flow.Offer, typ string) flow.Kind {
	i := slices.IndexFunc(o.Kinds, func(k flow.Kind) bool { return k.Type == typ })
	if i < 0 {
		return flow.Kind{Count: -2}
	}
	return o.Kinds[i]
}

// Item 7: the counts are those of the live record by the production decision:
// sensitive entries are counted apart, and a new one shows at once.
func TestOfferCountsTheLiveRecord(t *testing.T) {
	w := newWorld(t)
	w.entries["Observation"] = []string{
		entry("1", "laboratory", confidentiality, "N"), entry("2", "laboratory", confidentiality, "N"),
		entry("3", "vital-signs", confidentiality, "N"), entry("4", "laboratory", actCode, "HIV"),
	}
	who := w.rosa()
	p := w.at(w.begin(who), who, flow.StepConsent)
	o := w.offer(p, who)
	k := kind(o, "Observation")
	if k.Count != 3 || len(k.Categories) != 6 {
		t.Errorf("%+v", k)
	}
	for _, c := range k.Categories {
		want := map[string]int{"laboratory": 2, "vital-signs": 1}[c.Coding.Code]
		if c.Count != want {
			t.Errorf("%s: %d", c.Value(), c.Count)
		}
	}
	if len(o.Topics) != 1 || o.Topics[0].Topic != access.TopicHIV || o.Topics[0].Count != 1 {
		t.Errorf("%+v", o.Topics)
	}
	w.entries["Observation"] = append(w.entries["Observation"], entry("5", "laboratory", confidentiality, "N"))
	again := w.offer(p, who)
	if kind(again, "Observation").Count != 4 || again.Handle != o.Handle {
		t.Errorf("%+v, the same page: %t", kind(again, "Observation"), again.Handle == o.Handle)
	}
	w.down = true
	if _, err := w.service.Offer(t.Context(), p, who); err == nil || errs.Is(err, errs.AccessDenied) {
		t.Errorf("while the upstream is down: %v", err)
	}
}

// A proxy is not shown, and not told of, what the patient keeps back.
func TestOfferOfAProxyHidesTheRest(t *testing.T) {
	w := newWorld(t)
	w.entries["Observation"] = []string{entry("1", "laboratory", confidentiality, "N"), entry("2", "laboratory", actCode, "HIV"), entry("3", "laboratory", confidentiality, "R")}
	w.relate("rosa-elena", "rosa")
	w.permit("rosa", "rosa-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
	elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena")
	p := w.at(w.begin(elena, "scope", "launch/patient patient/*.rs"), elena, flow.StepConsent)
	o := w.offer(p, elena)
	if len(o.Kinds) != 1 || kind(o, "Observation").Count != 1 || len(o.Topics) != 0 || !o.MoreHidden {
		t.Errorf("%+v, topics %v", o.Kinds, o.Topics)
	}
}

// SMART US-11, US-22: a wildcard is offered kind by kind, the rest in one row.
func TestWildcardIsOfferedKindByKind(t *testing.T) {
	w := newWorld(t)
	who := w.rosa()
	o := w.offer(w.at(w.begin(who, "scope", "launch/patient patient/*.cruds patient/Flag.rs"), who, flow.StepConsent), who)
	for _, typ := range []string{
		"AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Device", "DiagnosticReport", "DocumentReference", "Goal", "Immunization",
		"Medication", "MedicationRequest", "Observation", "Patient", "Procedure", "Provenance", "Coverage", "Encounter", "MedicationDispense",
		"RelatedPerson", "ServiceRequest", "Specimen", "Location", "Organization", "Practitioner", "PractitionerRole", "QuestionnaireResponse", "Flag",
	} {
		if kind(o, typ).Count == -2 {
			t.Errorf("%s has no row", typ)
		}
	}
	if last := o.Kinds[len(o.Kinds)-1]; last.Type != scope.AnyType || last.Count != -1 {
		t.Errorf("the last row is %+v", last)
	}
	if len(o.Actions) != 1 || o.Actions[0].Type != scope.AnyType || o.Actions[0].Ops != scope.Create|scope.Update|scope.Delete {
		t.Errorf("%+v", o.Actions)
	}
	if len(kind(o, "Condition").Categories) != 3 || len(kind(o, "Goal").Categories) != 0 {
		t.Errorf("%+v", kind(o, "Condition"))
	}
}

// A granular request offers its own categories, and says of another limit that
// there is one.
func TestGranularRequestIsOffered(t *testing.T) {
	w := newWorld(t)
	who := w.rosa()
	o := w.offer(w.at(w.begin(who, "scope", "patient/Observation.rs?category="+laboratory+" patient/Condition.rs?code=s|1 patient/DocumentReference.rs?category=s|x patient/DocumentReference.r"), who, flow.StepConsent), who)
	if k := kind(o, "Observation"); len(k.Categories) != 1 || k.Categories[0].Value() != laboratory || k.Query {
		t.Errorf("%+v", k)
	}
	if k := kind(o, "Condition"); !k.Query || len(k.Categories) != 0 {
		t.Errorf("%+v", k)
	}
	if k := kind(o, "DocumentReference"); k.Query || len(k.Categories) != 2 {
		t.Errorf("%+v", k)
	}
}

// What the maker calls necessary is marked with the reason given.
func TestRequiredScopesAreMarked(t *testing.T) {
	w := newWorld(t)
	c := w.clients["diary"]
	c.RequiredScopes = map[string]string{"patient/Observation.rs": "It draws.", "patient/Observation.c": "It saves.", "patient/Goal.rs": "Not asked.", "broken": "x"}
	w.clients["diary"] = c
	who := w.rosa()
	o := w.offer(w.at(w.begin(who, "scope", "patient/Observation.crs patient/Condition.rs"), who, flow.StepConsent), who)
	if kind(o, "Observation").Required != "It draws." || kind(o, "Condition").Required != "" || len(o.Actions) != 1 || o.Actions[0].Required != "It saves." {
		t.Errorf("%+v %+v", o.Kinds, o.Actions)
	}
	if name := w.service.AppName(t.Context(), w.begin(who)); name != "Diary" {
		t.Error(name)
	}
	c.Name = ""
	w.clients["diary"] = c
	if name := w.service.AppName(t.Context(), w.begin(who)); name != "diary" {
		t.Error(name)
	}
}

// SMART US-17, US-18, US-23: what is advertised parses, is known, and names
// the category codes of US Core.
func TestSupportedScopesParse(t *testing.T) {
	list := flow.SupportedScopes()
	for _, text := range list {
		if s, ok := scope.ParseScope(text); !ok || s.Type != scope.AnyType && !scope.KnownType(s.Type) {
			t.Errorf("%s", text)
		}
	}
	for _, text := range []string{
		"patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis",
		"patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item",
		"user/Condition.rs?category=http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern",
		"patient/Observation.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-category|sdoh",
		"system/Observation.rs?category=" + laboratory,
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|social-history",
		"patient/DocumentReference.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note",
	} {
		if !slices.Contains(list, text) {
			t.Errorf("%s is not advertised", text)
		}
	}
	if sorted := slices.Sorted(slices.Values(list)); len(slices.Compact(sorted)) != len(list) {
		t.Error("a scope is advertised twice")
	}
}
