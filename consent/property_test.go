package consent

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/fhir"
)

// The generator makes Consents that mean something: small vocabularies, so
// that rules and questions meet.

var genBase = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

type object = map[string]any

func concept(system, code string) object {
	return object{"coding": []object{{"system": system, "code": code}}}
}

func coding(system, code string) object { return object{"system": system, "code": code} }

func some(t *rapid.T, name string, values []string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 2, rapid.ID[string]).Draw(t, name)
}

var genLabels = []fhir.Coding{
	{System: fhir.SystemConfidentiality, Code: "N"}, {System: fhir.SystemConfidentiality, Code: "R"},
	{System: fhir.SystemConfidentiality, Code: "V"}, {System: fhir.SystemConfidentiality, Code: "HIV"},
	{System: fhir.SystemActCode, Code: "HIV"}, {System: fhir.SystemActCode, Code: "PSY"},
	{System: fhir.SystemActCode, Code: "SPI"}, {System: fhir.SystemActCode, Code: "SUD"},
	{System: fhir.SystemActCode, Code: "ETH"}, {System: fhir.SystemActCode, Code: "OPIOIDUD"},
	{System: fhir.SystemActCode, Code: "42CFRPart2"}, {System: fhir.SystemActCode, Code: "PSYTHPN"},
	{System: fhir.SystemActCode, Code: "PRS"}, {System: fhir.SystemActCode, Code: "NORDSCLCD"},
	{System: fhir.SystemActCode, Code: "NOPAT"}, {System: "urn:unknown", Code: "X"},
}

func genCodings(t *rapid.T, name string, most int) []object {
	var out []object
	for _, c := range rapid.SliceOfN(rapid.SampledFrom(genLabels), 1, most).Draw(t, name) {
		out = append(out, coding(c.System, c.Code))
	}
	return out
}

func chance(t *rapid.T, name string) bool { return rapid.Bool().Draw(t, name) }

// rare keeps most rules wide, so that a fair share of questions is permitted.
func rare(t *rapid.T, name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }

// genProvision draws one rule. Actor and period only sometimes restrict.
func genProvision(t *rapid.T, typ string, nested bool) object {
	p := object{"type": typ}
	if !nested || chance(t, "actor?") {
		var actors []object
		for _, a := range some(t, "actors", []string{"RelatedPerson/a", "RelatedPerson/b"}) {
			actors = append(actors, object{"role": concept(fhir.SystemParticipationType, "IRCP"), "reference": object{"reference": a}})
		}
		p["actor"] = actors
	}
	if rare(t, "period?") {
		start := genBase.AddDate(0, 0, rapid.IntRange(-3, 2).Draw(t, "start"))
		p["period"] = object{"start": stampTime(start), "end": stampTime(start.AddDate(0, 0, rapid.IntRange(1, 5).Draw(t, "days")))}
	}
	if rare(t, "purpose?") {
		p["purpose"] = []object{coding(fhir.SystemActReason, rapid.SampledFrom([]string{"FAMRQT", "PATRQT", "PWATRNY"}).Draw(t, "purpose"))}
	}
	if chance(t, "label?") {
		p["securityLabel"] = genCodings(t, "labels", 4)
	}
	if rare(t, "class?") {
		var classes []object
		for _, c := range some(t, "classes", []string{"MedicationRequest", "Observation", "Condition"}) {
			classes = append(classes, coding(systemResourceTypes, c))
		}
		if chance(t, "profile?") {
			classes = append(classes, coding(systemURI, usCore+"us-core-vital-signs"))
		}
		p["class"] = classes
	}
	if rare(t, "action?") {
		var actions []object
		for _, a := range some(t, "actions", []string{"view", "message", "download"}) {
			actions = append(actions, concept(fhir.Canonical+functionSystemSuffix, a))
		}
		p["action"] = actions
	}
	if rare(t, "data?") {
		p["data"] = []object{{"meaning": "authoredby", "reference": object{"reference": "Organization/o"}}}
	}
	return p
}

func genConsent(t *rapid.T, id string, rules []string) object {
	root := genProvision(t, rapid.SampledFrom([]string{"permit", "permit", "deny"}).Draw(t, "root type"), false)
	var nested []object
	for range rapid.IntRange(0, 2).Draw(t, "nested") {
		nested = append(nested, genProvision(t, rapid.SampledFrom([]string{"permit", "deny"}).Draw(t, "type"), true))
	}
	if len(nested) > 0 {
		root["provision"] = nested
	}
	return object{
		"resourceType": "Consent", "id": id,
		"status":       rapid.SampledFrom([]string{"active", "active", "active", "inactive"}).Draw(t, "status"),
		"scope":        concept(systemConsentScope, "patient-privacy"),
		"category":     []object{concept(fhir.SystemActCode, "INFA")},
		"patient":      object{"reference": "Patient/p"},
		"dateTime":     stampTime(genBase.AddDate(0, 0, -5)),
		"performer":    []object{{"reference": "Patient/p"}},
		"organization": []object{{"reference": "Organization/custodian"}},
		"policyRule":   concept(fhir.SystemActCode, rapid.SampledFrom(rules).Draw(t, "rule")),
		"provision":    root,
	}
}

var (
	anyRule   = []string{"OPTIN", "OPTINR", "OPTINR", "OPTOUTE", "42CFRPart2"}
	grantRule = []string{"OPTIN", "OPTINR"}
	stopRule  = []string{"OPTOUT", "OPTOUTE"}
)

func genSet(t *rapid.T) []object {
	var out []object
	for i := range rapid.IntRange(1, 5).Draw(t, "consents") {
		out = append(out, genConsent(t, fmt.Sprintf("c%d", i), anyRule))
	}
	return out
}

func genQuestion(t *rapid.T) Question {
	q := Question{
		Patient: "p", Actors: person(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "who")),
		Purpose:  rapid.SampledFrom([]string{"FAMRQT", "FAMRQT", "PWATRNY"}).Draw(t, "asked purpose"),
		Function: rapid.SampledFrom([]string{"view", "view", "message"}).Draw(t, "function"),
		At:       genBase.AddDate(0, 0, rapid.IntRange(-1, 2).Draw(t, "at")),
		Resource: fhir.Resource{
			Type: rapid.SampledFrom([]string{"MedicationRequest", "Observation", "Condition"}).Draw(t, "resource"), ID: "r",
			Labels: append([]fhir.Coding{rapid.SampledFrom(genLabels[:2]).Draw(t, "level")},
				rapid.SliceOfN(rapid.SampledFrom(genLabels[:len(genLabels)-2]), 0, 2).Draw(t, "resource labels")...),
		},
	}
	if chance(t, "vital?") {
		q.Resource.Tokens = map[string][]fhir.Coding{"category": {{System: systemObservationCat, Code: "vital-signs"}}}
	}
	if chance(t, "authored?") {
		q.Resource.Authors = []fhir.Reference{{Type: "Organization", ID: "o"}}
	}
	return q
}

func compileJSON(t *rapid.T, set []object) *Policy {
	var consents []Consent
	for _, o := range set {
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		consents = append(consents, c)
	}
	return Compile("p", 1, consents, Options{})
}

func same(a, b Result) bool {
	return a.Permit == b.Permit && a.Reason == b.Reason && a.ValidUntil.Equal(b.ValidUntil) &&
		slices.Equal(a.Consents, b.Consents) && slices.Equal(a.Obligations, b.Obligations)
}

// CPA TF-02.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		want := Evaluate(compileJSON(t, set), q)
		shuffled := slices.Clone(set)
		rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		if got := Evaluate(compileJSON(t, shuffled), q); !same(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestAddingAGrantNeverRemoves: that also means that the carve-out of one
// grant never weakens another.
// CPA TF-02, TR-28, TR-29.
func TestAddingAGrantNeverRemoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		before := Evaluate(compileJSON(t, set), q)
		after := Evaluate(compileJSON(t, append(set, genConsent(t, "more", grantRule))), q)
		if before.Permit && !after.Permit {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		if before.Permit && !before.ValidUntil.IsZero() && !after.ValidUntil.IsZero() && after.ValidUntil.Before(before.ValidUntil) {
			t.Fatalf("shorter: before %+v, after %+v", before, after)
		}
	})
}

// CPA TF-02.
func TestAddingAProhibitionNeverAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		before := Evaluate(compileJSON(t, set), q)
		after := Evaluate(compileJSON(t, append(set, genConsent(t, "more", stopRule))), q)
		if after.Permit && !before.Permit {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	})
}

// TestUnknownInputNeverWidens spoils one place of one Consent: with a
// modifier extension, an element of unknown name, or an unreadable value.
func TestUnknownInputNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		if len(set) == 0 {
			return
		}
		before := Evaluate(compileJSON(t, set), q)
		spoilt := set[rapid.IntRange(0, len(set)-1).Draw(t, "which")]
		place, ok := spoilt["provision"].(object)
		if !ok {
			t.Fatal("no provision")
		}
		if nested, ok := place["provision"].([]object); ok && chance(t, "nested?") {
			place = nested[0]
		}
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			spoilt["modifierExtension"] = []object{{"url": "urn:x", "valueBoolean": true}}
		case 1:
			place["modifierExtension"] = []object{{"url": "urn:x", "valueBoolean": true}}
		case 2:
			place["unheardOf"] = "x"
		case 3:
			key := rapid.SampledFrom([]string{"actor", "period", "purpose", "securityLabel", "class", "action", "data", "provision"}).Draw(t, "key")
			if place[key] != nil {
				place[key] = []any{}
			}
		}
		if after := Evaluate(compileJSON(t, set), q); after.Permit && !before.Permit {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	})
}

// TestScopesHoldWhatDecisionsPermit: what the decision lets be read, the
// token can carry; so the gateway's two checks never contradict.
func TestScopesHoldWhatDecisionsPermit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, q := genSet(t), genQuestion(t)
		q.Function = "view"
		p := compileJSON(t, set)
		if !Evaluate(p, q).Permit {
			return
		}
		g := GrantableFor(p, q.Actors, q.Purpose, q.At)
		for _, s := range g.Scopes {
			if s.Ops.Has(readSearch) && s.Matches(&q.Resource) {
				return
			}
		}
		t.Fatalf("permitted, but not in %v", g.Scopes)
	})
}
