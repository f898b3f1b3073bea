package security

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func form() []kit.Row {
	needs := kit.Login
	return []kit.Row{
		{ID: "SMART D15", Title: "XML is refused with an OperationOutcome", Needs: needs, Run: formXML},
		{ID: "SMART BAD-FHIR", Title: "malformed FHIR is 400 and names the element", Needs: needs, Run: formMalformed},
		{ID: "SMART BAD-SIZE", Title: "deep and huge JSON is refused quickly", Needs: needs, Run: formHuge},
		{ID: "SMART NO-STORE", Title: "health data may not be stored by caches", Needs: needs, Run: formCache},
		{ID: "SMART METHOD", Title: "method overrides and tokens in the URL do nothing", Needs: needs, Run: formOverride},
	}
}

func formXML(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	outcome := func(res *kit.Response, err error, want ...int) {
		res = judge(&c, res, err, want...)
		c.That(res.Text("resourceType") == "OperationOutcome", "%s: no OperationOutcome in JSON", res)
	}
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + w.me, Bearer: w.token, Header: http.Header{"Accept": {"application/fhir+xml"}}})
	outcome(res, err, http.StatusNotAcceptable)
	res, err = t.FHIR(ctx, w.token, "Patient/"+w.me+"?_format=xml")
	outcome(res, err, http.StatusNotAcceptable)
	res, err = t.Do(ctx, kit.Request{
		Method: http.MethodPost, URL: t.FHIRBase + "/Observation", Bearer: w.token,
		Type: "application/fhir+xml", Body: strings.NewReader("<Observation/>"),
	})
	outcome(res, err, http.StatusUnsupportedMediaType)
	return c.Err()
}

func formMalformed(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	bad := note(w.me)
	bad["status"] = 5
	res := w.send(ctx, &c, http.MethodPost, "Observation", bad, http.StatusBadRequest)
	c.That(res.Text("resourceType") == "OperationOutcome" && strings.Contains(string(res.Body), "status"), "%s does not name status", res)
	for _, body := range []string{"", "{", "[]", "null", `{"resourceType":"Patient"}`, `{"resourceType":"Observation","status":"final","status":"final"}`, `{"a":1}`} {
		res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: t.FHIRBase + "/Observation", Bearer: w.token, Type: "application/fhir+json", Body: strings.NewReader(body)})
		res = judge(&c, res, err, http.StatusBadRequest)
		c.That(res.Text("resourceType") == "OperationOutcome", "%q: no OperationOutcome", body)
	}
	return c.Err()
}

func formHuge(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	deep := `{"resourceType":"Observation","extension":` + strings.Repeat(`[{"extension":`, 5000) + "[]" + strings.Repeat("}]", 5000) + "}"
	huge := `{"resourceType":"Observation","status":"` + strings.Repeat("x", 24<<20) + `"}`
	for what, body := range map[string]string{"deep": deep, "huge": huge} {
		res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: t.FHIRBase + "/Observation", Bearer: w.token, Type: "application/fhir+json", Body: strings.NewReader(body)})
		if err != nil && what == "huge" {
			continue // the connection may be closed while the rest is still on its way
		}
		judge(&c, res, err, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
	}
	return c.Err()
}

func formCache(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	for _, path := range []string{"Patient/" + w.me, "Observation?_count=1"} {
		res := w.get(ctx, &c, path, http.StatusOK)
		c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "%s: Cache-Control is %q", res, res.Header.Get("Cache-Control"))
		c.That(res.Header.Get("X-Content-Type-Options") == "nosniff", "%s: X-Content-Type-Options is %q", res, res.Header.Get("X-Content-Type-Options"))
		c.That(res.Media() == "application/fhir+json", "%s: %s", res, res.Media())
	}
	return c.Err()
}

func formOverride(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs")
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + w.me + "?access_token=" + w.token})
	judge(&c, res, err, http.StatusUnauthorized)
	res, err = t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + w.me, Bearer: w.token, Header: http.Header{"X-HTTP-Method-Override": {"DELETE"}}})
	judge(&c, res, err, http.StatusOK, http.StatusBadRequest)
	behind, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + w.me, Bearer: w.token})
	judge(&c, behind, err, http.StatusOK)
	return c.Err()
}
