package codec

import (
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

// invariants checks the FHIRPath rules of R4 that Mandate's own resources
// depend on and the library does not evaluate. v has passed the library.
func invariants(resourceType string, v map[string]any) []Issue {
	var out []Issue
	if resourceType == "Consent" {
		out = append(out, consentInvariants(v)...)
	}
	return append(out, references(v, resourceType)...)
}

// consentInvariants: ppc-1, and the privacy rule that ppc-2…5 mean but never
// reach, since R4 compares against a system literal (CN-04).
func consentInvariants(v map[string]any) []Issue {
	var out []Issue
	if v["policy"] == nil && v["policyRule"] == nil {
		out = append(out, Issue{Path: "Consent.policy", Text: "ppc-1: either a policy or a policyRule is needed"})
	}
	if v["patient"] == nil && isPrivacyScope(v["scope"]) {
		// An app approval of a clinician names no patient and has scope
		// treatment; a privacy Consent is always somebody's.
		out = append(out, Issue{Path: "Consent.patient", Text: "is required where the scope is patient-privacy"})
	}
	root, ok := v["provision"].(map[string]any)
	if !ok {
		return out
	}
	return append(out, provisionInvariants(root, "Consent.provision", true)...)
}

func isPrivacyScope(v any) bool {
	scope, _ := v.(map[string]any)
	codings, _ := scope["coding"].([]any)
	for _, c := range codings {
		if m, ok := c.(map[string]any); ok && m["code"] == "patient-privacy" {
			return true
		}
	}
	return false
}

// provisionInvariants: nested rules need a type (R4 Consent.provision.type),
// and per-1 holds for each period.
func provisionInvariants(p map[string]any, path string, root bool) []Issue {
	var out []Issue
	if !root && p["type"] == nil {
		out = append(out, Issue{Path: path + ".type", Text: "is required in a nested rule"})
	}
	for _, name := range [...]string{"period", "dataPeriod"} {
		if period, ok := p[name].(map[string]any); ok && reversed(period) {
			out = append(out, Issue{Path: path + "." + name, Text: "per-1: start lies after end"})
		}
	}
	nested, _ := p["provision"].([]any)
	for i, n := range nested {
		if m, ok := n.(map[string]any); ok {
			out = append(out, provisionInvariants(m, path+".provision["+strconv.Itoa(i)+"]", false)...)
		}
	}
	return out
}

func reversed(period map[string]any) bool {
	s, _ := period["start"].(string)
	e, _ := period["end"].(string)
	start, startOK := fhir.ParseDate(s)
	end, endOK := fhir.ParseDate(e)
	return startOK && endOK && end.End.Before(start.Start)
}

// references finds references to contained resources that are not there
// (ref-1), at any depth.
func references(v map[string]any, path string) []Issue {
	ids := map[string]bool{}
	if contained, ok := v["contained"].([]any); ok {
		for _, c := range contained {
			if m, ok := c.(map[string]any); ok {
				if id, ok := m["id"].(string); ok {
					ids["#"+id] = true
				}
			}
		}
	}
	var out []Issue
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["reference"].(string); ok && strings.HasPrefix(s, "#") && s != "#" && !ids[s] {
				out = append(out, Issue{Path: path + ".reference", Text: "ref-1: no such contained resource"})
			}
			for key, child := range v {
				walk(child, element(path, key))
			}
		case []any:
			for i, child := range v {
				walk(child, path+"["+strconv.Itoa(i)+"]")
			}
		}
	}
	walk(v, path)
	return out
}
