package view

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

const searchset = `{"resourceType":"Bundle","id":"b1","type":"searchset","total":2,"timestamp":"2026-01-01T00:00:00Z",
 "link":[{"relation":"self","url":"http://up/Observation?a=1&b=2"},{"relation":"next","url":"http://up?page=2"}],
 "entry":[
  {"fullUrl":"http://up/Observation/1","resource":{ "resourceType" : "Observation","id":"1","valueQuantity":{"value":1.10} },"search":{"mode":"match","score":1}},
  {"fullUrl":"http://up/Patient/a","resource":{"resourceType":"Patient","id":"a"},"search":{"mode":"include"}},
  {"response":{"status":"404","outcome":{"resourceType":"OperationOutcome"}}},
  {"request":{"method":"DELETE","url":"Observation/9"}}]}`

func TestEntriesAndBack(t *testing.T) {
	b, err := Entries([]byte(searchset))
	if err != nil {
		t.Fatal(err)
	}
	if b.ID != "b1" || b.Type != "searchset" || *b.Total != 2 || len(b.Links) != 2 || len(b.Entries) != 4 {
		t.Fatalf("%+v", b)
	}
	e := b.Entries[0]
	if e.FullURL != "http://up/Observation/1" || e.Mode != "match" || string(e.Resource) != `{ "resourceType" : "Observation","id":"1","valueQuantity":{"value":1.10} }` {
		t.Errorf("the bytes of a resource changed: %s", e.Resource)
	}
	if string(b.Entries[2].Response) != `{"status":"404","outcome":{"resourceType":"OperationOutcome"}}` || b.Entries[3].Request == nil {
		t.Errorf("response or request: %+v", b.Entries[2:])
	}
	// What the gateway does: keep some, tell the visible number.
	one := 1
	b.Entries, b.Total, b.Links = b.Entries[:1], &one, b.Links[:1]
	want := `{"resourceType":"Bundle","id":"b1","type":"searchset","timestamp":"2026-01-01T00:00:00Z","total":1,` +
		`"link":[{"relation":"self","url":"http://up/Observation?a=1&b=2"}],` +
		`"entry":[{"fullUrl":"http://up/Observation/1","resource":{ "resourceType" : "Observation","id":"1","valueQuantity":{"value":1.10} },"search":{"mode":"match","score":1}}]}`
	if got := string(b.AppendTo(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string((Bundle{Type: "batch-response", Entries: []Entry{{}}}).AppendTo(nil)); got != `{"resourceType":"Bundle","type":"batch-response","entry":[{}]}` {
		t.Error(got)
	}
}

func TestEntriesRefuses(t *testing.T) {
	for raw, code := range map[string]string{
		`{"resourceType":"Patient"}`:                                      "not-a-bundle",
		`{"resourceType":"Bundle","total":-1}`:                            "bundle-total",
		`{"resourceType":"Bundle","total":"1"}`:                           "bundle-total",
		`{"resourceType":"Bundle","entry":{}}`:                            "bundle-shape",
		`{"resourceType":"Bundle","entry":[1]}`:                           "bundle-shape",
		`{"resourceType":"Bundle","link":[null]}`:                         "bundle-shape",
		`{"resourceType":"Bundle","entry":[{"search":1}]}`:                "bundle-shape",
		`{"resourceType":"Bundle","entry":[],"entry":[{}]}`:               "json-duplicate-key",
		`{"resourceType":"Bundle","entry":[{"resource":1,"resource":2}]}`: "json-duplicate-key",
		`{"resourceType":"Bundle","entry":[{`:                             "json-malformed",
	} {
		if _, err := Entries([]byte(raw)); errs.As(err) == nil || errs.As(err).Code != code {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestStripLabels(t *testing.T) {
	// LB-16, LB-17, GW-18: system and code together.
	keep := func(c fhir.Coding) bool { return c.System == fhir.SystemConfidentiality }
	conf, hiv := `{"system":"`+fhir.SystemConfidentiality+`","code":"R"}`, `{"system":"`+fhir.SystemActCode+`","code":"HIV", "display":"x"}`
	for _, c := range []struct{ in, want string }{
		{`{"resourceType":"Patient","meta":{"security":[` + conf + `, ` + hiv + `],"versionId":"1"},"id":"a"}`,
			`{"resourceType":"Patient","meta":{"security":[` + conf + `],"versionId":"1"},"id":"a"}`},
		{`{"resourceType":"Patient","meta":{"security":[` + hiv + `],"versionId":"1"}}`, `{"resourceType":"Patient","meta":{"versionId":"1"}}`},
		{`{"resourceType":"Patient", "meta":{"security":[` + hiv + `]}, "a":1.0}`, `{"resourceType":"Patient","a":1.0}`},
		{`{ "resourceType":"Patient" , "meta":{"security":[` + conf + `]}}`, `{ "resourceType":"Patient" , "meta":{"security":[` + conf + `]}}`},
		{`{"resourceType":"List","contained":[{"resourceType":"Patient","meta":{"security":[` + hiv + `]}},{"resourceType":"Group"}]}`,
			`{"resourceType":"List","contained":[{"resourceType":"Patient"},{"resourceType":"Group"}]}`},
		{`{"resourceType":"Patient"}`, `{"resourceType":"Patient"}`},
	} {
		got, err := StripLabels([]byte(c.in), keep)
		if err != nil || string(got) != c.want {
			t.Errorf("%s\n got %s %v\nwant %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"meta":[]}`, `{"meta":{"security":{}}}`, `{"contained":[1]}`, `{"a":` + strings.Repeat("[", 80)} {
		if out, err := StripLabels([]byte(bad), keep); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %s %v", bad, out, err)
		}
	}
}
