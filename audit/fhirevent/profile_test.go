package fhirevent_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
)

// forms gives an event of a kind with more and less known.
func forms(k audit.Kind, action string, outcome audit.Outcome) []audit.Event {
	full := elena()
	full.Kind, full.Action, full.Outcome, full.Reason, full.Query, full.Count = k, action, outcome, "because", "code=a|b", 3
	full.Detail = map[string]string{"amr": "pwd otp"}
	var out []audit.Event
	for _, change := range []func(*audit.Event){
		func(*audit.Event) {},
		func(e *audit.Event) { e.Patient = "" },
		func(e *audit.Event) { e.ClientID = "" },
		func(e *audit.Event) { e.Network = "unknown" },
		func(e *audit.Event) { e.PersonID, e.Capacity = "", fhir.Capacity{Kind: fhir.CapacitySystem} },
		func(e *audit.Event) { e.Consents = nil },
		func(e *audit.Event) {
			e.Resource, e.ResourceVersion, e.Query = fhir.Reference{Type: "Observation"}, "", ""
		},
		func(e *audit.Event) { e.TokenID, e.GrantID, e.RequestID, e.Detail = "", "", "", nil },
		func(e *audit.Event) {
			e.Capacity = fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT"}
		},
		func(e *audit.Event) {
			*e = audit.Event{Tenant: "default", Time: e.Time, Kind: k, Action: action, Outcome: outcome}
		},
		func(e *audit.Event) {
			e.PersonID, e.Capacity, e.Detail = "", fhir.Capacity{}, map[string]string{"username_hash": "abc"}
		},
	} {
		e := full
		change(&e)
		out = append(out, e)
	}
	return out
}

// TR-17, TR-18, AR-10: every event that the program can write meets every
// profile that it claims, and claims at least Mandate's own.
func TestEveryClaimHolds(t *testing.T) {
	all, known := profiles(t), codes(t)
	claimed := map[string]int{}
	for _, k := range kinds(t) {
		for _, action := range []string{"C", "R", "U", "D", "E"} {
			for _, outcome := range []audit.Outcome{audit.Success, audit.MinorFailure, audit.SeriousFailure} {
				for i, e := range forms(k, action, outcome) {
					raw, err := fhirevent.Map(e, names)
					if err != nil {
						t.Fatal(err)
					}
					var resource map[string]any
					if err := json.Unmarshal(raw, &resource); err != nil {
						t.Fatal(err)
					}
					claims := valuesOf(resource["meta"], "profile")
					if !slices.Contains(claims, any(fhirevent.ProfileEvent)) {
						t.Errorf("%s claims no profile of Mandate", k)
					}
					for _, claim := range claims {
						claimed[claim.(string)]++
						if faults := violations(all, claim.(string), resource); len(faults) > 0 {
							t.Errorf("%s %s %s, form %d, is no %s: %s", k, action, outcome, i, claim, strings.Join(faults, "; "))
						}
					}
					unknownCodes(t, known, resource)
				}
			}
		}
	}
	for url := range all {
		if claimed[url] == 0 && !strings.Contains(url, "/audit-") {
			t.Errorf("no event claims %s", url)
		}
	}
}

// violations gives what of a profile is not met.
func violations(all map[string][]profile, claim string, resource any) []string {
	if all[claim] == nil {
		return []string{"the profile is unknown"}
	}
	var out []string
	for _, p := range all[claim] {
		out = append(out, p.check(resource, "")...)
	}
	return out
}

// codes gives the codes of Mandate's own systems, as served.
func codes(t *testing.T) map[string]bool {
	t.Helper()
	definitions, err := fhirevent.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, d := range definitions {
		var system struct {
			URL     string
			Concept []struct{ Code, Display string }
		}
		if err := json.Unmarshal(d.JSON, &system); err != nil {
			t.Fatal(err)
		}
		for _, c := range system.Concept {
			if out[system.URL+"#"+c.Code] = true; c.Display == "" || c.Display == c.Code {
				t.Errorf("%s has no name", c.Code)
			}
		}
	}
	return out
}

// unknownCodes finds codings of Mandate's own systems without a concept.
func unknownCodes(t *testing.T, known map[string]bool, node any) {
	t.Helper()
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			unknownCodes(t, known, v)
		}
	case map[string]any:
		system, _ := node["system"].(string)
		code, coded := node["code"].(string)
		if coded && strings.HasPrefix(system, fhir.Canonical) && !known[system+"#"+code] {
			t.Errorf("%s#%s is in no code system", system, code)
		}
		for v := range maps.Values(node) {
			unknownCodes(t, known, v)
		}
	}
}

// The validator bites: an event that was spoilt meets its profile no more.
func TestSpoiltEventsMeetNoProfile(t *testing.T) {
	all := profiles(t)
	permit := elena()
	permit.Kind, permit.Action = audit.DecisionPermit, "E"
	deny := permit
	deny.Consents, deny.Outcome = nil, audit.SeriousFailure
	agentAt := func(r map[string]any, i int) map[string]any { return r["agent"].([]any)[i].(map[string]any) }
	for name, c := range map[string]struct {
		e     audit.Event
		spoil func(r map[string]any)
	}{
		"another action":   {elena(), func(r map[string]any) { r["action"] = "U" }},
		"no network":       {elena(), func(r map[string]any) { delete(agentAt(r, 0), "network") }},
		"no server":        {elena(), func(r map[string]any) { r["agent"] = r["agent"].([]any)[:3] }},
		"two servers":      {elena(), func(r map[string]any) { r["agent"] = append(r["agent"].([]any), agentAt(r, 3)) }},
		"no patient":       {elena(), func(r map[string]any) { r["entity"] = r["entity"].([]any)[1:] }},
		"failed":           {elena(), func(r map[string]any) { r["outcome"] = "8" }},
		"a user's network": {elena(), func(r map[string]any) { agentAt(r, 1)["network"] = map[string]any{"address": "1.2.3.4"} }},
		"no requestor":     {permit, func(r map[string]any) { agentAt(r, 1)["requestor"] = false }},
		"an entity too many": {permit, func(r map[string]any) {
			r["entity"] = append(r["entity"].([]any), map[string]any{"type": map[string]any{"system": fhirevent.SystemEntity, "code": "grant"}})
		}},
		"no authorizer":      {deny, func(r map[string]any) { r["agent"] = r["agent"].([]any)[:4] }},
		"another type":       {deny, func(r map[string]any) { r["type"] = map[string]any{"system": "x", "code": "y"} }},
		"delegator by token": {deny, func(r map[string]any) { agentAt(r, 2)["policy"] = []any{"x"} }},
		"a second grant": {deny, func(r map[string]any) {
			for _, e := range r["entity"].([]any) {
				if e.(map[string]any)["type"].(map[string]any)["code"] == "grant" {
					r["entity"] = append(r["entity"].([]any), e)
				}
			}
		}},
	} {
		raw, err := fhirevent.Map(c.e, names)
		if err != nil {
			t.Fatal(err)
		}
		var r map[string]any
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		claim := valuesOf(r["meta"], "profile")[0].(string)
		if faults := violations(all, claim, r); len(faults) > 0 {
			t.Fatalf("%s: %v", name, faults)
		}
		if c.spoil(r); len(violations(all, claim, r)) == 0 {
			t.Errorf("%s: still a %s", name, claim)
		}
	}
}

// What is served is FHIR R4, each by an id that ends its URL.
func TestDefinitionsAreValid(t *testing.T) {
	r4, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := fhirevent.Definitions()
	if err != nil || len(definitions) != 6 {
		t.Fatal(len(definitions), err)
	}
	for _, d := range definitions {
		if err := r4.ValidateType(d.JSON, d.Type); err != nil || !strings.HasSuffix(d.URL, "/"+d.Type+"/"+d.ID) {
			t.Errorf("%s: %v", d.URL, err)
		}
	}
}

// What AuthZconsent has no room for stands in extensions.
func TestAClosedEventKeepsItsGrant(t *testing.T) {
	e := elena()
	e.Kind, e.Action = audit.DecisionPermit, "E"
	raw, err := fhirevent.Map(e, names)
	if err != nil || !strings.Contains(string(raw), `{"url":"`+fhirevent.ExtensionGrant+`","valueString":"g-1"}`) ||
		!strings.Contains(string(raw), `{"url":"`+fhirevent.ExtensionRequest+`","valueString":"req-7"}`) {
		t.Errorf("%v: %s", err, raw)
	}
}
