package vectors_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access/vectors"
	"github.com/mandate-health/mandate/consent"
)

const examples = "../../consent/testdata"

const (
	elena  = `{"resourceType":"RelatedPerson","id":"rosa-elena","active":true,"patient":{"reference":"Patient/rosa"},"period":{"start":"2026-11-02"}}`
	victor = `{"resourceType":"RelatedPerson","id":"rosa-victor","active":false,"patient":{"reference":"Patient/rosa"},"period":{"end":"2008-09-30"}}`
)

// published gives the published Consents, and the resources given.
func published(t *testing.T, more ...string) *vectors.Bundle {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(examples, "e*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal("no examples", err)
	}
	var all []string
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	b, err := vectors.ReadBundle([]byte("["+strings.Join(append(all, more...), ",")+"]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asked(t *testing.T) []vectors.Vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(examples, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := vectors.ReadVectors(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A.9: the published vectors, each by its id, with the relationships of two.
func TestPublishedVectors(t *testing.T) {
	engine := vectors.NewEngine(published(t, elena, victor), consent.Options{})
	for _, v := range asked(t) {
		t.Run(v.ID, func(t *testing.T) {
			a := engine.Answer(v)
			if a.ID != v.ID || a.Expect != v.Expect || a.Reason != v.Reason {
				t.Errorf("%+v, want %s %s", a, v.Expect, v.Reason)
			}
		})
	}
}

// one gives the answer to a vector that permits, changed by edits of its text.
func one(t *testing.T, b *vectors.Bundle, o consent.Options, edits ...string) vectors.Answer {
	t.Helper()
	text := `{"id":"X","patient":"Patient/rosa","actors":["RelatedPerson/rosa-elena"],"purpose":"FAMRQT","function":"view",
		"at":"2026-11-20T12:00:00-06:00","resource":{"type":"MedicationRequest","labels":["N"]}}`
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("nothing to edit: %s", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	list, err := vectors.ReadVectors([]byte(text))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return vectors.NewEngine(b, o).Answer(list[0])
}

// EV-01, RP-01, RP-02, RP-04, EV-14: the relationship is a gate, and its end one
// of the answer.
func TestRelationship(t *testing.T) {
	for name, tt := range map[string]struct{ relation, reason, until string }{
		"none known": {"", "e1-daughter-meds-appts", "2027-05-03T04:59:59Z"},
		"in force":   {elena, "e1-daughter-meds-appts", "2027-05-03T04:59:59Z"},
		"ends first": {strings.Replace(elena, `"start"`, `"end":"2026-12-24","start"`, 1), "e1-daughter-meds-appts", "2026-12-25T05:59:59.999999999Z"},
		"over":       {strings.Replace(elena, `"start"`, `"end":"2026-11-19","start"`, 1), vectors.ReasonRelation, ""},
		"not active": {strings.Replace(elena, "true", "false", 1), vectors.ReasonRelation, ""},
		"not said":   {strings.Replace(elena, `"active":true,`, "", 1), vectors.ReasonRelation, ""},
		"of another": {strings.Replace(elena, "Patient/rosa", "Patient/noah", 1), vectors.ReasonRelation, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var more []string
			if tt.relation != "" {
				more = append(more, tt.relation)
			}
			a := one(t, published(t, more...), consent.Options{})
			if a.Reason != tt.reason || a.ValidUntil != tt.until || (a.Expect == vectors.Permit) != (tt.until != "") {
				t.Errorf("%+v", a)
			}
		})
	}
}

// Files come in several shapes; what of a vector cannot be read denies.
func TestShapes(t *testing.T) {
	b := published(t)
	const resource = `"resource":{"type":"MedicationRequest","labels":["N"]}`
	for name, tt := range map[string]struct {
		edits  []string
		reason string
	}{
		"bare patient":      {[]string{"Patient/rosa", "rosa"}, "e1-daughter-meds-appts"},
		"no function":       {[]string{`"function":"view",`, ""}, "e1-daughter-meds-appts"},
		"label as coding":   {[]string{`"N"`, `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}`}, "e1-daughter-meds-appts"},
		"bare topic":        {[]string{`"N"`, `"N","HIV"`}, "NO_GRANT"},
		"more members":      {[]string{`"id"`, `"note":{"a":1},"id"`}, "e1-daughter-meds-appts"},
		"self":              {[]string{"RelatedPerson/rosa-elena", "Patient/rosa"}, "SELF"},
		"unknown function":  {[]string{`"view"`, `"fly"`}, "NO_GRANT"},
		"no patient":        {[]string{"Patient/rosa", "Group/rosa"}, "INPUT:patient"},
		"no zone":           {[]string{"-06:00", ""}, "INPUT:at"},
		"no actor":          {[]string{`"RelatedPerson/rosa-elena"`, ""}, "INPUT:actors"},
		"absolute actor":    {[]string{"RelatedPerson/rosa-elena", "https://other.example/RelatedPerson/rosa-elena"}, "INPUT:actors"},
		"no type":           {[]string{"MedicationRequest", ""}, "INPUT:resource.type"},
		"bad author":        {[]string{`"labels"`, `"author":"x","labels"`}, "INPUT:resource.author"},
		"bad date":          {[]string{`"labels"`, `"date":"soon","labels"`}, "INPUT:resource.date"},
		"hold is no bool":   {[]string{`"id"`, `"safety_hold":"no","id"`}, "INPUT:safety_hold"},
		"resource is text":  {[]string{resource, `"resource":"MedicationRequest/1"`}, "INPUT:resource"},
		"labels are number": {[]string{`["N"]`, `[1]`}, "INPUT:"},
	} {
		t.Run(name, func(t *testing.T) {
			a := one(t, b, consent.Options{}, tt.edits...)
			if a.ID != "X" || !strings.HasPrefix(a.Reason, tt.reason) || (a.Expect == vectors.Permit) != (tt.reason == "e1-daughter-meds-appts" || tt.reason == "SELF") {
				t.Errorf("%+v", a)
			}
		})
	}
	if a := one(t, b, consent.Options{Withdrawn: []string{"https://portal.example.org/policy/proxy/template/meds-appointments/1"}}); a.Expect != vectors.Deny {
		t.Errorf("LC-26: %+v", a)
	}
}

// A Bundle, a list, resources one after the other and one alone are read; of
// several versions of a Consent the newest counts, whatever their order.
func TestBundles(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(examples, "e1-daughter-meds-appts.json"))
	if err != nil {
		t.Fatal(err)
	}
	e1 := string(raw)
	older := strings.Replace(e1, `"meta": {`, `"meta": {"versionId": "1",`, 1)
	ended := strings.Replace(strings.Replace(e1, `"meta": {`, `"meta": {"versionId": "2",`, 1), `"status": "active"`, `"status": "inactive"`, 1)
	if !json.Valid([]byte(ended)) || older == e1 || ended == older {
		t.Fatal("the example has another form")
	}
	for name, tt := range map[string]struct{ text, expect string }{
		"bundle":           {`{"resourceType":"Bundle","entry":[{"resource":` + e1 + `},{"fullUrl":"urn:x"},{"resource":{"resourceType":"Patient"}}]}`, vectors.Permit},
		"list of bundles":  {`[{"resourceType":"Bundle","entry":[{"resource":` + e1 + `}]}]`, vectors.Permit},
		"one alone":        {e1, vectors.Permit},
		"one after other":  {elena + "\n" + e1, vectors.Permit},
		"newest is ended":  {"[" + older + "," + ended + "]", vectors.Deny},
		"in another order": {"[" + ended + "," + older + "]", vectors.Deny},
		"a Consent that cannot be read keeps all out": {e1 + `{"resourceType":"Consent"}`, vectors.Deny},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := vectors.ReadBundle([]byte(tt.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if a := one(t, b, consent.Options{}); a.Expect != tt.expect {
				t.Errorf("%+v", a)
			}
		})
	}
	for _, bad := range []string{"", "{", "[1]", "{}", elena} {
		if _, err := vectors.ReadBundle([]byte(bad), nil); err == nil {
			t.Errorf("read: %q", bad)
		}
	}
	for _, bad := range []string{"", "{", "[]", `{"vectors":[]}`} {
		if _, err := vectors.ReadVectors([]byte(bad)); err == nil {
			t.Errorf("read: %q", bad)
		}
	}
	for _, good := range []string{`{"vectors":[{"id":"a"},{"id":"b"}]}`, `[{"id":"a"},{"id":"b"}]`, "{\"id\":\"a\"}\n{\"id\":\"b\"}"} {
		list, err := vectors.ReadVectors([]byte(good))
		if err != nil || !slices.EqualFunc(list, []string{"a", "b"}, func(v vectors.Vector, id string) bool { return v.ID == id }) {
			t.Errorf("%s: %v %v", good, list, err)
		}
	}
}
