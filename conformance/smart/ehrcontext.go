package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// ehrContext holds further rows about what an EHR launch tells the app.
func ehrContext() []kit.Row {
	needs := kit.Login | kit.Launcher | kit.Proxies
	return []kit.Row{
		{ID: "SMART CTX-03b", Title: "a patient scope comes with a patient in an EHR launch too", Needs: needs, Run: ehrPatient},
		{ID: "SMART CTX-07", Title: "roles are never empty, and two items of one type come through", Needs: needs | kit.Upstream, Run: ehrRoles},
		{ID: "SMART CTX-12b", Title: "the style that the app is told is public JSON for any origin", Also: []string{"CAP-09", "VER-11"}, Needs: needs, Run: ehrStyle},
		{ID: "SMART CTX-14", Title: "a context hint that cannot be met breaks no EHR launch", Needs: needs, Run: ehrHint},
		{ID: "SMART CTX-15", Title: "a standalone launch gives patient and encounter when asked", Needs: kit.Login, Run: standaloneBoth},
		{ID: "SMART CTX-11b", Title: "intent and tenant, where told, are strings", Needs: needs, Run: ehrTexts},
		{ID: "SMART US-07", Title: "all nine parameters are taken by GET and by POST", Needs: needs, Run: ehrNine},
		{ID: "SMART US-08", Title: "v1 and v2 scopes work for a clinician too", Also: []string{"CAP-16", "CAP-17"}, Needs: needs, Run: ehrUserScopes},
		{ID: "SMART INT-05b", Title: "every parameter of an EHR launch reappears in introspection", Needs: needs | kit.Symmetric | kit.Upstream, Run: ehrIntrospection},
	}
}

func ehrPatient(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	l.Scope = "launch patient/Observation.rs"
	g, err := t.EHRLaunch(ctx, fresh(nil), l)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(slices.Contains(g.Scopes(), "patient/Observation.rs"), "granted %v", g.Scopes())
	c.That(g.Patient() == "rosa", "patient is %q", g.Patient())
	return c.Err()
}

// items gives the fhirContext of an answer.
func items(res *kit.Response) []map[string]any {
	var out []map[string]any
	list, _ := res.JSON()["fhirContext"].([]any)
	for _, raw := range list {
		item, _ := raw.(map[string]any)
		out = append(out, item)
	}
	return out
}

func ehrRoles(ctx context.Context, t *kit.Target) error {
	found, err := t.Behind(ctx, "DiagnosticReport?patient=Patient/rosa&_count=2")
	if err != nil {
		return err
	}
	if len(found.Entries()) < 2 {
		return kit.Unmet{Why: "two DiagnosticReports of the patient"}
	}
	asked := []map[string]any{
		{"reference": "DiagnosticReport/" + found.Entries()[0].ID},
		{"reference": "DiagnosticReport/" + found.Entries()[1].ID, "role": "https://ehr.example/role/previous"},
	}
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"fhirContext": asked}), clinician(t))
	if err != nil {
		return err
	}
	var c kit.Check
	told := items(g.Response)
	for _, want := range asked {
		c.That(slices.ContainsFunc(told, func(item map[string]any) bool {
			return item["reference"] == want["reference"] && (want["role"] == nil || item["role"] == want["role"])
		}), "%v is missing among %v", want, told)
	}
	for _, item := range told {
		role, has := item["role"]
		text, isText := role.(string)
		c.That(!has || isText && text != "", "role is %v", role)
		c.That(item["reference"] != nil || item["canonical"] != nil || item["identifier"] != nil, "an item names nothing: %v", item)
	}
	empty, err := t.RegisterLaunch(ctx, fresh(map[string]any{"client_id": t.Client("public").ID, "fhirContext": []map[string]any{{"reference": asked[0]["reference"], "role": ""}}}))
	if c.Note(err) && empty.Status == http.StatusCreated {
		l := clinician(t)
		l.Handle = empty.Text("launch")
		g, err := t.Launch(ctx, l)
		if c.Note(err) {
			for _, item := range items(g.Response) {
				role, has := item["role"]
				c.That(!has || role != "", "an empty role came through")
			}
		}
	}
	return c.Err()
}

func ehrStyle(ctx context.Context, t *kit.Target) error {
	g, err := t.EHRLaunch(ctx, fresh(nil), clinician(t))
	if err != nil {
		return err
	}
	style := g.Text("smart_style_url")
	if style == "" {
		return fmt.Errorf("the answer has no smart_style_url")
	}
	res, err := t.Do(ctx, kit.Request{URL: style, Header: http.Header{"Origin": {"https://anybody.example"}}})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && len(res.JSON()) > 0 && strings.Contains(res.Media(), "json"), "%s %s", res, res.Media())
	allowed := res.Header.Get("Access-Control-Allow-Origin")
	c.That(allowed == "*" || allowed == "https://anybody.example", "it allows %q", allowed)
	return c.Err()
}

func ehrHint(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	l.Scope += " launch/imagingstudy launch/medicationrequest?role=https://role.example/x launch/encounter launch/patient"
	g, err := t.EHRLaunch(ctx, fresh(nil), l)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Patient() == "rosa", "patient is %q", g.Patient())
	return c.Err()
}

func standaloneBoth(ctx context.Context, t *kit.Target) error {
	g, _, err := granted(ctx, t, "launch/patient launch/encounter patient/Patient.rs patient/Encounter.rs")
	if err != nil || g == nil {
		return orElse(err, "the request was refused")
	}
	var c kit.Check
	c.That(g.Patient() != "", "patient was asked and is missing")
	c.That(g.Text("encounter") != "", "encounter was asked and is missing")
	return c.Err()
}

func ehrTexts(ctx context.Context, t *kit.Target) error {
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"intent": "order-review"}), clinician(t))
	if err != nil {
		return err
	}
	var c kit.Check
	for _, name := range []string{"intent", "tenant"} {
		v, told := g.JSON()[name]
		text, isText := v.(string)
		c.That(!told || isText && text != "", "%s is %v", name, v)
	}
	c.That(g.Text("intent") == "order-review", "intent is %v", g.JSON()["intent"])
	return c.Err()
}

// nine are the parameters that a server must take (45 CFR 170.315(g)(10)).
var nine = []string{"response_type", "client_id", "redirect_uri", "launch", "scope", "state", "aud", "code_challenge", "code_challenge_method"}

func ehrNine(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, post := range []bool{false, true} {
		l := clinician(t)
		value, err := handle(ctx, t, l.Client, nil)
		if !c.Note(err) {
			continue
		}
		verifier := t.NewVerifier()
		req := t.AuthorizeRequest(l.Client, l.Scope, verifier)
		req.Set("launch", value)
		for _, name := range nine {
			c.That(req.Get(name) != "", "the request lacks %s", name)
		}
		v := l.Visit
		v.Post = post
		a, err := t.Authorize(ctx, req, v)
		if !c.Note(err) || !c.That(a.Code() != "" && a.Query.Get("state") == req.Get("state"), "POST %v: %s", post, a) {
			continue
		}
		res, err := t.Call(ctx, t.Config.Token, l.Client, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
		if c.Note(err) {
			c.That(res.Status == http.StatusOK && res.Text("patient") == "rosa", "POST %v: %s with the patient %q", post, res, res.Text("patient"))
		}
	}
	return c.Err()
}

func ehrUserScopes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range []string{"user/Patient.read user/Observation.read", "user/Patient.rs user/Observation.rs"} {
		l := clinician(t)
		l.Scope = "launch " + scope
		g, err := t.EHRLaunch(ctx, fresh(nil), l)
		if !c.Note(err) {
			continue
		}
		for _, s := range strings.Fields(scope) {
			c.That(slices.Contains(g.Scopes(), s), "%s is not in %v", s, g.Scopes())
		}
		for path, want := range map[string]int{"Patient/rosa": http.StatusOK, "Observation?_count=1&patient=rosa": http.StatusOK, "Condition?patient=rosa": http.StatusForbidden} {
			res, err := t.FHIR(ctx, g.Access(), path)
			if c.Note(err) {
				c.That(res.Status == want, "%s, expected %d", res, want)
			}
		}
	}
	for _, scope := range []string{"patient/Patient.read patient/Observation.read", "patient/Patient.rs patient/Observation.rs"} {
		g, got, err := granted(ctx, t, "launch/patient "+scope)
		if c.Note(err) && c.That(g != nil, "%q was refused", scope) {
			res, err := t.FHIR(ctx, g.Access(), "Observation?_count=1&patient="+g.Patient())
			c.Note(err)
			c.That(err == nil && res.Status == http.StatusOK && len(got) >= 3, "%q gave %v: %s", scope, got, res)
		}
	}
	return c.Err()
}

func ehrIntrospection(ctx context.Context, t *kit.Target) error {
	encounter, err := t.First(ctx, "Encounter?patient=Patient/rosa&_count=1")
	if err != nil {
		return err
	}
	report, err := t.First(ctx, "DiagnosticReport?patient=Patient/rosa&_count=1")
	if err != nil {
		return err
	}
	l := clinician(t)
	l.Client = t.Client("symmetric")
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{
		"encounter": encounter, "intent": "order-review", "need_patient_banner": false,
		"fhirContext": []map[string]any{{"reference": "DiagnosticReport/" + report}},
	}), l)
	if err != nil {
		return err
	}
	res, err := t.Introspect(ctx, l.Client, g.Access())
	if err != nil {
		return err
	}
	var c kit.Check
	told := 0
	for _, name := range []string{"patient", "encounter", "intent", "fhirContext", "need_patient_banner", "smart_style_url", "tenant"} {
		want, ok := g.JSON()[name]
		if !ok {
			continue
		}
		told++
		c.That(same(want, res.JSON()[name]), "%s is %v, the token answer says %v", name, res.JSON()[name], want)
	}
	c.That(told >= 5, "the token answer told only %d parameters of the launch", told)
	return c.Err()
}

// same compares two JSON values.
func same(a, b any) bool {
	one, err1 := json.Marshal(a)
	two, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(one) == string(two)
}

// escape makes a query value.
func escape(s string) string { return url.QueryEscape(s) }
