package rest

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// ask builds an incoming request from "METHOD /path?query", header lines and
// a body.
func ask(line, body string, headers ...string) Incoming {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	in := Incoming{Method: method, Path: path, RawQuery: query, Header: http.Header{}}
	if body != "" {
		in.Body = []byte(body)
		in.Header.Set("Content-Type", mediaFHIR)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			in.Header.Del(name)
		}
		in.Header.Add(name, value)
	}
	return in
}

func mustParse(t testing.TB, in Incoming) Request {
	t.Helper()
	r, err := Parse(in)
	if err != nil {
		t.Fatalf("%s %s?%s: %v", in.Method, in.Path, in.RawQuery, err)
	}
	return r
}

const (
	patientA = `{"resourceType":"Patient","id":"a"}`
	form     = "Content-Type: application/x-www-form-urlencoded"
	patch    = "Content-Type: application/json-patch+json"
)

func TestInteractions(t *testing.T) {
	// Each row: SMART §6.1.
	for _, c := range []struct {
		row  string
		in   Incoming
		want string // interaction type id version operation compartment
		up   string
	}{
		{"M-01", ask("POST /Patient", patientA), "create Patient", "POST /Patient"},
		{"M-02", ask("GET /Patient/a", ""), "read Patient a", "GET /Patient/a"},
		{"M-07", ask("HEAD /Patient/a", ""), "read Patient a", "GET /Patient/a"},
		{"M-02", ask("GET /Patient/a/_history/2", ""), "vread Patient a 2", "GET /Patient/a/_history/2"},
		{"M-02", ask("GET /Patient/a/_history?_count=2", ""), "history-instance Patient a", "GET /Patient/a/_history?_count=2"},
		{"M-03", ask("PUT /Patient/a", patientA), "update Patient a", "PUT /Patient/a"},
		{"M-03", ask("PATCH /Patient/a", `[{"op":"remove","path":"/a"}]`, patch), "patch Patient a", "PATCH /Patient/a"},
		{"M-04", ask("DELETE /Patient/a", ""), "delete Patient a", "DELETE /Patient/a"},
		{"M-05", ask("GET /Observation?category=a|b", ""), "search-type Observation", "GET /Observation?category=a%7Cb"},
		{"M-05", ask("POST /Observation/_search", "category=x", form), "search-type Observation", "GET /Observation?category=x"},
		{"M-05", ask("GET /?_type=Patient", ""), "search-system", "GET /?_type=Patient"},
		{"M-05", ask("POST /_search?_type=Patient", "", form), "search-system", "GET /?_type=Patient"},
		{"M-05", ask("GET /Patient/_history", ""), "history-type Patient", "GET /Patient/_history"},
		{"M-05", ask("GET /_history", ""), "history-system", "GET /_history"},
		{"M-09", ask("PUT /Patient?identifier=1", `{"resourceType":"Patient"}`), "conditional-update Patient", "PUT /Patient?identifier=1"},
		{"M-09", ask("PATCH /Patient?identifier=1", `[{"op":"remove","path":"/a"}]`, patch), "conditional-patch Patient", "PATCH /Patient?identifier=1"},
		{"M-10", ask("DELETE /Patient?identifier=1", ""), "conditional-delete Patient", "DELETE /Patient?identifier=1"},
		{"M-15", ask("GET /Patient/a/Observation?code=x", ""), "search-compartment Observation in Patient/a", "GET /Patient/a/Observation?code=x"},
		{"M-15", ask("GET /Patient/a/*", ""), "search-compartment * in Patient/a", "GET /Patient/a/*"},
		{"M-15", ask("POST /Encounter/e/Observation/_search", "code=x", form), "search-compartment Observation in Encounter/e", "GET /Encounter/e/Observation?code=x"},
		{"M-18", ask("GET /Patient/a/$everything", ""), "operation Patient a $everything", "GET /Patient/a/$everything"},
		{"M-19", ask("GET /$export?_type=Patient", ""), "operation $export", "GET /$export?_type=Patient"},
		{"M-20", ask("POST /Patient/%24match", `{"resourceType":"Parameters"}`), "operation Patient $match", "POST /Patient/$match"},
		{"M-20", ask("POST /Patient/a/$x", ""), "operation Patient a $x", "POST /Patient/a/$x"},
		{"M-21", ask("GET /metadata?mode=full", ""), "capabilities", "GET /metadata?mode=full"},
		{"M-13", ask("POST /", `{"resourceType":"Bundle","type":"batch"}`), "batch", "POST /"},
		{"M-13", ask("POST ", `{"resourceType":"Bundle","type":"transaction","entry":[]}`), "transaction", "POST /"},
	} {
		r := mustParse(t, c.in)
		got := string(r.Interaction)
		for _, part := range []string{r.Type, r.ID, r.Version} {
			if part != "" {
				got += " " + part
			}
		}
		if r.Operation != "" {
			got += " $" + r.Operation
		}
		if !r.Compartment.IsZero() {
			got += " in " + r.Compartment.String()
		}
		method, path, _, _ := r.Upstream()
		if got != c.want || method+" "+path != c.up {
			t.Errorf("%s: %s %s\n got %s; %s %s\nwant %s; %s", c.row, c.in.Method, c.in.Path, got, method, path, c.want, c.up)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		row  string
		in   Incoming
		kind errs.Kind
		code string
	}{
		// SMART TRP-22: one address, one meaning.
		{"encoded letter", ask("GET /%50atient/b", ""), errs.Invalid, "path"},
		{"encoded slash", ask("GET /Patient%2Fb", ""), errs.Invalid, "path"},
		{"double encoding", ask("GET /Patient/%252e", ""), errs.Invalid, "path"},
		{"double slash", ask("GET //Patient/b", ""), errs.Invalid, "path"},
		{"inner double slash", ask("GET /Patient//b", ""), errs.Invalid, "path"},
		{"slash at the end", ask("GET /Patient/b/", ""), errs.Invalid, "path"},
		{"dot segments", ask("GET /Patient/../Patient/b", ""), errs.Invalid, "path"},
		{"encoded dots", ask("GET /Patient/%2e%2e/Group", ""), errs.Invalid, "path"},
		{"matrix parameter", ask("GET /Patient/b;v=1", ""), errs.Invalid, "path"},
		{"backslash", ask(`GET /Patient\b`, ""), errs.Invalid, "path"},
		{"lower case", ask("GET /patient/b", ""), errs.Invalid, "path"},
		{"unknown type", ask("GET /Foo/b", ""), errs.NotFound, "unknown-type"},
		{"bad id", ask("GET /Patient/a_b", ""), errs.Invalid, "path"},
		{"too long", ask("GET /Patient/"+strings.Repeat("a", 600), ""), errs.TooLarge, "path-too-long"},
		{"unknown word", ask("GET /_admin", ""), errs.Invalid, "path"},
		{"not a compartment", ask("GET /Observation/a/Patient", ""), errs.Invalid, "path"},
		{"compartment of nothing", ask("GET /Patient/a/Foo", ""), errs.NotFound, "unknown-type"},
		{"history of a version", ask("GET /Patient/a/_history/1/x", ""), errs.Invalid, "path"},
		// Methods.
		{"unknown method", ask("TRACE /Patient/b", ""), errs.NotSupported, "method-unknown"},
		{"lower-case method", ask("get /Patient/b", ""), errs.NotSupported, "method-unknown"},
		{"override", ask("POST /Patient/b", patientA, "X-HTTP-Method-Override: DELETE"), errs.Invalid, "method-override"},
		{"override", ask("GET /Patient/b", "", "X-Method-Override: DELETE"), errs.Invalid, "method-override"},
		{"override", ask("GET /Patient/b", "", "X-HTTP-Method: DELETE"), errs.Invalid, "method-override"},
		{"override in the query", ask("GET /Patient?_method=DELETE", ""), errs.Invalid, "parameter-name"},
		{"override in the body", ask("POST /Patient/_search", "_method=DELETE", form), errs.Invalid, "parameter-name"},
		{"post to an instance", ask("POST /Patient/a", patientA), errs.NotSupported, "method"},
		{"delete history", ask("DELETE /Patient/a/_history", ""), errs.NotSupported, "method"},
		{"put on an operation", ask("PUT /$export", patientA), errs.NotSupported, "method"},
		{"get on _search", ask("GET /Patient/_search?a=b", ""), errs.NotSupported, "method"},
		{"delete everything", ask("DELETE /Patient", ""), errs.Invalid, "condition-missing"},
		{"put without a condition", ask("PUT /Patient?_format=json", patientA), errs.Invalid, "condition-missing"},
		// D15: JSON only.
		{"xml asked by _format", ask("GET /Patient/a?_format=xml", ""), errs.NotAcceptable, "not-acceptable"},
		{"xml asked by _format", ask("GET /Patient/a?_format=application/fhir%2Bxml", "", "Accept: application/fhir+json"), errs.NotAcceptable, "not-acceptable"},
		{"xml asked by Accept", ask("GET /Patient/a", "", "Accept: application/fhir+xml"), errs.NotAcceptable, "not-acceptable"},
		{"json excluded", ask("GET /Patient/a", "", "Accept: application/fhir+json;q=0"), errs.NotAcceptable, "not-acceptable"},
		{"another version", ask("GET /Patient/a", "", "Accept: application/fhir+json; fhirVersion=5.0"), errs.NotAcceptable, "not-acceptable"},
		{"xml sent", ask("POST /Patient", "<Patient/>", "Content-Type: application/fhir+xml"), errs.UnsupportedMedia, "content-type"},
		{"no type sent", Incoming{Method: "POST", Path: "/Patient", Body: []byte(patientA)}, errs.UnsupportedMedia, "content-type"},
		{"another charset", ask("POST /Patient", patientA, "Content-Type: application/fhir+json; charset=utf-16"), errs.UnsupportedMedia, "content-type"},
		{"two types", ask("POST /Patient", patientA, "Content-Type: application/fhir+json", "X: y"), "", ""},
		{"xml patch", ask("PATCH /Patient/a", "<diff/>", "Content-Type: application/xml-patch+xml"), errs.UnsupportedMedia, "content-type"},
		{"FHIRPath patch", ask("PATCH /Patient/a", `{"resourceType":"Parameters"}`), errs.UnsupportedMedia, "content-type"},
		{"compressed", ask("POST /Patient", patientA, "Content-Encoding: gzip"), errs.UnsupportedMedia, "content-encoding"},
		{"json search body", ask("POST /Patient/_search", patientA), errs.UnsupportedMedia, "content-type"},
		// Parameters.
		{"repeated _count", ask("GET /Patient?_count=1&_count=9", ""), errs.Invalid, "parameter-repeated"},
		{"repeated across query and body", ask("POST /Patient/_search?_summary=true", "_summary=false", form), errs.Invalid, "parameter-repeated"},
		{"repeated _format", ask("GET /Patient?_format=json&_format=xml", ""), errs.Invalid, "parameter-repeated"},
		{"repeated _type", ask("GET /?_type=Patient&_type=Group", ""), errs.Invalid, "parameter-repeated"},
		{"modified _count", ask("GET /Patient?_count:x=1", ""), errs.Invalid, "parameter-repeated"},
		{"empty value in a condition", ask("DELETE /Patient?identifier=", ""), errs.Invalid, "parameter-empty"},
		{"no value in an operation", ask("GET /$export?_type", ""), errs.Invalid, "parameter-empty"},
		{"empty value in a conditional create", ask("POST /Patient", patientA, "If-None-Exist: identifier="), errs.Invalid, "parameter-empty"},
		{"bad encoding", ask("GET /Observation?patient=%zz", ""), errs.Invalid, "query-encoding"},
		{"bad utf-8", ask("GET /Observation?patient=%ff", ""), errs.Invalid, "query-encoding"},
		{"null byte", ask("GET /Observation?patient=a%00b", ""), errs.Invalid, "query-encoding"},
		{"odd name", ask("GET /Observation?pat%26ient=a", ""), errs.Invalid, "parameter-name"},
		{"dangling modifier", ask("GET /Observation?code:=a", ""), errs.Invalid, "parameter-name"},
		{"dangling chain", ask("GET /Observation?patient.=a", ""), errs.Invalid, "parameter-name"},
		{"empty _has", ask("GET /Patient?_has:=a", ""), errs.Invalid, "parameter-name"},
		{"a search in a read", ask("GET /Patient/a?name=x", ""), errs.Invalid, "parameter-not-allowed"},
		{"a search in a create", ask("POST /Patient?name=x", patientA), errs.Invalid, "parameter-not-allowed"},
		{"a search in a delete", ask("DELETE /Patient/a?name=x", ""), errs.Invalid, "parameter-not-allowed"},
		{"long query", ask("GET /Patient?name="+strings.Repeat("a", 40_000), ""), errs.TooLarge, "query-too-long"},
		{"many parameters", ask("GET /Patient?"+strings.Repeat("a=b&", 300), ""), errs.TooLarge, "query-too-many"},
		// Bodies.
		{"body in a GET", ask("GET /Patient/a", "x"), errs.Invalid, "body-not-allowed"},
		{"body in a DELETE", ask("DELETE /Patient/a", "x"), errs.Invalid, "body-not-allowed"},
		{"another type", ask("POST /Group", patientA), errs.Invalid, "type-mismatch"},
		{"another id", ask("PUT /Patient/b", patientA), errs.Invalid, "id-mismatch"},
		{"no id", ask("PUT /Patient/b", `{"resourceType":"Patient"}`), errs.Invalid, "id-mismatch"},
		{"conditional update of another type", ask("PUT /Group?a=b", patientA), errs.Invalid, "type-mismatch"},
		{"repeated id", ask("PUT /Patient/a", `{"resourceType":"Patient","id":"b","id":"a"}`), errs.Invalid, "json-duplicate-key"},
		{"malformed", ask("POST /Patient", `{"resourceType":"Patient"`), errs.Invalid, "json-malformed"},
		{"empty create", Incoming{Method: "POST", Path: "/Patient", Header: http.Header{"Content-Type": {mediaFHIR}}}, errs.Invalid, "json-malformed"},
		// Conditions.
		{"weak words", ask("PUT /Patient/a", patientA, "If-Match: 3"), errs.Invalid, "condition"},
		{"two If-Match", ask("PUT /Patient/a", patientA, `If-Match: W/"3"`, `If-Match: W/"4"`), errs.Invalid, "header-repeated"},
		{"If-Match in a read", ask("GET /Patient/a", "", `If-Match: W/"3"`), errs.Invalid, "condition"},
		{"If-None-Exist in an update", ask("PUT /Patient/a", patientA, "If-None-Exist: identifier=1"), errs.Invalid, "condition"},
		{"empty If-None-Exist", ask("POST /Patient", patientA, "If-None-Exist: ?"), errs.Invalid, "condition-missing"},
		{"bad date", ask("GET /Patient/a", "", "If-Modified-Since: yesterday"), errs.Invalid, "condition"},
	} {
		_, err := Parse(c.in)
		if c.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", c.row, err)
			}
			continue
		}
		if !errs.Is(err, c.kind) || errs.As(err).Code != c.code {
			t.Errorf("%s: %s %s: got %v, want %s/%s", c.row, c.in.Method, c.in.Path, err, c.kind, c.code)
		}
	}
	big := ask("POST /Patient", patientA)
	big.Body = make([]byte, maxBody+1)
	if _, err := Parse(big); !errs.Is(err, errs.TooLarge) {
		t.Errorf("a body over the limit: %v", err)
	}
	twice := ask("POST /Patient", patientA)
	twice.Header.Add("Content-Type", "application/json")
	if _, err := Parse(twice); !errs.Is(err, errs.Invalid) {
		t.Errorf("two content types: %v", err)
	}
}

func TestAccepted(t *testing.T) {
	for _, in := range []Incoming{
		ask("GET /Patient/a?_format=json&_pretty=true", "", "Accept: application/xml"),
		ask("GET /Patient/a?_format=application/fhir+json", ""),
		ask("GET /Patient/a?_format=application/fhir%2Bjson", ""),
		ask("GET /Patient/a", "", "Accept: text/html, */*;q=0.1"),
		ask("GET /Patient/a", "", "Accept: application/json+fhir, application/fhir+json; fhirVersion=4.0"),
		ask("GET /Patient/a", "", "Accept: application/xml", "Accept: application/json; charset=UTF-8"),
		ask("POST /Patient", patientA, "Content-Type: application/json"),
		ask("GET /Patient?name=x", "", `If-None-Match: W/"1"`),
	} {
		r := mustParse(t, in)
		if len(r.Find("_format")) > 0 || len(r.Find("_pretty")) > 0 || r.IfNoneMatch != "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestQueryValues(t *testing.T) {
	r := mustParse(t, ask("GET /Observation?code:in=http://vs&patient.name=Ro+sa&subject:Patient.name:exact=x&_has:Provenance:target:agent=p&category=a%2Cb,c%5C,d&date=ge2020&date=le2021", ""))
	want := []Param{
		{Name: "code", Modifier: "in", Values: []string{"http://vs"}, Raw: "http://vs"},
		{Name: "patient", Chain: "name", Values: []string{"Ro sa"}, Raw: "Ro sa"},
		{Name: "subject", Modifier: "Patient", Chain: "name:exact", Values: []string{"x"}, Raw: "x"},
		{Name: "_has", Modifier: "Provenance:target:agent", Values: []string{"p"}, Raw: "p"},
		{Name: "category", Values: []string{"a", "b", `c\,d`}, Raw: `a,b,c\,d`},
		{Name: "date", Values: []string{"ge2020"}, Raw: "ge2020"},
		{Name: "date", Values: []string{"le2021"}, Raw: "le2021"},
	}
	if !reflect.DeepEqual(r.Query, want) {
		t.Errorf("got %+v", r.Query)
	}
	if len(r.Find("date")) != 2 {
		t.Error("Find missed a repetition")
	}
	// SMART M-05: a posted search merges both, the address first.
	r = mustParse(t, ask("POST /Observation/_search?patient=a", "category=x+y", form))
	if len(r.Query) != 2 || r.Query[0].Name != "patient" || r.Query[1].Values[0] != "x y" {
		t.Errorf("merged: %+v", r.Query)
	}
}

// SMART US-13: a public kit searches Location?address without a value, and
// expects the answer of the type: granted or not.
func TestSearchParametersWithoutAValue(t *testing.T) {
	for _, in := range []Incoming{
		ask("GET /Location?address", ""), ask("GET /Location?address=&_count=", ""),
		ask("POST /Location/_search?name=", "address=", form), ask("GET /Patient/a/Condition?code=", ""),
	} {
		if r := mustParse(t, in); len(r.Query) != 0 {
			t.Errorf("%s: %+v", in.RawQuery, r.Query)
		}
	}
	if r := mustParse(t, ask("GET /Location?address=&name=x", "")); len(r.Query) != 1 || r.Query[0].Name != "name" {
		t.Errorf("%+v", r.Query)
	}
}

func TestConditionsAndPreferences(t *testing.T) {
	r := mustParse(t, ask("POST /Patient", patientA, "If-None-Exist: ?identifier=s|1,2", "Prefer: return=minimal; handling=strict", "Prefer: respond-async, wait=5"))
	if len(r.IfNoneExist) != 1 || len(r.IfNoneExist[0].Values) != 2 || r.Prefer != (Prefer{"minimal", "strict", true}) {
		t.Errorf("%+v", r)
	}
	_, _, h, body := r.Upstream()
	if h.Get("If-None-Exist") != "identifier=s%7C1%2C2" || h.Get("Prefer") != "return=minimal, handling=strict, respond-async" || string(body) != patientA {
		t.Errorf("%v %s", h, body)
	}
	r = mustParse(t, ask("PUT /Patient/a", patientA, `If-Match: W/"3"`))
	if r.IfMatch != `W/"3"` || r.Resource.ID != "a" || r.Target() != (fhir.Reference{Type: "Patient", ID: "a"}) {
		t.Errorf("%+v", r)
	}
	r = mustParse(t, ask("GET /Patient/a", "", `If-None-Match: "3"`, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "X-Other: 1", "Cookie: c", "Authorization: Bearer t"))
	_, _, h, _ = r.Upstream()
	if len(h) != 3 || h.Get("If-None-Match") != `"3"` || h.Get("If-Modified-Since") != "Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Errorf("headers sent on: %v", h)
	}
}

func TestWithDoesNotChangeTheReceiver(t *testing.T) {
	r := mustParse(t, ask("GET /Observation?code=x&status=final", ""))
	r.Query = r.Query[:1:2]
	limited := r.With(Param{Name: "patient", Values: []string{"Patient/a"}})
	other := r.With(Param{Name: "patient", Values: []string{"Patient/b"}})
	_, path, _, _ := limited.Upstream()
	if path != "/Observation?code=x&patient=Patient%2Fa" || len(r.Query) != 1 || other.Query[1].Values[0] != "Patient/b" {
		t.Errorf("%s %v", path, r.Query)
	}
}

func TestLongSearchesArePosted(t *testing.T) {
	long := Param{Name: "category", Values: []string{strings.Repeat("x", 2000)}}
	for line, want := range map[string]string{
		"GET /Observation":           "POST /Observation/_search",
		"GET /":                      "POST /_search",
		"GET /Patient/a/Observation": "POST /Patient/a/Observation/_search",
	} {
		r := mustParse(t, ask(line, "")).With(long)
		method, path, h, body := r.Upstream()
		if method+" "+path != want || h.Get("Content-Type") != mediaForm || string(body) != "category="+url.QueryEscape(long.Values[0]) {
			t.Errorf("%s: %s %s %v", line, method, path, h)
		}
	}
}

func TestPatch(t *testing.T) {
	r := mustParse(t, ask("PATCH /Patient/a", `[{"op":"replace","path":"/birthDate","value": 1.10},{"from":"/a~0b","op":"move","path":""},{"op":"test","path":"/x","value":null}]`, patch))
	want := []PatchOp{{Op: "replace", Path: "/birthDate", Value: []byte("1.10")}, {Op: "move", From: "/a~0b"}, {Op: "test", Path: "/x", Value: []byte("null")}}
	if !reflect.DeepEqual(r.Patch, want) {
		t.Errorf("%+v", r.Patch)
	}
	_, _, _, body := r.Upstream()
	if string(body) != `[{"op":"replace","path":"/birthDate","value":1.10},{"op":"move","path":"","from":"/a~0b"},{"op":"test","path":"/x","value":null}]` {
		t.Errorf("%s", body)
	}
	for _, bad := range []string{
		`[]`, `{}`, `[1]`, ``, `[{"op":"add","path":"/a"}]`, `[{"op":"remove"}]`, `[{"op":"eval","path":"/a"}]`, `[{"op":"remove","path":"a"}]`,
		`[{"op":"remove","path":"/a~2"}]`, `[{"op":"remove","path":7}]`, `[{"op":"move","path":"/a"}]`, `[{"op":"remove","path":"/a","from":"/b"}]`,
		// TRP-08: one operation, one element.
		`[{"op":"remove","path":"/a","path":"/subject"}]`,
	} {
		if r, err := Parse(ask("PATCH /Patient/a", bad, patch, "X: y")); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %+v %v", bad, r.Patch, err)
		}
	}
}
