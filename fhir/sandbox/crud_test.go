package sandbox_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/sandbox"
)

func TestSeedKeepsItsExactBytes(t *testing.T) {
	w := newWorld(t)
	a := w.get("/Patient/rosa").want(200)
	stamp := `{"versionId":"1","lastUpdated":"2026-11-22T12:00:00.000Z","security":`
	want := strings.Replace(seed[2], `{"security":`, stamp, 1)
	if a.raw != want {
		t.Errorf("got  %s\nwant %s", a.raw, want)
	}
	if tag := a.header.Get("ETag"); tag != `W/"1"` {
		t.Errorf("ETag %s", tag)
	}
	if got := w.get("/Patient/ines").want(200).text("meta", "versionId"); got != "1" {
		t.Errorf("without meta: version %q", got)
	}
}

func TestSeedMayNameItsVersion(t *testing.T) {
	at := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	h, err := sandbox.New(sandbox.Config{BaseURL: base + "/", Now: at, Seed: resources(t, []string{
		`{"resourceType":"Basic","id":"b","meta":{"lastUpdated":"2020-02-02T00:00:00Z","versionId":"7"}}`,
	})})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, handler: h}
	a := w.get("/Basic/b").want(200)
	if a.text("meta", "versionId") != "7" || a.text("meta", "lastUpdated") != "2020-02-02T00:00:00.000Z" {
		t.Errorf("got %s", a.raw)
	}
	if a := w.do("PUT", "/Basic/b", `{"resourceType":"Basic","id":"b"}`).want(200); a.text("meta", "versionId") != "8" {
		t.Errorf("got %s", a.raw)
	}
}

func TestNewRefusesABadStart(t *testing.T) {
	now := func() time.Time { return time.Unix(0, 0) }
	ok := sandbox.Resource{Type: "Basic", ID: "b", JSON: []byte(`{"resourceType":"Basic","id":"b"}`)}
	for name, cfg := range map[string]sandbox.Config{
		"no clock":       {BaseURL: base},
		"no base":        {BaseURL: "/fhir", Now: now},
		"malformed seed": {BaseURL: base, Now: now, Seed: []sandbox.Resource{{Type: "Basic", ID: "b", JSON: []byte(`{`)}}},
		"other id":       {BaseURL: base, Now: now, Seed: []sandbox.Resource{{Type: "Basic", ID: "c", JSON: ok.JSON}}},
		"unknown type":   {BaseURL: base, Now: now, Seed: []sandbox.Resource{{Type: "Sweet", ID: "b", JSON: []byte(`{"resourceType":"Sweet","id":"b"}`)}}},
		"twice":          {BaseURL: base, Now: now, Seed: []sandbox.Resource{ok, ok}},
	} {
		if _, err := sandbox.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// One resource through its life: create, update, delete, and what the history
// says about it.
func TestAResourceLivesAndDies(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/Condition", `{"resourceType":"Condition","id":"mine","subject":{"reference":"Patient/rosa"}}`).want(201)
	id := a.text("id")
	if id == "" || id == "mine" {
		t.Fatalf("the server did not choose the id: %s", a.raw)
	}
	if loc := a.header.Get("Location"); loc != base+"/Condition/"+id+"/_history/1" {
		t.Errorf("Location %s", loc)
	}
	w.finds("/Condition?patient=rosa", "Condition/"+id)

	w.now = w.now.Add(time.Minute)
	body := `{"resourceType":"Condition","id":"` + id + `","subject":{"reference":"Patient/ines"},"recordedDate":"2026"}`
	a = w.do("PUT", "/Condition/"+id, body).want(200)
	if a.text("meta", "versionId") != "2" || a.header.Get("Last-Modified") != "Sun, 22 Nov 2026 12:01:00 GMT" {
		t.Errorf("got %s %v", a.raw, a.header)
	}
	w.finds("/Condition?patient=rosa")
	w.finds("/Condition?patient=ines", "Condition/"+id)
	if got := w.get("/Condition/"+id+"/_history/1").want(200).text("subject", "reference"); got != "Patient/rosa" {
		t.Errorf("version 1 is about %s", got)
	}

	w.do("DELETE", "/Condition/"+id, "").want(204)
	w.do("DELETE", "/Condition/"+id, "").want(204)
	w.get("/Condition/" + id).want(410)
	w.get("/Condition/" + id + "/_history/3").want(410)
	w.get("/Condition/" + id + "/_history/4").want(404)
	w.finds("/Condition?patient=ines")

	a = w.get("/Condition/" + id + "/_history").want(200)
	var methods []string
	for i := range 3 {
		methods = append(methods, a.text("entry", i, "request", "method")+" "+a.text("entry", i, "response", "status"))
	}
	if want := []string{"DELETE 204", "PUT 200", "POST 201"}; !slices.Equal(methods, want) || a.text("type") != "history" {
		t.Errorf("history %v: %s", methods, a.raw)
	}
	if a.at("entry", 0, "resource") != nil || a.at("entry", 1, "resource") == nil {
		t.Error("a deletion shows a resource, or an update none")
	}
	w.do("PUT", "/Condition/"+id, body).want(201)
	w.get("/Condition/" + id).want(200)
}

func TestHistoryOfTypeAndSystem(t *testing.T) {
	w := newWorld(t)
	w.now = w.now.Add(time.Hour)
	w.do("PUT", "/Basic/b", `{"resourceType":"Basic","id":"b"}`).want(201)
	if got := w.get("/Basic/_history").want(200).ids(); !slices.Equal(got, []string{"Basic/b"}) {
		t.Errorf("got %v", got)
	}
	a := w.get("/_history?_since=2026-11-22T12:30:00Z").want(200)
	if got := a.ids(); !slices.Equal(got, []string{"Basic/b"}) {
		t.Errorf("got %v", got)
	}
	a = w.get("/_history?_count=2").want(200)
	if a.at("total") != float64(len(seed)+1) || a.link("next") != base+"/_history?_count=2&_offset=2" {
		t.Errorf("got %v %s", a.at("total"), a.link("next"))
	}
	w.get("/_history?_since=now").want(400)
	w.get("/Basic/nobody/_history").want(404)
}

// SMART upserts need the id twice: in the address and in the resource.
func TestUpdateChecksTheID(t *testing.T) {
	w := newWorld(t)
	w.do("PUT", "/Basic/b", `{"resourceType":"Basic","id":"b"}`).want(201)
	w.do("PUT", "/Basic/b", `{"resourceType":"Basic"}`).want(400)
	w.do("PUT", "/Basic/b", `{"resourceType":"Basic","id":"c"}`).want(400)
	w.do("PUT", "/Basic/b_b", `{"resourceType":"Basic","id":"b_b"}`).want(400)
	w.do("PUT", "/Basic/b", `{"resourceType":"Patient","id":"b"}`).want(400)
	w.do("PUT", "/Sweet/b", `{"resourceType":"Sweet","id":"b"}`).want(404)
}

func TestMalformedBodiesAreNamed(t *testing.T) {
	w := newWorld(t)
	for body, part := range map[string]string{
		`{"resourceType":"Basic","id":}`:               "line 1, column 30",
		"{\"resourceType\":\"Basic\",\n\"id\":\"b\",}": "line 2, column 10",
		`{"resourceType":"Basic","a":1,"a":2}`:         `"a" occurs twice`,
		`{"id":"b"}`:                                   "resourceType is missing",
		`[]`:                                           "JSON object",
		`{"resourceType":"Basic","meta":1}`:            "meta",
		`{"resourceType":"Basic","x":01}`:              "column 30",
		`{"resourceType":"Basic","x":"\q"}`:            "escape",
		strings.Repeat("[", 100):                       "nested deeper",
		"{\"resourceType\":\"\xff\"}":                  "UTF-8",
		`{"resourceType":"Basic"} {}`:                  "after the end",
		`{"resourceType":"Basic"`:                      "expected",
	} {
		a := w.do("POST", "/Basic", body).want(400)
		if !strings.Contains(a.text("issue", 0, "diagnostics"), part) {
			t.Errorf("%.40s: %s", body, a.raw)
		}
	}
}

// D15: JSON only.
func TestOnlyJSONIsSpoken(t *testing.T) {
	w := newWorld(t)
	w.get("/Patient/rosa", "Accept: application/fhir+xml").want(406)
	w.get("/Patient/rosa?_format=xml").want(406)
	w.get("/Patient/rosa?_format=json", "Accept: application/fhir+xml").want(200)
	w.get("/Patient/rosa?_format=application/fhir%2Bjson").want(200)
	w.get("/Patient/rosa", "Accept: text/html, */*;q=0.8").want(200)
	w.do("POST", "/Basic", `<Basic/>`, "Content-Type: application/fhir+xml").want(415)
	w.do("POST", "/Basic", `[]`, "Content-Type: application/json-patch+json").want(415)
	w.do("PATCH", "/Patient/rosa", `<diff/>`, "Content-Type: application/xml-patch+xml").want(415)
	w.do("PATCH", "/Patient/rosa", `{}`).want(415)
}

func TestBinaryComesAsJSONOrAsItself(t *testing.T) {
	w := newWorld(t)
	if a := w.get("/Binary/note", "Accept: application/fhir+json").want(200); a.text("data") != "aGVsbG8=" {
		t.Errorf("got %s", a.raw)
	}
	a := w.get("/Binary/note", "Accept: text/plain").want(200)
	if a.raw != "hello" || a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %q %v", a.raw, a.header)
	}
	w.get("/Binary/note", "Accept: image/png").want(406)
}

func TestConditionalRead(t *testing.T) {
	w := newWorld(t)
	w.get("/Patient/rosa", `If-None-Match: W/"1"`).want(304)
	w.get("/Patient/rosa", `If-None-Match: W/"2"`).want(200)
	w.get("/Patient/rosa", "If-Modified-Since: Sun, 22 Nov 2026 12:00:00 GMT").want(304)
	w.get("/Patient/rosa", "If-Modified-Since: Sun, 22 Nov 2026 11:59:59 GMT").want(200)
}

func TestIfMatchGuardsWrites(t *testing.T) {
	w := newWorld(t)
	body := `{"resourceType":"Basic","id":"b"}`
	w.do("PUT", "/Basic/b", body, `If-Match: W/"1"`).want(412)
	w.do("PUT", "/Basic/b", body).want(201)
	w.do("PUT", "/Basic/b", body, `If-Match: W/"1"`).want(200)
	w.do("PUT", "/Basic/b", body, `If-Match: W/"1"`).want(412)
	w.do("DELETE", "/Basic/b", "", `If-Match: W/"1"`).want(412)
	w.do("DELETE", "/Basic/b", "", `If-Match: W/"2"`).want(204)
}

func TestConditionalWrites(t *testing.T) {
	w := newWorld(t)
	body := `{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"300"}]}`
	exist := "If-None-Exist: identifier=" + query("urn:mrn|300")
	id := w.do("POST", "/Patient", body, exist).want(201).text("id")
	if again := w.do("POST", "/Patient", body, exist).want(200); again.text("id") != id {
		t.Errorf("a second Patient %s", again.raw)
	}
	w.do("POST", "/Patient", body, "If-None-Exist: gender=female").want(412)
	w.do("POST", "/Patient", body, "If-None-Exist: flavour=sweet").want(400)
	w.do("POST", "/Patient", body, "If-None-Exist: _count=1").want(400)

	where := "/Patient?identifier=" + query("urn:mrn|300")
	if a := w.do("PUT", where, body).want(200); a.text("id") != id || a.text("meta", "versionId") != "2" {
		t.Errorf("got %s", a.raw)
	}
	w.do("PUT", where, strings.Replace(body, `"identifier"`, `"id":"other","identifier"`, 1)).want(400)
	w.do("PUT", "/Patient?gender=female", body).want(412)
	w.do("PUT", "/Patient?identifier=400", `{"resourceType":"Patient","id":"p400"}`).want(201)
	w.do("PUT", "/Patient?identifier=400", `{"resourceType":"Patient","id":"p400"}`).want(412)
	w.do("PUT", "/Patient?identifier=500", `{"resourceType":"Patient"}`).want(201)

	patch, asPatch := `[{"op":"add","path":"/gender","value":"other"}]`, "Content-Type: application/json-patch+json"
	w.do("PATCH", where, patch, asPatch).want(200)
	w.do("PATCH", "/Patient?identifier=600", patch, asPatch).want(404)
	w.do("PATCH", "/Patient?gender=female", patch, asPatch).want(412)

	w.do("DELETE", "/Patient?gender=female", "").want(412)
	w.do("DELETE", "/Patient", "").want(400)
	w.do("DELETE", where, "").want(204)
	w.do("DELETE", where, "").want(204)
	w.get("/Patient/" + id).want(410)
}

func TestPreferSaysWhatAWriteShows(t *testing.T) {
	w := newWorld(t)
	body := `{"resourceType":"Basic"}`
	if a := w.do("POST", "/Basic", body, "Prefer: return=minimal").want(201); a.raw != "" {
		t.Errorf("got %s", a.raw)
	}
	if a := w.do("POST", "/Basic", body, "Prefer: return=OperationOutcome").want(201); a.text("resourceType") != "OperationOutcome" {
		t.Errorf("got %s", a.raw)
	}
	if a := w.do("POST", "/Basic", body, "Prefer: return=representation").want(201); a.text("resourceType") != "Basic" {
		t.Errorf("got %s", a.raw)
	}
}

func TestUnknownAddressesAreRefused(t *testing.T) {
	w := newWorld(t)
	for address, status := range map[string]int{
		"/": 405, "/Sweet/x": 404, "/Patient/nobody": 404, "/Patient/$sweet": 404, "/Patient/rosa/_history/9": 404,
		"/Patient/rosa/Observation/pain": 404, "/metadata/x": 404, "/Patient/_sweet": 405, "http://fhir.test/other": 404,
		"http://fhir.test/fhirsweet/Patient": 404, "/bulk": 404,
	} {
		w.get(address).want(status)
	}
	w.do("PUT", "/metadata", "{}").want(405)
	w.do("POST", "/Patient/rosa", "{}").want(405)
	w.do("DELETE", "/_history", "").want(405)
	if a := w.do(http.MethodHead, "/Patient/rosa", ""); a.status != 200 || a.header.Get("ETag") == "" {
		t.Errorf("HEAD: %d", a.status)
	}
}

// The statement lists what is there: the same tables answer searches.
func TestCapabilityStatement(t *testing.T) {
	w := newWorld(t)
	a := w.get("/metadata").want(200)
	if a.text("fhirVersion") != "4.0.1" || a.text("implementation", "url") != base {
		t.Errorf("got %.300s", a.raw)
	}
	listed, _ := a.at("rest", 0, "resource").([]any)
	if len(listed) < 140 {
		t.Errorf("%d types", len(listed))
	}
	for i := range listed {
		if a.text("rest", 0, "resource", i, "type") != "Observation" {
			continue
		}
		entry := func(member string) string { return strings.Join(flat(a.at("rest", 0, "resource", i, member)), " ") }
		for member, want := range map[string]string{
			"searchParam": "category token", "searchInclude": "Observation:patient",
			"searchRevInclude": "Provenance:target", "interaction": "vread",
			// SMART US-22: kits look for the US Core profiles in it.
			"supportedProfile": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab",
		} {
			if !strings.Contains(entry(member), want) {
				t.Errorf("%s does not list %s: %s", member, want, entry(member))
			}
		}
	}
}

// flat lists every string below a decoded JSON value; members by name order.
func flat(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			out = append(out, flat(item)...)
		}
	case map[string]any:
		for _, key := range []string{"name", "type", "code"} {
			out = append(out, flat(v[key])...)
		}
	}
	return out
}
