package gateway_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
)

// SC-04, RP-10, OID-12: a proxy sees its own RelatedPerson and no other, and
// no Consent.
// CPA TR-14; FX-36.
func TestProxySeesOnlyItself(t *testing.T) {
	w := newWorld(t)
	w.store.relate(t, "rosa-elena", "Elena")
	w.store.relate(t, "rosa-victor", "Victor")
	w.store.consent(t, example(t, "e1.json"))
	w.asDaughter("openid fhirUser patient/MedicationRequest.rs")
	r := w.get("elena", "/RelatedPerson/rosa-elena").want(200)
	if !strings.Contains(r.raw, "Elena") {
		t.Error(r.raw)
	}
	other, none := w.get("elena", "/RelatedPerson/rosa-victor").want(403), w.get("elena", "/RelatedPerson/none").want(403)
	if other.raw != none.raw {
		t.Error("existence shows")
	}
	for _, path := range []string{"/RelatedPerson", "/RelatedPerson?_id=rosa-elena", "/Consent", "/Consent/e1-daughter-meds-appts", "/Patient/rosa/Consent"} {
		w.get("elena", path).want(403)
	}
	w.asDaughter("patient/MedicationRequest.rs")
	w.get("elena", "/RelatedPerson/rosa-elena").want(403)
}

// SMART US-26: what the upstream says about where a RelatedPerson comes from is
// found beside it, with the scope for it and for nobody else's.
func TestProvenanceOfRelatedPersons(t *testing.T) {
	w := newWorld(t)
	w.store.relate(t, "rosa-elena", "Elena")
	made := func(id, targets string) {
		w.upstream("PUT", "/Provenance/"+id, `{"resourceType":"Provenance","id":"`+id+`","target":[`+targets+`],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Practitioner/chen"}}]}`)
	}
	made("of-elena", `{"reference":"RelatedPerson/rosa-elena"}`)
	made("of-two", `{"reference":"RelatedPerson/rosa-elena"},{"reference":"Observation/ines-lab"}`)
	w.token("rosa", "patient/*.rs", self("rosa"))
	w.token("bare", "patient/RelatedPerson.rs", self("rosa"))
	const search = "/RelatedPerson?patient=rosa&_revinclude=Provenance:target"
	equal(t, w.get("rosa", search).want(200).ids(), []string{"+Provenance/of-elena", "RelatedPerson/rosa-elena"})
	equal(t, w.get("bare", search).want(200).ids(), []string{"RelatedPerson/rosa-elena"})
	equal(t, w.get("rosa", "/RelatedPerson?patient=rosa").want(200).ids(), []string{"RelatedPerson/rosa-elena"})
}

// D14: Consent and RelatedPerson come from Mandate, never from upstream.
func TestOwnedTypes(t *testing.T) {
	w := newWorld(t)
	w.store.relate(t, "rosa-elena", "Elena")
	w.store.consent(t, example(t, "e1.json"))
	w.token("rosa", "patient/*.cruds", self("rosa"), "R")
	w.token("ines", "patient/*.cruds", self("ines"), "R")
	w.get("rosa", "/RelatedPerson/upstream-rp").want(404)
	equal(t, w.get("rosa", "/RelatedPerson?name=ele&active=true").want(200).ids(), []string{"RelatedPerson/rosa-elena"})
	equal(t, w.get("rosa", "/RelatedPerson?name=vic").want(200).ids(), nil)
	equal(t, w.get("ines", "/RelatedPerson").want(200).ids(), nil)
	w.get("ines", "/RelatedPerson/rosa-elena").want(404)
	const id = "/Consent/e1-daughter-meds-appts"
	r := w.get("rosa", id).want(200)
	if r.header.Get("ETag") != `W/"1"` || strings.Contains(r.raw, "v3-ActCode\",\"code\":\"HIV") {
		t.Error(r.header)
	}
	w.get("rosa", id, `If-None-Match: W/"1"`).want(304)
	w.get("ines", id).want(404)
	for search, found := range map[string]int{
		"/Consent": 1, "/Consent?status=active": 1, "/Consent?status=inactive": 0, "/Consent?actor=RelatedPerson/rosa-elena": 1,
		"/Consent?category=INFAO": 1, "/Consent?period=ge2026-12-01": 1, "/Consent?period=lt2020": 0, "/Consent?_id=x": 0,
		"/Consent?patient=Patient/ines": 0, "/Patient/rosa/Consent": 1, "/Consent?identifier=e1-daughter-meds-appts": 1,
	} {
		if r := w.get("rosa", search).want(200); len(r.ids()) != found || r.body["total"] != float64(found) {
			t.Errorf("%s: %v", search, r.ids())
		}
	}
	w.get("rosa", "/Consent?nonsense=1").want(400)
	w.get("ines", "/Patient/rosa/Consent").want(404)
	if len(*w.asked) != 0 {
		t.Errorf("the upstream was asked: %v", *w.asked)
	}
}

// Consents are filed with scope, validated, judged on both states, and by
// version.
func TestConsentWrites(t *testing.T) {
	w := newWorld(t)
	text := example(t, "e1.json")
	w.token("rosa", "patient/Consent.crus", self("rosa"), "R")
	w.token("ines", "patient/Consent.crus", self("ines"), "R")
	w.token("read", "patient/Consent.rs", self("rosa"), "R")
	w.do("read", "POST", "/Consent", text).want(403)
	w.do("ines", "POST", "/Consent", text).want(403)
	if r := w.do("rosa", "POST", "/Consent", strings.Replace(text, `"active"`, `"nonsense"`, 1)).want(400); !strings.Contains(r.raw, "Consent.status") {
		t.Error(r.raw)
	}
	r := w.do("rosa", "POST", "/Consent", text).want(201)
	path := strings.TrimPrefix(r.header.Get("Location"), base)
	path = path[:strings.Index(path, "/_history")]
	if w.store.events[0].Kind != audit.ConsentFiled || w.store.events[0].ClientID != "app" {
		t.Errorf("%+v", w.store.events)
	}
	id := path[len("/Consent/"):]
	ended := strings.Replace(strings.Replace(text, "e1-daughter-meds-appts", id, 1), `"active"`, `"inactive"`, 1)
	w.do("ines", "PUT", path, strings.ReplaceAll(ended, "Patient/rosa", "Patient/ines")).want(404)
	w.do("rosa", "PUT", path, strings.ReplaceAll(ended, "Patient/rosa", "Patient/ines")).want(403)
	w.do("rosa", "PUT", path, ended, `If-Match: W/"7"`).want(412)
	w.do("rosa", "PUT", path, ended, `If-Match: W/"1"`).want(200)
	if r := w.get("rosa", path+"/_history").want(200); len(r.ids()) != 2 || r.body["type"] != "history" {
		t.Error(r.raw)
	}
	if r := w.get("rosa", path+"/_history/1").want(200); r.body["status"] != "active" {
		t.Error(r.raw)
	}
	w.get("rosa", path+"/_history/3").want(404)
	w.get("ines", path+"/_history").want(404)
	w.do("rosa", "POST", "/RelatedPerson", `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/rosa"}}`).want(403)
	w.token("all", "patient/*.cruds", self("rosa"), "R")
	w.do("all", "POST", "/RelatedPerson", `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/rosa"}}`).want(405)
	w.do("all", "DELETE", path, "").want(405)
	approval := strings.Replace(text, `"category": [`, `"category": [{"coding":[{"system":"https://mandate.example/fhir/CodeSystem/consent-kind","code":"app-approval"}]},`, 1)
	approval = strings.ReplaceAll(approval, "RelatedPerson/rosa-elena", "Device/app")
	if r := w.do("rosa", "POST", "/Consent", approval).want(422); r.code() != "consent-app-approval" {
		t.Error(r.raw)
	}
}
