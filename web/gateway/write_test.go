package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
)

const patchType = "Content-Type: application/json-patch+json"

// newObservation is a body without an id.
func newObservation(patient, category string) string {
	return strings.Replace(observation("x", patient, category, ""), `"id":"x",`, "", 1)
}

// SMART M-01…M-04, M-12: each letter by itself, bodies only to readers.
func TestWrites(t *testing.T) {
	w := newWorld(t)
	w.token("c", "patient/Observation.c", self("rosa"))
	w.token("all", "patient/Observation.cruds", self("rosa"))
	r := w.do("c", "POST", "/Observation", newObservation("rosa", "laboratory")).want(201)
	if r.raw != "" || !strings.HasPrefix(r.header.Get("Location"), base+"/Observation/") || r.header.Get("ETag") != `W/"1"` {
		t.Errorf("%v %s", r.header, r.raw)
	}
	if e := w.log.last(); e.Kind != audit.FHIRWrite || e.Action != "C" || e.Patient != "rosa" || e.Resource.ID == "" {
		t.Errorf("%+v", e)
	}
	r = w.do("all", "POST", "/Observation", newObservation("rosa", "laboratory")).want(201)
	path := "/Observation/" + r.body["id"].(string)
	w.do("c", "PUT", path, observation(path[len("/Observation/"):], "rosa", "laboratory", "")).want(403)
	w.do("c", "DELETE", path, "").want(403)
	r = w.do("all", "PUT", path, observation(path[len("/Observation/"):], "rosa", "vital-signs", ""), `If-Match: W/"1"`).want(200)
	if r.header.Get("ETag") != `W/"2"` {
		t.Error(r.header)
	}
	stale := w.do("all", "PUT", path, observation(path[len("/Observation/"):], "rosa", "vital-signs", ""), `If-Match: W/"1"`).want(412)
	if stale.code() != "version-changed" {
		t.Error(stale.raw)
	}
	r = w.do("all", "PATCH", path, `[{"op":"test","path":"/status","value":"final"},{"op":"replace","path":"/status","value":"amended"}]`, patchType).want(200)
	if r.body["status"] != "amended" || r.header.Get("ETag") != `W/"3"` {
		t.Error(r.raw)
	}
	w.do("all", "PATCH", path, `[{"op":"test","path":"/status","value":"final"}]`, patchType).want(422)
	if r := w.do("all", "PUT", path, observation(path[len("/Observation/"):], "rosa", "survey", ""), "Prefer: return=minimal").want(200); r.raw != "" {
		t.Error(r.raw)
	}
	w.do("all", "DELETE", path, "").want(204)
	w.get("all", path).want(404)
	w.do("all", "DELETE", path, "").want(404)
}

// Malformed FHIR: 400 naming the element.
func TestMalformedBodies(t *testing.T) {
	w := newWorld(t)
	w.token("all", "patient/*.cruds", self("rosa"))
	r := w.do("all", "POST", "/Observation", `{"resourceType":"Observation","status":"nonsense","code":{"text":"x"},"subject":{"reference":"Patient/rosa"}}`).want(400)
	if !strings.Contains(r.raw, "Observation.status") {
		t.Error(r.raw)
	}
	w.do("all", "POST", "/Observation", `{"resourceType":"Observation","resourceType":"Patient"}`).want(400)
	w.do("all", "POST", "/Observation", `{"resourceType":"Condition"}`).want(400)
	w.do("all", "POST", "/Observation", `<Observation/>`, "Content-Type: application/fhir+xml").want(415)
	w.do("all", "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?name=x"}}`).want(422)
	if len(*w.asked) != 0 {
		t.Error(*w.asked)
	}
}

// TestWriteTraps is the corpus of leaks by writing. SMART TRP-08, TRP-09,
// TRP-10, TRP-23, TRP-25; GW-13, GW-24, SCP-12.
func TestWriteTraps(t *testing.T) {
	w := newWorld(t)
	w.token("lab", "patient/Observation.cud?category="+obsCategory+"|laboratory patient/Patient.cud patient/Organization.cud patient/Practitioner.cud patient/Binary.cud patient/Group.cud patient/Provenance.c", self("rosa"))
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"create for B", "POST", "/Observation", newObservation("ines", "laboratory"), 403},
		{"create outside the filter", "POST", "/Observation", newObservation("rosa", "vital-signs"), 403},
		{"create for a foreign A", "POST", "/Observation", strings.Replace(newObservation("rosa", "laboratory"), "Patient/rosa", "https://other.example/fhir/Patient/rosa", 1), 403},
		{"create without subject", "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"category":[{"coding":[{"system":"` + obsCategory + `","code":"laboratory"}]}]}`, 403},
		{"create for our own A", "POST", "/Observation", strings.Replace(newObservation("rosa", "laboratory"), "Patient/rosa", base+"/Patient/rosa", 1), 201},
		{"update of B's", "PUT", "/Observation/ines-lab", observation("ines-lab", "rosa", "laboratory", ""), 404},
		{"update of a hidden one", "PUT", "/Observation/hiv", observation("hiv", "rosa", "laboratory", ""), 404},
		{"update of an absent one", "PUT", "/Observation/none", observation("none", "rosa", "laboratory", ""), 404},
		{"move to B", "PUT", "/Observation/lab", observation("lab", "ines", "laboratory", ""), 403},
		{"move out of the filter", "PUT", "/Observation/lab", observation("lab", "rosa", "vital-signs", ""), 403},
		{"move into the filter", "PUT", "/Observation/vital", observation("vital", "rosa", "laboratory", ""), 404},
		{"patch to B", "PATCH", "/Observation/lab", `[{"op":"replace","path":"/subject/reference","value":"Patient/ines"}]`, 403},
		{"patch of B's", "PATCH", "/Observation/ines-lab", `[{"op":"replace","path":"/subject/reference","value":"Patient/rosa"}]`, 404},
		{"patch of the id", "PATCH", "/Observation/lab", `[{"op":"replace","path":"/id","value":"ines-lab"}]`, 422},
		{"delete of B's", "DELETE", "/Observation/ines-lab", "", 404},
		{"a second patient", "PUT", "/Patient/new", `{"resourceType":"Patient","id":"new"}`, 404},
		{"a new patient", "POST", "/Patient", `{"resourceType":"Patient"}`, 403},
		{"B herself", "PUT", "/Patient/ines", `{"resourceType":"Patient","id":"ines"}`, 404},
		{"the organisation", "PUT", "/Organization/lakeside", `{"resourceType":"Organization","id":"lakeside","name":"Mine"}`, 404},
		{"a practitioner", "POST", "/Practitioner", `{"resourceType":"Practitioner"}`, 403},
		{"a group", "POST", "/Group", `{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/rosa"}},{"entity":{"reference":"Patient/ines"}}]}`, 403},
		{"a loose binary", "POST", "/Binary", `{"resourceType":"Binary","contentType":"text/plain","data":"aGVsbG8="}`, 403},
		{"provenance of B's", "POST", "/Provenance", `{"resourceType":"Provenance","target":[{"reference":"Observation/ines-lab"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Patient/rosa"}}]}`, 403},
	} {
		r := w.do("lab", c.method, c.path, c.body, contentType(c.method))
		if r.status != c.status || strings.Contains(r.raw, canary) {
			t.Errorf("%s: %d %s", c.name, r.status, r.raw)
		}
	}
	for _, sent := range *w.asked {
		if !strings.HasPrefix(sent, "GET ") && sent != "POST /r4/Observation" {
			t.Errorf("a refused write went upstream: %s", sent)
		}
	}
}

// SMART TRP-28: one bundle cannot make the gateway hold any amount of answers: those
// of a batch leave one by one, and a transaction, which reads before it writes, is
// refused as a whole.
func TestABundleOfLargeAnswersIsBounded(t *testing.T) {
	w := newWorld(t)
	w.token("app", "patient/Observation.cruds", self("rosa"))
	large := strings.Replace(newObservation("rosa", "laboratory"), `"status"`, `"id":"large","note":[{"text":"`+strings.Repeat("x", 3<<19)+`"}],"status"`, 1)
	w.upstream("PUT", "/Observation/large", large)
	entries := strings.Repeat(`{"request":{"method":"GET","url":"Observation/large"}},`, 30)
	write := `{"resource":` + newObservation("rosa", "laboratory") + `,"request":{"method":"POST","url":"Observation"}}`
	r := w.do("app", "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[`+strings.TrimSuffix(entries, ",")+`]}`).want(200)
	if full := strings.Count(r.raw, `"200 OK"`); full != 30 {
		t.Errorf("%d entries were answered in %d bytes", full, len(r.raw))
	}
	if r := w.do("app", "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[`+entries+write+`]}`).want(413); r.code() != "answer-too-large" {
		t.Error(r.raw)
	}
	for _, sent := range *w.asked {
		if strings.HasPrefix(sent, "POST") {
			t.Errorf("a refused entry went upstream: %s", sent)
		}
	}
}

// SMART TRP-14: a Binary is read by way of its document, so a document that an
// app writes must not claim one that the app could not read before, however it
// is named. Absent, orphaned and foreign ones are refused alike.
func TestNoDocumentClaimsABinary(t *testing.T) {
	w := newWorld(t)
	w.token("app", "patient/DocumentReference.cruds patient/DiagnosticReport.cruds", self("rosa"))
	w.token("blind", "patient/DocumentReference.u", self("rosa"))
	document := func(id, binary string) string {
		return `{"resourceType":"DocumentReference",` + id + `"status":"current","subject":{"reference":"Patient/rosa"},"content":[{"attachment":{"url":"` + binary + `"}}]}`
	}
	refusal := ""
	for _, binary := range []string{"ines-pdf", "orphan", "none"} {
		for _, r := range []reply{
			w.do("app", "POST", "/DocumentReference", document("", "Binary/"+binary)),
			w.do("app", "POST", "/DocumentReference", document("", base+"/Binary/"+binary)),
			w.do("app", "POST", "/DocumentReference", document("", w.deps.Upstream.Base()+"/Binary/"+binary)),
			w.do("app", "PUT", "/DocumentReference/rosa-doc", document(`"id":"rosa-doc",`, "Binary/"+binary)),
			w.do("app", "PATCH", "/DocumentReference/rosa-doc", `[{"op":"replace","path":"/content/0/attachment/url","value":"Binary/`+binary+`"}]`, patchType),
			w.do("app", "POST", "/DiagnosticReport", `{"resourceType":"DiagnosticReport","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/rosa"},"presentedForm":[{"url":"Binary/`+binary+`"}]}`),
		} {
			if r.want(403); refusal == "" {
				refusal = r.raw
			}
			if r.raw != refusal {
				t.Errorf("%s: %s, want %s", binary, r.raw, refusal)
			}
		}
		w.get("app", "/Binary/"+binary).want(404)
	}
	w.do("app", "POST", "/DocumentReference", document("", "Binary/rosa-pdf")).want(201)
	w.do("blind", "PUT", "/DocumentReference/rosa-doc", document(`"id":"rosa-doc",`, "Binary/rosa-pdf")).want(200)
}

func contentType(method string) string {
	if method == "PATCH" {
		return patchType
	}
	return "Content-Type: application/fhir+json"
}

// SMART TRP-21: labels that were not shown survive writing back, and a patch
// cannot ask for them.
func TestHiddenLabelsSurvive(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.ru", self("rosa"), "HIV")
	shown := w.get("rosa", "/Observation/hiv").want(200)
	w.do("rosa", "PUT", "/Observation/hiv", shown.raw).want(200)
	w.do("rosa", "PATCH", "/Observation/hiv", `[{"op":"test","path":"/meta/security/1/code","value":"HIV"}]`, patchType).want(422)
	w.do("rosa", "PATCH", "/Observation/hiv", `[{"op":"remove","path":"/meta/security"}]`, patchType).want(200)
	w.token("other", "patient/Observation.r", self("rosa"))
	w.get("other", "/Observation/hiv").want(404)
}

// SMART M-08…M-10, GW-12: a condition is a search, and what is hidden does
// not exist for it.
func TestConditionalWrites(t *testing.T) {
	w := newWorld(t)
	w.token("c", "patient/Observation.c", self("rosa"))
	w.token("all", "patient/Observation.cruds", self("rosa"))
	body := newObservation("rosa", "survey")
	w.do("c", "POST", "/Observation", body, "If-None-Exist: category=laboratory").want(403)
	w.do("all", "POST", "/Observation", body, "If-None-Exist: patient.name=x").want(403)
	w.do("all", "POST", "/Observation", body, "If-None-Exist: category=laboratory").want(412)
	if r := w.do("all", "POST", "/Observation", body, "If-None-Exist: _id=lab").want(200); r.body["id"] != "lab" {
		t.Error(r.raw)
	}
	for _, hidden := range []string{"ines-lab", "hiv", "none"} {
		w.do("all", "POST", "/Observation", body, "If-None-Exist: _id="+hidden).want(201)
		w.do("all", "DELETE", "/Observation?_id="+hidden, "").want(404)
		w.do("all", "PATCH", "/Observation?_id="+hidden, `[{"op":"remove","path":"/category"}]`, patchType).want(404)
	}
	w.do("all", "PUT", "/Observation?_id=hiv", body).want(201)
	w.do("all", "PUT", "/Observation?category=laboratory", body).want(412)
	w.do("all", "PUT", "/Observation?_id=vital", observation("other", "rosa", "survey", "")).want(400)
	if r := w.do("all", "PUT", "/Observation?_id=vital", body).want(200); r.body["id"] != "vital" {
		t.Error(r.raw)
	}
	if r := w.do("all", "PATCH", "/Observation?_id=vital", `[{"op":"replace","path":"/status","value":"amended"}]`, patchType).want(200); r.body["status"] != "amended" {
		t.Error(r.raw)
	}
	w.do("all", "DELETE", "/Observation?_id=vital", "").want(204)
}

// SMART TRP-27: the upstream's words about a conflict are not passed on, and
// what changes between judging and writing is refused.
func TestChangedBetweenJudgingAndWriting(t *testing.T) {
	w := newWorld(t)
	w.token("all", "patient/Observation.cruds", self("rosa"))
	w.meanwhile(func(r *http.Request) {
		if r.Method == "PUT" {
			w.meanwhile(nil)
			w.upstream("PUT", "/Observation/lab", observation("lab", "ines", "laboratory", ""))
		}
	})
	r := w.do("all", "PUT", "/Observation/lab", observation("lab", "rosa", "survey", "")).want(412)
	if r.code() != "version-changed" || strings.Contains(r.raw, "W/") {
		t.Error(r.raw)
	}
}

// GW-11, SMART M-13, M-14.
func TestBundles(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.cruds patient/Patient.r", self("rosa"))
	entry := func(method, url, resource string) string {
		if resource != "" {
			resource = `"resource":` + resource + `,`
		}
		return `{` + resource + `"request":{"method":"` + method + `","url":"` + url + `"}}`
	}
	bundle := func(kind string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	statuses := func(r reply) (out []string) {
		for _, e := range r.body["entry"].([]any) {
			out = append(out, e.(map[string]any)["response"].(map[string]any)["status"].(string)[:3])
		}
		return out
	}
	r := w.do("rosa", "POST", "", bundle("batch",
		entry("GET", "Observation/lab", ""), entry("GET", "Observation/ines-lab", ""), entry("GET", "Condition/cancer", ""),
		entry("GET", "Observation?category=laboratory", ""), entry("POST", "Observation", newObservation("ines", "survey")),
		entry("POST", "Observation", newObservation("rosa", "survey")), entry("DELETE", "Observation/vital", ""))).want(200)
	if got := strings.Join(statuses(r), " "); got != "200 404 403 200 403 201 204" || strings.Contains(r.raw, canary) {
		t.Errorf("%s: %s", got, r.raw)
	}
	before := len(*w.asked)
	for name, bad := range map[string]string{
		"another's":     bundle("transaction", entry("POST", "Observation", newObservation("rosa", "survey")), entry("POST", "Observation", newObservation("ines", "survey"))),
		"hidden read":   bundle("transaction", entry("POST", "Observation", newObservation("rosa", "survey")), entry("GET", "Observation/ines-lab", "")),
		"no scope":      bundle("transaction", entry("POST", "Observation", newObservation("rosa", "survey")), entry("POST", "Condition", `{"resourceType":"Condition","subject":{"reference":"Patient/rosa"}}`)),
		"twice":         bundle("transaction", entry("PUT", "Observation/lab", observation("lab", "rosa", "survey", "")), entry("DELETE", "Observation/lab", "")),
		"a condition":   bundle("transaction", entry("POST", "Observation", strings.Replace(newObservation("rosa", "survey"), "Patient/rosa", "Patient?name=alvarez", 1))),
		"absolute":      bundle("transaction", entry("GET", "https://other.example/fhir/Observation/lab", "")),
		"owned":         bundle("transaction", entry("POST", "Consent", `{"resourceType":"Consent"}`)),
		"an operation":  bundle("transaction", entry("GET", "Patient/rosa/$everything", "")),
		"unknown types": bundle("history"),
	} {
		if r := w.do("rosa", "POST", "", bad); r.status < 400 || r.status > 422 || strings.Contains(r.raw, canary) {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	for _, sent := range (*w.asked)[before:] {
		if strings.HasPrefix(sent, "POST") {
			t.Errorf("a refused transaction went upstream: %s", sent)
		}
	}
	r = w.do("rosa", "POST", "", bundle("transaction",
		entry("POST", "Observation", newObservation("rosa", "survey")), entry("PUT", "Observation/lab", observation("lab", "rosa", "survey", "")),
		entry("DELETE", "Observation?_id=lab2", ""), entry("GET", "Observation/lab", ""))).want(200)
	if got := strings.Join(statuses(r), " "); got != "201 200 204 200" || !strings.Contains(r.raw, `"transaction-response"`) {
		t.Errorf("%s: %s", got, r.raw)
	}
	w.get("rosa", "/Observation/lab2").want(404)
}

// GW-22: a proxy writes in its own name, what its consent lets it write.
// CPA FX-03.
func TestProxyWrites(t *testing.T) {
	w := newWorld(t)
	message := `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/rosa"},"sender":{"reference":"Practitioner/chen"},"payload":[{"contentString":"hello"}]}`
	w.asDaughter("patient/Communication.crs patient/Observation.c")
	w.do("elena", "POST", "/Communication", message).want(403)
	w.consents(strings.Replace(example(t, "e1.json"), `"code": "schedule"`, `"code": "message"`, 1))
	w.do("elena", "POST", "/Observation", newObservation("rosa", "survey")).want(403)
	all := strings.Replace(strings.Replace(example(t, "e1.json"), `"code": "schedule"`, `"code": "message"`, 1), `"code": "Slot"`, `"code": "Communication"`, 1)
	w.consents(all)
	r := w.do("elena", "POST", "/Communication", message).want(201)
	created := w.get("elena", strings.TrimPrefix(r.header.Get("Location"), base))
	if !strings.Contains(created.raw, `"sender":{"reference":"RelatedPerson/rosa-elena"}`) {
		t.Error(created.status, created.raw)
	}
}

// A client that acts for itself may create under an id of its own (M-11).
func TestSystemCreatesByUpdate(t *testing.T) {
	w := newWorld(t)
	w.system("backend", "system/Observation.cruds")
	r := w.do("backend", "PUT", "/Observation/mine", observation("mine", "ines", "survey", "")).want(201)
	if r.header.Get("Location") != base+"/Observation/mine/_history/1" {
		t.Error(r.header)
	}
	if e := w.log.last(); e.Patient != "ines" || e.PersonID != "" || e.ClientID != "backend-backend" {
		t.Errorf("%+v", e)
	}
}

// SMART M-13: a transaction that was done is never told as refused: what cannot be
// read any more says so for itself.
func TestATransactionThatTakesAwayWhatItReads(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.cruds", self("rosa"))
	r := w.do("rosa", "POST", "/", `{"resourceType":"Bundle","type":"transaction","entry":[
		{"request":{"method":"DELETE","url":"Observation/lab"}},{"request":{"method":"GET","url":"Observation/lab"}}]}`).want(200)
	if !strings.Contains(r.raw, `"status":"204 No Content"`) || !strings.Contains(r.raw, `"status":"404 Not Found"`) {
		t.Errorf("%s", r.raw)
	}
	w.do("rosa", "POST", "/", `{"resourceType":"Bundle","type":"transaction","entry":[
		{"request":{"method":"DELETE","url":"Observation/lab2"}},{"request":{"method":"GET","url":"Observation/ines-lab"}}]}`).want(404)
	w.get("rosa", "/Observation/lab2").want(200)
}
