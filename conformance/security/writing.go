package security

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func writing() []kit.Row {
	needs := kit.Login | kit.Upstream
	return []kit.Row{
		{ID: "SMART TRP-08", Title: "no update or patch moves a resource to another subject or out of scope", Needs: needs, Run: trapMove},
		{ID: "SMART TRP-09", Title: "nothing is created for another patient", Needs: needs, Run: trapCreateOther},
		{ID: "SMART TRP-10", Title: "nothing is created outside the scope's filter", Needs: needs, Run: trapCreateFilter},
		{ID: "SMART TRP-11", Title: "history shows no version outside the scope", Needs: needs, Run: trapHistory},
		{ID: "SMART TRP-15", Title: "a stored Bundle does not bypass type scopes", Needs: needs, Run: trapBundle},
		{ID: "SMART TRP-23", Title: "foreign, versioned and placeholder references are not the patient", Needs: needs, Run: trapReference},
		{ID: "SMART TRP-25", Title: "no second Patient is made", Needs: needs, Run: trapPatient},
		{ID: "SMART TRP-21", Title: "a resource cannot be relabelled by an app", Needs: needs, Run: trapRelabel},
	}
}

func trapMove(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	id, body := w.made(ctx, &c)
	body["subject"] = map[string]any{"reference": "Patient/" + w.other}
	w.send(ctx, &c, http.MethodPut, "Observation/"+id, body, 400, 403, 404, 422)
	for _, patch := range [][]any{
		{map[string]any{"op": "replace", "path": "/subject/reference", "value": "Patient/" + w.other}},
		{map[string]any{"op": "remove", "path": "/subject"}},
		{map[string]any{"op": "replace", "path": "/subject", "value": map[string]any{"reference": "Patient/" + w.other}}},
	} {
		w.send(ctx, &c, http.MethodPatch, "Observation/"+id, patch, 400, 403, 404, 422)
	}
	foreign, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.other)
	if c.Note(err) {
		stolen := note(w.me)
		stolen["id"] = foreign
		w.send(ctx, &c, http.MethodPut, "Observation/"+foreign, stolen, 400, 403, 404, 409, 422)
		w.send(ctx, &c, http.MethodDelete, "Observation/"+foreign, nil, 403, 404)
		behind, err := t.Behind(ctx, "Observation/"+foreign)
		behind = judge(&c, behind, err, http.StatusOK)
		e := kit.Entry{Type: "Observation", Resource: behind.JSON()}
		c.That(e.Belongs(w.other), "another patient's Observation was taken over")
	}
	return c.Err()
}

func trapCreateOther(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	w.send(ctx, &c, http.MethodPost, "Observation", note(w.other), 403, 404, 422)
	nobody := note(w.me)
	delete(nobody, "subject")
	w.send(ctx, &c, http.MethodPost, "Observation", nobody, 400, 403, 422)
	res := w.send(ctx, &c, http.MethodPost, "", map[string]any{"resourceType": "Bundle", "type": "batch", "entry": []any{
		map[string]any{"resource": note(w.other), "request": map[string]any{"method": "POST", "url": "Observation"}},
	}}, http.StatusOK)
	for _, e := range res.Entries() {
		c.That(strings.HasPrefix(e.Status, "4"), "in a batch: %s", e.Status)
	}
	return c.Err()
}

func trapCreateFilter(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.crus?category="+kit.ObservationCategory+"|laboratory")
	if err != nil {
		return err
	}
	w.send(ctx, &c, http.MethodPost, "Observation", note(w.me), http.StatusForbidden)
	return c.Err()
}

func trapHistory(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	writer, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	id, body := writer.made(ctx, &c) // version 1 is a vital sign
	body["category"] = []any{map[string]any{"coding": []any{map[string]any{"system": kit.ObservationCategory, "code": "laboratory"}}}}
	writer.send(ctx, &c, http.MethodPut, "Observation/"+id, body, http.StatusOK)
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs?category="+kit.ObservationCategory+"|laboratory")
	if !c.Note(err) {
		return c.Err()
	}
	w.get(ctx, &c, "Observation/"+id, http.StatusOK)
	res := w.get(ctx, &c, "Observation/"+id+"/_history", http.StatusOK, http.StatusForbidden, http.StatusNotFound)
	for _, e := range res.Entries() {
		c.That(has(e, "category", "laboratory"), "the history shows a version outside the scope")
	}
	w.get(ctx, &c, "Observation/"+id+"/_history/1", http.StatusForbidden, http.StatusNotFound)
	return c.Err()
}

func trapBundle(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Bundle.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	res := w.get(ctx, &c, "Bundle?_count=5", 200, 403, 404, 400)
	c.That(res.Status != http.StatusOK || len(res.Entries()) == 0, "stored Bundles are shown")
	return c.Err()
}

func trapReference(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	for _, ref := range []string{
		"https://other.example/fhir/Patient/" + w.me, "Patient/" + w.other + "/_history/1",
		"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "Group/" + w.me, "patient/" + w.me,
		"Patient/../Patient/" + w.other,
	} {
		body := note(w.me)
		body["subject"] = map[string]any{"reference": ref}
		res, err := t.Write(ctx, w.token, http.MethodPost, "Observation", body, nil)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "subject %q: %s", ref, res)
		}
	}
	return c.Err()
}

func trapPatient(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.cruds")
	if err != nil {
		return err
	}
	second := map[string]any{"resourceType": "Patient", "id": "second-patient", "name": []any{map[string]any{"family": "Second"}}}
	w.send(ctx, &c, http.MethodPut, "Patient/second-patient", second, 403, 404, 405)
	delete(second, "id")
	w.send(ctx, &c, http.MethodPost, "Patient", second, 403, 404, 405)
	w.send(ctx, &c, http.MethodPut, "Patient/"+w.other, map[string]any{"resourceType": "Patient", "id": w.other}, 403, 404)
	behind, err := t.Behind(ctx, "Patient/second-patient")
	judge(&c, behind, err, http.StatusNotFound)
	return c.Err()
}

// trapRelabel tries to strip the label of a hidden record.
func trapRelabel(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	hidden, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.me+"&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R")
	if err != nil {
		return err
	}
	body := note(w.me)
	body["id"] = hidden
	w.send(ctx, &c, http.MethodPut, "Observation/"+hidden, body, 403, 404)
	w.send(ctx, &c, http.MethodPatch, "Observation/"+hidden, []any{map[string]any{"op": "remove", "path": "/meta/security"}}, 400, 403, 404)
	w.send(ctx, &c, http.MethodDelete, "Observation/"+hidden, nil, 403, 404)
	behind, err := t.Behind(ctx, "Observation/"+hidden)
	behind = judge(&c, behind, err, http.StatusOK)
	c.That(strings.Contains(string(behind.Body), `"R"`), "the label is gone")
	return c.Err()
}
