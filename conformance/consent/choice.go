package consent

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

const chartScope = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs patient/Condition.rs patient/MedicationRequest.rs"

func choice() []kit.Row {
	needs := kit.Login
	return []kit.Row{
		{ID: "SMART US-10", Title: "a whole type asked can be narrowed to categories, and only those are granted", Also: []string{"US-16"}, Needs: needs, Run: narrowToCategories},
		{ID: "SMART US-11", Title: "each resource type is a choice of its own", Needs: needs, Run: eachType},
		{ID: "SMART US-12", Title: "lasting access can be refused", Needs: needs, Run: refuseOffline},
		{ID: "SMART US-13", Title: "a type that was left out is 403, not an empty Bundle", Also: []string{"TRP-02"}, Needs: needs, Run: leftOut},
		{ID: "SMART US-14", Title: "granular searches give all inside and nothing outside", Needs: needs | kit.Upstream, Run: granularSearch},
		{ID: "SMART US-15", Title: "granular reads give 200 inside and not 200 outside", Needs: needs | kit.Upstream, Run: granularRead},
		{ID: "SMART US-24", Title: "a subset of the request can be approved", Needs: needs, Run: leftOut},
		{ID: "SMART BP-03", Title: "the page names the app and the patient", Needs: needs, Run: namesApp},
		{ID: "MANDATE 7a", Title: "nothing sensitive is ticked beforehand", Needs: needs | kit.Proxies, Run: sensitiveOff},
		{ID: "MANDATE 7b", Title: "the count on the page is what the token then fetches, and it follows the record", Needs: needs | kit.Proxies | kit.Upstream, Run: countsAreTrue},
		{ID: "SMART SC-23", Title: "the offered kinds do not depend on what is in the chart", Needs: needs | kit.Proxies, Run: sameOffer},
	}
}

// launchWith launches the public app for the usual patient.
func launchWith(ctx context.Context, t *kit.Target, scope string, choose func(*kit.Form)) (*kit.Grant, error) {
	return t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: scope, Visit: kit.Visit{Person: t.Patient(), Consent: choose}})
}

// only narrows a kind to categories, by the fields of the form.
func only(f *kit.Form, kind string, categories ...string) bool {
	ok := f.Tick("kind."+kind, true) && f.Choose("kind."+kind+".how", "only")
	for _, c := range categories {
		ok = f.Tick("cat."+kind+"."+c, true) && ok
	}
	return ok
}

func narrowToCategories(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := launchWith(ctx, t, chartScope, func(f *kit.Form) {
		c.That(only(f, "Observation", "laboratory", "vital-signs"), "Observation cannot be narrowed")
		c.That(only(f, "Condition", "problem-list-item"), "Condition cannot be narrowed")
	})
	if !c.Note(err) {
		return c.Err()
	}
	var granular int
	for _, s := range g.Scopes() {
		if strings.Contains(s, "/Observation.") || strings.Contains(s, "/Condition.") {
			c.That(strings.Contains(s, "?category="), "%q is a whole type (US-16)", s)
			granular++
		}
		c.That(!strings.Contains(s, "/*."), "%q is a wildcard", s)
	}
	c.That(granular == 3, "granted %v", g.Scopes())
	return c.Err()
}

// perTypes are the types that a patient must be able to choose one by one.
var perTypes = []string{
	"AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Device", "DiagnosticReport", "DocumentReference", "Goal", "Immunization",
	"MedicationRequest", "Observation", "Patient", "Procedure", "Provenance", "Coverage", "Encounter", "MedicationDispense", "RelatedPerson",
	"ServiceRequest", "Specimen",
}

func eachType(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	_, err := launchWith(ctx, t, "launch/patient patient/*.rs", func(f *kit.Form) {
		for _, typ := range perTypes {
			box := f.Field("kind." + typ)
			c.That(box != nil && box.Label != "", "%s has no box", typ)
		}
	})
	c.Note(err)
	return c.Err()
}

func refuseOffline(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := launchWith(ctx, t, chartScope, func(f *kit.Form) {
		c.That(f.Tick("keep", false), "lasting access is no choice of its own")
	})
	if c.Note(err) {
		c.That(g.RefreshToken() == "", "a refresh token was given although lasting access was refused")
		c.That(!slices.Contains(g.Scopes(), "offline_access"), "scope says %q", g.Text("scope"))
	}
	g, err = launchWith(ctx, t, chartScope, func(f *kit.Form) { f.Tick("keep", true) })
	if c.Note(err) {
		c.That(g.RefreshToken() != "", "no refresh token although lasting access was allowed")
	}
	return c.Err()
}

func leftOut(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := launchWith(ctx, t, chartScope, func(f *kit.Form) {
		c.That(f.Tick("kind.Observation", false) && f.Tick("kind.Condition", false), "the kinds have no boxes")
	})
	if !c.Note(err) {
		return c.Err()
	}
	for path, want := range map[string]int{
		"Observation?patient=" + g.Patient(): http.StatusForbidden, "Condition?patient=" + g.Patient(): http.StatusForbidden,
		"MedicationRequest?patient=" + g.Patient(): http.StatusOK, "Patient/" + g.Patient(): http.StatusOK, "Immunization?patient=" + g.Patient(): http.StatusForbidden,
	} {
		res, err := t.FHIR(ctx, g.Access(), path)
		if c.Note(err) {
			c.That(res.Status == want, "%s, expected %d", res, want)
		}
	}
	return c.Err()
}

// inCategory reports whether a resource has one of some category codes.
func inCategory(e kit.Entry, codes ...string) bool {
	return slices.ContainsFunc(e.Codes("category"), func(code string) bool { return slices.Contains(codes, code) })
}

// narrowed gives a whole grant and one that is narrowed to two categories.
func narrowed(ctx context.Context, t *kit.Target) (whole, part *kit.Grant, err error) {
	if whole, err = launchWith(ctx, t, chartScope, nil); err != nil {
		return nil, nil, err
	}
	part, err = launchWith(ctx, t, chartScope, func(f *kit.Form) { only(f, "Observation", "laboratory", "vital-signs") })
	return whole, part, err
}

func granularSearch(ctx context.Context, t *kit.Target) error {
	whole, part, err := narrowed(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	compared := 0
	for _, query := range []string{
		"Observation?_count=200&patient=" + whole.Patient(), "Observation?_count=200&category=laboratory&patient=" + whole.Patient(),
		"Observation?_count=200&category=" + kit.Escape(kit.ObservationCategory+"|vital-signs") + "&patient=" + whole.Patient(),
		"Observation?_count=200&category=social-history&patient=" + whole.Patient(), "Observation?_count=200&status=final&patient=" + whole.Patient(),
	} {
		all, err := t.All(ctx, whole.Access(), query)
		if !c.Note(err) {
			continue
		}
		seen, err := t.All(ctx, part.Access(), query)
		if err != nil && strings.Contains(err.Error(), "→ 403") {
			continue
		}
		if !c.Note(err) {
			continue
		}
		want, got := map[string]bool{}, map[string]bool{}
		for _, e := range all {
			if inCategory(e, "laboratory", "vital-signs") {
				want[e.ID] = true
			}
		}
		for _, e := range seen {
			got[e.ID] = true
			c.That(want[e.ID], "%s shows Observation/%s from outside", query, e.ID)
		}
		c.That(len(got) == len(want), "%s shows %d of %d inside", query, len(got), len(want))
		compared += len(want)
	}
	c.That(compared > 0, "no granular search showed anything")
	return c.Err()
}

func granularRead(ctx context.Context, t *kit.Target) error {
	whole, part, err := narrowed(ctx, t)
	if err != nil {
		return err
	}
	all, err := t.All(ctx, whole.Access(), "Observation?_count=200&patient="+whole.Patient())
	if err != nil {
		return err
	}
	var c kit.Check
	tried := map[bool]int{}
	for _, e := range all {
		inside := inCategory(e, "laboratory", "vital-signs")
		if tried[inside] >= 3 {
			continue
		}
		tried[inside]++
		res, err := t.FHIR(ctx, part.Access(), "Observation/"+e.ID)
		if c.Note(err) {
			c.That((res.Status == http.StatusOK) == inside, "inside %v: %s", inside, res)
		}
	}
	c.That(tried[true] > 0 && tried[false] > 0, "the chart has %d inside and %d outside", tried[true], tried[false])
	return c.Err()
}

func namesApp(ctx context.Context, t *kit.Target) error {
	a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), chartScope, t.NewVerifier()), kit.Visit{Person: t.Patient()})
	if err != nil {
		return err
	}
	if a.ConsentPage == nil {
		return fmt.Errorf("no consent page: %s", a)
	}
	var c kit.Check
	text := a.ConsentPage.Text()
	if t.Has()&kit.Proxies != 0 {
		c.That(strings.Contains(text, "Heart Diary") && strings.Contains(text, "Example Labs"), "the page does not name the app and its maker")
		c.That(strings.Contains(text, "Rosa"), "the page does not name the patient")
	}
	c.That(strings.Contains(string(a.ConsentPage.Body), `href="tel:`), "the page has no help telephone")
	return c.Err()
}

func sensitiveOff(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	topics := 0
	_, err := launchWith(ctx, t, "launch/patient patient/*.rs", func(f *kit.Form) {
		for _, box := range f.Fields {
			if strings.HasPrefix(box.Name, "topic.") {
				topics++
				c.That(!box.Checked, "%s is ticked beforehand", box.Name)
			}
		}
	})
	c.Note(err)
	c.That(topics > 0, "no sensitive topic is offered for a chart that has some")
	return c.Err()
}

// shown reads the number that a page tells beside a box.
func shown(box *kit.Field) int {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, box.Detail)
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

func countsAreTrue(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	told := map[string]int{}
	look := func(f *kit.Form) {
		for _, typ := range []string{"Observation", "Condition", "MedicationRequest"} {
			if box := f.Field("kind." + typ); c.That(box != nil, "no box for %s", typ) {
				told[typ] = shown(box)
			}
		}
	}
	g, err := launchWith(ctx, t, chartScope, look)
	if err != nil {
		return err
	}
	for typ, n := range told {
		found, err := t.All(ctx, g.Access(), typ+"?_count=200&patient="+g.Patient())
		if c.Note(err) {
			c.That(len(found) == n, "%s: the page says %d, the token fetches %d", typ, n, len(found))
		}
	}
	before := told["Observation"]
	body := fmt.Sprintf(`{"resourceType":"Observation",
		"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},
		"status":"final","code":{"text":"count"},"subject":{"reference":"Patient/%s"}}`, g.Patient())
	res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: t.Upstream + "/Observation", Type: "application/fhir+json", Body: strings.NewReader(body)})
	if c.Note(err) {
		c.That(res.Status == http.StatusCreated, "writing behind: %s", res)
	}
	_, err = launchWith(ctx, t, chartScope, look)
	c.Note(err)
	c.That(told["Observation"] == before+1, "after a write behind, the page says %d, before %d", told["Observation"], before)
	return c.Err()
}

func sameOffer(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	offers := map[string][]string{}
	for _, person := range []string{"rosa", "noah"} {
		_, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Person: person, Consent: func(f *kit.Form) {
			for _, box := range f.Fields {
				if box.Type == "checkbox" && (strings.HasPrefix(box.Name, "kind.") || strings.HasPrefix(box.Name, "cat.")) {
					offers[person] = append(offers[person], box.Name)
				}
			}
		}}})
		c.Note(err)
	}
	c.That(len(offers["rosa"]) > 0 && slices.Equal(offers["rosa"], offers["noah"]), "two charts give %d and %d boxes", len(offers["rosa"]), len(offers["noah"]))
	return c.Err()
}
