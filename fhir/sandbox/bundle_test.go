package sandbox_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func bundleOf(kind string, entries ...string) string {
	return fmt.Sprintf(`{"resourceType":"Bundle","type":%q,"entry":[%s]}`, kind, strings.Join(entries, ","))
}

// statuses lists Bundle.entry.response.status.
func (a answer) statuses() []string {
	var out []string
	entries, _ := a.body["entry"].([]any)
	for i := range entries {
		out = append(out, a.text("entry", i, "response", "status"))
	}
	return out
}

func TestBatchAnswersEntryByEntry(t *testing.T) {
	w := newWorld(t)
	patch := base64.StdEncoding.EncodeToString([]byte(`[{"op":"replace","path":"/gender","value":"other"}]`))
	a := w.do("POST", "/", bundleOf("batch",
		`{"request":{"method":"GET","url":"Patient/rosa"}}`,
		`{"request":{"method":"GET","url":"`+base+`/Observation?code=72514-3"}}`,
		`{"request":{"method":"GET","url":"Patient/nobody"}}`,
		`{"request":{"method":"GET","url":"Patient/rosa","ifNoneMatch":"W/\"1\""}}`,
		`{"request":{"method":"PUT","url":"Basic/b"},"resource":{"resourceType":"Basic","id":"b"}}`,
		`{"request":{"method":"PATCH","url":"Patient/ines"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"`+patch+`"}}`,
		`{"request":{"method":"DELETE","url":"Basic/b","ifMatch":"W/\"9\""}}`,
		`{"request":{"method":"DELETE","url":"Basic/b"}}`,
		`{"request":{"method":"GET","url":"Sweet/x"}}`,
		`{"request":{"method":"POST","url":"Basic"}}`,
		`{}`,
	)).want(200)
	want := []string{"200", "200", "404", "304", "201", "200", "412", "204", "404", "400", "400"}
	if got := a.statuses(); !slices.Equal(got, want) || a.text("type") != "batch-response" {
		t.Fatalf("got %v", got)
	}
	if a.text("entry", 0, "resource", "id") != "rosa" || a.at("entry", 1, "resource", "total") != 1.0 {
		t.Errorf("reads show nothing: %s", a.raw)
	}
	if a.text("entry", 2, "response", "outcome", "resourceType") != "OperationOutcome" {
		t.Errorf("a failure without outcome: %s", a.raw)
	}
	if a.text("entry", 4, "response", "location") != base+"/Basic/b/_history/1" || a.text("entry", 4, "fullUrl") != base+"/Basic/b" {
		t.Errorf("a write without location: %s", a.raw)
	}
	if w.get("/Patient/ines").text("gender") != "other" {
		t.Error("the patch was not applied")
	}
}

func TestTransactionResolvesReferences(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/", bundleOf("transaction",
		`{"fullUrl":"urn:uuid:2","request":{"method":"POST","url":"Observation"},"resource":{"resourceType":"Observation","status":"final",
		  "subject":{"reference":"urn:uuid:1"},"performer":[{"reference":"Practitioner?family=Chen"}],"note":[{"text":"urn:uuid:unrelated"}]}}`,
		`{"fullUrl":"urn:uuid:1","request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=700"},"resource":{"resourceType":"Patient","identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:1"},{"value":"700"}]}}`,
		`{"fullUrl":"urn:uuid:3","request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=100"},"resource":{"resourceType":"Patient"}}`,
		`{"request":{"method":"PUT","url":"Basic/b"},"resource":{"resourceType":"Basic","id":"b","subject":{"reference":"urn:uuid:3"},"author":{"reference":"urn:uuid:1"}}}`,
		`{"request":{"method":"PUT","url":"Patient?identifier=200"},"resource":{"resourceType":"Patient","identifier":[{"value":"200"}],"active":true}}`,
		`{"request":{"method":"DELETE","url":"Observation?code=29463-7"}}`,
		`{"request":{"method":"GET","url":"Observation?_summary=count"}}`,
	), "Prefer: return=representation").want(200)
	if got, want := a.statuses(), []string{"201", "201", "200", "201", "200", "204", "200"}; !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	patient := "Patient/" + a.text("entry", 1, "resource", "id")
	if got := a.text("entry", 0, "resource", "subject", "reference"); got != patient {
		t.Errorf("subject is %s, want %s", got, patient)
	}
	if got := a.text("entry", 1, "resource", "identifier", 0, "value"); got != "urn:uuid:1" {
		t.Errorf("an identifier became %s", got)
	}
	if got := a.text("entry", 0, "resource", "performer", 0, "reference"); got != "Practitioner/chen" {
		t.Errorf("the conditional reference became %s", got)
	}
	if got := a.text("entry", 3, "resource", "subject", "reference"); got != "Patient/rosa" {
		t.Errorf("a reference to an existing resource became %s", got)
	}
	if a.text("entry", 4, "resource", "id") != "ines" {
		t.Errorf("conditional update: %s", a.raw)
	}
	// GET comes last, so it counts the new one and not the deleted one.
	if got := a.at("entry", 6, "resource", "total"); got != 3.0 {
		t.Errorf("GET saw %v", got)
	}
	w.finds("/Observation?subject="+patient, "Observation/"+a.text("entry", 0, "resource", "id"))
}

func TestTransactionIsAllOrNothing(t *testing.T) {
	for name, last := range map[string]string{
		"a failing read":         `{"request":{"method":"GET","url":"Patient/nobody"}}`,
		"a lost version race":    `{"request":{"method":"PUT","url":"Patient/ines","ifMatch":"W/\"9\""},"resource":{"resourceType":"Patient","id":"ines"}}`,
		"an open reference":      `{"request":{"method":"POST","url":"Basic"},"resource":{"resourceType":"Basic","subject":{"reference":"urn:uuid:9"}}}`,
		"an unmatched criterion": `{"request":{"method":"POST","url":"Basic"},"resource":{"resourceType":"Basic","subject":{"reference":"Patient?identifier=999"}}}`,
		"two writes to one":      `{"request":{"method":"DELETE","url":"Patient/rosa"}}`,
		"a wrong type":           `{"request":{"method":"POST","url":"Basic"},"resource":{"resourceType":"Patient"}}`,
		"an unknown type":        `{"request":{"method":"POST","url":"Sweet"},"resource":{"resourceType":"Sweet"}}`,
	} {
		w := newWorld(t)
		before := w.get("/_history?_count=100").want(200).ids()
		w.finds("/Observation?patient=rosa", "Observation/pain", "Observation/hiv")
		a := w.do("POST", "/", bundleOf("transaction",
			`{"request":{"method":"DELETE","url":"Observation/pain"}}`,
			`{"request":{"method":"POST","url":"Basic"},"resource":{"resourceType":"Basic","subject":{"reference":"Patient/rosa"}}}`,
			`{"request":{"method":"PUT","url":"Patient/rosa"},"resource":{"resourceType":"Patient","id":"rosa"}}`,
			last))
		if a.status < 400 || !strings.Contains(a.text("issue", 0, "diagnostics"), "entry 3: ") {
			t.Errorf("%s: status %d: %s", name, a.status, a.raw)
		}
		if after := w.get("/_history?_count=100").want(200).ids(); !slices.Equal(before, after) {
			t.Errorf("%s: the history changed", name)
		}
		w.finds("/Observation?patient=rosa", "Observation/pain", "Observation/hiv")
		w.finds("/Patient?family=alv", "Patient/rosa")
		w.finds("/Basic")
		if got := w.get("/Patient/rosa").want(200).text("meta", "versionId"); got != "1" {
			t.Errorf("%s: Patient/rosa has version %s", name, got)
		}
	}
}

func TestMalformedBundlesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		`{"resourceType":"Patient"}`, `{"resourceType":"Bundle","type":"searchset"}`, `{`,
		bundleOf("transaction", `{}`), bundleOf("transaction", `{"request":{"method":"BREW","url":"Basic"}}`),
		bundleOf("transaction", `{"request":{"method":"POST","url":"Basic"}}`),
		bundleOf("transaction", `{"request":{"method":"GET","url":"Basic?%zz"}}`),
		bundleOf("transaction", `{"request":{"method":"GET","url":"/"}}`),
		bundleOf("transaction", `{"request":{"method":"PUT","url":"Basic?code=1"},"resource":1}`),
		bundleOf("transaction", `{"request":{"method":"POST","url":"Basic"},"resource":[]}`),
		bundleOf("transaction", `{"request":{"method":"PATCH","url":"Patient/rosa"},"resource":{"data":"%"}}`),
	} {
		if a := w.do("POST", "/", body); a.status < 400 || a.status > 499 {
			t.Errorf("%s: %d", body, a.status)
		}
	}
}
