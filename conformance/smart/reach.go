package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// reach holds further rows about what granted scopes mean.
func reach() []kit.Row {
	return []kit.Row{
		{ID: "SMART SCP-01", Title: "every form of the v2 syntax is granted as it was asked", Needs: kit.Login, Run: reachSyntax},
		{ID: "SMART SCP-03b", Title: "read reads and searches, the asterisk writes too", Needs: kit.Login | kit.Upstream, Run: reachV1},
		{ID: "SMART SCP-06b", Title: "two parameters of one scope narrow together", Needs: kit.Login | kit.Upstream, Run: reachBoth},
		{ID: "SMART SCP-10", Title: "the wildcard reads every type, and the page offers the rest", Needs: kit.Login | kit.Upstream, Run: reachWildcard},
		{ID: "SMART SCP-14", Title: "types about nobody are read as documented", Needs: kit.Login | kit.Upstream, Run: reachNobody},
		{ID: "SMART SCP-15", Title: "a linked Patient is not read through the link", Also: []string{"CMP-12"}, Needs: kit.Login | kit.Upstream, Run: reachLinked},
		{ID: "SMART SCP-31", Title: "a resource of two categories is inside a scope for either", Needs: kit.Login | kit.Upstream, Run: reachTwoCategories},
		{ID: "SMART US-09", Title: "each of the nine categories can be granted alone and shows nothing else", Needs: kit.Login | kit.Upstream, Run: reachCategories},
		{ID: "SMART US-21", Title: "the misprinted system of social history is never granted as such", Needs: kit.Login | kit.Upstream, Run: reachMisprint},
		{ID: "SMART TRP-28", Title: "two hundred granular scopes are refused or still answered", Needs: kit.Login, Run: reachMany},
	}
}

// all asks for a scope, ticks everything but what is sensitive, and gives the
// grant.
func all(ctx context.Context, t *kit.Target, scope string) (*kit.Grant, error) {
	v := visit(t)
	v.Consent = tickEverything
	return t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: scope, Visit: v})
}

func reachSyntax(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	groups := [][]string{
		{"patient/Observation.c", "patient/Condition.r", "patient/Procedure.u", "patient/Immunization.d", "patient/Goal.s"},
		{"patient/Observation.cr", "patient/Condition.rs", "patient/Procedure.cud", "patient/Immunization.us", "patient/Goal.cruds"},
		{"patient/*.rs"}, {"user/*.r", "user/Observation.rs"},
		{"patient/Observation.rs?category=" + kit.ObservationCategory + "|laboratory", "patient/Condition.rs?category=problem-list-item"},
		{"patient/Observation.rs?category=" + kit.ObservationCategory + "|laboratory&status=final"},
	}
	for _, group := range groups {
		g, err := all(ctx, t, "launch/patient patient/Patient.rs "+strings.Join(group, " "))
		if !c.Note(err) {
			continue
		}
		for _, s := range group {
			c.That(slices.Contains(g.Scopes(), s), "%s is not in %v", s, g.Scopes())
		}
	}
	return c.Err()
}

// observation is a heart rate of a patient with categories.
func observation(patient string, categories ...string) map[string]any {
	var concepts []any
	for _, code := range categories {
		concepts = append(concepts, map[string]any{"coding": []any{map[string]any{"system": kit.ObservationCategory, "code": code}}})
	}
	return map[string]any{
		"resourceType": "Observation", "status": "final", "category": concepts,
		"meta":    map[string]any{"security": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}}},
		"code":    map[string]any{"coding": []any{map[string]any{"system": "http://loinc.org", "code": "8867-4"}}},
		"subject": map[string]any{"reference": "Patient/" + patient}, "effectiveDateTime": "2026-01-02T03:04:05Z",
	}
}

// plant writes a resource at the server behind and gives its id.
func plant(ctx context.Context, t *kit.Target, resource map[string]any) (string, error) {
	raw, err := json.Marshal(resource)
	if err != nil {
		return "", err
	}
	res, err := t.Do(ctx, kit.Request{
		Method: http.MethodPost, URL: t.Upstream + "/" + fmt.Sprint(resource["resourceType"]), Type: "application/fhir+json", Body: strings.NewReader(string(raw)),
		Header: http.Header{"Prefer": {"return=representation"}},
	})
	if err != nil {
		return "", err
	}
	if id := res.Text("id"); res.Status == http.StatusCreated && id != "" {
		return id, nil
	}
	return "", fmt.Errorf("writing behind: %s", res)
}

// uproot deletes it again, so that rows which count find what they know.
func uproot(ctx context.Context, t *kit.Target, path string) error {
	_, err := t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: t.Upstream + "/" + path})
	return err
}

func reachV1(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := all(ctx, t, "launch/patient patient/Patient.read patient/Observation.read patient/Condition.*")
	if err != nil {
		return err
	}
	for path, want := range map[string]int{
		"Patient/" + g.Patient(): http.StatusOK, "Observation?_count=1&patient=" + g.Patient(): http.StatusOK, "Condition?_count=1&patient=" + g.Patient(): http.StatusOK,
	} {
		res, err := t.FHIR(ctx, g.Access(), path)
		if c.Note(err) {
			c.That(res.Status == want, "%s", res)
		}
	}
	res, err := t.Write(ctx, g.Access(), http.MethodPost, "Observation", observation(g.Patient(), "vital-signs"), nil)
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "read writes: %s", res)
	}
	body := map[string]any{"resourceType": "Condition", "subject": map[string]any{"reference": "Patient/" + g.Patient()}, "code": map[string]any{"text": "a test"}}
	res, err = t.Write(ctx, g.Access(), http.MethodPost, "Condition", body, nil)
	if c.Note(err) && c.That(res.Status == http.StatusCreated, "the asterisk does not write: %s", res) {
		_, path, _ := strings.Cut(res.Header.Get("Location"), "/Condition/")
		id, _, _ := strings.Cut(path, "/")
		c.Note(uproot(ctx, t, "Condition/"+id))
	}
	return c.Err()
}

func reachBoth(ctx context.Context, t *kit.Target) error {
	g, err := all(ctx, t, "launch/patient patient/Patient.rs patient/Observation.rs?category="+kit.ObservationCategory+"|vital-signs&code=http://loinc.org|8867-4")
	if err != nil {
		return err
	}
	var c kit.Check
	inside, err := plant(ctx, t, observation(g.Patient(), "vital-signs"))
	if !c.Note(err) {
		return c.Err()
	}
	defer func() { _ = uproot(ctx, t, "Observation/"+inside) }()
	outside, err := plant(ctx, t, observation(g.Patient(), "laboratory"))
	if !c.Note(err) {
		return c.Err()
	}
	defer func() { _ = uproot(ctx, t, "Observation/"+outside) }()
	found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
	c.Note(err)
	seen := false
	for _, e := range found {
		seen = seen || e.ID == inside
		c.That(slices.Contains(e.Codes("category"), "vital-signs") && slices.Contains(e.Codes("code"), "8867-4"), "Observation/%s meets one parameter only", e.ID)
	}
	c.That(seen, "Observation/%s meets both parameters and is missing", inside)
	res, err := t.FHIR(ctx, g.Access(), "Observation/"+outside)
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden || res.Status == http.StatusNotFound, "%s", res)
	}
	return c.Err()
}

func reachWildcard(ctx context.Context, t *kit.Target) error {
	v := visit(t)
	rest := false
	v.Consent = func(f *kit.Form) {
		tickEverything(f)
		rest = f.Field("kind.rest") != nil && f.Field("kind.rest").Label != ""
	}
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/*.rs", Visit: v})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(rest || t.Has()&kit.Proxies == 0, "the page does not say that the wildcard covers everything else")
	c.That(slices.Contains(g.Scopes(), "patient/*.rs"), "granted %v", g.Scopes())
	for _, typ := range append(slices.Clone(usCoreTypes), "Media", "RiskAssessment", "MedicationStatement", "NutritionOrder", "ImagingStudy") {
		res, err := t.FHIR(ctx, g.Access(), typ+"?_count=1")
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s", res)
		}
	}
	return c.Err()
}

func reachNobody(ctx context.Context, t *kit.Target) error {
	g, err := all(ctx, t, "launch/patient patient/Patient.rs patient/Practitioner.r patient/Organization.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, typ := range []string{"Practitioner", "Organization"} {
		id, err := t.First(ctx, typ+"?_count=1")
		if !c.Note(err) {
			continue
		}
		res, err := t.FHIR(ctx, g.Access(), typ+"/"+id)
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s", res)
		}
		res, err = t.Write(ctx, g.Access(), http.MethodPut, typ+"/"+id, map[string]any{"resourceType": typ, "id": id}, nil)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden, "%s", res)
		}
	}
	return c.Err()
}

func reachLinked(ctx context.Context, t *kit.Target) error {
	g, err := all(ctx, t, "launch/patient patient/Patient.rs")
	if err != nil {
		return err
	}
	id, err := plant(ctx, t, map[string]any{
		"resourceType": "Patient", "name": []any{map[string]any{"family": "Linked"}},
		"link": []any{map[string]any{"other": map[string]any{"reference": "Patient/" + g.Patient()}, "type": "seealso"}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = uproot(ctx, t, "Patient/"+id) }()
	var c kit.Check
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+id)
	if c.Note(err) {
		c.That(res.Status == http.StatusNotFound || res.Status == http.StatusForbidden, "%s", res)
	}
	found, err := t.All(ctx, g.Access(), "Patient?_count=50")
	if c.Note(err) {
		c.That(len(found) == 1 && found[0].ID == g.Patient(), "a search shows %d Patients", len(found))
	}
	return c.Err()
}

func reachTwoCategories(ctx context.Context, t *kit.Target) error {
	id, err := plant(ctx, t, observation(t.Person(t.Patient()).Patients[0], "laboratory", "vital-signs"))
	if err != nil {
		return err
	}
	defer func() { _ = uproot(ctx, t, "Observation/"+id) }()
	var c kit.Check
	for category, want := range map[string]int{"laboratory": http.StatusOK, "vital-signs": http.StatusOK, "survey": http.StatusNotFound} {
		g, err := all(ctx, t, "launch/patient patient/Patient.rs "+observations(category))
		if !c.Note(err) {
			continue
		}
		res, err := t.FHIR(ctx, g.Access(), "Observation/"+id)
		if c.Note(err) {
			c.That(res.Status == want || want != http.StatusOK && res.Status == http.StatusForbidden, "%s: %s", category, res)
		}
		found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
		seen := slices.ContainsFunc(found, func(e kit.Entry) bool { return e.ID == id })
		c.That(err == nil && seen == (want == http.StatusOK), "%s: a search shows it: %v %v", category, seen, err)
	}
	return c.Err()
}

func reachCategories(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range append(slices.Clone(conditionScopes), observationScopes...) {
		typ, _, _ := strings.Cut(scope, ".")
		_, filter, _ := strings.Cut(scope, "category=")
		_, code, _ := strings.Cut(filter, "|")
		g, err := all(ctx, t, "launch/patient patient/Patient.rs patient/"+scope)
		if !c.Note(err) || !c.That(slices.Contains(g.Scopes(), "patient/"+scope), "%s: granted %v", scope, g.Scopes()) {
			continue
		}
		found, err := t.All(ctx, g.Access(), typ+"?_count=200&patient="+g.Patient())
		c.Note(err)
		for _, e := range found {
			c.That(slices.Contains(e.Codes("category"), code), "%s shows %s/%s of %v", scope, e.Type, e.ID, e.Codes("category"))
		}
		normal := "&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N"
		behind, err := t.Behind(ctx, typ+"?_summary=count&patient=Patient/"+g.Patient()+normal+"&category="+escape(filter))
		if c.Note(err) {
			c.That(behind.Total() < 1 || len(found) > 0, "%s shows nothing of %d", scope, behind.Total())
		}
	}
	return c.Err()
}

// misprints are the systems that tables of US Core name by mistake.
var misprints = []string{
	"http://terminology.hl7.org//CodeSystem-observation-category", "http://terminology.hl7.org/3.1.0/CodeSystem-observation-category.html",
}

func reachMisprint(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, system := range misprints {
		g, err := all(ctx, t, "launch/patient patient/Patient.rs patient/Observation.rs?category="+system+"|social-history")
		if !c.Note(err) {
			continue
		}
		c.That(!strings.Contains(g.Text("scope"), system), "granted %q", g.Text("scope"))
		found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
		if err != nil && strings.Contains(err.Error(), "→ 403") {
			continue // not granted at all
		}
		c.Note(err)
		for _, e := range found {
			c.That(slices.Contains(e.Codes("category"), "social-history"), "%s shows Observation/%s", system, e.ID)
		}
	}
	return c.Err()
}

func reachMany(ctx context.Context, t *kit.Target) error {
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("patient/Observation.rs?code=http://loinc.org|%d-1", i))
	}
	g, _, err := granted(ctx, t, "launch/patient patient/Patient.rs "+strings.Join(many, " "))
	if err != nil || g == nil {
		return err // refused as a whole
	}
	res, err := t.FHIR(ctx, g.Access(), "Observation?_count=5&patient="+g.Patient())
	if err != nil {
		return err
	}
	if res.Status >= http.StatusInternalServerError {
		return fmt.Errorf("%s", res)
	}
	return nil
}
