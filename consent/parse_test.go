package consent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// TestExampleKinds: EV-03 on the published examples.
func TestExampleKinds(t *testing.T) {
	for id, raw := range examples(t) {
		want := KindGrant
		if id == "e4-block-former-spouse" {
			want = KindProhibition
		}
		c := mustParse(t, raw)
		if c.Kind != want || len(c.Faults) > 0 || c.ID != id {
			t.Errorf("%s: %s %v", id, c.Kind, c.Faults)
		}
	}
}

func TestClassify(t *testing.T) {
	deny := `{"type":"deny",` + actorA + `}`
	nested := `{"type":"deny",` + actorA + `,"provision":[{"type":"permit"}]}`
	permit := `{"type":"permit",` + actorA + `}`
	device := strings.ReplaceAll(permit, "RelatedPerson/a", "Device/a")
	for _, tt := range []struct {
		name, rule, provision string
		want                  Kind
	}{
		{"opt in", "OPTIN", deny, KindGrant}, {"opt in restricted", "OPTINR", permit, KindGrant},
		{"opt out", "OPTOUT", permit, KindProhibition}, {"opt out with exceptions", "OPTOUTE", nested, KindProhibition},
		{"other rule, root permit", "42CFRPart2", permit, KindGrant}, {"other rule, root deny", "42CFRPart2", deny, KindProhibition},
		{"other rule, nested permit", "42CFRPart2", nested, KindGrant},
		{"nested permit for nobody", "42CFRPart2", `{"type":"deny","provision":[{"type":"permit"}]}`, KindProhibition},
		{"app", "OPTIN", device, KindAppApproval}, {"app kept out", "OPTOUT", device, KindProhibition},
		{"unknown root type", "x", `{"type":"allow",` + actorA + `}`, KindProhibition},
	} {
		c := mustParse(t, []byte(strings.Replace(base(tt.provision), "OPTINR", tt.rule, 1)))
		if c.Kind != tt.want {
			t.Errorf("%s: %s", tt.name, c.Kind)
		}
	}
	for scope, want := range map[string]Kind{"adr": KindOther, "research": KindOther, "unheard-of": KindProhibition} {
		raw := strings.Replace(strings.Replace(base(deny), "OPTINR", "OPTOUT", 1), "patient-privacy", scope, 1)
		if c := mustParse(t, []byte(raw)); c.Kind != want {
			t.Errorf("scope %s: %s", scope, c.Kind)
		}
	}
	agent := strings.Replace(base(permit), `"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"`,
		`"http://loinc.org","code":"81377-4"`, 1)
	if c := mustParse(t, []byte(agent)); c.Kind != KindOther {
		t.Errorf("appointment of an agent: %s", c.Kind)
	}
}

func TestNotAConsent(t *testing.T) {
	for _, raw := range []string{"", "{", "[]", "null", `{"resourceType":"Patient"}`, base("{}") + "{}", strings.Repeat("[", 20000)} {
		c, err := Parse([]byte(raw))
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("%.20q: %v", raw, err)
		}
		if p := Compile("p", 1, []Consent{c}, Options{}); len(p.prohibitions) != 1 {
			t.Errorf("%.20q does not deny", raw)
		}
	}
	if _, err := Parse(make([]byte, maxBytes+1)); !errs.Is(err, errs.TooLarge) {
		t.Errorf("oversize: %v", err)
	}
}

// TestFaultsNameTheElement: each fault is reported where it is (EV-04).
func TestFaultsNameTheElement(t *testing.T) {
	for _, tt := range []struct{ old, new, path string }{
		{`"type":"permit"`, `"type":"maybe"`, "Consent.provision.type"},
		{`"type":"permit"`, `"type":"permit","clas":[]`, "Consent.provision.clas"},
		{`"type":"permit"`, `"type":"permit","modifierExtension":[{}]`, "Consent.provision.modifierExtension"},
		{`"type":"permit"`, `"type":"permit","purpose":[{"code":"FAMRQT"}]`, "Consent.provision.purpose[0]"},
		{`"type":"permit"`, `"type":"permit","action":[{"text":"x"}]`, "Consent.provision.action[0]"},
		{`"type":"permit"`, `"type":"permit","class":{}`, "Consent.provision.class"},
		{`"type":"permit"`, `"type":"permit","data":[{"meaning":"near","reference":{"reference":"A/b"}}]`, "Consent.provision.data[0].meaning"},
		{`"type":"permit"`, `"type":"permit","dataPeriod":{}`, "Consent.provision.dataPeriod"},
		{`"reference":{"reference":"RelatedPerson/a"}`, `"reference":{"display":"Ann"}`, "Consent.provision.actor[0].reference.reference"},
		{`"performer":[{"reference":"Patient/p"}]`, `"performer":[]`, "Consent.performer"},
		{`"patient-privacy"`, `"privacy"`, "Consent.scope"},
		{`"scope":`, `"_status":`, "Consent.scope"},
		{`"policyRule":{`, `"policyRule":7,"x":{`, "Consent.policyRule"},
	} {
		raw := strings.Replace(base(whole), tt.old, tt.new, 1)
		c, err := Parse([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", tt.new, err)
		}
		if !slices.Contains(c.Faults, tt.path) {
			t.Errorf("%s: faults %v, want %s", tt.new, c.Faults, tt.path)
		}
	}
}

// CPA TR-26: the last day of a period ends with its last instant where the patient
// lives, in winter and summer; where nobody knows that, by the offset that the Consent
// writes next to it; February has a leap day.
func TestPartialDates(t *testing.T) {
	const signed = `"dateTime":"2026-11-01T00:00:00Z"`
	for _, tt := range []struct{ zone, given, period, start, end string }{
		{"", "", `{"start":"2026-11-01","end":"2026-11-30T23:59:59-06:00"}`, "2026-11-01T06:00:00Z", "2026-12-01T05:59:59Z"},
		{"", "", `{"start":"2028-02-01T00:00:00Z","end":"2028-02"}`, "2028-02-01T00:00:00Z", "2028-02-29T23:59:59.999999999Z"},
		{"", "", `{"end":"2026"}`, "0001-01-01T00:00:00Z", "2026-12-31T23:59:59.999999999Z"},
		{"", "2026-11-01T00:00:00-06:00", `{"end":"2027-05"}`, "0001-01-01T00:00:00Z", "2027-06-01T05:59:59.999999999Z"},
		{"America/Chicago", "", `{"start":"2026-11-01","end":"2027"}`, "2026-11-01T05:00:00Z", "2028-01-01T05:59:59.999999999Z"},
		{"America/Chicago", "2026-11-01T00:00:00-06:00", `{"end":"2027-05"}`, "0001-01-01T00:00:00Z", "2027-06-01T04:59:59.999999999Z"},
		{"America/Chicago", "", `{"start":"2027-01-01T00:00:00-06:00","end":"2027-07-04"}`, "2027-01-01T06:00:00Z", "2027-07-05T04:59:59.999999999Z"},
		{"Pacific/Auckland", "", `{"start":"2026-11-01T00:00:00Z","end":"2028-02"}`, "2026-11-01T00:00:00Z", "2028-02-29T10:59:59.999999999Z"},
		{"Pacific/Auckland", "", `{"end":"2026-11-20T12:00:00Z"}`, "0001-01-01T00:00:00Z", "2026-11-20T12:00:00Z"},
	} {
		var zone *time.Location
		if tt.zone != "" {
			var err error
			if zone, err = time.LoadLocation(tt.zone); err != nil {
				t.Fatal(err)
			}
		}
		want := fhir.Period{Start: at(t, tt.start), End: at(t, tt.end)}
		// A nested rule counts like the root, and its own offset comes first.
		nested := `{"type":"deny",` + actorA + `,"provision":[{"type":"permit","period":` + tt.period + `}]}`
		for _, provision := range []string{`{"type":"permit",` + actorA + `,"period":` + tt.period + `}`, nested} {
			raw := base(provision)
			if tt.given != "" {
				raw = strings.Replace(raw, signed, `"dateTime":"`+tt.given+`"`, 1)
			}
			c, err := ParseIn([]byte(raw), zone)
			if err != nil || len(c.Faults) > 0 {
				t.Fatal(err, c.Faults)
			}
			got := c.Root.Period
			if len(c.Root.Nested) > 0 {
				got = c.Root.Nested[0].Period
			}
			if !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
				t.Errorf("%s %s: %v, want %v", tt.zone, provision, got, want)
			}
		}
	}
}

// TestStampKeepsTheRest: storing changes id, meta and status, and no other
// byte of a value.
func TestStampKeepsTheRest(t *testing.T) {
	raw := []byte(`{"resourceType":"Consent","text":{"div":"<div>a & b</div>"},"x":1.50,"meta":{"profile":["p"],"versionId":"9"},"status":"active"}`)
	got, err := stamp(raw, "c", 3, time.Date(2026, 11, 20, 12, 0, 0, 5e6, time.UTC), "inactive")
	want := `{"resourceType":"Consent","id":"c","text":{"div":"<div>a & b</div>"},"x":1.50,"meta":{"lastUpdated":"2026-11-20T12:00:00.005Z","profile":["p"],"versionId":"3"},"status":"inactive"}`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
	for _, bad := range []string{"", "[]", `{"a"`, `{"a":1`, `{"meta":[]}`} {
		if _, err := stamp([]byte(bad), "c", 1, time.Time{}, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzParse: no input panics, and only what parses without a fault permits.
func FuzzParse(f *testing.F) {
	for _, raw := range examples(f) {
		f.Add(raw)
	}
	f.Add([]byte(dissent))
	f.Add([]byte(base(whole)))
	f.Add([]byte("{"))
	questions := vectors(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(raw)
		for _, v := range questions[:12] {
			q := v.question(t)
			p := Compile(q.Patient, 1, []Consent{c}, Options{})
			r := Evaluate(p, q)
			g := GrantableFor(p, q.Actors, q.Purpose, q.At)
			if (r.Permit || len(g.Scopes) > 0) && (err != nil || len(c.Faults) > 0 || c.Kind != KindGrant || c.Status != "active") {
				t.Fatalf("garbage permits: %v %v %s", err, c.Faults, c.Kind)
			}
		}
	})
}

// BenchmarkEvaluate decides on one resource with five Consents in force.
func BenchmarkEvaluate(b *testing.B) {
	p := policyOf(b, "rosa")
	var q Question
	for _, v := range vectors(b) {
		if v.ID == "T01" {
			q = v.question(b)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if !Evaluate(p, q).Permit {
			b.Fatal("denied")
		}
	}
}

// BenchmarkCompile reads and compiles 50 Consents of one patient.
func BenchmarkCompile(b *testing.B) {
	raw := examples(b)["e1-daughter-meds-appts"]
	b.ReportAllocs()
	for b.Loop() {
		consents := make([]Consent, 0, 50)
		for range 50 {
			c, err := Parse(raw)
			if err != nil {
				b.Fatal(err)
			}
			consents = append(consents, c)
		}
		Compile("rosa", 1, consents, Options{})
	}
}
