package smart

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/conformance/kit"
)

func capabilities() []kit.Row {
	return []kit.Row{
		{ID: "SMART US-05", Title: "the capabilities of the regulation are claimed", Run: capRegulation},
		{ID: "SMART CAP-19", Title: "the Patient Access sets are complete", Run: capPatientAccess},
		{ID: "SMART CAP-21", Title: "the Clinician Access sets are complete", Run: capClinicianAccess},
		{ID: "SMART CAP-23", Title: "no capability name of older drafts is listed", Also: []string{"VER-11"}, Run: capOldNames},
		{ID: "SMART CAP-02", Title: "a standalone launch works", Needs: kit.Login, Run: capStandalone},
		{ID: "SMART CAP-04", Title: "a public client gets a token without a credential", Also: []string{"DISC-10"}, Needs: kit.Login, Run: clientWorks("public")},
		{ID: "SMART CAP-05", Title: "a client with a secret gets a token", Needs: kit.Login | kit.Symmetric, Run: clientWorks("symmetric")},
		{ID: "SMART CAP-06", Title: "a client with a key gets a token for a code", Needs: kit.Login | kit.Asymmetric, Run: clientWorks("asymmetric")},
		{ID: "SMART CAP-13", Title: "launch/encounter gives an encounter of the patient", Needs: kit.Login, Run: capEncounter},
		{ID: "SMART US-17", Title: "the Condition categories of US Core are among the scopes", Also: []string{"US-09", "US-23"}, Run: capScopes(conditionScopes)},
		{ID: "SMART US-18", Title: "the Observation categories of US Core are among the scopes", Also: []string{"US-09", "US-23"}, Run: capScopes(observationScopes)},
		{ID: "SMART US-20", Title: "clinical notes are among the scopes", Also: []string{"US-23"}, Run: capScopes([]string{
			"DocumentReference.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note",
		})},
		{ID: "SMART US-22", Title: "the resource types of US Core are among the scopes", Also: []string{"US-23"}, Run: capScopes(typeScopes())},
	}
}

var regulation = []string{
	"launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
	"client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-style", "context-ehr-patient",
	"context-standalone-patient", "permission-offline", "permission-patient", "permission-user", "permission-v1",
	"permission-v2", "context-ehr-encounter",
}

func claimed(t *kit.Target, names ...string) error {
	var c kit.Check
	for _, name := range names {
		c.That(t.Config.Claims(name), "%s is not claimed", name)
	}
	return c.Err()
}

func capRegulation(_ context.Context, t *kit.Target) error {
	var c kit.Check
	c.Note(claimed(t, regulation...))
	for _, grant := range []string{"authorization_code", "client_credentials"} {
		c.That(slices.Contains(t.Config.GrantTypes, grant), "%s is not listed", grant)
	}
	return c.Err()
}

func capPatientAccess(_ context.Context, t *kit.Target) error {
	return claimed(t, "launch-standalone", "client-public", "context-standalone-patient", "permission-patient", "launch-ehr", "context-ehr-patient")
}

func capClinicianAccess(_ context.Context, t *kit.Target) error {
	return claimed(t, "launch-standalone", "permission-user", "permission-patient", "launch-ehr", "context-ehr-patient", "context-ehr-encounter")
}

func capOldNames(_ context.Context, t *kit.Target) error {
	var c kit.Check
	for _, old := range []string{"context-passthrough-banner", "context-passthrough-style"} {
		c.That(!t.Config.Claims(old), "%s is listed", old)
	}
	return c.Err()
}

func capStandalone(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), plainScope)
	if err != nil {
		return err
	}
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("the token does not read its patient: %s", res)
	}
	return nil
}

// plainScope is what most rows ask for.
const plainScope = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs patient/Condition.rs"

func clientWorks(kind string) func(context.Context, *kit.Target) error {
	return func(ctx context.Context, t *kit.Target) error {
		_, err := t.Standard(ctx, kind, t.Patient(), plainScope)
		return err
	}
}

func capEncounter(ctx context.Context, t *kit.Target) error {
	g, err := t.Launch(ctx, kit.Launch{
		Client: t.Client("public"), Scope: "launch/patient launch/encounter patient/Patient.rs patient/Encounter.rs",
		Visit: kit.Visit{Person: t.Patient()},
	})
	if err != nil {
		return err
	}
	return encounterFits(ctx, t, g)
}

// encounterFits reads the encounter in context and compares its subject.
func encounterFits(ctx context.Context, t *kit.Target, g *kit.Grant) error {
	id := g.Text("encounter")
	if id == "" {
		return fmt.Errorf("the answer has no encounter")
	}
	res, err := t.FHIR(ctx, g.Access(), "Encounter/"+id)
	if err != nil {
		return err
	}
	e := kit.Entry{Type: "Encounter", Resource: res.JSON()}
	if res.Status != http.StatusOK || !e.Belongs(g.Patient()) {
		return fmt.Errorf("the encounter does not belong to the patient: %s", res)
	}
	return nil
}

const (
	conditionCategory = "http://terminology.hl7.org/CodeSystem/condition-category"
	usCoreCategory    = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
	usCoreCondition   = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
)

var conditionScopes = []string{
	"Condition.rs?category=" + conditionCategory + "|encounter-diagnosis",
	"Condition.rs?category=" + conditionCategory + "|problem-list-item",
	"Condition.rs?category=" + usCoreCondition + "|health-concern",
}

var observationScopes = []string{
	"Observation.rs?category=" + kit.ObservationCategory + "|laboratory",
	"Observation.rs?category=" + kit.ObservationCategory + "|social-history",
	"Observation.rs?category=" + kit.ObservationCategory + "|survey",
	"Observation.rs?category=" + kit.ObservationCategory + "|vital-signs",
	"Observation.rs?category=" + usCoreCategory + "|sdoh",
	"Observation.rs?category=" + kit.ObservationCategory + "|procedure",
}

func typeScopes() []string {
	var out []string
	for _, typ := range usCoreTypes {
		out = append(out, typ+".rs")
	}
	return out
}

// usCoreTypes are the types of US-11 and US-22.
var usCoreTypes = []string{
	"AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Device", "DiagnosticReport", "DocumentReference", "Goal",
	"Immunization", "MedicationRequest", "Observation", "Patient", "Procedure", "Provenance", "Coverage", "Encounter",
	"MedicationDispense", "RelatedPerson", "ServiceRequest", "Specimen", "Organization", "Practitioner",
	"PractitionerRole", "QuestionnaireResponse",
}

func capScopes(want []string) func(context.Context, *kit.Target) error {
	return func(_ context.Context, t *kit.Target) error {
		var c kit.Check
		for _, scope := range want {
			c.That(slices.Contains(t.Config.Scopes, "patient/"+scope), "patient/%s is not listed", scope)
		}
		return c.Err()
	}
}
