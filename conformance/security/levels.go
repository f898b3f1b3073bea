package security

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func levels() []kit.Row {
	story := kit.Login | kit.Proxies
	return []kit.Row{
		{ID: "SMART SCP-12", Title: "a user scope of a patient reaches nobody else", Needs: story | kit.Upstream, Run: userOfPatient},
		{ID: "SMART SCP-16", Title: "a clinician's user scope is not limited to the patient in context", Needs: story | kit.Launcher, Run: userOfClinician},
		{ID: "SMART SCP-13", Title: "patient, user and system tokens see different sets", Needs: story | kit.Launcher | kit.Backend, Run: threeLevels},
		{ID: "MANDATE D14", Title: "a patient's Consents and related persons are served by the server itself", Needs: story | kit.Upstream, Run: ownedTypes},
		{ID: "SMART M-19", Title: "an export needs a system token, and its files too", Also: []string{"BLK-01"}, Needs: kit.Login | kit.Backend | kit.Upstream, Run: export},
	}
}

func userOfPatient(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient user/*.cruds", Visit: kit.Visit{Person: t.Patient(), Consent: tickAll}})
	if err != nil {
		return err
	}
	w := world{t: t, token: g.Access(), me: g.Patient(), other: t.OtherPatient(g.Patient())}
	w.get(ctx, &c, "Patient/"+w.other, http.StatusForbidden, http.StatusNotFound)
	w.onlyMine(ctx, &c, "Patient?_count=50")
	w.onlyMine(ctx, &c, "Observation?_count=50")
	w.send(ctx, &c, http.MethodPost, "Observation", note(w.other), 403, 404, 422)
	return c.Err()
}

// clinicianToken launches from the record of Rosa with a user scope.
func clinicianToken(ctx context.Context, t *kit.Target) (string, error) {
	g, err := t.EHRLaunch(ctx, map[string]any{"patient": "rosa", "user": "Practitioner/dr-hale"}, kit.Launch{
		Client: t.Client("public"), Scope: "launch openid fhirUser user/Patient.rs user/Observation.rs", Visit: kit.Visit{Person: "hale"},
	})
	if err != nil {
		return "", err
	}
	return g.Access(), nil
}

func userOfClinician(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	token, err := clinicianToken(ctx, t)
	if err != nil {
		return err
	}
	for _, id := range []string{"rosa", "joaquin"} {
		res, err := t.FHIR(ctx, token, "Patient/"+id)
		judge(&c, res, err, http.StatusOK)
	}
	return c.Err()
}

func threeLevels(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	mine, err := enter(ctx, t, "patient/Patient.rs")
	c.Note(err)
	clinician, err := clinicianToken(ctx, t)
	c.Note(err)
	system, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Patient.rs")
	if !c.Note(err) {
		return c.Err()
	}
	seen := map[string]int{}
	for level, token := range map[string]string{"patient": mine.token, "user": clinician, "system": system.Text("access_token")} {
		found, err := t.All(ctx, token, "Patient?_count=100")
		if c.Note(err) {
			seen[level] = len(found)
		}
	}
	c.That(seen["patient"] == 1 && seen["user"] > 1 && seen["system"] >= seen["user"], "Patients seen: %v", seen)
	return c.Err()
}

func ownedTypes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	// Consents are labelled restricted, so the patient has to choose them.
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/Patient.rs patient/Consent.rs patient/RelatedPerson.rs", Visit: kit.Visit{
		Person: "rosa", Consent: func(f *kit.Form) {
			for _, box := range f.Fields {
				box.Checked = box.Checked || box.Type == "checkbox"
			}
		},
	}})
	if err != nil {
		return err
	}
	w := world{t: t, token: g.Access(), me: g.Patient(), other: t.OtherPatient(g.Patient())}
	found, err := t.All(ctx, w.token, "Consent?_count=50&patient="+w.me)
	if c.Note(err) {
		names := ""
		for _, e := range found {
			names += " " + e.ID
			c.That(e.Belongs(w.me), "Consent/%s is about another patient", e.ID)
		}
		c.That(strings.Contains(names, "e4-block-former-spouse"), "the patient's own Consents are%s", names)
	}
	found, err = t.All(ctx, w.token, "RelatedPerson?_count=50&patient="+w.me)
	if c.Note(err) {
		c.That(len(found) > 0, "no related person")
		for _, e := range found {
			c.That(e.Belongs(w.me), "RelatedPerson/%s is about another patient", e.ID)
		}
	}
	w.get(ctx, &c, "Consent/e8-daughter-download", http.StatusForbidden, http.StatusNotFound)
	w.get(ctx, &c, "RelatedPerson/joaquin-elena", http.StatusForbidden, http.StatusNotFound)
	return c.Err()
}

func export(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	start := func(token string) (*kit.Response, error) {
		return t.Do(ctx, kit.Request{URL: t.FHIRBase + "/$export?_type=Patient", Bearer: token, Header: http.Header{"Prefer": {"respond-async"}, "Accept": {"application/fhir+json"}}})
	}
	mine, err := enter(ctx, t, "patient/Patient.rs")
	if err != nil {
		return err
	}
	res, err := start(mine.token)
	judge(&c, res, err, http.StatusForbidden)
	narrow, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Observation.rs")
	if c.Note(err) {
		res, err = start(narrow.Text("access_token"))
		judge(&c, res, err, http.StatusForbidden)
	}
	right, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Patient.rs")
	if !c.Note(err) {
		return c.Err()
	}
	token := right.Text("access_token")
	res, err = start(token)
	res = judge(&c, res, err, http.StatusAccepted)
	at := res.Header.Get("Content-Location")
	if !c.That(strings.HasPrefix(at, t.FHIRBase), "the status is at %q", at) {
		return c.Err()
	}
	manifest, err := poll(ctx, t, at, token)
	if !c.Note(err) {
		return c.Err()
	}
	stranger, err := t.Do(ctx, kit.Request{URL: at})
	judge(&c, stranger, err, http.StatusUnauthorized)
	files, _ := manifest.JSON()["output"].([]any)
	c.That(len(files) > 0, "the export has no files")
	for _, raw := range files {
		file, _ := raw.(map[string]any)
		link, _ := file["url"].(string)
		c.That(file["type"] == "Patient" && strings.HasPrefix(link, t.FHIRBase), "a file of %v outside the FHIR base", file["type"])
		got, err := t.Do(ctx, kit.Request{URL: link, Bearer: token})
		got = judge(&c, got, err, http.StatusOK)
		c.That(strings.Count(string(got.Body), "\n") > 1, "the file is empty")
		got, err = t.Do(ctx, kit.Request{URL: link})
		judge(&c, got, err, http.StatusUnauthorized)
		got, err = t.Do(ctx, kit.Request{URL: link, Bearer: mine.token})
		judge(&c, got, err, http.StatusForbidden, http.StatusNotFound)
	}
	return c.Err()
}

// poll asks for the status of an export until it is complete.
func poll(ctx context.Context, t *kit.Target, at, token string) (*kit.Response, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		res, err := t.Do(ctx, kit.Request{URL: at, Bearer: token})
		if err != nil || res.Status == http.StatusOK {
			return res, err
		}
		if res.Status != http.StatusAccepted {
			return res, fmt.Errorf("%s", res)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
	return nil, fmt.Errorf("the export does not end")
}
