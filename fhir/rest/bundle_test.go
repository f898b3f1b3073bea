package rest

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

func bundle(entries ...string) string {
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

func TestBundleEntries(t *testing.T) {
	// SMART M-13, M-14: every entry is a request of its own.
	r := mustParse(t, ask("POST /", bundle(
		`{"request":{"method":"GET","url":"Observation?patient=a&code=x"}}`,
		`{"request":{"method":"GET","url":"Patient/a","ifNoneMatch":"W/\"1\"","ifModifiedSince":"2026-01-02T03:04:05Z"}}`,
		`{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1"}}`,
		`{"resource":`+patientA+`,"request":{"method":"PUT","url":"Patient/a","ifMatch":"W/\"2\""}}`,
		`{"request":{"method":"DELETE","url":"Patient?identifier=1"}}`,
		`{"resource":{"resourceType":"Parameters"},"request":{"method":"POST","url":"Patient/$match"}}`,
		`{"request":{"method":"HEAD","url":"Patient/a/_history"}}`,
	)))
	var got []string
	for _, e := range r.Entries {
		got = append(got, string(e.Request.Interaction))
	}
	if s := strings.Join(got, " "); s != "search-type read create update conditional-delete operation history-instance" {
		t.Errorf("entries: %s", s)
	}
	if e := r.Entries[2]; e.FullURL != "urn:uuid:1" || e.Request.IfNoneExist[0].Name != "identifier" || e.Request.Resource.Type != "Patient" {
		t.Errorf("create: %+v", e)
	}
	if e := r.Entries[1].Request; e.IfNoneMatch != `W/"1"` || e.IfModifiedSince != "Fri, 02 Jan 2026 03:04:05 GMT" {
		t.Errorf("read: %+v", e)
	}
	again := roundTrip(t, r)
	if !reflect.DeepEqual(again, r) {
		t.Errorf("the bundle changed:\n got %+v\nwant %+v", again, r)
	}
	// A constraint added to an entry reaches the upstream.
	r.Entries[0].Request = r.Entries[0].Request.With(Param{Name: "status", Values: []string{"final"}})
	if again = roundTrip(t, r); len(again.Entries[0].Request.Query) != 3 {
		t.Errorf("%+v", again.Entries[0])
	}
}

func TestBundleRefusals(t *testing.T) {
	for entry, want := range map[string]string{
		`{"request":{"method":"GET","url":"https://other/Patient/b"}}`:               "invalid/path",
		`{"request":{"method":"GET","url":"/Patient/b"}}`:                            "invalid/entry-url",
		`{"request":{"method":"GET","url":"//other/Patient"}}`:                       "invalid/entry-url",
		`{"request":{"method":"GET","url":"Patient/../Group/g"}}`:                    "invalid/path",
		`{"request":{"method":"GET","url":"Patient/a#x"}}`:                           "invalid/entry-url",
		`{"request":{"method":"GET","url":"%50atient/a"}}`:                           "invalid/path",
		`{"request":{"method":"GET","url":""}}`:                                      "invalid/entry-url",
		`{"request":{"method":"GET","url":"?_type=Patient"}}`:                        "invalid/entry-url",
		`{"request":{"method":"GET"}}`:                                               "invalid/entry-url",
		`{"request":{"method":"GET","url":"Foo"}}`:                                   "not_found/unknown-type",
		`{"request":{"method":"get","url":"Patient"}}`:                               "not_supported/method-unknown",
		`{"request":{"method":"GET","method":"DELETE","url":"Patient/a"}}`:           "invalid/json-duplicate-key",
		`{"request":{"method":"GET","url":7}}`:                                       "invalid/entry",
		`{"request":{"method":"GET","url":"Patient/a","extension":[]}}`:              "invalid/entry",
		`{"request":"GET Patient/a"}`:                                                "invalid/json-malformed",
		`{"resource":` + patientA + `}`:                                              "invalid/entry",
		`{"request":{"method":"GET","url":"Patient/a"},"response":{}}`:               "invalid/entry",
		`{"request":{"method":"GET","url":"Patient/a"},"resource":` + patientA + `}`: "invalid/body-not-allowed",
		`{"request":{"method":"POST","url":"Patient"}}`:                              "invalid/entry",
		`{"request":{"method":"POST","url":"Group"},"resource":` + patientA + `}`:    "invalid/type-mismatch",
		`{"request":{"method":"PUT","url":"Patient/b"},"resource":` + patientA + `}`: "invalid/id-mismatch",
		`{"request":{"method":"PATCH","url":"Patient/a"}}`:                           "not_supported/entry-interaction",
		`{"request":{"method":"POST","url":"Patient/_search"}}`:                      "not_supported/entry-interaction",
		`{"request":{"method":"GET","url":"Patient/a?_format=xml"}}`:                 "not_acceptable/not-acceptable",
		`{"request":{"method":"GET","url":"Patient?_count=1&_count=2"}}`:             "invalid/parameter-repeated",
		`{"request":{"method":"DELETE","url":"Patient"}}`:                            "invalid/condition-missing",
		`{"request":{"method":"GET","url":"Patient/a","ifModifiedSince":"now"}}`:     "invalid/condition",
		`{"fullUrl":"javascript:x","request":{"method":"GET","url":"Patient/a"}}`:    "invalid/entry-url",
	} {
		_, err := Parse(ask("POST /", bundle(entry)))
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want+":") {
			t.Errorf("%s: got %v, want %s", entry, err, want)
		}
	}
	for body, code := range map[string]string{
		patientA: "not-a-bundle",
		`{"resourceType":"Bundle","type":"searchset"}`: "bundle-type",
		`{"resourceType":"Bundle"}`:                    "bundle-type",
		bundle(strings.TrimSuffix(strings.Repeat(`{"request":{"method":"GET","url":"Patient"}},`, 501), ",")): "bundle-too-many",
	} {
		if _, err := Parse(ask("POST /", body)); errs.As(err) == nil || errs.As(err).Code != code {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

// roundTrip sends the value to itself.
func roundTrip(t testing.TB, r Request) Request {
	t.Helper()
	method, target, header, body := r.Upstream()
	path, query, _ := strings.Cut(target, "?")
	again, err := Parse(Incoming{Method: method, Path: path, RawQuery: query, Header: header, Body: body})
	if err != nil {
		t.Fatalf("%s %s is refused: %v\n%s", method, target, err, body)
	}
	return again
}

func FuzzParse(f *testing.F) {
	f.Add("GET", "/Patient/a", "_summary=true", "", "", "")
	f.Add("POST", "/Observation/_search", "patient=a", "application/x-www-form-urlencoded", "", "code=a%2Cb&date=ge2020")
	f.Add("PUT", "/Patient/a", "", "application/fhir+json", `W/"1"`, patientA)
	f.Add("PATCH", "/Patient/a", "", "application/json-patch+json", "", `[{"op":"add","path":"/a","value":{"b":[1, 2]}}]`)
	f.Add("POST", "/", "", "application/json", "", bundle(`{"fullUrl":"urn:uuid:1","request":{"method":"GET","url":"Patient?_has:Observation:patient:code=x","ifNoneMatch":"W/\"1\""}}`))
	f.Add("POST", "/Patient/$match", "a=b", "application/fhir+json", "", `{"resourceType":"Parameters"}`)
	f.Fuzz(func(t *testing.T, method, path, query, contentType, condition, body string) {
		h := http.Header{}
		for name, value := range map[string]string{"Content-Type": contentType, "If-Match": condition} {
			if value != "" {
				h.Set(name, value)
			}
		}
		r, err := Parse(Incoming{Method: method, Path: path, RawQuery: query, Header: h, Body: []byte(body)})
		if err != nil {
			return
		}
		if again := roundTrip(t, r); !reflect.DeepEqual(again, r) {
			t.Fatalf("the value changed:\n got %+v\nwant %+v", again, r)
		}
	})
}
