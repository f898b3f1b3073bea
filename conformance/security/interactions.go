package security

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func interactions() []kit.Row {
	needs := kit.Login | kit.Upstream
	return []kit.Row{
		{ID: "SMART M-01", Title: "create needs c", Needs: needs, Run: needCreate},
		{ID: "SMART M-02", Title: "read, vread and history need r", Needs: needs, Run: needRead},
		{ID: "SMART M-03", Title: "update and patch need u", Needs: needs, Run: needUpdate},
		{ID: "SMART M-04", Title: "delete needs d", Needs: needs, Run: needDelete},
		{ID: "SMART M-05", Title: "search by GET and POST needs s", Also: []string{"TOK-12"}, Needs: needs, Run: needSearch},
		{ID: "SMART M-07", Title: "a conditional read does not answer 304 without r", Needs: needs, Run: needConditionalRead},
		{ID: "SMART M-08", Title: "a conditional create needs s too", Also: []string{"VER-10"}, Needs: needs, Run: needConditionalCreate},
		{ID: "SMART M-09", Title: "a conditional update and delete need s too", Also: []string{"M-10", "VER-10"}, Needs: needs, Run: needConditionalUpdate},
		{ID: "SMART M-12", Title: "a write without r shows no body", Needs: needs, Run: needMinimal},
		{ID: "SMART M-13", Title: "a batch is judged entry by entry, a transaction as a whole", Also: []string{"SCP-17"}, Needs: needs, Run: needBatch},
		{ID: "SMART M-15", Title: "a compartment search needs s of its type", Also: []string{"VER-10"}, Needs: needs, Run: needCompartment},
		{ID: "SMART M-16", Title: "an include needs the right to the included type", Also: []string{"VER-10"}, Needs: needs, Run: needInclude},
		{ID: "SMART M-18", Title: "$everything gives granted types only", Needs: needs, Run: needEverything},
		{ID: "SMART M-20", Title: "unknown operations are refused", Also: []string{"VER-10"}, Needs: needs, Run: needOperations},
		{ID: "SMART US-26", Title: "Provenance comes along only with its scope", Also: []string{"CMP-13"}, Needs: needs, Run: needProvenance},
		{ID: "SMART CAP-16", Title: "patient and user scopes are enforced", Needs: needs, Run: needSearch},
	}
}

// world is a patient's own app with chosen scopes.
type world struct {
	t     *kit.Target
	token string
	me    string
	other string
}

// enter launches as the usual patient; every box is ticked, so that what was
// asked is granted.
func enter(ctx context.Context, t *kit.Target, scope string) (world, error) {
	g, err := t.Shared(ctx, kit.Launch{
		Client: t.Client("public"), Scope: "launch/patient " + scope, Visit: kit.Visit{Person: t.Patient(), Consent: tickAll},
	})
	if err != nil {
		return world{}, err
	}
	return world{t: t, token: g.Access(), me: g.Patient(), other: t.OtherPatient(g.Patient())}, nil
}

// tickAll ticks kinds and actions, but no sensitive topic and no lasting
// access.
func tickAll(f *kit.Form) {
	for _, field := range f.Fields {
		if field.Type == "checkbox" && (strings.HasPrefix(field.Name, "kind.") || strings.HasPrefix(field.Name, "act.")) {
			field.Checked = true
		}
	}
}

// get reads a path and checks the status.
func (w world) get(ctx context.Context, c *kit.Check, path string, want ...int) *kit.Response {
	res, err := w.t.FHIR(ctx, w.token, path)
	return judge(c, res, err, want...)
}

// send writes a resource and checks the status.
func (w world) send(ctx context.Context, c *kit.Check, method, path string, body any, want ...int) *kit.Response {
	return w.sendWith(ctx, c, method, path, body, nil, want...)
}

func (w world) sendWith(ctx context.Context, c *kit.Check, method, path string, body any, h http.Header, want ...int) *kit.Response {
	res, err := w.t.Write(ctx, w.token, method, path, body, h)
	return judge(c, res, err, want...)
}

func judge(c *kit.Check, res *kit.Response, err error, want ...int) *kit.Response {
	if !c.Note(err) {
		return &kit.Response{}
	}
	ok := len(want) == 0
	for _, s := range want {
		ok = ok || res.Status == s
	}
	c.That(ok, "%s, expected %v", res, want)
	return res
}

// note is an Observation about a patient.
func note(patient string) map[string]any {
	return map[string]any{
		"resourceType": "Observation", "status": "final",
		"category": []any{map[string]any{"coding": []any{map[string]any{"system": kit.ObservationCategory, "code": "vital-signs"}}}},
		"code":     map[string]any{"coding": []any{map[string]any{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}}},
		"subject":  map[string]any{"reference": "Patient/" + patient}, "effectiveDateTime": "2026-01-02T03:04:05Z",
		"valueQuantity": map[string]any{"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
	}
}

// made creates an Observation of one's own and gives its id.
func (w world) made(ctx context.Context, c *kit.Check) (string, map[string]any) {
	res := w.send(ctx, c, http.MethodPost, "Observation", note(w.me), http.StatusCreated)
	id := res.Text("id")
	if id == "" {
		parts := strings.Split(res.Header.Get("Location"), "/Observation/")
		id, _, _ = strings.Cut(parts[len(parts)-1], "/")
	}
	body := note(w.me)
	body["id"] = id
	c.That(id != "", "the created resource has no id")
	return id, body
}

func needCreate(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	reader, err := enter(ctx, t, "patient/Observation.rs")
	if c.Note(err) {
		reader.send(ctx, &c, http.MethodPost, "Observation", note(reader.me), http.StatusForbidden)
	}
	writer, err := enter(ctx, t, "patient/Observation.cruds")
	if c.Note(err) {
		writer.made(ctx, &c)
	}
	return c.Err()
}

func needRead(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.s")
	if err != nil {
		return err
	}
	id, err := t.First(ctx, "Observation?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N&_count=1&patient=Patient/"+w.me)
	if err != nil {
		return err
	}
	for _, path := range []string{"Observation/" + id, "Observation/" + id + "/_history/1", "Observation/" + id + "/_history"} {
		w.get(ctx, &c, path, http.StatusForbidden)
	}
	w, err = enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if c.Note(err) {
		for _, path := range []string{"Observation/" + id, "Observation/" + id + "/_history/1", "Observation/" + id + "/_history"} {
			w.get(ctx, &c, path, http.StatusOK)
		}
	}
	return c.Err()
}

func needUpdate(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Observation.cruds")
	if err != nil {
		return err
	}
	id, body := w.made(ctx, &c)
	w.send(ctx, &c, http.MethodPut, "Observation/"+id, body, http.StatusOK)
	patch := []any{map[string]any{"op": "replace", "path": "/status", "value": "amended"}}
	w.send(ctx, &c, http.MethodPatch, "Observation/"+id, patch, http.StatusOK)
	reader, err := enter(ctx, t, "patient/Observation.rs")
	if c.Note(err) {
		reader.send(ctx, &c, http.MethodPut, "Observation/"+id, body, http.StatusForbidden)
		reader.send(ctx, &c, http.MethodPatch, "Observation/"+id, patch, http.StatusForbidden)
	}
	return c.Err()
}

func needDelete(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Observation.cruds")
	if err != nil {
		return err
	}
	id, _ := w.made(ctx, &c)
	reader, err := enter(ctx, t, "patient/Observation.rs")
	if c.Note(err) {
		reader.send(ctx, &c, http.MethodDelete, "Observation/"+id, nil, http.StatusForbidden)
	}
	w.send(ctx, &c, http.MethodDelete, "Observation/"+id, nil, http.StatusOK, http.StatusNoContent)
	w.get(ctx, &c, "Observation/"+id, http.StatusGone, http.StatusNotFound)
	return c.Err()
}

func needSearch(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.r")
	if err != nil {
		return err
	}
	post := func(w world, path string, want ...int) {
		res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/" + path, Form: url.Values{"patient": {w.me}}, Bearer: w.token})
		judge(&c, res, err, want...)
	}
	w.get(ctx, &c, "Observation?patient="+w.me, http.StatusForbidden)
	post(w, "Observation/_search", http.StatusForbidden)
	w.get(ctx, &c, "Observation/_history", http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed)
	w.get(ctx, &c, "Condition?patient="+w.me, http.StatusForbidden)
	w, err = enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if c.Note(err) {
		w.get(ctx, &c, "Observation?patient="+w.me, http.StatusOK)
		post(w, "Observation/_search", http.StatusOK)
	}
	return c.Err()
}

func needConditionalRead(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Observation.rs")
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + w.me, Bearer: w.token, Header: http.Header{"If-None-Match": {`W/"1"`}}})
	judge(&c, res, err, http.StatusForbidden)
	res, err = t.Do(ctx, kit.Request{Method: http.MethodHead, URL: t.FHIRBase + "/Patient/" + w.me, Bearer: w.token})
	judge(&c, res, err, http.StatusForbidden, http.StatusMethodNotAllowed)
	return c.Err()
}

func needConditionalCreate(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.c")
	if err != nil {
		return err
	}
	w.sendWith(ctx, &c, http.MethodPost, "Observation", note(w.me), http.Header{"If-None-Exist": {"code=8867-4"}}, http.StatusForbidden)
	return c.Err()
}

func needConditionalUpdate(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cud")
	if err != nil {
		return err
	}
	w.send(ctx, &c, http.MethodPut, "Observation?code=8867-4", note(w.me), http.StatusForbidden)
	w.send(ctx, &c, http.MethodDelete, "Observation?code=8867-4", nil, http.StatusForbidden)
	return c.Err()
}

func needMinimal(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.c")
	if err != nil {
		return err
	}
	res := w.sendWith(ctx, &c, http.MethodPost, "Observation", note(w.me), http.Header{"Prefer": {"return=representation"}}, http.StatusCreated)
	c.That(res.Text("resourceType") != "Observation", "a create without r shows the body")
	return c.Err()
}

// batch makes a Bundle of GET entries.
func batch(kind string, urls ...string) map[string]any {
	var entries []any
	for _, u := range urls {
		entries = append(entries, map[string]any{"request": map[string]any{"method": "GET", "url": u}})
	}
	return map[string]any{"resourceType": "Bundle", "type": kind, "entry": entries}
}

func needBatch(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	res := w.send(ctx, &c, http.MethodPost, "", batch("batch", "Patient/"+w.me, "Condition?patient="+w.me, "Patient/"+w.other), http.StatusOK)
	entries := res.Entries()
	if c.That(len(entries) == 3, "%d entries", len(entries)) {
		c.That(strings.HasPrefix(entries[0].Status, "200") && entries[0].ID == w.me, "the own Patient: %q", entries[0].Status)
		c.That(strings.HasPrefix(entries[1].Status, "403"), "an ungranted type: %q", entries[1].Status)
		c.That(strings.HasPrefix(entries[2].Status, "403") || strings.HasPrefix(entries[2].Status, "404"), "another Patient: %q", entries[2].Status)
	}
	mine, theirs := note(w.me), note(w.other)
	post := func(r any) map[string]any {
		return map[string]any{"resource": r, "request": map[string]any{"method": "POST", "url": "Observation"}}
	}
	before := count(ctx, t, &c, w.me)
	w.send(ctx, &c, http.MethodPost, "", map[string]any{"resourceType": "Bundle", "type": "transaction", "entry": []any{post(mine), post(theirs)}},
		http.StatusForbidden)
	c.That(before == count(ctx, t, &c, w.me), "a refused transaction wrote its allowed entry")
	return c.Err()
}

// count asks the record behind how many heart rates a patient has.
func count(ctx context.Context, t *kit.Target, c *kit.Check, patient string) int {
	res, err := t.Behind(ctx, "Observation?_summary=count&code=8867-4&patient=Patient/"+patient)
	if !c.Note(err) {
		return -1
	}
	return res.Total()
}

func needCompartment(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	w.get(ctx, &c, "Patient/"+w.me+"/Condition", http.StatusForbidden)
	res := w.get(ctx, &c, "Patient/"+w.me+"/*", http.StatusOK, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest)
	for _, e := range res.Entries() {
		c.That(e.Type == "Observation" || e.Type == "Patient" || e.Type == "OperationOutcome", "Patient/*: %s", e.Type)
	}
	w.get(ctx, &c, "Patient/"+w.other+"/Observation", http.StatusForbidden, http.StatusNotFound)
	return c.Err()
}

func needInclude(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Observation.rs")
	if err != nil {
		return err
	}
	for _, query := range []string{
		"_include=Observation:subject", "_include=Observation:encounter", "_include=*", "_revinclude=Provenance:target",
		"_include:iterate=Observation:subject",
	} {
		res, err := t.FHIR(ctx, w.token, "Observation?_count=20&patient="+w.me+"&"+query)
		if !c.Note(err) {
			continue
		}
		c.That(res.Status == http.StatusOK || res.Status == http.StatusForbidden || res.Status == http.StatusBadRequest, "%s", res)
		for _, e := range res.Entries() {
			c.That(e.Type == "Observation" || e.Type == "OperationOutcome", "%s shows %s/%s", query, e.Type, e.ID)
		}
	}
	return c.Err()
}

func needEverything(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	res := w.get(ctx, &c, "Patient/"+w.me+"/$everything?_count=200", http.StatusOK, http.StatusForbidden)
	for _, e := range res.Entries() {
		c.That(e.Type == "Observation" || e.Type == "Patient" || e.Type == "OperationOutcome", "$everything shows %s/%s", e.Type, e.ID)
		c.That(e.Belongs(w.me), "%s/%s is about another patient", e.Type, e.ID)
	}
	w.get(ctx, &c, "Patient/"+w.other+"/$everything", http.StatusForbidden, http.StatusNotFound)
	return c.Err()
}

func needOperations(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	for _, path := range []string{
		"$meta", "Patient/$match", "Observation/$lastn?patient=" + w.me, "Observation/$stats", "$graphql?query={x}",
		"Patient/" + w.me + "/$diff", "$unknown", "$export", "Patient/$export", "Observation/$nothing",
	} {
		res, err := t.FHIR(ctx, w.token, path)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "%s", res)
		}
	}
	return c.Err()
}

func needProvenance(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	counts := map[string]int{}
	for _, scope := range []string{"patient/Observation.rs", "patient/Observation.rs patient/Provenance.rs"} {
		w, err := enter(ctx, t, scope)
		if !c.Note(err) {
			continue
		}
		found, err := t.All(ctx, w.token, "Observation?_count=100&_revinclude=Provenance:target&patient="+w.me)
		if err != nil {
			c.That(!strings.Contains(scope, "Provenance"), "with its scope: %v", err)
			continue
		}
		for _, e := range found {
			if e.Type == "Provenance" {
				counts[scope]++
			}
		}
	}
	c.That(counts["patient/Observation.rs"] == 0, "%d Provenances without its scope", counts["patient/Observation.rs"])
	if counts["patient/Observation.rs patient/Provenance.rs"] == 0 {
		c.Note(fmt.Errorf("no Provenance with its scope"))
	}
	return c.Err()
}
