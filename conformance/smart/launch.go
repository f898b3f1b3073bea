package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func ehrLaunch() []kit.Row {
	needs := kit.Login | kit.Launcher | kit.Proxies
	return []kit.Row{
		{ID: "SMART LAU-01", Title: "the launch URL of the app gets iss and launch", Needs: needs, Run: launchURL},
		{ID: "SMART CAP-01", Title: "an EHR launch works end to end", Needs: needs, Run: launchWorks},
		{ID: "SMART CAP-08", Title: "need_patient_banner is a JSON boolean", Also: []string{"CTX-10", "VER-11"}, Needs: needs, Run: launchBanner},
		{ID: "SMART CAP-10", Title: "the launch binds the patient", Needs: needs, Run: launchPatient},
		{ID: "SMART CAP-11", Title: "the launch binds the encounter", Needs: needs | kit.Upstream, Run: launchEncounter},
		{ID: "SMART CTX-05", Title: "fhirContext is a list of objects", Also: []string{"CTX-08", "VER-02"}, Needs: needs | kit.Upstream, Run: launchFHIRContext},
		{ID: "SMART CTX-11", Title: "intent reaches the app", Needs: needs, Run: launchIntent},
		{ID: "SMART CTX-12", Title: "smart_style_url reaches the app", Needs: needs, Run: launchStyle},
		{ID: "SMART LAU-02", Title: "a used launch is refused", Also: []string{"CAP-01"}, Needs: needs, Run: launchReplay},
		{ID: "SMART LAU-02b", Title: "a launch of another app is refused", Also: []string{"CAP-01"}, Needs: needs | kit.Symmetric, Run: launchTheft},
		{ID: "SMART LAU-02c", Title: "a launch made for another person is refused", Needs: needs, Run: launchSwap},
		{ID: "SMART LAU-02d", Title: "an unknown launch is refused", Also: []string{"CAP-01"}, Needs: needs, Run: launchUnknown},
		{ID: "SMART LAU-02e", Title: "a launch dies within minutes", Also: []string{"CAP-01"}, Needs: needs | kit.Clock, Run: launchLate},
		{ID: "SMART LAU-02f", Title: "only an EHR client may register a launch", Needs: needs | kit.Symmetric, Run: launchRight},
		{ID: "SMART LAU-03", Title: "a launch without its scope, and its scope without a launch, give no foreign context", Needs: needs, Run: launchScope},
	}
}

const clinicianScope = "launch openid fhirUser patient/Patient.rs patient/Encounter.rs patient/Observation.rs"

// clinician gives a launch by the clinician of the story.
func clinician(t *kit.Target) kit.Launch {
	return kit.Launch{Client: t.Client("public"), Scope: clinicianScope, Visit: kit.Visit{Person: "hale"}}
}

// fresh is a launch context for Rosa opened by her doctor.
func fresh(more map[string]any) map[string]any {
	out := map[string]any{"patient": "rosa", "user": "Practitioner/dr-hale"}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func launchURL(ctx context.Context, t *kit.Target) error {
	client := t.Client("public")
	res, err := t.RegisterLaunch(ctx, fresh(map[string]any{"client_id": client.ID}))
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusCreated, "%s", res)
	u, err := url.Parse(res.Text("launch_url"))
	if c.Note(err) {
		c.That(strings.HasPrefix(u.String(), client.LaunchURIs[0]), "launch_url is not a registered one")
		c.That(u.Query().Get("iss") == t.FHIRBase, "iss is %q", u.Query().Get("iss"))
		c.That(u.Query().Get("launch") == res.Text("launch") && len(res.Text("launch")) >= 22, "launch is missing or short")
	}
	return c.Err()
}

func launchWorks(ctx context.Context, t *kit.Target) error {
	g, err := t.EHRLaunch(ctx, fresh(nil), clinician(t))
	if err != nil {
		return err
	}
	res, err := t.FHIR(ctx, g.Access(), "Patient/rosa")
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("%s", res)
	}
	return nil
}

func launchBanner(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, want := range []bool{true, false} {
		g, err := t.EHRLaunch(ctx, fresh(map[string]any{"need_patient_banner": want}), clinician(t))
		if c.Note(err) {
			got, isBool := g.JSON()["need_patient_banner"].(bool)
			c.That(isBool && got == want, "need_patient_banner is %v, registered %v", g.JSON()["need_patient_banner"], want)
		}
	}
	return c.Err()
}

func launchPatient(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := t.EHRLaunch(ctx, fresh(nil), clinician(t))
	if c.Note(err) {
		c.That(g.Patient() == "rosa", "patient is %q", g.Patient())
		c.That(g.Answer.PatientPage == nil, "the clinician was asked for the patient although the launch names one")
	}
	return c.Err()
}

func launchEncounter(ctx context.Context, t *kit.Target) error {
	id, err := t.First(ctx, "Encounter?patient=Patient/rosa&_count=1")
	if err != nil {
		return err
	}
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"encounter": id}), clinician(t))
	if err != nil {
		return err
	}
	if g.Text("encounter") != id {
		return fmt.Errorf("encounter is %q, registered %q", g.Text("encounter"), id)
	}
	return encounterFits(ctx, t, g)
}

func launchFHIRContext(ctx context.Context, t *kit.Target) error {
	id, err := t.First(ctx, "DiagnosticReport?patient=Patient/rosa&_count=1")
	if err != nil {
		return err
	}
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"fhirContext": []map[string]any{{"reference": "DiagnosticReport/" + id}}}), clinician(t))
	if err != nil {
		return err
	}
	var c kit.Check
	items, _ := g.JSON()["fhirContext"].([]any)
	found := false
	for _, raw := range items {
		item, ok := raw.(map[string]any)
		if !c.That(ok, "fhirContext holds %T", raw) {
			continue
		}
		found = found || item["reference"] == "DiagnosticReport/"+id
		role, has := item["role"]
		c.That(!has || role != "", "an empty role")
		text, _ := item["reference"].(string)
		c.That(!strings.HasPrefix(text, "Patient/") && !strings.HasPrefix(text, "Encounter/"), "fhirContext repeats %s (CTX-08)", text)
	}
	c.That(found, "the registered reference is missing: %v", items)
	return c.Err()
}

func launchIntent(ctx context.Context, t *kit.Target) error {
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"intent": "reconcile-medications"}), clinician(t))
	if err != nil {
		return err
	}
	if g.Text("intent") != "reconcile-medications" {
		return fmt.Errorf("intent is %v", g.JSON()["intent"])
	}
	return nil
}

func launchStyle(ctx context.Context, t *kit.Target) error {
	const style = "https://ehr.example/style.json"
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"smart_style_url": style}), clinician(t))
	if err != nil {
		return err
	}
	if g.Text("smart_style_url") != style {
		return fmt.Errorf("smart_style_url is %v", g.JSON()["smart_style_url"])
	}
	return nil
}

// handle registers a launch of the public client.
func handle(ctx context.Context, t *kit.Target, client kit.Client, more map[string]any) (string, error) {
	context := fresh(more)
	context["client_id"] = client.ID
	res, err := t.RegisterLaunch(ctx, context)
	if err != nil {
		return "", err
	}
	if res.Text("launch") == "" {
		return "", fmt.Errorf("no launch handle: %s", res)
	}
	return res.Text("launch"), nil
}

// launchRefused walks a launch that must not give a code.
func launchRefused(ctx context.Context, t *kit.Target, c *kit.Check, what string, l kit.Launch) {
	req := t.AuthorizeRequest(l.Client, l.Scope, t.NewVerifier())
	req.Set("launch", l.Handle)
	a, err := t.Authorize(ctx, req, l.Visit)
	if c.Note(err) {
		c.That(a.Code() == "", "%s: a code was given", what)
		c.That(a.Query.Get("error") != "" || a.Query == nil && a.Last.Status >= 400, "%s: %s", what, a)
	}
}

func launchReplay(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	var err error
	if l.Handle, err = handle(ctx, t, l.Client, nil); err != nil {
		return err
	}
	if _, err = t.Launch(ctx, l); err != nil {
		return err
	}
	var c kit.Check
	launchRefused(ctx, t, &c, "the second use", l)
	return c.Err()
}

func launchTheft(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	var err error
	if l.Handle, err = handle(ctx, t, l.Client, nil); err != nil {
		return err
	}
	l.Client = t.Client("symmetric")
	var c kit.Check
	launchRefused(ctx, t, &c, "another app", l)
	return c.Err()
}

func launchSwap(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	var err error
	if l.Handle, err = handle(ctx, t, l.Client, nil); err != nil {
		return err
	}
	l.Visit.Person = "osei"
	var c kit.Check
	launchRefused(ctx, t, &c, "another clinician", l)
	return c.Err()
}

func launchUnknown(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	l := clinician(t)
	for _, value := range []string{t.Random(), "rosa", "eyJwYXRpZW50Ijoicm9zYSJ9"} {
		l.Handle = value
		launchRefused(ctx, t, &c, "an invented launch", l)
	}
	return c.Err()
}

func launchLate(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	var err error
	if l.Handle, err = handle(ctx, t, l.Client, nil); err != nil {
		return err
	}
	if err := t.Advance(ctx, 20*60*1e9); err != nil {
		return err
	}
	var c kit.Check
	launchRefused(ctx, t, &c, "after 20 minutes", l)
	return c.Err()
}

func launchRight(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	body := fresh(map[string]any{"client_id": t.Client("public").ID})
	app := t.Client("symmetric")
	wrong := app
	wrong.Secret = "wrong"
	for what, as := range map[string]kit.Client{"an app": app, "a wrong secret": wrong} {
		res, err := t.RegisterLaunchAs(ctx, as, body)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden || res.Status == http.StatusUnauthorized, "%s: %s", what, res)
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: t.LaunchAPI.URL, Type: "application/json", Body: strings.NewReader(string(raw))})
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "nobody: %s", res)
	}
	return c.Err()
}

func launchScope(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	l := clinician(t)
	value, err := handle(ctx, t, l.Client, nil)
	if err != nil {
		return err
	}
	l.Scope = "launch/patient patient/Patient.rs"
	l.Handle, l.Visit = value, visit(t)
	launchRefused(ctx, t, &c, "a launch without its scope", l)
	// The scope without a value: the patient's own record or an error.
	g, _, err := granted(ctx, t, "launch launch/patient patient/Patient.rs")
	if c.Note(err) && g != nil {
		c.That(g.Patient() == t.Person(t.Patient()).Patients[0], "the scope launch alone gave the patient %q", g.Patient())
	}
	return c.Err()
}
