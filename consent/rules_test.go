package consent

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir"
)

// labels reads "R HIV 42CFRPart2 urn:x|Y": confidentiality letters, v3-ActCode
// codes, or system|code.
func labels(list string) []fhir.Coding {
	var out []fhir.Coding
	for _, s := range strings.Fields(list) {
		system, code, other := strings.Cut(s, "|")
		switch {
		case other:
			out = append(out, fhir.Coding{System: system, Code: code})
		case confidentialityRank(s) > 0:
			out = append(out, fhir.Coding{System: fhir.SystemConfidentiality, Code: s})
		default:
			out = append(out, fhir.Coding{System: fhir.SystemActCode, Code: s})
		}
	}
	return out
}

func labelList(list string) labelRule {
	p := Provision{Labels: labels(list)}
	if list != "" {
		p.stated = dimLabel
	}
	return compileLabels(p)
}

// coverRows is EV-07 row by row.
var coverRows = []struct {
	name, listed, resource string
	want                   bool
}{
	{"no list opens ordinary", "", "N", true},
	{"no list opens less", "", "L", true},
	{"no list, restricted", "", "R", false},
	{"no list, topic", "", "N HIV", false},
	{"normal", "N", "N", true},
	{"below the highest", "N", "M", true},
	{"above the highest", "N", "R", false},
	{"highest of several", "N R", "R", true},
	{"very restricted needs V", "R", "V", false},
	{"V listed", "V", "V", true},
	{"topic not covered", "N", "N HIV", false},
	{"R covers a topic that is not gated", "R", "R HIV", true},
	{"R covers the mental-health family", "R", "R PSY", true},
	{"R does not cover SUD", "R", "R SUD", false},
	{"R does not cover opioid use", "R", "R OPIOIDUD", false},
	{"R does not cover ETH", "R", "R ETH", false},
	{"R does not cover Part 2", "R", "R 42CFRPart2", false},
	{"R does not cover psychotherapy notes", "R", "R PSYTHPN", false},
	{"every topic must be covered", "R", "R PSY SUD", false},
	{"every topic is covered", "R SUD", "R PSY SUD", true},
	{"ancestor covers what is not gated", "N R SPI", "R MH", true},
	{"ancestor does not cover what is gated", "SPI", "R SUD", false},
	{"gated ancestor covers", "SUD", "R OPIOIDUD", true},
	{"descendant does not cover", "OPIOIDUD", "R SUD", false},
	{"ETH means SUD", "ETH", "R SUD", true},
	{"SUD means ETH", "SUD", "R ETH", true},
	{"ETH means the whole family", "ETH", "R OPIOIDUD", true},
	{"law rides on its topic", "SUD", "R 42CFRPart2 OPIOIDUD", true},
	{"law does not ride on another topic", "HIV", "R 42CFRPart2 HIV", false},
	{"law by name", "R 42CFRPart2", "R 42CFRPart2", true},
	{"law tag alone on SUD list", "SUD", "R 42CFRPart2", false},
	{"topic only opens no ordinary data", "SUD", "N", false},
	{"topic only opens its topic", "PSY", "R PSY", true},
	{"topic only opens no other", "PSY", "R PSY HIV", false},
	{"topic only does not open V", "PSY", "V PSY", false},
	{"low list with topic stays low", "N PSY", "R PSY", false},
	{"mislabelled topic still needs cover", "N", "N SUD", false},
	{"the patient's lock beats R", "N R", "N PRS", false},
	{"the patient's lock by name", "N PRS", "N PRS", true},
	{"the clinician's lock beats R", "N R", "N PHY", false},
	{"care a minor consented to beats R", "N R", "R ADOL", false},
	{"refrain codes ride", "N", "N NORDSCLCD", true},
	{"an unknown label is not covered by R", "R", "R urn:x|Y", false},
	{"an unknown label by name", "R urn:x|Y", "R urn:x|Y", true},
	{"an unknown ActCode is not covered by R", "R", "R FOO", false},
	// LB-16: the same code in another system is another label.
	{"system counts", "R SUD", "R http://terminology.hl7.org/CodeSystem/v3-Confidentiality|SUD", false},
	{"topics without a level count as restricted", "N PSY", "PSY", false},
	{"topics without a level under R", "R", "PSY", true},
}

// CPA TF-01, TR-10, TR-11, TR-30; FX-17, FX-18, FX-20.
func TestCover(t *testing.T) {
	for _, tt := range coverRows {
		t.Run(tt.name, func(t *testing.T) {
			l, r := labelList(tt.listed), readLabels(labels(tt.resource))
			if got := l.covers(&r); got != tt.want {
				t.Errorf("[%s] on %s: %v", tt.listed, tt.resource, got)
			}
		})
	}
}

// TestHit is EV-08 row by row.
func TestHit(t *testing.T) {
	for _, tt := range []struct {
		listed, resource string
		want             bool
	}{
		{"", "N", true}, {"R", "R", true}, {"R", "V", true}, {"R", "N", false}, {"N R", "N", true},
		{"HIV", "N HIV", true}, {"HIV", "R PSY", false}, {"SPI", "R OPIOIDUD", true}, {"OPIOIDUD", "R SUD", false},
		{"ETH", "R OPIOIDUD", true}, {"SUD", "N ETH", true}, {"42CFRPart2", "R 42CFRPart2 SUD", true},
		{"NORDSCLCD", "N NORDSCLCD", true}, {"urn:x|Y", "N urn:x|Y", true}, {"urn:x|Y", "N urn:z|Y", false},
		{"PRS", "N PRS", true}, {"R", "PSY", true},
	} {
		l, r := labelList(tt.listed), readLabels(labels(tt.resource))
		if got := l.hits(&r); got != tt.want {
			t.Errorf("deny [%s] on %s: %v", tt.listed, tt.resource, got)
		}
	}
}

// CPA TR-22.
func TestUnclassified(t *testing.T) {
	for list, want := range map[string]bool{
		"": true, "N": false, "PSY": false, "urn:x|Y": true, "NORDSCLCD": true, "FOO": true,
		strings.Repeat("N HIV ", 20): true,
	} {
		if r := readLabels(labels(list)); r.unclassified != want {
			t.Errorf("%q: %v", list, r.unclassified)
		}
	}
}

// base is a grant for a at patient p; rules below replace its parts.
func base(provision string) string {
	return `{"resourceType":"Consent","id":"g","status":"active",
	"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
	"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"INFA"}]}],
	"patient":{"reference":"Patient/p"},"dateTime":"2026-11-01T00:00:00Z","performer":[{"reference":"Patient/p"}],
	"organization":[{"reference":"Organization/custodian"}],
	"policy":[{"uri":"https://mandate.example/policy/proxy/designated/1"}],
	"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTINR"}]},
	"provision":` + provision + `}`
}

const (
	actorA  = `"actor":[{"role":{"coding":[{"system":"urn:r","code":"x"}]},"reference":{"reference":"RelatedPerson/a"}}]`
	labelN  = `"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]`
	labelNR = `"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]`
	hiv     = `"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]`
	part2   = `"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"SUD"},` +
		`{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSYTHPN"}]`
	medicines = `"class":[{"system":"http://hl7.org/fhir/resource-types","code":"MedicationRequest"}]`
	whole     = `{"type":"permit",` + actorA + `,` + labelNR + `}`
)

func ask(t testing.TB, raw string, resourceType, resourceLabels string, edit ...func(*Question)) Result {
	t.Helper()
	q := Question{Patient: "p", Actors: person("a"), Purpose: "FAMRQT", At: at(t, "2026-11-20T12:00:00Z"),
		Resource: fhir.Resource{Type: resourceType, ID: "r", Labels: labels(resourceLabels)}}
	for _, e := range edit {
		e(&q)
	}
	c, err := Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return Evaluate(Compile("p", 1, []Consent{c}, Options{}), q)
}

// TestOneGrant walks EV-03 … EV-09 and EV-11 on single grants.
// CPA TR-01, TR-02, TR-03, TR-25, TR-46.
func TestOneGrant(t *testing.T) {
	swap := func(s, old, with string) string {
		out := strings.Replace(s, old, with, 1)
		if out == s {
			t.Fatalf("%q is not in the Consent", old)
		}
		return out
	}
	grant := base(whole)
	for _, tt := range []struct {
		name, raw, resource, labels, want string
	}{
		{"permits", grant, "Condition", "R HIV", "g"},
		{"carve-out", base(`{"type":"permit",` + actorA + `,` + labelNR + `,"provision":[{"type":"deny",` + hiv + `}]}`), "Condition", "R HIV", "NO_GRANT"},
		{"carve-out of another topic", base(`{"type":"permit",` + actorA + `,` + labelNR + `,"provision":[{"type":"deny",` + hiv + `}]}`), "Condition", "R PSY", "g"},
		{"parent data does not bind the child", base(`{"type":"permit",` + actorA + `,` + labelN + `,` + medicines + `,"provision":[{"type":"permit",` + hiv + `}]}`), "Condition", "R HIV", "g"},
		{"parent actor binds the child", base(`{"type":"deny",` + strings.ReplaceAll(actorA, "/a", "/b") + `,"provision":[{"type":"permit",` + labelN + `}]}`), "Condition", "N", "NO_GRANT"},
		{"nobody is named", base(`{"type":"permit",` + labelN + `}`), "Condition", "N", "NO_GRANT"},
		{"status", swap(grant, `"active"`, `"proposed"`), "Condition", "N", "NO_GRANT"},
		{"given later", swap(grant, "2026-11-01", "2026-12-01"), "Condition", "N", "NO_GRANT"},
		{"no date", swap(grant, `"dateTime":"2026-11-01T00:00:00Z",`, ``), "Condition", "N", "NO_GRANT"},
		{"nobody agreed", swap(grant, `"performer":[{"reference":"Patient/p"}],`, ``), "Condition", "N", "NO_GRANT"},
		{"a proxy agreed for a proxy", swap(grant, `"performer":[{"reference":"Patient/p"}]`, `"performer":[{"reference":"RelatedPerson/b"}]`), "Condition", "N", "NO_GRANT"},
		{"a proxy agreed for itself", swap(grant, `"performer":[{"reference":"Patient/p"}]`, `"performer":[{"reference":"RelatedPerson/a"}]`), "Condition", "N", "NO_GRANT"},
		{"another patient agreed", swap(grant, `"performer":[{"reference":"Patient/p"}]`, `"performer":[{"reference":"Patient/q"}]`), "Condition", "N", "NO_GRANT"},
		{"unknown policy", swap(grant, "https://mandate.example/policy/", "https://evil.example/policy/"), "Condition", "N", "NO_GRANT"},
		{"two signatures wanted, one there", swap(grant, `"status"`, `"extension":[{"url":"https://x/consent-required-signatures","valueUnsignedInt":2}],"status"`), "Condition", "N", "NO_GRANT"},
		{"signatures unreadable", swap(grant, `"status"`, `"extension":[{"url":"https://x/consent-required-signatures","valueString":"1"}],"status"`), "Condition", "N", "NO_GRANT"},
		{"three levels", base(`{"type":"permit",` + actorA + `,"provision":[{"type":"permit",` + labelN + `,"provision":[{"type":"permit"}]}]}`), "Condition", "N", "NO_GRANT"},
		{"nested without type", base(`{"type":"permit",` + actorA + `,` + labelN + `,"provision":[{` + hiv + `}]}`), "Condition", "N", "NO_GRANT"},
		{"shifts, as a modifier (FX-35)", swap(grant, `"actor":`, `"modifierExtension":[{"url":"https://x/schedule","valueString":"nights"}],"actor":`), "Condition", "N", "NO_GRANT"},
		{"for emergencies only (FX-34)", swap(grant, `"INFA"`, `"EMRGONLY"`), "Condition", "N", "NO_GRANT"},
		{"implicit rules", swap(grant, `"status"`, `"implicitRules":"urn:x","status"`), "Condition", "N", "NO_GRANT"},
		{"absolute actor", swap(grant, `"RelatedPerson/a"`, `"https://elsewhere.example/fhir/RelatedPerson/a"`), "Condition", "N", "NO_GRANT"},
		{"unknown class", base(`{"type":"permit",` + actorA + `,` + labelN + `,"class":[{"system":"urn:mime","code":"text/plain"}]}`), "Condition", "N", "NO_GRANT"},
		{"unknown action", base(`{"type":"permit",` + actorA + `,` + labelN + `,"action":[{"coding":[{"system":"urn:x","code":"view"}]}]}`), "Condition", "N", "NO_GRANT"},
		{"root type left out", base(`{` + actorA + `,` + labelN + `}`), "Condition", "N", "g"},
		{"root type left out, nested permit", base(`{` + actorA + `,` + labelN + `,"provision":[{"type":"permit",` + hiv + `}]}`), "Condition", "N", "NO_GRANT"},
		{"root type left out, other rule", swap(base(`{`+actorA+`,`+labelN+`}`), "OPTINR", "42CFRPart2"), "Condition", "N", "PROHIBITED:g"},
		{"no list, restricted data", base(`{"type":"permit",` + actorA + `}`), "Condition", "R", "NO_GRANT"},
		{"psychotherapy even by name", base(`{"type":"permit",` + actorA + `,` + part2 + `}`), "DocumentReference", "R PSYTHPN", ReasonPsychotherapy},
		{"Part 2 without end and purpose", base(`{"type":"permit",` + actorA + `,` + part2 + `}`), "Condition", "R SUD 42CFRPart2", ReasonPart2},
		{"substance use outside Part 2", base(`{"type":"permit",` + actorA + `,` + part2 + `}`), "Condition", "R SUD", "g"},
		{"advance directive", swap(grant, `"patient-privacy"`, `"adr"`), "Condition", "N", "NO_GRANT"},
		{"another patient's", strings.ReplaceAll(grant, "Patient/p", "Patient/q"), "Condition", "N", "NO_GRANT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask(t, tt.raw, tt.resource, tt.labels); got.Reason != tt.want || got.Permit != (tt.want == "g") {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}

// TestOneProhibition walks EV-10, and EV-04 for prohibitions: whatever cannot
// be understood, they deny.
// CPA TR-03; FX-12, FX-13, FX-14, FX-15, FX-25.
func TestOneProhibition(t *testing.T) {
	stop := func(provision string) string { return strings.Replace(base(provision), "OPTINR", "OPTOUT", 1) }
	full := stop(`{"type":"deny",` + actorA + `}`)
	recorded := fhir.Resource{
		Type: "Condition", ID: "r", Labels: labels("R HIV"), Authors: []fhir.Reference{{Type: "Practitioner", ID: "x"}},
		References: map[string][]fhir.Reference{"encounter": {{Type: "Encounter", ID: "e"}}},
		Dates:      map[string][]fhir.Period{"recorded-date": {{Start: at(t, "2026-06-01T00:00:00Z"), End: at(t, "2026-06-01T23:59:59Z")}}},
	}
	for _, tt := range []struct {
		name, raw string
		denies    bool
	}{
		{"denies", full, true},
		{"inactive", strings.Replace(full, `"active"`, `"inactive"`, 1), false},
		{"unknown status", strings.Replace(full, `"active"`, `"whatever"`, 1), true},
		{"somebody else", strings.Replace(full, "RelatedPerson/a", "RelatedPerson/b", 1), false},
		{"modifier extension", strings.Replace(full, `"status"`, `"modifierExtension":[{"url":"urn:x"}],"status"`, 1), true},
		{"actor unreadable", strings.Replace(full, `"RelatedPerson/a"`, `"urn:uuid:1"`, 1), true},
		{"actor absolute", strings.Replace(full, `"RelatedPerson/a"`, `"https://x.example/fhir/RelatedPerson/a"`, 1), true},
		{"patient unreadable", strings.Replace(full, `"Patient/p"},"dateTime"`, `"urn:uuid:1"},"dateTime"`, 1), true},
		{"an order of a court, filed by an organisation (FX-25)", strings.Replace(full, `"performer":[{"reference":"Patient/p"}]`, `"performer":[{"reference":"Organization/court"}]`, 1), true},
		{"what somebody wrote (FX-13)", stop(`{"type":"deny",` + actorA + `,"data":[{"meaning":"authoredby","reference":{"reference":"Practitioner/x"}}]}`), true},
		{"what another wrote (FX-13)", stop(`{"type":"deny",` + actorA + `,"data":[{"meaning":"authoredby","reference":{"reference":"Practitioner/y"}}]}`), false},
		{"this entry (FX-12)", stop(`{"type":"deny",` + actorA + `,"data":[{"meaning":"instance","reference":{"reference":"Condition/r"}}]}`), true},
		{"what refers to it (FX-12)", stop(`{"type":"deny",` + actorA + `,"data":[{"meaning":"dependents","reference":{"reference":"Encounter/e"}}]}`), true},
		{"from its days (FX-14)", stop(`{"type":"deny",` + actorA + `,"dataPeriod":{"end":"2026-06-30"}}`), true},
		{"from other days (FX-14)", stop(`{"type":"deny",` + actorA + `,"dataPeriod":{"end":"2025-12-31"}}`), false},
		{"root permits", stop(`{"type":"permit",` + actorA + `}`), true},
		{"no provision", strings.Replace(full, `"provision":{"type":"deny",`+actorA+`}`, `"sourceReference":{"reference":"DocumentReference/d"}`, 1), true},
		{"period over", stop(`{"type":"deny",` + actorA + `,"period":{"end":"2026-11-19"}}`), false},
		{"period to come", stop(`{"type":"deny",` + actorA + `,"period":{"start":"2026-11-21"}}`), false},
		{"period reversed", stop(`{"type":"deny",` + actorA + `,"period":{"start":"2026-11-21","end":"2026-11-01"}}`), true},
		{"period unreadable", stop(`{"type":"deny",` + actorA + `,"period":{"end":"last year"}}`), true},
		{"other class", stop(`{"type":"deny",` + actorA + `,` + medicines + `}`), false},
		{"unknown class", stop(`{"type":"deny",` + actorA + `,"class":[{"system":"urn:mime","code":"x"}]}`), true},
		{"topic", stop(`{"type":"deny",` + actorA + `,` + hiv + `}`), true},
		{"unknown action", stop(`{"type":"deny",` + actorA + `,"action":[{"coding":[{"system":"urn:x","code":"y"}]}]}`), true},
		{"other function", stop(`{"type":"deny",` + actorA + `,"action":[{"coding":[{"system":"https://x/CodeSystem/portal-function","code":"download"}]}]}`), false},
		{"exception", stop(`{"type":"deny","provision":[{"type":"permit",` + actorA + `}]}`), false},
		{"exception for lesser data", stop(`{"type":"deny","provision":[{"type":"permit",` + actorA + `,` + labelN + `}]}`), true},
		{"exception of a Consent not understood", stop(`{"type":"deny","unheard":1,"provision":[{"type":"permit",` + actorA + `}]}`), true},
		{"nested denial", stop(`{"type":"deny",` + actorA + `,` + medicines + `,"provision":[{"type":"deny",` + hiv + `}]}`), true},
		{"unclassified rule, root deny alone", strings.Replace(full, "OPTOUT", "NOPP", 1), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			grant, err := Parse([]byte(base(whole)))
			if err != nil {
				t.Fatal(err)
			}
			other, err := Parse([]byte(strings.Replace(tt.raw, `"id":"g"`, `"id":"stop"`, 1)))
			if err != nil {
				t.Fatal(err)
			}
			q := Question{Patient: "p", Actors: person("a"), Purpose: "FAMRQT", At: at(t, "2026-11-20T12:00:00Z"),
				Resource: recorded}
			got := Evaluate(Compile("p", 1, []Consent{grant, other}, Options{}), q)
			if got.Permit == tt.denies || tt.denies && got.Reason != "PROHIBITED:stop" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestDataRules: class by category, code, dates, author, single items.
// CPA TR-16; FX-09, FX-11, FX-14.
func TestDataRules(t *testing.T) {
	permit := func(rule string) string { return base(`{"type":"permit",` + actorA + `,` + labelN + `,` + rule + `}`) }
	lab := func(q *Question) {
		q.Resource.Tokens = map[string][]fhir.Coding{"category": {{System: systemObservationCat, Code: "laboratory"}}}
	}
	dated := func(day string) func(*Question) {
		return func(q *Question) {
			p, ok := fhir.ParseDate(day)
			if !ok {
				t.Fatal(day)
			}
			q.Resource.Dates = map[string][]fhir.Period{"date": {p}}
		}
	}
	by := func(ref fhir.Reference) func(*Question) {
		return func(q *Question) { q.Resource.Authors = []fhir.Reference{ref} }
	}
	about := func(q *Question) {
		q.Resource.References = map[string][]fhir.Reference{"encounter": {{Type: "Encounter", ID: "e"}}}
	}
	profile := permit(`"class":[{"system":"urn:ietf:rfc:3986","code":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab|6.1.0"}]`)
	code := permit(`"code":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}]`)
	period := permit(`"dataPeriod":{"start":"2026-01-01","end":"2026-06-30"}`)
	author := permit(`"data":[{"meaning":"authoredby","reference":{"reference":"Organization/o"}}]`)
	instance := permit(`"data":[{"meaning":"instance","reference":{"reference":"Observation/r"}}]`)
	related := permit(`"data":[{"meaning":"related","reference":{"reference":"Encounter/e"}}]`)
	nothing := func(*Question) {}
	for _, tt := range []struct {
		name, raw string
		edit      func(*Question)
		want      bool
	}{
		{"profile as predicate", profile, lab, true}, {"profile, no category", profile, nothing, false},
		{"code in category", code, lab, true}, {"code absent", code, nothing, false},
		{"date inside", period, dated("2026-03-04"), true}, {"date outside", period, dated("2026-07-01"), false},
		{"date half inside", period, dated("2026"), false}, {"no date", period, nothing, false},
		{"author", author, by(fhir.Reference{Type: "Organization", ID: "o"}), true},
		{"other author", author, by(fhir.Reference{Type: "Organization", ID: "x"}), false}, {"no author", author, nothing, false},
		{"this item", instance, nothing, true},
		{"another item", instance, func(q *Question) { q.Resource.ID = "s" }, false},
		{"of the encounter", related, about, true}, {"of no encounter", related, nothing, false},
	} {
		if got := ask(t, tt.raw, "Observation", "N", tt.edit); got.Permit != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// CPA TF-09, TR-15, FX-09: a grant of laboratory results opens them as far as their
// labels allow, and no other measurement, whatever else it is filed under.
func TestACategoryOpensNoLabel(t *testing.T) {
	results := base(`{"type":"permit",` + actorA + `,` + labelN + `,"class":[{"system":"urn:ietf:rfc:3986","code":"` + usCore + `us-core-observation-lab"}]}`)
	in := func(categories ...string) func(*Question) {
		return func(q *Question) {
			q.Resource.Tokens = map[string][]fhir.Coding{}
			for _, c := range categories {
				q.Resource.Tokens["category"] = append(q.Resource.Tokens["category"], fhir.Coding{System: systemObservationCat, Code: c})
			}
		}
	}
	for _, tt := range []struct {
		name, labels string
		edit         func(*Question)
		want         bool
	}{
		{"a result", "N", in("laboratory"), true}, {"a result about HIV", "N HIV", in("laboratory"), false},
		{"a vital sign about the mind", "R PSY", in("vital-signs"), false}, {"a vital sign", "N", in("vital-signs"), false},
		{"both", "N", in("vital-signs", "laboratory"), true}, {"both, about the mind", "R PSY", in("vital-signs", "laboratory"), false},
	} {
		if got := ask(t, results, "Observation", tt.labels, tt.edit); got.Permit != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	c := mustParse(t, []byte(results))
	g := GrantableFor(Compile("p", 1, []Consent{c}, Options{}), person("a"), "FAMRQT", at(t, "2026-11-20T12:00:00Z"))
	const want = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	if len(g.Scopes) != 1 || g.Scopes[0].String() != want {
		t.Errorf("the scopes are %v", g.Scopes)
	}
}

// TestCapacities: law before consent, the base policy of each capacity, and
// the obligations that come along (EV-11 … EV-13).
// CPA TR-33, TR-34; FX-21.
func TestCapacities(t *testing.T) {
	as := func(kind fhir.CapacityKind) func(*Question) { return func(q *Question) { q.Capacity = kind } }
	none := strings.Replace(base(whole), `"active"`, `"inactive"`, 1)
	if got := ask(t, none, "Condition", "", as(fhir.CapacitySelf)); !got.Permit {
		t.Errorf("own record: %+v", got)
	}
	if got := ask(t, none, "Condition", "N NOPAT", as(fhir.CapacitySelf)); got.Permit || got.Reason != ReasonNoPat {
		t.Errorf("own record before the talk: %+v", got)
	}
	if got := ask(t, none, "Condition", "", as(fhir.CapacityPractitioner)); !got.Permit || got.Reason != ReasonBase {
		t.Errorf("clinician: %+v", got)
	}
	if got := ask(t, base(whole), "Condition", "N", func(q *Question) { q.Patient = "q" }); got.Permit || got.Reason != ReasonOtherPatient {
		t.Errorf("another patient: %+v", got)
	}
	if got := ask(t, base(whole), "Condition", "N PRS", as(fhir.CapacityRepresentative)); got.Permit ||
		len(got.Obligations) != 1 || got.Obligations[0] != ObligationLegalReview {
		t.Errorf("the patient's lock against a representative: %+v", got)
	}
	readOnly := strings.Replace(base(whole), "INFA", "INFAO", 1)
	if got := ask(t, readOnly, "Condition", "N"); strings.Join(got.Obligations, " ") != "watermark no-download" {
		t.Errorf("view only: %+v", got)
	}
	if got := ask(t, readOnly, "Condition", "N", func(q *Question) { q.Function = "download" }); got.Permit {
		t.Errorf("view only must not download: %+v", got)
	}
	for _, fn := range []string{"manage-proxies", "unheard-of"} {
		if got := ask(t, base(whole), "Condition", "N", func(q *Question) { q.Function = fn }); got.Permit {
			t.Errorf("%s: %+v", fn, got)
		}
	}
}

// TestPart2Notice: a complete consent opens Part 2 data with the notice.
func TestPart2Notice(t *testing.T) {
	for _, v := range vectors(t) {
		if v.ID != "T21" {
			continue
		}
		got := Evaluate(policyOf(t, "rosa"), v.question(t))
		if strings.Join(got.Obligations, " ") != "watermark part2-notice" {
			t.Errorf("%+v", got)
		}
	}
}

// TestAncestorsEnd: the code tables hold no circle and every known purpose
// and sensitivity code.
func TestAncestorsEnd(t *testing.T) {
	for name, parents := range map[string]map[string][]string{"ActCode": actCodeParents, "ActReason": actReasonParents} {
		for code := range parents {
			if isA(parents, code, "no such code") {
				t.Errorf("%s: %s", name, code)
			}
		}
	}
	if len(actCodeParents) < 80 || len(actReasonParents) < 60 {
		t.Errorf("the code tables are incomplete: %d, %d", len(actCodeParents), len(actReasonParents))
	}
}
