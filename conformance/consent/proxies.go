package consent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func proxies() []kit.Row {
	needs := kit.Login | kit.Proxies
	return []kit.Row{
		{ID: "MANDATE SC-03", Title: "a proxy's app gets explicit permitted types, never a wildcard", Needs: needs | kit.Admin, Run: explicitTypes},
		{ID: "MANDATE SC-11", Title: "the proxy picks the patient, shown with the relation", Also: []string{"PRX-01"}, Needs: needs, Run: picker},
		{ID: "MANDATE SC-14", Title: "a proxy's access token lives five minutes at most", Needs: needs, Run: proxyLife},
		{ID: "MANDATE SC-16", Title: "view-only gives no refresh token, download does", Needs: needs, Run: viewOnly},
		{ID: "MANDATE SC-05", Title: "the download consent narrows Observation to laboratory", Also: []string{"PRX-05"}, Needs: needs, Run: laboratoryOnly},
		{ID: "MANDATE 8a", Title: "the app reads what the consent permits and nothing else", Also: []string{"PRX-05"}, Needs: needs | kit.Upstream, Run: proxyReads},
		{ID: "MANDATE 8b", Title: "the app writes nothing that the consent does not permit", Needs: needs, Run: proxyWrites},
		{ID: "MANDATE GW-06", Title: "a proxy gets no search that tells hidden from absent", Needs: needs, Run: proxyOracles},
	}
}

const wideScope = "openid fhirUser launch/patient offline_access patient/*.rs patient/*.cruds"

// elenaFor launches the public app for the daughter of the story.
func elenaFor(ctx context.Context, t *kit.Target, patient string) (*kit.Grant, error) {
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: wideScope, Visit: kit.Visit{Person: "elena", Patient: patient}})
	if err == nil && g.Patient() != patient {
		return g, fmt.Errorf("the launch for %s was for %q", patient, g.Patient())
	}
	return g, err
}

// filed is a Consent as the administration API shows it.
type filed struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	raw    json.RawMessage
}

// consents gives the Consents about a patient whose actor is the acting
// person; approvals of apps, whose actor is a Device, are left out.
func consents(ctx context.Context, t *kit.Target, patient, acting string) ([]filed, error) {
	res, err := admin(ctx, t, http.MethodGet, "/consents?patient="+patient, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Consents []json.RawMessage `json:"consents"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil {
		return nil, fmt.Errorf("the administration API: %s", res)
	}
	var out []filed
	for _, raw := range answer.Consents {
		f := filed{raw: raw}
		text := string(raw)
		if json.Unmarshal(raw, &f) == nil && strings.Contains(text, `"`+acting+`"`) && !strings.Contains(text, `"Device/`) {
			out = append(out, f)
		}
	}
	return out, nil
}

// active gives the one in force.
func active(ctx context.Context, t *kit.Target, patient, acting string) (filed, error) {
	all, err := consents(ctx, t, patient, acting)
	if err != nil {
		return filed{}, err
	}
	for _, f := range all {
		if f.Status == "active" {
			return f, nil
		}
	}
	return filed{}, fmt.Errorf("%s has no active consent for %s", patient, acting)
}

// classes collects the resource types of all permits.
func (f filed) classes() []string {
	type coding struct {
		System string `json:"system"`
		Code   string `json:"code"`
	}
	type provision struct {
		Type      string      `json:"type"`
		Class     []coding    `json:"class"`
		Provision []provision `json:"provision"`
	}
	var doc struct {
		Provision provision `json:"provision"`
	}
	if json.Unmarshal(f.raw, &doc) != nil {
		return nil
	}
	var out []string
	for _, p := range doc.Provision.Provision {
		for _, c := range p.Class {
			if p.Type == "permit" {
				out = append(out, c.Code)
			}
		}
	}
	return out
}

// end gives when the root provision ends.
func (f filed) end() (time.Time, error) {
	var doc struct {
		Provision struct {
			Period struct {
				End time.Time `json:"end"`
			} `json:"period"`
		} `json:"provision"`
	}
	err := json.Unmarshal(f.raw, &doc)
	return doc.Provision.Period.End, err
}

func admin(ctx context.Context, t *kit.Target, method, path string, body []byte) (*kit.Response, error) {
	r := kit.Request{Method: method, URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + path, Bearer: t.AdminAPI.Token}
	if body != nil {
		r.Type, r.Body = "application/fhir+json", bytes.NewReader(body)
	}
	return t.Do(ctx, r)
}

// again files a copy of a withdrawn consent, so that later rows find the
// permission again.
func again(ctx context.Context, t *kit.Target, f filed) error {
	var doc map[string]any
	if err := json.Unmarshal(f.raw, &doc); err != nil {
		return err
	}
	id := "again-" + strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(t.Random()))[:12]
	doc["id"], doc["status"] = id, "active"
	if ids, ok := doc["identifier"].([]any); ok && len(ids) > 0 {
		if first, ok := ids[0].(map[string]any); ok {
			first["value"] = id
		}
	}
	delete(doc, "meta")
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	res, err := admin(ctx, t, http.MethodPut, "/consents/"+id, raw)
	if err == nil && res.Status >= 300 {
		err = fmt.Errorf("the copy of a consent is not filed: %s", res)
	}
	return err
}

func explicitTypes(ctx context.Context, t *kit.Target) error {
	consent, err := active(ctx, t, "rosa", "RelatedPerson/rosa-elena")
	if err != nil {
		return err
	}
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	clinical := 0
	for _, s := range g.Scopes() {
		rest, ok := strings.CutPrefix(s, "patient/")
		if !ok {
			continue
		}
		clinical++
		typ, ops, _ := strings.Cut(rest, ".")
		ops, _, _ = strings.Cut(ops, "?")
		c.That(slices.Contains(consent.classes(), typ), "%q is not permitted", s)
		c.That(!strings.ContainsAny(ops, "cud") || strings.HasPrefix(typ, "Appointment"), "%q writes", s)
	}
	c.That(clinical >= 4, "granted %v", g.Scopes())
	return c.Err()
}

func picker(ctx context.Context, t *kit.Target) error {
	a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), wideScope, t.NewVerifier()), kit.Visit{Person: "elena", Patient: "rosa"})
	if err != nil {
		return err
	}
	if a.PatientPage == nil {
		return fmt.Errorf("no choice of patient: %s", a)
	}
	var c kit.Check
	shown := map[string]string{}
	for _, radio := range a.PatientPage.FormWith("patient").Named("patient") {
		shown[strings.Fields(radio.Label + " ?")[0]] = radio.Detail
	}
	c.That(strings.Contains(shown["Rosa"], "daughter"), "Rosa is shown as %q", shown["Rosa"])
	_, joaquin := shown["Joaquin"]
	c.That(joaquin, "Joaquín is not offered: %v", shown)
	c.That(a.ConsentPage != nil && strings.Contains(a.ConsentPage.Text(), "Rosa"), "the consent page does not say whose record it is")
	return c.Err()
}

func proxyLife(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, patient := range []string{"rosa", "joaquin"} {
		g, err := elenaFor(ctx, t, patient)
		if c.Note(err) {
			life, _ := g.JSON()["expires_in"].(float64)
			c.That(life > 0 && life <= 300, "for %s expires_in is %.0f", patient, life)
		}
	}
	return c.Err()
}

func viewOnly(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := elenaFor(ctx, t, "rosa")
	if c.Note(err) {
		c.That(g.RefreshToken() == "", "a view-only consent gave a refresh token")
		c.That(!slices.Contains(g.Scopes(), "offline_access"), "scope says %q", g.Text("scope"))
	}
	g, err = elenaFor(ctx, t, "joaquin")
	if c.Note(err) && c.That(g.RefreshToken() != "", "a consent that permits download gave no refresh token") {
		res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
		if c.Note(err) {
			life, _ := res.JSON()["expires_in"].(float64)
			c.That(res.Status == http.StatusOK && life <= 300, "%s, expires_in %.0f", res, life)
		}
	}
	return c.Err()
}

func laboratoryOnly(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "joaquin")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, s := range g.Scopes() {
		c.That(!strings.Contains(s, "/*."), "%q is a wildcard", s)
		if strings.HasPrefix(s, "patient/Observation.") {
			c.That(strings.Contains(s, "laboratory"), "%q is not narrowed", s)
		}
	}
	found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient=joaquin")
	if c.Note(err) {
		c.That(len(found) > 0, "no laboratory result")
		for _, e := range found {
			c.That(inCategory(e, "laboratory") && e.Belongs("joaquin"), "Observation/%s is outside", e.ID)
		}
	}
	return c.Err()
}

func proxyReads(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	found, err := t.All(ctx, g.Access(), "MedicationRequest?_count=100&patient=rosa")
	if c.Note(err) {
		c.That(len(found) > 0, "no medicine at all")
		for _, e := range found {
			c.That(e.Belongs("rosa"), "MedicationRequest/%s is about another patient", e.ID)
			raw, err := json.Marshal(e.Resource["meta"])
			c.That(err == nil && !strings.Contains(string(raw), `"code":"R"`), "MedicationRequest/%s is restricted", e.ID)
		}
	}
	for _, path := range []string{
		"Observation?patient=rosa", "Condition?patient=rosa", "Patient/joaquin", "Patient/noah", "Patient/elena-own",
		"Consent?patient=rosa", "RelatedPerson?patient=rosa", "Communication?patient=rosa", "AuditEvent",
	} {
		res, err := t.FHIR(ctx, g.Access(), path)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden || res.Status == http.StatusNotFound, "%s", res)
		}
	}
	hidden, err := t.First(ctx, "MedicationRequest?_count=1&patient=Patient/rosa&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R")
	if c.Note(err) {
		secret, err := t.FHIR(ctx, g.Access(), "MedicationRequest/"+hidden)
		missing, err2 := t.FHIR(ctx, g.Access(), "MedicationRequest/no-such-id")
		if c.Note(err) && c.Note(err2) {
			c.That(secret.Status == missing.Status && secret.Status != http.StatusOK, "a hidden and a missing medicine: %s and %s", secret, missing)
		}
	}
	return c.Err()
}

func proxyWrites(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, typ := range []string{"MedicationRequest", "AllergyIntolerance", "Observation", "Consent", "RelatedPerson", "Communication"} {
		body := map[string]any{"resourceType": typ, "subject": map[string]any{"reference": "Patient/rosa"}, "patient": map[string]any{"reference": "Patient/rosa"}, "status": "active"}
		res, err := t.Write(ctx, g.Access(), http.MethodPost, typ, body, nil)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden || res.Status == http.StatusBadRequest || res.Status == http.StatusNotFound, "%s", res)
		}
	}
	return c.Err()
}

func proxyOracles(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, query := range []string{
		"MedicationRequest?patient=rosa&_security=R", "Patient?_has:Observation:patient:code=x", "MedicationRequest?patient=rosa&code:in=http://x.example/vs",
		"MedicationRequest?patient=rosa&_filter=x", "MedicationRequest?patient=rosa&encounter.type=x",
	} {
		res, err := t.FHIR(ctx, g.Access(), query)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden || res.Status == http.StatusBadRequest, "%s", res)
		}
	}
	behind, err := t.Behind(ctx, "MedicationRequest?_summary=count&patient=Patient/rosa")
	if !c.Note(err) {
		return c.Err()
	}
	visible, err := t.All(ctx, g.Access(), "MedicationRequest?_count=100&patient=rosa")
	c.Note(err)
	res, err := t.FHIR(ctx, g.Access(), "MedicationRequest?_summary=count&patient=rosa")
	if c.Note(err) {
		c.That(res.Total() == len(visible) || res.Total() == -1, "the count says %d, visible are %d", res.Total(), len(visible))
		c.That(len(visible) < behind.Total(), "nothing is hidden from the proxy")
	}
	return c.Err()
}
