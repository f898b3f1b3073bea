package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func brands() []kit.Row {
	return []kit.Row{
		{ID: "SMART DISC-16", Title: "the brand bundle is a URL and the brand identifier an Identifier", Run: brandMembers},
		{ID: "SMART BRD-01", Title: "each endpoint of the bundle has a brand, and this server is one of them", Also: []string{"US-28"}, Run: brandEndpoints},
		{ID: "SMART BRD-02", Title: "the bundle is a collection with the times of its last changes", Run: brandTimes},
		{ID: "SMART BRD-03", Title: "any origin may read the bundle, and what has not changed is not sent again", Run: brandCORS},
		{ID: "SMART BRD-04", Title: "the brand identifier is that of exactly one Organization", Run: brandIdentifier},
		{ID: "SMART BRD-08", Title: "every brand of the bundle belongs to this provider", Run: brandOwn},
		{ID: "SMART BRD-06", Title: "names, portals, categories and identifiers are the provider's to change, and faults are named by element", Needs: kit.Admin, Run: brandEdit},
	}
}

type brandIdentity struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// brandResource is an entry of the bundle as far as the rows look at it.
type brandResource struct {
	Type string `json:"resourceType"`
	ID   string `json:"id"`
	Meta struct {
		LastUpdated time.Time `json:"lastUpdated"`
	} `json:"meta"`
	Name       string          `json:"name"`
	Alias      []string        `json:"alias"`
	Address    json.RawMessage `json:"address"`
	Identifier []brandIdentity `json:"identifier"`
	PartOf     *struct {
		Reference string `json:"reference"`
	} `json:"partOf"`
	Endpoint []struct {
		Reference string `json:"reference"`
	} `json:"endpoint"`
	Extension []struct {
		URL       string `json:"url"`
		Extension []struct {
			URL            string `json:"url"`
			ValueReference struct {
				Reference string `json:"reference"`
			} `json:"valueReference"`
		} `json:"extension"`
	} `json:"extension"`
}

// refersTo are the endpoints of a brand.
func (b brandResource) refersTo() []string {
	var out []string
	for _, e := range b.Endpoint {
		out = append(out, e.Reference)
	}
	for _, x := range b.Extension {
		for _, part := range x.Extension {
			out = append(out, part.ValueReference.Reference)
		}
	}
	return out
}

type brandBundle struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Entry     []struct {
		Resource brandResource `json:"resource"`
	} `json:"entry"`
}

// of gives the resources of one type.
func (b brandBundle) of(typ string) []brandResource {
	var out []brandResource
	for _, e := range b.Entry {
		if e.Resource.Type == typ {
			out = append(out, e.Resource)
		}
	}
	return out
}

type brandDiscovery struct {
	Bundle     string         `json:"user_access_brand_bundle"`
	Identifier *brandIdentity `json:"user_access_brand_identifier"`
}

func brandConfig(ctx context.Context, t *kit.Target) (brandDiscovery, error) {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return brandDiscovery{}, err
	}
	var d brandDiscovery
	if err := json.Unmarshal(res.Body, &d); err != nil {
		return d, fmt.Errorf("the brand members have the wrong types: %w", err)
	}
	if d.Bundle == "" {
		return d, kit.Unmet{Why: "the server publishes no brands"}
	}
	return d, nil
}

func readBrands(ctx context.Context, t *kit.Target) (brandBundle, brandDiscovery, error) {
	var b brandBundle
	d, err := brandConfig(ctx, t)
	if err != nil {
		return b, d, err
	}
	res, err := t.Do(ctx, kit.Request{URL: d.Bundle})
	if err != nil {
		return b, d, err
	}
	if res.Status != http.StatusOK || res.Text("resourceType") != "Bundle" {
		return b, d, fmt.Errorf("%s is no Bundle", res)
	}
	if err := json.Unmarshal(res.Body, &b); err != nil {
		return b, d, fmt.Errorf("the bundle cannot be read: %w", err)
	}
	return b, d, nil
}

func brandMembers(ctx context.Context, t *kit.Target) error {
	b, d, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	u, err := url.Parse(d.Bundle)
	c.That(err == nil && u.Host != "", "user_access_brand_bundle is not an absolute URL")
	if c.That(d.Identifier != nil || len(b.of("Organization")) == 1, "several brands and no user_access_brand_identifier") && d.Identifier != nil {
		c.That(d.Identifier.Value != "" && d.Identifier.System != "", "the identifier lacks system or value")
	}
	return c.Err()
}

func brandEndpoints(ctx context.Context, t *kit.Target) error {
	b, _, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	var used []string
	for _, o := range b.of("Organization") {
		c.That(o.Name != "", "Organization/%s has no name", o.ID)
		used = append(used, o.refersTo()...)
	}
	own := false
	for _, e := range b.of("Endpoint") {
		c.That(slices.Contains(used, "Endpoint/"+e.ID), "no brand refers to Endpoint/%s", e.ID)
		var address string
		c.That(json.Unmarshal(e.Address, &address) == nil && address != "", "Endpoint/%s has no address", e.ID)
		own = own || strings.TrimSuffix(address, "/") == t.FHIRBase
	}
	c.That(own, "no endpoint has the address of this server")
	return c.Err()
}

func brandTimes(ctx context.Context, t *kit.Target) error {
	b, _, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(b.Type == "collection", "the bundle is a %s", b.Type)
	c.That(!b.Timestamp.IsZero(), "Bundle.timestamp is missing")
	for _, e := range b.Entry {
		at := e.Resource.Meta.LastUpdated
		c.That(!at.IsZero() && !at.After(b.Timestamp), "%s/%s last changed at %s, the bundle at %s", e.Resource.Type, e.Resource.ID, at, b.Timestamp)
	}
	return c.Err()
}

func brandCORS(ctx context.Context, t *kit.Target) error {
	d, err := brandConfig(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	origin := http.Header{"Origin": {"https://anybody.example"}}
	res, err := t.Do(ctx, kit.Request{URL: d.Bundle, Header: origin})
	if err != nil {
		return err
	}
	allowed := func(r *kit.Response) bool {
		return slices.Contains([]string{"*", "https://anybody.example"}, r.Header.Get("Access-Control-Allow-Origin"))
	}
	c.That(allowed(res), "%s: not for any origin", res)
	tag := res.Header.Get("ETag")
	c.That(strings.HasPrefix(tag, `W/"`), "the ETag %q is not weak", tag)
	again, err := t.Do(ctx, kit.Request{URL: d.Bundle, Header: http.Header{"Origin": origin["Origin"], "If-None-Match": {tag}}})
	if !c.Note(err) {
		return c.Err()
	}
	c.That(again.Status == http.StatusNotModified && len(again.Body) == 0 && allowed(again), "%s although nothing changed", again)
	asked, err := t.Do(ctx, kit.Request{Method: http.MethodOptions, URL: d.Bundle, Header: http.Header{
		"Origin": origin["Origin"], "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"if-none-match"},
	}})
	if c.Note(err) {
		c.That(asked.Status < 300 && allowed(asked) && asked.Header.Get("Access-Control-Allow-Headers") != "", "%s: a preflight is refused", asked)
	}
	return c.Err()
}

func brandIdentifier(ctx context.Context, t *kit.Target) error {
	b, d, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	if d.Identifier == nil {
		return kit.Unmet{Why: "the server names no brand identifier"}
	}
	found := 0
	for _, o := range b.of("Organization") {
		if slices.Contains(o.Identifier, *d.Identifier) {
			found++
		}
	}
	if found != 1 {
		return fmt.Errorf("the identifier is that of %d Organizations", found)
	}
	return nil
}

// brandOwn looks for brands that nothing joins with the server's own: through
// the tree of brands, or through an endpoint.
func brandOwn(ctx context.Context, t *kit.Target) error {
	b, d, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, o := range b.of("Organization") {
		own := o.PartOf != nil || len(o.refersTo()) > 0 || d.Identifier != nil && slices.Contains(o.Identifier, *d.Identifier)
		c.That(own, "Organization/%s leads to no endpoint and to no other brand", o.ID)
	}
	return c.Err()
}

// brandEdit changes the provider's brand, looks at what is published and puts it
// back.
func brandEdit(ctx context.Context, t *kit.Target) error {
	put := func(body any) (*kit.Response, error) {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		return t.Do(ctx, kit.Request{
			Method: http.MethodPut, URL: t.AdminAPI.URL + "/brands", Bearer: t.AdminAPI.Token, Type: "application/fhir+json", Body: strings.NewReader(string(raw)),
		})
	}
	was, err := t.Do(ctx, kit.Request{URL: t.AdminAPI.URL + "/brands", Bearer: t.AdminAPI.Token})
	if err != nil {
		return err
	}
	if was.Status != http.StatusOK {
		return kit.Unmet{Why: "the administration API has no brands"}
	}
	before, _, err := readBrands(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _, _ = put(was.JSON()) }()
	var c kit.Check
	edited := was.JSON()
	organization := firstOf(edited, "Organization")
	organization["alias"] = []any{"Conformance Clinic"}
	organization["type"] = []any{map[string]any{"coding": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "laboratory"}}}}
	identifiers, _ := organization["identifier"].([]any)
	organization["identifier"] = append([]any{map[string]any{"system": "urn:ietf:rfc:3986", "value": "https://conformance.example"}}, identifiers...)
	res, err := put(edited)
	if !c.Note(err) {
		return c.Err()
	}
	c.That(res.Status == http.StatusOK, "%s: a good bundle is refused", res)
	after, d, err := readBrands(ctx, t)
	if c.Note(err) {
		brand := after.of("Organization")[0]
		c.That(slices.Equal(brand.Alias, []string{"Conformance Clinic"}), "the alias is not published")
		c.That(d.Identifier != nil && d.Identifier.Value == "https://conformance.example", "the discovery document does not follow")
		c.That(after.Timestamp.After(before.Timestamp), "the timestamp did not move")
		c.That(after.of("Endpoint")[0].Meta.LastUpdated.Equal(before.of("Endpoint")[0].Meta.LastUpdated), "an entry that did not change is stamped anew")
	}
	for element, spoil := range map[string]func(o, e map[string]any){
		"name": func(o, _ map[string]any) { delete(o, "name") },
		"telecom": func(o, _ map[string]any) {
			o["telecom"] = []any{map[string]any{"system": "url", "value": "http://plain.example"}}
		},
		"address":        func(_, e map[string]any) { e["address"] = "ftp://x" },
		"connectionType": func(_, e map[string]any) { e["connectionType"] = map[string]any{"code": "dicom-wado-rs"} },
		"partOf":         func(o, _ map[string]any) { o["partOf"] = map[string]any{"reference": "Organization/nobody"} },
	} {
		bad := was.JSON()
		spoil(firstOf(bad, "Organization"), firstOf(bad, "Endpoint"))
		res, err := put(bad)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && strings.Contains(string(res.Body), element), "a wrong %s: %s", element, res)
		}
	}
	return c.Err()
}

func firstOf(bundle map[string]any, typ string) map[string]any {
	entries, _ := bundle["entry"].([]any)
	for _, v := range entries {
		entry, _ := v.(map[string]any)
		if r, ok := entry["resource"].(map[string]any); ok && r["resourceType"] == typ {
			return r
		}
	}
	return map[string]any{}
}
