package consent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// input holds the rows about Consents that come in through the FHIR base: what
// cannot be understood, or was not signed by who may, is refused with its element,
// and nothing of it stays.
func input() []kit.Row {
	story := kit.Login | kit.Proxies | kit.Admin | kit.Backend
	return []kit.Row{
		{ID: "MANDATE CIN-01", Title: "a Consent that is not understood is refused with its element, through the FHIR base and $fileConsent", Needs: story, Run: badRefused},
		{ID: "MANDATE CIN-02", Title: "of those who change one version of a Consent at once, one wins", Needs: story, Run: oneWins},
		{ID: "MANDATE FA-01", Title: "$fileConsent files what it carries, about the patient that it names", Needs: story, Run: filesOne},
		{ID: "MANDATE FA-02", Title: "$revokeConsent ends a Consent as its next version, recorded as a withdrawal", Needs: story, Run: revokesOne},
		{ID: "MANDATE RS-11", Title: "each version of a Consent has a Provenance, and the FHIR base shows none of them", Needs: story, Run: provenances},
	}
}

// Bad is a change that makes a good Consent one that is refused.
type Bad struct {
	Name string
	// Path is the element that the answer must name.
	Path   string
	change func(document)
}

func set(path string, value any) func(document) {
	return func(d document) {
		at := map[string]any(d)
		parts := strings.Split(path, ".")
		for _, p := range parts[:len(parts)-1] {
			switch next := at[p].(type) {
			case map[string]any:
				at = next
			case []any:
				at, _ = next[0].(map[string]any)
			}
		}
		if value == nil {
			delete(at, parts[len(parts)-1])
			return
		}
		at[parts[len(parts)-1]] = value
	}
}

// many is a list of one or more.
type many = []any

// thing is a JSON object.
type thing = map[string]any

// BadConsents lists what must be refused.
func BadConsents() []Bad {
	foreign := many{thing{"url": "https://elsewhere.example/narrows", "valueBoolean": true}}
	refer := func(to string) many { return many{thing{"reference": to}} }
	const signatures = "https://mandate.example/fhir/StructureDefinition/consent-required-signatures"
	two := many{thing{"url": signatures, "valueUnsignedInt": 2}}
	return []Bad{
		{"an unknown modifier", "Consent.modifierExtension", set("modifierExtension", foreign)},
		{"an unknown modifier of the root", "Consent.provision.modifierExtension", set("provision.modifierExtension", foreign)},
		{"an unknown modifier of an exception", "Consent.provision.provision[0].modifierExtension", set("provision.provision.modifierExtension", foreign)},
		{"a group as patient", "Consent.patient", set("patient", thing{"reference": "Group/g"})},
		{"a patient of elsewhere", "Consent.patient", set("patient", thing{"reference": "https://elsewhere.example/fhir/Patient/rosa"})},
		{"no patient", "Consent.patient", set("patient", nil)},
		{"another patient as performer", "Consent.performer", set("performer", refer("Patient/joaquin"))},
		{"a proxy as performer", "Consent.performer", set("performer", refer("RelatedPerson/rosa-elena"))},
		{"a clinician as performer", "Consent.performer", set("performer", refer("Practitioner/dr-hale"))},
		{"no performer", "Consent.performer", set("performer", nil)},
		{"one signature of two", "Consent.performer", set("extension", two)},
		{"one person twice", "Consent.performer", func(d document) {
			set("extension", two)(d)
			d["performer"] = many{thing{"reference": "Patient/rosa"}, thing{"reference": "Patient/rosa"}}
		}},
		{"a second signature of nobody who may", "Consent.performer", func(d document) {
			set("extension", two)(d)
			d["performer"] = many{thing{"reference": "Patient/rosa"}, thing{"reference": "RelatedPerson/rosa-victor"}}
		}},
		{"a number of signatures that is none", "Consent.extension[0]", set("extension", many{thing{"url": signatures, "valueString": "one"}})},
		{"a period reversed", "Consent.provision.period", set("provision.period", thing{"start": "2031-01-02", "end": "2031-01-01"})},
		{"a period reversed by its zone", "Consent.provision.period", set("provision.period", thing{"start": "2031-01-01T00:00:00-08:00", "end": "2031-01-01T06:00:00Z"})},
		{"a period of an exception reversed", "Consent.provision.provision[0].period", set("provision.provision.period", thing{"start": "2031", "end": "2030-12"})},
		{"a period of data reversed", "Consent.provision.provision[0].dataPeriod", set("provision.provision.dataPeriod", thing{"start": "2020-02", "end": "2020-01-31"})},
		{"a time without zone", "Consent.provision.period.end", set("provision.period.end", "2031-01-01T10:00:00")},
		{"a month that there is not", "Consent.provision.period.end", set("provision.period.end", "2031-13")},
		{"a day that there is not", "Consent.provision.period.end", set("provision.period.end", "2031-02-30")},
		{"no date", "Consent.dateTime", set("dateTime", nil)},
		{"a date without zone", "Consent.dateTime", set("dateTime", "2026-11-02T10:15:00")},
		{"a date that lies ahead", "Consent.dateTime", set("dateTime", "2199-01-01")},
		{"an unknown status", "Consent.status", set("status", "expired")},
		{"an unknown policy", "Consent.policy.uri", set("policy", many{thing{"uri": "https://elsewhere.example/policy"}})},
		{"neither policy nor rule", "Consent.policy", func(d document) {
			delete(d, "policy")
			delete(d, "policyRule")
		}},
		{"an exception without type", "Consent.provision.provision[0].type", set("provision.provision.type", nil)},
		{"exceptions of exceptions", "Consent.provision.provision[0].provision", set("provision.provision.provision", many{thing{"type": "deny"}})},
		{"no provision", "Consent.provision", set("provision", nil)},
		{"an actor without reference", "Consent.provision.actor[0]", set("provision.actor", many{thing{"role": thing{"text": "x"}}})},
		{"an element that R4 does not know", "Consent.provision", set("provision.periode", thing{"start": "2031"})},
		{"an empty list", "performer", set("performer", many{})},
	}
}

// portal gives a token that may file Consents.
func portal(ctx context.Context, t *kit.Target) (string, error) {
	token, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Consent.crus")
	if err != nil {
		return "", err
	}
	return token.Text("access_token"), nil
}

func post(ctx context.Context, t *kit.Target, token, path string, body any) (*kit.Response, error) {
	return send(ctx, t, http.MethodPost, token, path, "", body)
}

func send(ctx context.Context, t *kit.Target, method, token, path, ifMatch string, body any) (*kit.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := kit.Request{Method: method, URL: t.FHIRBase + "/" + path, Bearer: token, Type: "application/fhir+json", Body: strings.NewReader(string(raw))}
	if ifMatch != "" {
		r.Header = http.Header{"If-Match": {ifMatch}}
	}
	return t.Do(ctx, r)
}

// parameters is the input of the operations.
func parameters(consent document, patient string) thing {
	list := many{thing{"name": "consent", "resource": consent}}
	if patient != "" {
		list = append(list, thing{"name": "patient", "resource": thing{"resourceType": "Patient", "id": patient}})
	}
	return thing{"resourceType": "Parameters", "parameter": list}
}

// fresh gives a copy of the story's Consent as one that was never filed.
func fresh(f filed) (document, error) {
	doc := document{}
	err := json.Unmarshal(f.raw, &doc)
	for _, name := range []string{"id", "meta", "identifier", "text"} {
		delete(doc, name)
	}
	return doc, err
}

// count gives how many Consents and Provenances there are about a patient.
func count(ctx context.Context, t *kit.Target, patient string) (consents, provenances int, err error) {
	var answer struct {
		Consents []json.RawMessage `json:"consents"`
		Records  []json.RawMessage `json:"records"`
	}
	for _, path := range []string{"/consents?patient=" + patient, "/records?type=Provenance&patient=" + patient} {
		res, err := admin(ctx, t, http.MethodGet, path, nil)
		if err != nil {
			return 0, 0, err
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil {
			return 0, 0, fmt.Errorf("the administration API: %s", res)
		}
	}
	return len(answer.Consents), len(answer.Records), nil
}

// badRefused tries each bad Consent by both ways, and looks that nothing stays.
func badRefused(ctx context.Context, t *kit.Target) error {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return err
	}
	token, err := portal(ctx, t)
	if err != nil {
		return err
	}
	hadConsents, hadRecords, err := count(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, bad := range BadConsents() {
		doc, err := fresh(first)
		if err != nil {
			return err
		}
		bad.change(doc)
		for way, body := range map[string]any{"Consent": doc, "Consent/$fileConsent": parameters(doc, "")} {
			res, err := post(ctx, t, token, way, body)
			if !c.Note(err) {
				continue
			}
			c.That(res.Status == http.StatusBadRequest || res.Status == http.StatusUnprocessableEntity, "%s, %s: %s", bad.Name, way, res)
			c.That(res.JSON()["resourceType"] == "OperationOutcome" && strings.Contains(string(res.Body), bad.Path), "%s, %s: %s is not named in %s", bad.Name, way, bad.Path, res.Body)
		}
	}
	consents, records, err := count(ctx, t, "rosa")
	c.Note(err)
	c.That(consents == hadConsents && records == hadRecords, "there were %d Consents and %d Provenances, and are %d and %d", hadConsents, hadRecords, consents, records)
	return c.Err()
}

// filedHere files a fresh copy that opens nothing that was shut, and gives its id.
func filedHere(ctx context.Context, t *kit.Target, token string) (string, document, error) {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return "", nil, err
	}
	doc, err := fresh(first)
	if err != nil {
		return "", nil, err
	}
	res, err := post(ctx, t, token, "Consent/$fileConsent", parameters(doc, "rosa"))
	if err != nil {
		return "", nil, err
	}
	if res.Status != http.StatusCreated {
		return "", nil, fmt.Errorf("$fileConsent: %s %s", res, res.Body)
	}
	id := res.Header.Get("Location")
	id = id[strings.LastIndex(id, "/Consent/")+len("/Consent/"):]
	id, _, _ = strings.Cut(id, "/")
	doc["id"] = id
	return id, doc, nil
}

// OneWins changes version 1 of a fresh Consent from several sides at once, through
// the addresses given in turn, and expects one winner and one new version; who comes
// later with version 1 loses too.
func OneWins(ctx context.Context, t *kit.Target, bases ...string) error {
	token, err := portal(ctx, t)
	if err != nil {
		return err
	}
	id, doc, err := filedHere(ctx, t, token)
	if err != nil {
		return err
	}
	doc["status"] = "inactive"
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	change := func(base string) (int, error) {
		res, err := t.Do(ctx, kit.Request{
			Method: http.MethodPut, URL: base + "/Consent/" + id, Bearer: token, Type: "application/fhir+json",
			Body: strings.NewReader(string(raw)), Header: http.Header{"If-Match": {`W/"1"`}},
		})
		if err != nil {
			return 0, err
		}
		return res.Status, nil
	}
	const sides = 8
	statuses := make(chan int, sides)
	failed := make(chan error, sides)
	for i := range sides {
		go func() {
			status, err := change(bases[i%len(bases)])
			if err != nil {
				failed <- err
			}
			statuses <- status
		}()
	}
	var c kit.Check
	won, lost := 0, 0
	for range sides {
		switch <-statuses {
		case http.StatusOK:
			won++
		case http.StatusPreconditionFailed:
			lost++
		}
	}
	c.That(won == 1 && lost == sides-1, "%d won and %d were told that they lost, of %d", won, lost, sides)
	if len(failed) > 0 {
		c.Note(<-failed)
	}
	late, err := change(bases[0])
	c.Note(err)
	c.That(late == http.StatusPreconditionFailed, "who came later with version 1 was answered %d", late)
	res, err := t.FHIR(ctx, token, "Consent/"+id+"/_history")
	if c.Note(err) {
		c.That(res.JSON()["total"] == float64(2), "history: %s", res.Body)
	}
	return c.Err()
}

func oneWins(ctx context.Context, t *kit.Target) error { return OneWins(ctx, t, t.FHIRBase) }

func filesOne(ctx context.Context, t *kit.Target) error {
	token, err := portal(ctx, t)
	if err != nil {
		return err
	}
	id, doc, err := filedHere(ctx, t, token)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.FHIR(ctx, token, "Consent/"+id)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.JSON()["status"] == "active", "it reads as %s", res)
	}
	// About another patient than the one it names it is filed for nobody.
	delete(doc, "id")
	res, err = post(ctx, t, token, "Consent/$fileConsent", parameters(doc, "joaquin"))
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "the Consent of one patient with another: %s", res)
	}
	narrow, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Consent.rs")
	if c.Note(err) {
		res, err = post(ctx, t, narrow.Text("access_token"), "Consent/$fileConsent", parameters(doc, "rosa"))
		c.Note(err)
		c.That(err != nil || res.Status == http.StatusForbidden, "by who may only read: %s", res)
	}
	_, err = admin(ctx, t, http.MethodPost, "/consents/"+id+"/withdraw", nil)
	c.Note(err)
	return c.Err()
}

func revokesOne(ctx context.Context, t *kit.Target) error {
	token, err := portal(ctx, t)
	if err != nil {
		return err
	}
	id, doc, err := filedHere(ctx, t, token)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := post(ctx, t, token, "Consent/$revokeConsent", parameters(doc, "rosa"))
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "$revokeConsent: %s", res)
	}
	res, err = t.FHIR(ctx, token, "Consent/"+id+"/_history/2")
	if c.Note(err) {
		c.That(res.JSON()["status"] == "inactive", "the second version: %s", res.Body)
	}
	res, err = admin(ctx, t, http.MethodGet, "/audit?patient=rosa&kind=consent.withdrawn", nil)
	if c.Note(err) {
		c.That(strings.Contains(string(res.Body), "Consent/"+id+"/_history/2"), "the log does not tell of the withdrawal")
	}
	return c.Err()
}

// provenances looks for the Provenance of each version, which only the records'
// own address gives (D14).
func provenances(ctx context.Context, t *kit.Target) error {
	token, err := portal(ctx, t)
	if err != nil {
		return err
	}
	id, doc, err := filedHere(ctx, t, token)
	if err != nil {
		return err
	}
	var c kit.Check
	_, err = post(ctx, t, token, "Consent/$revokeConsent", parameters(doc, "rosa"))
	c.Note(err)
	res, err := admin(ctx, t, http.MethodGet, "/records?type=Provenance&focus=Consent/"+id, nil)
	if err != nil {
		return err
	}
	var answer struct {
		Records []struct {
			ID     string `json:"id"`
			Target []struct {
				Reference string `json:"reference"`
			} `json:"target"`
		} `json:"records"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil {
		return fmt.Errorf("the administration API: %s", res)
	}
	var targets []string
	all, err := t.ClientCredentials(ctx, t.Client("backend"), "system/*.rs")
	if err != nil {
		return err
	}
	for _, r := range answer.Records {
		for _, target := range r.Target {
			targets = append(targets, target.Reference)
		}
		res, err := t.FHIR(ctx, all.Text("access_token"), "Provenance/"+r.ID)
		if c.Note(err) {
			c.That(res.Status == http.StatusNotFound, "the FHIR base has the Provenance: %s", res)
		}
	}
	c.That(slices.Equal(targets, []string{"Consent/" + id + "/_history/1", "Consent/" + id + "/_history/2"}), "the Provenances are of %v", targets)
	return c.Err()
}
