package pcf

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// ScopesURL is the modifier extension of a provision that carries as SMART scopes
// what PCF cannot say. A reader who does not know it must not use the provision.
const ScopesURL = fhir.Canonical + "/StructureDefinition/consent-scopes"

// Render gives a privacy Consent as IHE PCF says it: the lowest of the profiles
// that can hold it, claimed in meta.profile. What PCF has no element for (class,
// code and action, CN-19…23) is left out, and a modifier extension with the
// scopes of the rule stands in its place, so that nobody takes what is left for
// the whole; the template in policy.uri tells the functions. Errors: errs.Invalid
// for what is no Consent; errs.Unprocessable, naming an element, for a Consent
// that PCF cannot say.
func Render(raw []byte) ([]byte, error) {
	parsed, err := consent.Parse(raw)
	if err != nil {
		return nil, err
	}
	if parsed.Kind != consent.KindGrant && parsed.Kind != consent.KindProhibition {
		return nil, errs.New(errs.Unprocessable, "pcf-not-privacy", "Consent.scope: IHE PCF is about privacy Consents of patients only.")
	}
	if len(parsed.Faults) > 0 {
		return nil, errs.New(errs.Unprocessable, "pcf-not-understood", "Not understood: "+parsed.Faults[0]+".")
	}
	var c object
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "pcf-not-a-consent", "The file is not a FHIR Consent in JSON.")
	}
	delete(c, "verification")
	for _, p := range objects(c["policy"]) {
		delete(p, "authority")
	}
	root, _ := c["provision"].(object)
	if root == nil {
		return nil, errs.New(errs.Unprocessable, "pcf-not-understood", "Not understood: Consent.provision.")
	}
	if root["type"] == nil {
		root["type"] = rootType(parsed)
	}
	if strip(root) {
		root["modifierExtension"] = []any{modifier(parsed)}
	}
	profile := fitting(root)
	claim(c, profile)
	out, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	if _, found, err := Lint(out, profile); err != nil || len(found) > 0 {
		if err == nil {
			err = errs.New(errs.Unprocessable, "pcf-cannot-say", "IHE PCF cannot say it: "+found[0].String()+".")
		}
		return nil, err
	}
	return out, nil
}

// rootType gives the type of a root that R4 readers leave out (CN-15).
func rootType(c consent.Consent) string {
	if c.Kind == consent.KindGrant && len(c.Root.Nested) == 0 {
		return "permit"
	}
	return "deny"
}

// strip takes out of a provision and those below it what PCF has no element for,
// and leaves of nested rules that have become alike one. It tells whether anything
// was taken out.
func strip(p object) (lost bool) {
	for _, name := range []string{"action", "class", "code"} {
		if p[name] != nil {
			delete(p, name)
			lost = true
		}
	}
	nested, _ := p["provision"].([]any)
	var kept []any
	for _, n := range nested {
		if m, ok := n.(object); ok && strip(m) {
			lost = true
		}
		if !slices.ContainsFunc(kept, func(k any) bool { return reflect.DeepEqual(k, n) }) {
			kept = append(kept, n)
		}
	}
	if len(kept) > 0 {
		p["provision"] = kept
	}
	return lost
}

// modifier gives the extension with the scopes of a grant, ordered; of a
// prohibition it has none, and denies as long as nobody understands it.
func modifier(c consent.Consent) object {
	var texts []string
	if c.Kind == consent.KindGrant {
		for _, s := range scopesOf(c) {
			texts = append(texts, s.String())
		}
	}
	slices.Sort(texts)
	return object{"url": ScopesURL, "valueString": strings.Join(texts, " ")}
}

// scopesOf gives the scopes of a grant by the rules of the engine, at its start.
func scopesOf(c consent.Consent) scope.Set {
	at := c.Given
	if c.Root.Period.Start.After(at) {
		at = c.Root.Period.Start
	}
	active := c
	active.Status = "active"
	policy := consent.Compile(c.Patient, 0, []consent.Consent{active}, consent.Options{Authorities: c.Performers})
	var out scope.Set
	for _, purpose := range consent.ProxyPurposes() {
		out = append(out, consent.GrantableFor(policy, c.ActorReferences(), purpose, at).Scopes...)
	}
	return out.Normalise()
}

// fitting gives the lowest profile whose elements hold the provision.
func fitting(root object) string {
	rules := append([]object{root}, objects(root["provision"])...)
	has := func(names ...string) bool {
		return slices.ContainsFunc(rules, func(p object) bool {
			return slices.ContainsFunc(names, func(name string) bool { return p[name] != nil })
		})
	}
	switch {
	case has("securityLabel"):
		return Advanced
	case has("data", "dataPeriod", "provision"), !basicPurposes(root):
		return Intermediate
	}
	return Basic
}

// basicPurposes reports whether all purposes are those of Basic.
func basicPurposes(root object) bool {
	return !slices.ContainsFunc(objects(root["purpose"]), func(p object) bool {
		code, _ := p["code"].(string)
		return !slices.Contains([]string{"TREAT", "HPAYMT", "HOPERAT", "BTG"}, code)
	})
}

// claim replaces the profiles of meta by one.
func claim(c object, profile string) {
	meta, ok := c["meta"].(object)
	if !ok {
		meta = object{}
		c["meta"] = meta
	}
	meta["profile"] = []any{canonical + profile}
}
