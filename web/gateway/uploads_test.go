package gateway_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// SA-16: a record in another form is refused wherever it hides.
func TestUploadsOfWholeRecords(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.cruds", self("rosa"))
	w.system("all", "system/*.cruds")
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const cda = `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget/></ClinicalDocument>`
	document := func(attachment, more string) string {
		return `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/rosa"},"content":[{"attachment":{` + attachment + `}` + more + `}]}`
	}
	communication := func(attachment string) string {
		return `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/rosa"},"payload":[{"contentAttachment":{` + attachment + `}}]}`
	}
	refused := map[string]string{
		"CDA by its type":       document(`"contentType":"application/cda+xml","data":"`+b64("x")+`"`, ""),
		"CDA with a parameter":  document(`"contentType":"application/HL7-CDA+XML; charset=utf-8","url":"https://x.example/a"`, ""),
		"CDA as plain XML":      document(`"contentType":"text/xml","data":"`+b64(cda)+`"`, ""),
		"CDA called a picture":  document(`"contentType":"image/png","data":"`+b64("\xef\xbb\xbf\n "+cda)+`"`, ""),
		"HL7 v2 by its type":    communication(`"contentType":"x-application/hl7-v2+er7","data":"` + b64("x") + `"`),
		"HL7 v2 as text":        communication(`"contentType":"text/plain","data":"` + b64("MSH|^~\\&|LAB|\rPID|1||ines") + `"`),
		"MLLP-framed":           communication(`"contentType":"text/plain","data":"` + b64("\x0bMSH|^~\\&|LAB|\rPID|1||ines") + `"`),
		"FHIR as an attachment": communication(`"contentType":"application/json","data":"` + b64(`{"resourceType":"Bundle","entry":[]}`) + `"`),
		"by its format":         document(`"contentType":"text/xml","url":"https://x.example/a"`, `,"format":{"system":"urn:oid:1.3.6.1.4.1.19376.1.2.3","code":"urn:hl7-org:sdwg:ccda-structuredBody:2.1"}`),
		"inside what it holds":  `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/rosa"},"contained":[` + document(`"contentType":"text/hl7v2","url":"https://x.example/a"`, "") + `]}`,
	}
	for name, body := range refused {
		typ := body[len(`{"resourceType":"`):]
		typ = typ[:strings.Index(typ, `"`)]
		if r := w.do("rosa", "POST", "/"+typ, body); r.status != 422 || r.code() != "record-in-document" {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	if code := w.do("all", "POST", "/Binary", `{"resourceType":"Binary","contentType":"application/xml","data":"`+b64(cda)+`"}`).want(422).code(); code != "record-in-document" {
		t.Error(code)
	}
	for name, body := range map[string]string{
		"a picture":        communication(`"contentType":"image/png","data":"` + b64("\x89PNG") + `"`),
		"a PDF":            document(`"contentType":"application/pdf","data":"`+b64("%PDF-1.7")+`"`, ""),
		"text about MSH":   communication(`"contentType":"text/plain","data":"` + b64("The MSH| segment of HL7") + `"`),
		"XML of its own":   document(`"contentType":"text/xml","data":"`+b64("<svg/>")+`"`, ""),
		"JSON of its own":  document(`"contentType":"application/json","data":"`+b64(`{"a":1}`)+`"`, ""),
		"no data":          document(`"contentType":"text/plain","url":"https://x.example/a"`, ""),
		"a payload string": `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/rosa"},"payload":[{"contentString":"MSH|"}]}`,
	} {
		typ := body[len(`{"resourceType":"`):]
		typ = typ[:strings.Index(typ, `"`)]
		if r := w.do("rosa", "POST", "/"+typ, body); r.status != 201 {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	w.modes(map[string]string{"upload": "audit"})
	w.do("rosa", "POST", "/DocumentReference", refused["CDA by its type"]).want(201)
	if got := w.log.last().Detail["would_deny"]; got != "upload:record-in-document" {
		t.Error(got)
	}
}

// SA-16: a narrative is not to carry a book.
func TestNarrativeSize(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.cruds", self("rosa"))
	of := func(n int) string {
		return `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/rosa"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">` + strings.Repeat("a", n) + `</div>"}}`
	}
	if code := w.do("rosa", "POST", "/Communication", of(256<<10)).want(422).code(); code != "narrative-too-large" {
		t.Error(code)
	}
	w.do("rosa", "POST", "/Communication", of(255<<10)).want(201)
}
