package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/upstream"
)

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The way of one request: token, decision, upstream, filter, audit.
func TestReadAndSearch(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	r := w.get("rosa", "/Observation/lab").want(200)
	if r.body["id"] != "lab" || r.header.Get("ETag") != `W/"1"` || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Last-Modified") == "" {
		t.Errorf("%v %s", r.header, r.raw)
	}
	e := w.log.last()
	if e.Kind != audit.FHIRRead || e.Patient != "rosa" || e.Resource.String() != "Observation/lab" || e.ResourceVersion != "1" || e.GrantID != "grant-rosa" || e.TokenID != "jti-rosa" || e.Count != 1 {
		t.Errorf("%+v", e)
	}
	found := w.get("rosa", "/Observation?category=laboratory").want(200)
	equal(t, found.ids(), []string{"Observation/lab", "Observation/lab2"})
	if found.body["total"] != 2.0 || found.link("self") == "" {
		t.Error(found.raw)
	}
	e = w.log.last()
	if e.Kind != audit.FHIRSearch || e.Query != "category=laboratory" || e.Count != 2 {
		t.Errorf("%+v", e)
	}
	w.do("rosa", "POST", "/Observation/_search", "code=1&_count=1", "Content-Type: application/x-www-form-urlencoded").want(200)
}

// SMART TOK-12, US-13: only the Authorization header counts.
func TestWithoutAGoodToken(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for _, r := range []reply{
		w.get("", "/Patient/rosa"),
		w.get("", "/Patient/rosa?access_token=rosa"),
		w.get("wrong", "/Patient/rosa"),
		w.get("", "/Patient/rosa", "Authorization: Basic cm9zYTo="),
		w.get("", "/Patient/rosa", "Authorization: Bearer rosa x"),
	} {
		r.want(401)
		if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Error(r.header)
		}
	}
	if len(*w.asked) != 0 {
		t.Errorf("the upstream was asked: %v", *w.asked)
	}
}

// GW-14, SMART TRP-03: hidden and absent give the same status, headers and
// body. TRP-01, US-13: an ungranted type is refused before anything is asked.
// CPA TF-21.
func TestHiddenLooksAbsent(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs?category="+obsCategory+"|laboratory patient/Patient.rs patient/Condition.rs", self("rosa"))
	absent := w.get("rosa", "/Observation/no-such-thing").want(404)
	for _, path := range []string{
		"/Observation/ines-lab", "/Observation/ines-by-rosa", "/Observation/hiv", "/Observation/vital",
		"/Patient/ines", "/Condition/foreign", "/Observation/ines-lab/_history", "/Observation/ines-lab/_history/1",
		"/Observation/hiv/_history/1", "/Patient/ines/Observation", "/Patient/nobody/Observation",
	} {
		r := w.get("rosa", path).want(404)
		if r.raw != absent.raw || len(r.header) != len(absent.header) {
			t.Errorf("%s: %s %v", path, r.raw, r.header)
		}
	}
	before := len(*w.asked)
	for _, path := range []string{"/MedicationRequest/mr", "/MedicationRequest/none", "/MedicationRequest", "/Task/task", "/AuditEvent", "/Person?_id=x"} {
		w.get("rosa", path).want(403)
	}
	if len(*w.asked) != before {
		t.Errorf("the upstream was asked: %v", (*w.asked)[before:])
	}
}

// M-06, M-07: letters, and conditions after the decision.
func TestLettersAndConditions(t *testing.T) {
	w := newWorld(t)
	w.token("r", "patient/Observation.r", self("rosa"))
	w.token("s", "patient/Observation.s", self("rosa"))
	w.get("r", "/Observation").want(403)
	w.get("s", "/Observation/lab").want(403)
	equal(t, w.get("s", "/Observation?_id=lab").want(200).ids(), []string{"Observation/lab"})
	w.get("s", "/Observation/lab", `If-None-Match: W/"1"`).want(403)
	w.get("r", "/Observation/hiv", `If-None-Match: W/"1"`).want(404)
	if r := w.get("r", "/Observation/lab", `If-None-Match: W/"1"`).want(304); r.raw != "" {
		t.Error(r.raw)
	}
	if r := w.do("r", "HEAD", "/Observation/lab", "").want(200); r.header.Get("ETag") == "" {
		t.Error(r.header)
	}
}

// SMART TRP-22: what two readers could read differently is refused alike.
func TestPathsWithTwoReadings(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for _, path := range []string{"/%50atient/ines", "//Patient/ines", "/Patient/../Patient/ines", "/Patient%2Fines", "/patient/ines", "/Patient/./ines"} {
		if r := w.get("rosa", path); r.status < 400 || r.status >= 500 || strings.Contains(r.raw, canary) {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	if len(*w.asked) != 0 {
		t.Errorf("the upstream was asked: %v", *w.asked)
	}
}

// GW-01, SMART TRP-11: relabelled later, or earlier: both versions stay
// hidden.
func TestHistoryIsJudgedTwice(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.upstream("PUT", "/Observation/lab", strings.Replace(observation("lab", "rosa", "laboratory", labelHIV), "rosa-note", "SECRET-HIV", 1))
	w.get("rosa", "/Observation/lab/_history/1").want(404)
	w.get("rosa", "/Observation/lab/_history").want(404)
	w.upstream("PUT", "/Observation/lab", observation("lab", "rosa", "laboratory", labelN))
	w.get("rosa", "/Observation/lab/_history/2").want(404)
	w.get("rosa", "/Observation/lab/_history/1").want(200)
	h := w.get("rosa", "/Observation/lab/_history").want(200)
	if len(h.ids()) != 2 || h.body["type"] != "history" || strings.Contains(h.raw, "SECRET-HIV") || h.body["total"] != 2.0 {
		t.Error(h.raw)
	}
	w.get("rosa", "/Observation/_history").want(403)
	w.get("rosa", "/_history").want(403)
}

// GW-09, SMART TRP-14.
func TestBinaryThroughItsDocument(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/DocumentReference.rs", self("rosa"))
	w.token("binary", "patient/Binary.rs", self("rosa"))
	w.token("all", "patient/*.rs", self("rosa"))
	w.get("rosa", "/Binary/rosa-pdf").want(200)
	w.get("all", "/Binary/rosa-pdf").want(200)
	for _, token := range []string{"rosa", "all", "binary"} {
		for _, id := range []string{"ines-pdf", "orphan", "none"} {
			w.get(token, "/Binary/"+id).want(404)
		}
	}
	w.get("binary", "/Binary/rosa-pdf").want(404)
	raw := w.get("rosa", "/Binary/rosa-pdf", "Accept: text/plain").want(200)
	if raw.raw != "hello" || raw.header.Get("Content-Type") != "text/plain" || raw.header.Get("Content-Disposition") != "attachment" || raw.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error(raw.header, raw.raw)
	}
	w.get("rosa", "/Binary/rosa-pdf", "Accept: application/pdf").want(406)
	w.get("rosa", "/Binary/ines-pdf", "Accept: text/plain").want(404)
	w.get("all", "/Bundle/old").want(404)
	w.token("chen", "user/DocumentReference.rs", practitioner())
	w.get("chen", "/Binary/ines-pdf").want(200)
	w.get("chen", "/Binary/orphan").want(404)
}

// An outage during one entry of a batch must not make the Binaries of the
// later entries look absent.
func TestBinaryAfterAnOutageInABatch(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/DocumentReference.rs", self("rosa"))
	binaries := 0
	w.meanwhile(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Binary/rosa-pdf") {
			binaries++
		}
		if binaries < 2 && strings.HasSuffix(r.URL.Path, "/DocumentReference") {
			panic(http.ErrAbortHandler)
		}
	})
	get := `{"request":{"method":"GET","url":"Binary/rosa-pdf"}}`
	r := w.do("rosa", "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[`+get+`,`+get+`]}`).want(200)
	var b struct {
		Entry []struct{ Response struct{ Status string } }
	}
	if err := json.Unmarshal([]byte(r.raw), &b); err != nil || len(b.Entry) != 2 {
		t.Fatal(err, r.raw)
	}
	if first, second := b.Entry[0].Response.Status, b.Entry[1].Response.Status; !strings.HasPrefix(first, "502") || !strings.HasPrefix(second, "200") {
		t.Errorf("%s, then %s", first, second)
	}
}

// GW-18: topic labels are removed for everybody but a system client, all of
// them for a proxy.
// CPA TR-39.
func TestLabelsAreStripped(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"), "HIV")
	w.system("backend", "system/Observation.rs")
	w.asDaughter("patient/MedicationRequest.rs")
	r := w.get("rosa", "/Observation/hiv").want(200)
	if strings.Contains(r.raw, `"HIV"`) || !strings.Contains(r.raw, `"code":"R"`) {
		t.Error(r.raw)
	}
	if r := w.get("backend", "/Observation/hiv").want(200); !strings.Contains(r.raw, `"HIV"`) {
		t.Error(r.raw)
	}
	if r := w.get("elena", "/MedicationRequest/mr").want(200); strings.Contains(r.raw, "security") {
		t.Error(r.raw)
	}
}

// Audit first: without a durable event nothing leaves (D8).
func TestNoEventNoAnswer(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.log.down = true
	r := w.get("rosa", "/Observation/lab").want(503)
	if strings.Contains(r.raw, "rosa-note") {
		t.Error(r.raw)
	}
}

// The upstream down is a 502 without its words, and passes by itself.
func TestUpstreamDown(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.meanwhile(func(*http.Request) { panic(http.ErrAbortHandler) })
	r := w.get("rosa", "/Observation/lab").want(502)
	if r.code() != "upstream-unreachable" {
		t.Error(r.raw)
	}
	w.meanwhile(nil)
	w.get("rosa", "/Observation/lab").want(200)
}

// An answer that is no resource at all must not tell an app that the patient has
// no such record: 502, not 404.
func TestUpstreamTalksNonsense(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	text := ""
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, text) }))
	defer up.Close()
	var err error
	if w.deps.Upstream, err = upstream.New(upstream.Config{Base: up.URL}); err != nil {
		t.Fatal(err)
	}
	w.rebuild()
	for _, text = range []string{"", "<html>" + canary, `{"resourceType":"Observation","id":"lab"`, "null", "[]", `"x"`} {
		for _, path := range []string{"/Observation/lab", "/Observation/lab/_history/1", "/Observation/lab/_history", "/Observation"} {
			if r := w.get("rosa", path).want(502); r.code() != "upstream-malformed" || strings.Contains(r.raw, canary) {
				t.Errorf("%q %s: %s", text, path, r.raw)
			}
		}
	}
}

// GW-26: a consent that ends while the answer is fetched counts.
// CPA TR-53.
func TestRevokedWhileFetching(t *testing.T) {
	w := newWorld(t)
	w.asDaughter("patient/MedicationRequest.rs")
	w.get("elena", "/MedicationRequest/mr").want(200)
	ends := func(*http.Request) { w.meanwhile(nil); w.consents() }
	w.meanwhile(ends)
	w.get("elena", "/MedicationRequest/mr").want(403)
	w.asDaughter("patient/MedicationRequest.rs")
	w.meanwhile(ends)
	w.get("elena", "/MedicationRequest").want(403)
	w.get("elena", "/MedicationRequest").want(403)
	w.asDaughter("patient/MedicationRequest.rs")
	w.meanwhile(func(*http.Request) { delete(w.verifier, "elena") })
	w.get("elena", "/MedicationRequest").want(401)
}

// EV-01, SC-10: without a relation in force a proxy gets nothing, and is not
// told why.
// CPA TR-31, TR-54.
func TestProxyGates(t *testing.T) {
	w := newWorld(t)
	w.asDaughter("patient/MedicationRequest.rs")
	equal(t, w.get("elena", "/MedicationRequest").want(200).ids(), []string{"MedicationRequest/mr"})
	if e := w.log.last(); !slices.Equal(e.Consents, []string{"Consent/e1-daughter-meds-appts/_history/1", "Consent/approval/_history/1"}) || e.Capacity.Acting.ID != "rosa-elena" {
		t.Errorf("%+v", e)
	}
	approved := w.loader.policy
	w.consents()
	if r := w.get("elena", "/MedicationRequest").want(403); strings.Contains(strings.ToLower(r.raw), "consent") {
		t.Errorf("a relation alone: %s", r.raw)
	}
	w.loader.policy = approved
	delete(w.loader.relations, "rosa-elena")
	if r := w.get("elena", "/MedicationRequest").want(403); r.code() != "not-permitted-now" {
		t.Error(r.raw)
	}
}
