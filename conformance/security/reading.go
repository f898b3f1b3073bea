package security

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func reading() []kit.Row {
	needs := kit.Login | kit.Upstream
	return []kit.Row{
		{ID: "SMART TRP-01", Title: "an ungranted type is refused before the query runs", Needs: needs, Run: trapOracle},
		{ID: "SMART TRP-03", Title: "a hidden and a missing resource look alike", Needs: needs, Run: trapAlike},
		{ID: "SMART TRP-04", Title: "includes bring no other patient", Needs: needs, Run: trapInclude},
		{ID: "SMART TRP-05", Title: "_has and chains are no oracle", Also: []string{"M-17"}, Needs: needs, Run: trapHas},
		{ID: "SMART TRP-06", Title: "totals count visible resources only", Needs: needs, Run: trapTotals},
		{ID: "SMART TRP-07", Title: "a page link is worth nothing with another token", Needs: needs | kit.Proxies, Run: trapPages},
		{ID: "SMART TRP-14", Title: "a Binary follows the DocumentReference it belongs to", Needs: needs, Run: trapBinary},
		{ID: "SMART TRP-17", Title: "no way of asking reaches another patient", Needs: needs, Run: trapSubject},
		{ID: "SMART TRP-18", Title: "two scopes with different parameters are a union", Needs: needs, Run: trapUnion},
		{ID: "SMART TRP-19", Title: "a category without its system does not widen a granular scope", Needs: needs, Run: trapToken},
		{ID: "SMART TRP-20", Title: "_elements and _summary do not blind the filter", Needs: needs, Run: trapElements},
		{ID: "SMART TRP-22", Title: "odd spellings of a path are refused alike", Needs: needs, Run: trapPaths},
		{ID: "SMART TRP-24", Title: "a revoked token is refused within the stated second", Needs: needs, Run: trapRevoked},
		{ID: "SMART TRP-27", Title: "refusals name no hidden resource", Needs: needs, Run: trapTexts},
		{ID: "MANDATE LABELS", Title: "sensitive records stay hidden unless their topic was ticked", Needs: needs | kit.Proxies, Run: trapLabels},
	}
}

func trapOracle(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs")
	if err != nil {
		return err
	}
	hit := w.get(ctx, &c, "Condition?patient="+w.me, http.StatusForbidden)
	miss := w.get(ctx, &c, "Condition?patient="+w.me+"&code=no-such-code", http.StatusForbidden)
	c.That(sameOutcome(hit, miss), "a hit and a miss differ: %s and %s", hit, miss)
	return c.Err()
}

// sameOutcome compares two refusals but for ids of requests.
func sameOutcome(a, b *kit.Response) bool {
	return a.Status == b.Status && a.String()[strings.Index(a.String(), "→"):] == b.String()[strings.Index(b.String(), "→"):]
}

func trapAlike(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	foreign, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.other)
	if err != nil {
		return err
	}
	for _, pair := range [][2]string{
		{"Observation/" + foreign, "Observation/no-such-id"}, {"Patient/" + w.other, "Patient/no-such-id"},
		{"Observation/" + foreign + "/_history/1", "Observation/no-such-id/_history/1"}, {"Observation/" + foreign + "/_history", "Observation/no-such-id/_history"},
	} {
		hidden := w.get(ctx, &c, pair[0], http.StatusForbidden, http.StatusNotFound)
		missing := w.get(ctx, &c, pair[1], http.StatusForbidden, http.StatusNotFound)
		c.That(sameOutcome(hidden, missing), "%s and %s", hidden, missing)
		have, want := len(hidden.Body), len(missing.Body)
		c.That(have-want == len(pair[0])-len(pair[1]) || have == want, "the bodies have %d and %d bytes", have, want)
	}
	return c.Err()
}

// onlyMine checks that a search answer, if it is one, is about nobody else.
func (w world) onlyMine(ctx context.Context, c *kit.Check, query string) *kit.Response {
	res, err := w.t.FHIR(ctx, w.token, query)
	if !c.Note(err) {
		return &kit.Response{}
	}
	w.mine(c, query, res)
	return res
}

func (w world) mine(c *kit.Check, what string, res *kit.Response) {
	c.That(res.Status == http.StatusOK || res.Status >= 400 && res.Status < 500, "%s", res)
	for _, e := range res.Entries() {
		c.That(e.Belongs(w.me), "%s shows %s/%s of another patient", what, e.Type, e.ID)
	}
}

func trapInclude(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/*.rs")
	if err != nil {
		return err
	}
	for _, query := range []string{
		"Patient?_id=" + w.me + "&_revinclude=Observation:performer", "Patient?_id=" + w.me + "&_revinclude=Observation:subject",
		"Patient?_revinclude=*", "Encounter?_include=*&_revinclude=*&_count=20", "Practitioner?_revinclude=Encounter:practitioner",
		"Organization?_revinclude=Patient:organization", "Group?_include=Group:member", "Encounter?_include:iterate=*",
	} {
		w.onlyMine(ctx, &c, query)
	}
	return c.Err()
}

func trapHas(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	for _, query := range []string{
		"Patient?_has:Condition:patient:code=86406008", "Observation?encounter.type=x", "Observation?patient.name=x", "Observation?subject:Patient.name=x",
		"Patient?_filter=name%20eq%20x", "Observation?_list=1", "Observation?_query=x", "Patient?general-practitioner.name=x",
	} {
		res, err := t.FHIR(ctx, w.token, query)
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden || res.Status == http.StatusBadRequest, "%s", res)
		}
	}
	return c.Err()
}

func trapTotals(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	found, err := t.All(ctx, w.token, "Observation?_count=100&patient="+w.me)
	if err != nil {
		return err
	}
	visible := 0
	for _, e := range found {
		if e.Type == "Observation" {
			visible++
		}
	}
	for _, query := range []string{"Observation?_summary=count&patient=" + w.me, "Observation?_total=accurate&_count=5&patient=" + w.me, "Observation?_summary=count"} {
		res := w.get(ctx, &c, query, http.StatusOK)
		c.That(res.Total() == visible || res.Total() == -1, "%s says %d, visible are %d", query, res.Total(), visible)
	}
	res := w.get(ctx, &c, "Observation?_summary=count&patient="+w.other, http.StatusOK, http.StatusForbidden)
	c.That(res.Total() <= 0, "another patient's count is %d", res.Total())
	return c.Err()
}

func trapPages(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	first := w.get(ctx, &c, "Observation?_count=5&patient="+w.me, http.StatusOK)
	if !c.That(first.Next() != "", "a search of five has no second page") {
		return c.Err()
	}
	c.That(strings.HasPrefix(first.Next(), t.FHIRBase), "the next link leaves the FHIR base")
	other, err := t.Standard(ctx, "public", "joaquin", "launch/patient patient/Patient.rs patient/Observation.rs")
	if !c.Note(err) {
		return c.Err()
	}
	res, err := t.Do(ctx, kit.Request{URL: first.Next(), Bearer: other.Access()})
	if c.Note(err) {
		for _, e := range res.Entries() {
			c.That(e.Belongs(other.Patient()), "the link shows %s/%s to another patient", e.Type, e.ID)
		}
	}
	narrow, err := enter(ctx, t, "patient/Patient.rs")
	if c.Note(err) {
		res, err := t.Do(ctx, kit.Request{URL: first.Next(), Bearer: narrow.token})
		judge(&c, res, err, http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound, http.StatusGone, http.StatusBadRequest)
	}
	res, err = t.Do(ctx, kit.Request{URL: first.Next()})
	judge(&c, res, err, http.StatusUnauthorized)
	res, err = t.Do(ctx, kit.Request{URL: first.Next(), Bearer: w.token})
	judge(&c, res, err, http.StatusOK)
	return c.Err()
}

// attachments gives the Binary ids of a patient's documents.
func attachments(ctx context.Context, t *kit.Target, patient string) []string {
	res, err := t.Behind(ctx, "DocumentReference?_count=20&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N&patient=Patient/"+patient)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range res.Entries() {
		contents, _ := e.Resource["content"].([]any)
		for _, raw := range contents {
			content, _ := raw.(map[string]any)
			attachment, _ := content["attachment"].(map[string]any)
			link, _ := attachment["url"].(string)
			if _, id, ok := strings.Cut(link, "Binary/"); ok {
				out = append(out, id)
			}
		}
	}
	return out
}

func trapBinary(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/DocumentReference.rs patient/Binary.rs")
	if err != nil {
		return err
	}
	mine, theirs := attachments(ctx, t, w.me), attachments(ctx, t, w.other)
	if !c.That(len(mine) > 0 && len(theirs) > 0, "the record behind has %d and %d attachments", len(mine), len(theirs)) {
		return c.Err()
	}
	w.get(ctx, &c, "Binary/"+mine[0], http.StatusOK)
	w.get(ctx, &c, "Binary/"+theirs[0], http.StatusForbidden, http.StatusNotFound)
	blind, err := enter(ctx, t, "patient/Patient.rs patient/Binary.rs")
	if c.Note(err) {
		blind.get(ctx, &c, "Binary/"+mine[0], http.StatusForbidden, http.StatusNotFound)
	}
	return c.Err()
}

func trapSubject(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs")
	if err != nil {
		return err
	}
	foreign, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.other)
	if err != nil {
		return err
	}
	for _, query := range []string{
		"subject=Patient/" + w.other, "patient=" + w.other, "subject=Patient/" + w.me + ",Patient/" + w.other, "patient=" + w.me + "&patient=" + w.other,
		"_id=" + foreign, "_id=" + foreign + "&patient=" + w.me, "subject:not=Patient/" + w.me, "patient:missing=false", "patient:missing=true",
		"subject=" + url.QueryEscape(t.Upstream+"/Patient/"+w.other), "subject:identifier=x", "code=8867-4", "_lastUpdated=gt2000", "",
	} {
		w.onlyMine(ctx, &c, "Observation?_count=30&"+query)
	}
	for _, form := range []url.Values{{"subject": {"Patient/" + w.other}}, {"patient": {w.me, w.other}}, {"_id": {foreign}}, {}} {
		res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Observation/_search", Form: form, Bearer: w.token})
		if c.Note(err) {
			w.mine(&c, "POST _search", res)
		}
		// Query and body together.
		res, err = t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Observation/_search?patient=" + w.other, Form: form, Bearer: w.token})
		if c.Note(err) {
			w.mine(&c, "POST _search with a query", res)
		}
	}
	w.onlyMine(ctx, &c, "?_type=Observation,Patient&_count=50")
	w.onlyMine(ctx, &c, "Patient?_count=50")
	return c.Err()
}

func trapUnion(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs?category="+kit.ObservationCategory+"|laboratory patient/Observation.rs?code=http://loinc.org|8867-4")
	if err != nil {
		return err
	}
	found, err := t.All(ctx, w.token, "Observation?_count=200&patient="+w.me)
	if err != nil {
		return err
	}
	labs := 0
	for _, e := range found {
		if has(e, "category", "laboratory") {
			labs++
		} else {
			c.That(has(e, "code", "8867-4"), "Observation/%s is outside both scopes", e.ID)
		}
	}
	c.That(labs > 0, "no laboratory result among %d", len(found))
	return c.Err()
}

// has reports whether a CodeableConcept member, repeated or not, has a code.
func has(e kit.Entry, member, code string) bool { return slices.Contains(e.Codes(member), code) }

func trapToken(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs?category="+kit.ObservationCategory+"|laboratory")
	if err != nil {
		return err
	}
	for _, query := range []string{
		"category=vital-signs", "category=|vital-signs", "category=laboratory,vital-signs", "category:not=laboratory",
		"category=" + kit.ObservationCategory + "|", "category:missing=true", "",
	} {
		res, err := t.FHIR(ctx, w.token, "Observation?_count=50&patient="+w.me+"&"+query)
		if !c.Note(err) {
			continue
		}
		for _, e := range res.Entries() {
			c.That(e.Type != "Observation" || has(e, "category", "laboratory"), "%q shows Observation/%s outside laboratory", query, e.ID)
		}
	}
	vital, err := t.First(ctx, "Observation?_count=1&category=vital-signs&patient=Patient/"+w.me)
	if c.Note(err) {
		w.get(ctx, &c, "Observation/"+vital, http.StatusForbidden, http.StatusNotFound)
	}
	return c.Err()
}

func trapElements(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.rs?category="+kit.ObservationCategory+"|laboratory")
	if err != nil {
		return err
	}
	whole, err := t.All(ctx, w.token, "Observation?_count=200&patient="+w.me)
	if err != nil {
		return err
	}
	c.That(len(whole) > 0, "there is nothing to trim")
	for _, query := range []string{"_elements=status", "_elements=id,code", "_summary=true", "_summary=text", "_summary=data"} {
		trimmed, err := t.All(ctx, w.token, "Observation?_count=200&patient="+w.me+"&"+query)
		if err != nil {
			c.That(strings.Contains(err.Error(), "→ 4"), "%s: %v", query, err)
			continue
		}
		c.That(len(trimmed) == len(whole), "%s shows %d of %d", query, len(trimmed), len(whole))
	}
	return c.Err()
}

func trapPaths(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs")
	if err != nil {
		return err
	}
	for _, path := range []string{
		"%50atient/" + w.other, "/Patient/" + w.other, "Patient//" + w.other, "Patient/../Patient/" + w.other, "Patient/" + w.me + "/../" + w.other, "patient/" + w.other,
		"Patient/" + w.other + "/", "Patient/" + w.other + "%2f", "Patient%2F" + w.other, "./Patient/" + w.other, "Patient/" + w.me + "/%2e%2e/" + w.other,
		"Patient/" + w.other + "?_format=json", "Patient/" + w.other + ";a=b", "Patient/" + w.other + "%00", "metadata/../Patient/" + w.other, "Observation/../Patient/" + w.other,
	} {
		res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/" + path, Bearer: w.token})
		if c.Note(err) {
			redirected := res.Status >= 300 && res.Status < 400
			c.That(res.Status >= 400 && res.Status < 500 || redirected, "%s", res)
			c.That(!strings.Contains(string(res.Body), "birthDate"), "%s shows a Patient", res)
		}
	}
	return c.Err()
}

func trapRevoked(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	judge(&c, res, err, http.StatusOK)
	_, err = t.RevokeToken(ctx, g.Client, g.Access())
	c.Note(err)
	res, err = t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	judge(&c, res, err, http.StatusUnauthorized)
	return c.Err()
}

func trapTexts(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	w, err := enter(ctx, t, "patient/Patient.rs patient/Observation.cruds")
	if err != nil {
		return err
	}
	for _, path := range []string{"Observation?subject=Patient/" + w.other, "Condition", "Observation/no-such-id"} {
		res, err := t.FHIR(ctx, w.token, path)
		if c.Note(err) && res.Status >= 400 {
			c.That(!strings.Contains(string(res.Body), w.other), "%s names the other patient", res)
			c.That(!strings.Contains(string(res.Body), t.Upstream), "%s names the server behind", res)
		}
	}
	foreign, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.other)
	if !c.Note(err) {
		return c.Err()
	}
	body := note(w.me)
	body["id"] = foreign
	taken := w.send(ctx, &c, http.MethodPut, "Observation/"+foreign, body, 400, 403, 404, 409, 412, 422)
	c.That(!strings.Contains(string(taken.Body), "Patient/"+w.other), "%s names the owner", taken)
	return c.Err()
}

// trapLabels reads the record of the story that carries restricted labels.
func trapLabels(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	const system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	id, err := t.First(ctx, "Condition?_count=1&patient=Patient/rosa&_security="+url.QueryEscape(system+"|HIV"))
	if err != nil {
		return err
	}
	w, err := enter(ctx, t, "patient/Patient.rs patient/Condition.rs")
	if err != nil {
		return err
	}
	w.get(ctx, &c, "Condition/"+id, http.StatusForbidden, http.StatusNotFound)
	found, err := t.All(ctx, w.token, "Condition?_count=100&patient="+w.me)
	if c.Note(err) {
		c.That(len(found) > 0, "no Condition at all")
		for _, e := range found {
			c.That(e.ID != id, "a search shows what a read hides")
		}
	}
	// A password alone does not let an app have it: a second factor is asked for.
	asked, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), "launch/patient patient/Patient.rs patient/Condition.rs", t.NewVerifier()), kit.Visit{
		Person: "rosa", Consent: func(f *kit.Form) {
			tickAll(f)
			c.That(f.Field("topic.HIV") != nil && !f.Field("topic.HIV").Checked, "the topic is missing or ticked beforehand")
			f.Tick("topic.HIV", true)
		},
	})
	if c.Note(err) {
		c.That(asked.ConsentPage != nil && asked.Query == nil, "a password alone lets an app have a sensitive topic: %s", asked)
	}
	return c.Err()
}
