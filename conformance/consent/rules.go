package consent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// rules holds the rows about how a Consent is read. Each files a variant of the
// story's Consent in its place, looks at what the daughter's app then gets, and
// puts the first one back.
func rules() []kit.Row {
	story := kit.Login | kit.Proxies | kit.Admin
	return []kit.Row{
		{ID: "SMART PRX-02", Title: "an inactive or lapsed relation gives no access", Needs: story | kit.Backend, Run: relationEnds},
		{ID: "SMART PRX-06", Title: "only an active Consent counts", Needs: story, Run: onlyActive},
		{ID: "SMART PRX-07", Title: "a rule out of its period gives nothing, a period of data hides what is older", Needs: story, Run: twoPeriods},
		{ID: "SMART PRX-08", Title: "a root provision with and without type means the same", Needs: story, Run: rootType},
		{ID: "SMART PRX-09", Title: "classes are alternatives, purposes narrow, nested provisions are exceptions", Needs: story, Run: truthTable},
		{ID: "SMART PRX-10", Title: "the official example permits its class in its half hour", Needs: story | kit.Clock, Run: officialExample},
		{ID: "SMART PRX-11", Title: "a deny wins over a permit", Needs: story, Run: denyWins},
		{ID: "SMART PRX-12", Title: "what is not understood permits nothing", Needs: story, Run: notUnderstood},
		{ID: "SMART PRX-13", Title: "a withdrawn Consent is a new, inactive version with its event", Needs: story, Run: withdrawnVersion},
		{ID: "SMART PRX-14", Title: "Consents are found by patient and by actor", Needs: story | kit.Backend, Run: foundBoth},
	}
}

const daughter = "RelatedPerson/rosa-elena"

// document is a Consent that rows change.
type document map[string]any

// root gives the root provision.
func (d document) root() map[string]any {
	m, _ := d["provision"].(map[string]any)
	return m
}

// nested gives the nested provision that permits a class.
func (d document) nested(class string) map[string]any {
	list, _ := d.root()["provision"].([]any)
	for _, raw := range list {
		p, _ := raw.(map[string]any)
		text, err := json.Marshal(p["class"])
		if err == nil && strings.Contains(string(text), `"`+class+`"`) {
			return p
		}
	}
	return map[string]any{}
}

// variant files a changed copy of the story's Consent in its place. restore
// withdraws the copy and files the first one again. filed says whether the
// server took the copy.
func variant(ctx context.Context, t *kit.Target, change func(document)) (filed bool, restore func() error, err error) {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return false, nil, err
	}
	if _, err := admin(ctx, t, http.MethodPost, "/consents/"+first.ID+"/withdraw", nil); err != nil {
		return false, nil, err
	}
	id, res, err := fileCopy(ctx, t, first, change)
	restore = func() error {
		if filed {
			if _, err := admin(ctx, t, http.MethodPost, "/consents/"+id+"/withdraw", nil); err != nil {
				return err
			}
		}
		return again(ctx, t, first)
	}
	filed = err == nil && res.Status < 300
	return filed, restore, err
}

// fileCopy files a changed copy of a Consent under a new id.
func fileCopy(ctx context.Context, t *kit.Target, f filed, change func(document)) (string, *kit.Response, error) {
	doc := document{}
	if err := json.Unmarshal(f.raw, &doc); err != nil {
		return "", nil, err
	}
	id := "variant-" + strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(t.Random()))[:12]
	doc["id"], doc["status"] = id, "active"
	doc["identifier"] = []any{map[string]any{"system": "https://mandate.example/id/consent", "value": id}}
	delete(doc, "meta")
	change(doc)
	raw, err := json.Marshal(doc)
	if err != nil {
		return "", nil, err
	}
	res, err := admin(ctx, t, http.MethodPut, "/consents/"+id, raw)
	return id, res, err
}

// under runs a look at what the daughter gets under a variant; nothing is nil
// when no launch for Rosa succeeds.
func under(ctx context.Context, t *kit.Target, c *kit.Check, change func(document), look func(nothing bool, g *kit.Grant)) {
	_, restore, err := variant(ctx, t, change)
	if restore != nil {
		defer func() { c.Note(restore()) }()
	}
	if !c.Note(err) {
		return
	}
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		look(true, nil)
		return
	}
	look(false, g)
}

// types gives the types that a grant's patient scopes name.
func types(g *kit.Grant) []string {
	var out []string
	for _, s := range g.Scopes() {
		if rest, ok := strings.CutPrefix(s, "patient/"); ok {
			typ, _, _ := strings.Cut(rest, ".")
			out = append(out, typ)
		}
	}
	return out
}

// related reads a RelatedPerson as a backend service.
func related(ctx context.Context, t *kit.Target, id string) (map[string]any, error) {
	token, err := t.ClientCredentials(ctx, t.Client("backend"), "system/RelatedPerson.rs")
	if err != nil {
		return nil, err
	}
	res, err := t.FHIR(ctx, token.Text("access_token"), "RelatedPerson/"+id)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("%s", res)
	}
	return res.JSON(), nil
}

func relationEnds(ctx context.Context, t *kit.Target) error {
	first, err := related(ctx, t, "rosa-elena")
	if err != nil {
		return err
	}
	save := func(doc map[string]any) error {
		now, err := related(ctx, t, "rosa-elena")
		if err != nil {
			return err
		}
		meta, _ := now["meta"].(map[string]any)
		raw, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		res, err := t.Do(ctx, kit.Request{
			Method: http.MethodPut, URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/related-persons/rosa-elena", Bearer: t.AdminAPI.Token,
			Type: "application/fhir+json", Body: strings.NewReader(string(raw)), Header: http.Header{"If-Match": {fmt.Sprintf(`W/"%v"`, meta["versionId"])}},
		})
		if err == nil && res.Status >= 300 {
			err = fmt.Errorf("the relation is not saved: %s", res)
		}
		return err
	}
	copied := func(change func(map[string]any)) map[string]any {
		doc := map[string]any{}
		for k, v := range first {
			doc[k] = v
		}
		change(doc)
		return doc
	}
	var c kit.Check
	for what, change := range map[string]func(map[string]any){
		"inactive": func(d map[string]any) { d["active"] = false },
		"lapsed":   func(d map[string]any) { d["period"] = map[string]any{"start": "2020-01-01", "end": "2020-12-31"} },
	} {
		g, err := elenaFor(ctx, t, "rosa")
		if !c.Note(err) || !c.Note(save(copied(change))) {
			continue
		}
		dead(ctx, t, &c, what, g, "MedicationRequest?patient=rosa")
		_, err = elenaFor(ctx, t, "rosa")
		c.That(err != nil, "%s: a new launch works", what)
		c.Note(save(copied(func(map[string]any) {})))
	}
	_, err = elenaFor(ctx, t, "rosa")
	c.Note(err)
	return c.Err()
}

func onlyActive(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, status := range []string{"draft", "proposed", "rejected", "inactive", "entered-in-error"} {
		under(ctx, t, &c, func(d document) { d["status"] = status }, func(nothing bool, _ *kit.Grant) {
			c.That(nothing, "a Consent that is %s permits", status)
		})
	}
	under(ctx, t, &c, func(document) {}, func(nothing bool, _ *kit.Grant) { c.That(!nothing, "the active copy permits nothing") })
	return c.Err()
}

func twoPeriods(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	past := map[string]any{"start": "1990-01-01", "end": "1990-12-31"}
	under(ctx, t, &c, func(d document) { d.root()["period"] = past }, func(nothing bool, _ *kit.Grant) {
		c.That(nothing, "a rule whose period is over permits")
	})
	all := -1
	under(ctx, t, &c, func(document) {}, func(nothing bool, g *kit.Grant) {
		if c.That(!nothing, "the unchanged copy permits nothing") {
			found, err := t.All(ctx, g.Access(), "MedicationRequest?_count=100&patient=rosa")
			c.Note(err)
			all = len(found)
		}
	})
	under(ctx, t, &c, func(d document) { d.nested("MedicationRequest")["dataPeriod"] = past }, func(nothing bool, g *kit.Grant) {
		if nothing {
			return // nothing is left of the rule
		}
		found, err := t.All(ctx, g.Access(), "MedicationRequest?_count=100&patient=rosa")
		c.That(err != nil || len(found) == 0, "%d medicines from outside the period of the data", len(found))
		res, err := t.FHIR(ctx, g.Access(), "Patient/rosa")
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "the rule beside it is in force: %s", res)
		}
	})
	c.That(all > 0, "the chart shows %d medicines without a period of the data", all)
	return c.Err()
}

func rootType(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var seen [][]string
	for _, change := range []func(document){
		func(d document) { d.root()["type"] = "deny" }, func(d document) { delete(d.root(), "type") },
	} {
		under(ctx, t, &c, change, func(nothing bool, g *kit.Grant) {
			if c.That(!nothing, "it permits nothing") {
				got := types(g)
				slices.Sort(got)
				seen = append(seen, got)
			}
		})
	}
	c.That(len(seen) == 2 && slices.Equal(seen[0], seen[1]) && len(seen[0]) > 0, "with and without: %v", seen)
	return c.Err()
}

// class is a list of resource types as a provision names them.
func class(names ...string) []any {
	var out []any
	for _, name := range names {
		out = append(out, map[string]any{"system": "http://hl7.org/fhir/resource-types", "code": name})
	}
	return out
}

func truthTable(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	under(ctx, t, &c, exception, func(nothing bool, g *kit.Grant) {
		if c.That(!nothing, "an exception: nothing is permitted") {
			expectTypes(ctx, t, &c, "an exception", g, []string{"MedicationRequest"}, []string{"AllergyIntolerance"})
		}
	})
	for _, x := range []struct {
		what        string
		change      func(map[string]any)
		has, hasNot []string
	}{
		{"two classes", func(p map[string]any) { p["class"] = class("MedicationRequest", "AllergyIntolerance") },
			[]string{"MedicationRequest", "AllergyIntolerance"}, []string{"MedicationStatement"}},
		{"one class", func(p map[string]any) { p["class"] = class("AllergyIntolerance") }, []string{"AllergyIntolerance"}, []string{"MedicationRequest"}},
		{"another purpose", func(p map[string]any) {
			p["purpose"] = []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}}
		}, nil, []string{"MedicationRequest", "AllergyIntolerance"}},
	} {
		under(ctx, t, &c, func(d document) { x.change(d.nested("MedicationRequest")) }, func(nothing bool, g *kit.Grant) {
			if nothing {
				c.That(x.has == nil, "%s: nothing is permitted", x.what)
				return
			}
			expectTypes(ctx, t, &c, x.what, g, x.has, x.hasNot)
		})
	}
	return c.Err()
}

// exception permits two classes at the root and excepts one of them.
func exception(d document) {
	p := d.nested("MedicationRequest")
	root := d.root()
	for _, element := range []string{"action", "purpose", "securityLabel"} {
		root[element] = p[element]
	}
	root["type"], root["class"] = "permit", class("MedicationRequest", "AllergyIntolerance", "Patient")
	root["provision"] = []any{map[string]any{"type": "deny", "class": class("AllergyIntolerance")}}
}

// expectTypes compares the types that a grant has, and those that it must not
// show.
func expectTypes(ctx context.Context, t *kit.Target, c *kit.Check, what string, g *kit.Grant, has, hasNot []string) {
	got := types(g)
	for _, typ := range has {
		c.That(slices.Contains(got, typ), "%s: %s is missing in %v", what, typ, got)
	}
	for _, typ := range hasNot {
		res, err := t.FHIR(ctx, g.Access(), typ+"?patient=rosa")
		c.That(err == nil && (res.Status == http.StatusForbidden || len(res.Entries()) == 0), "%s: %s is shown", what, typ)
	}
}

// officialExample has the provision of the FHIR example of a SMART grant: no
// type at the root, half an hour, one permit of access to one class.
func officialExample(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	now := t.Now()
	under(ctx, t, &c, func(d document) {
		permit := d.nested("MedicationRequest")
		d["provision"] = map[string]any{
			"period": map[string]any{"start": now.Add(-time.Minute).Format(time.RFC3339), "end": now.Add(30 * time.Minute).Format(time.RFC3339)},
			"actor":  d.root()["actor"],
			"provision": []any{map[string]any{
				"type": "permit", "action": permit["action"], "class": class("MedicationRequest"), "actor": permit["actor"],
			}},
		}
	}, func(nothing bool, g *kit.Grant) {
		if !c.That(!nothing, "it permits nothing in its window") {
			return
		}
		for _, typ := range types(g) {
			c.That(typ == "MedicationRequest" || typ == "Patient", "it permits %s", typ)
		}
		c.That(slices.Contains(types(g), "MedicationRequest"), "granted %v", g.Scopes())
		if c.Note(t.Advance(ctx, 31*time.Minute)) {
			t.Forget()
			_, err := elenaFor(ctx, t, "rosa")
			c.That(err != nil, "it permits after its window")
		}
	})
	return c.Err()
}

func denyWins(ctx context.Context, t *kit.Target) error {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return err
	}
	var c kit.Check
	id, res, err := fileCopy(ctx, t, first, func(d document) {
		d["policyRule"] = map[string]any{"coding": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}}}
		d.root()["type"], d.root()["class"] = "deny", class("MedicationRequest")
		delete(d.root(), "provision")
	})
	if !c.Note(err) || !c.That(res.Status < 300, "the deny is not filed: %s", res) {
		return c.Err()
	}
	defer func() {
		_, err := admin(ctx, t, http.MethodPost, "/consents/"+id+"/withdraw", nil)
		c.Note(err)
	}()
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return c.Err() // nothing is left
	}
	found, err := t.All(ctx, g.Access(), "MedicationRequest?_count=10&patient=rosa")
	c.That(err != nil || len(found) == 0, "%d medicines although one Consent denies them", len(found))
	return c.Err()
}

func notUnderstood(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	strange := []any{map[string]any{"url": "https://unknown.example/modifier", "valueBoolean": true}}
	for what, change := range map[string]func(document){
		"a modifier of the Consent": func(d document) { d["modifierExtension"] = strange },
		"a modifier of the root":    func(d document) { d.root()["modifierExtension"] = strange },
		"a modifier of the permit":  func(d document) { d.nested("MedicationRequest")["modifierExtension"] = strange },
		"data by meaning": func(d document) {
			d.nested("MedicationRequest")["data"] = []any{map[string]any{"meaning": "near", "reference": map[string]any{"reference": "Practitioner/dr-hale"}}}
		},
	} {
		under(ctx, t, &c, change, func(nothing bool, g *kit.Grant) {
			if nothing {
				return
			}
			found, err := t.All(ctx, g.Access(), "MedicationRequest?_count=10&patient=rosa")
			c.That(err != nil || len(found) == 0, "%s: %d medicines are shown", what, len(found))
		})
	}
	return c.Err()
}

func withdrawnVersion(ctx context.Context, t *kit.Target) error {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := admin(ctx, t, http.MethodPost, "/consents/"+first.ID+"/withdraw", nil)
	if !c.Note(err) {
		return c.Err()
	}
	defer func() { c.Note(again(ctx, t, first)) }()
	meta, _ := res.JSON()["meta"].(map[string]any)
	c.That(res.Text("status") == "inactive", "status is %q", res.Text("status"))
	c.That(meta["versionId"] != nil && meta["versionId"] != "1", "versionId is %v", meta["versionId"])
	log, err := admin(ctx, t, http.MethodGet, "/audit?kind=consent.withdrawn&patient=rosa", nil)
	if c.Note(err) {
		c.That(log.Status == http.StatusOK && strings.Contains(string(log.Body), first.ID), "the log does not tell of %s: %s", first.ID, log)
	}
	return c.Err()
}

func foundBoth(ctx context.Context, t *kit.Target) error {
	token, err := t.ClientCredentials(ctx, t.Client("backend"), "system/Consent.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, query := range []string{"Consent?_count=100&patient=rosa&status=active", "Consent?_count=100&actor=" + daughter + "&status=active"} {
		found, err := t.All(ctx, token.Text("access_token"), query)
		if !c.Note(err) {
			continue
		}
		seen := false
		for _, e := range found {
			raw, err := json.Marshal(e.Resource)
			c.Note(err)
			seen = seen || strings.Contains(string(raw), daughter)
			c.That(e.Resource["status"] == "active" && e.Belongs("rosa"), "%s shows Consent/%s", query, e.ID)
		}
		c.That(seen, "%s does not show the daughter's Consent among %d", query, len(found))
	}
	return c.Err()
}
