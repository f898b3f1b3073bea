package consent

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// claimProxy is the name of the claim about a proxy.
const claimProxy = "https://mandate.example/fhir/claims/proxy"

// member gives an object within an object, nil where there is none.
func member(from map[string]any, path ...string) map[string]any {
	for _, name := range path {
		from, _ = from[name].(map[string]any)
	}
	return from
}

// names lists what must stand nowhere that an app can read.
func names() []string {
	return []string{"v3-Confidentiality", "v3-ActCode", "HIV", "PSY", "SUD", "residual", "acp", "forbid", "subject_name"}
}

// delegationClaims looks at what is said of a proxy in the token, to another app and
// to a resource server that enforces by itself.
func delegationClaims(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	var c kit.Check
	token := claims(g.Access())
	c.That(token == nil || member(token, claimProxy) != nil, "the token has no %s", claimProxy)
	told, err := t.Introspect(ctx, t.Client("symmetric"), g.Access())
	if err != nil {
		return err
	}
	raw, err := json.Marshal(token)
	if err != nil {
		return err
	}
	for what, text := range map[string]string{"the token": string(raw), "an app that introspects": string(told.Body)} {
		for _, name := range names() {
			c.That(!strings.Contains(text, name), "%s is told of %s", what, name)
		}
	}
	for what, said := range map[string]map[string]any{"the token": token, "introspection": told.JSON()} {
		if said == nil {
			continue
		}
		proxy, iua := member(said, claimProxy), member(said, "extensions", "ihe_iua")
		ends, _ := proxy["valid_until"].(float64)
		exp, _ := said["exp"].(float64)
		c.That(proxy["capacity"] == "designated-proxy" && proxy["decision_id"] != nil && ends >= exp, "%s: %v", what, proxy)
		c.That(iua["person_id"] == "rosa" && iua["purpose_of_use"] != nil && iua["subject_role"] != nil, "%s: %v", what, iua)
	}
	if told, err = t.Introspect(ctx, t.DisclosingClient(), g.Access()); err != nil {
		return err
	}
	said := told.JSON()
	pcf := member(said, "extensions", "ihe_pcf")
	docs, _ := pcf["doc_id"].([]any)
	rules, _ := pcf["residual"].([]any)
	c.That(pcf["patient_id"] == t.FHIRBase+"/Patient/rosa" && len(docs) > 0 && pcf["acp"] != nil && len(rules) > 0, "the resource server is told %s", told.Body)
	for _, d := range docs {
		text, _ := d.(string)
		c.That(strings.HasPrefix(text, t.FHIRBase+"/Consent/"), "doc_id %q", text)
	}
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		c.That(rule["type"] == "forbid", "a residual rule %v", rule)
	}
	name, _ := member(said, "extensions", "ihe_iua")["subject_name"].(string)
	c.That(name != "", "the resource server is not told who asks")
	return c.Err()
}
