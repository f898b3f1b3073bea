package gateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/sandbox"
)

// TestLeaks is the public corpus of leaks by reading, as a table: whatever is
// asked for Rosa, no record of Ines and no hidden one of Rosa comes out.
// SMART TRP-04, TRP-05, TRP-06, TRP-17, TRP-20, TRP-23; GW-02…GW-07, GW-20,
// GW-24.
func TestLeaks(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for path, want := range map[string]string{
		"/Patient":          "Patient/rosa",
		"/Patient?_id=ines": "",
		"/Patient?name=" + strings.ToLower(canary):                      "",
		"/Patient?_id=rosa&_revinclude=Observation:performer":           "Patient/rosa",
		"/Patient?_id=rosa&_revinclude=Observation:subject":             "+Observation/lab +Observation/lab2 +Observation/vital Patient/rosa",
		"/Patient?link=Patient/rosa":                                    "",
		"/Patient?_revinclude=Group:member":                             "Patient/rosa",
		"/Patient?_revinclude=*":                                        "*",
		"/Patient?_id=rosa&_revinclude=Patient:link":                    "Patient/rosa",
		"/Patient?_id=rosa&_revinclude=RelatedPerson:patient":           "Patient/rosa",
		"/Observation?subject=Patient/ines":                             "",
		"/Observation?subject=Patient/ines,Patient/rosa":                "Observation/lab Observation/lab2 Observation/vital",
		"/Observation?patient=ines&patient=rosa":                        "",
		"/Observation?subject:Patient=ines":                             "",
		"/Observation?subject=" + url.QueryEscape(base+"/Patient/ines"): "",
		"/Observation?patient:not=Patient/rosa":                         "*",
		"/Observation?performer=Patient/rosa":                           "",
		"/Observation?_id=ines-lab,lab":                                 "Observation/lab",
		"/Observation?_security=HIV":                                    "",
		"/Observation?_elements=id":                                     "Observation/lab Observation/lab2 Observation/vital",
		"/Observation?_summary=true&_id=hiv":                            "",
		"/Observation?subject:missing=false":                            "Observation/lab Observation/lab2 Observation/vital",
		"/Condition":                                                    "Condition/cancer",
		"/Condition?_include=Condition:asserter":                        "+Practitioner/chen Condition/cancer",
		"/Condition?_include=*":                                         "+Patient/rosa +Practitioner/chen Condition/cancer",
		"/DocumentReference":                                            "DocumentReference/rosa-doc",
		"/Provenance":                                                   "Provenance/of-lab",
		"/Observation?_id=lab&_revinclude=Provenance:target":            "+Provenance/of-lab Observation/lab",
		"/Observation?_revinclude=Provenance:target":                    "+Provenance/of-lab Observation/lab Observation/lab2 Observation/vital",
		"/MedicationRequest?_include=MedicationRequest:patient":         "+Patient/rosa MedicationRequest/mr",
		"/Bundle?_id=old":                                               "",
		"/Group":                                                        "",
		"/Patient/rosa/Observation":                                     "Observation/lab Observation/lab2 Observation/vital",
		"/Patient/rosa/Observation?_id=ines-by-rosa":                    "",
		"/Patient/rosa/*":                                               "*",
		"/Patient/rosa/$everything":                                     "*",
		"/Binary":                                                       "*",
		"/Observation?_include:iterate=Observation:subject&_revinclude:iterate=*&_id=lab": "*",
	} {
		r := w.get("rosa", path)
		if strings.Contains(r.raw, canary) || strings.Contains(r.raw, "SECRET-HIV") {
			t.Errorf("%s leaks: %s", path, r.raw)
		}
		if want == "*" {
			continue
		}
		if got := strings.Join(sorted(r.ids()), " "); r.status != 200 || got != want {
			t.Errorf("%s: %d\n got %s\nwant %s", path, r.status, got, want)
		}
	}
}

// SMART M-17, TRP-05; GW-06: parameters by whose effect hidden data shows.
// CPA TF-21.
func TestOraclesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	w.asDaughter("patient/MedicationRequest.rs")
	for _, path := range []string{
		"/Patient?_has:Condition:patient:code=HIV", "/Patient?_has:Observation:subject:code=1", "/Observation?patient.name=x",
		"/Observation?subject:Patient.name=x", "/Observation?_filter=code%20eq%201", "/Observation?_list=x", "/Observation?_query=x",
		"/Observation?_text=x", "/Observation?_content=x", "/Observation?_contained=true", "/Patient/rosa/$lastn", "/Observation/$lastn", "/$export", "/Patient/$export",
	} {
		w.get("rosa", path).want(403)
	}
	for _, path := range []string{"/MedicationRequest?_security=N", "/MedicationRequest?code:in=http://x", "/MedicationRequest?code:below=1", "/Patient/rosa/$everything", "/RelatedPerson", "/Consent", "/Provenance", "/Group"} {
		w.get("elena", path).want(403)
	}
	for _, path := range []string{"?_type=Observation", "/_search", "/Practitioner/chen/Observation"} {
		if r := w.get("rosa", path); r.status < 400 || strings.Contains(r.raw, canary) {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	if len(*w.asked) != 0 {
		t.Errorf("the upstream was asked: %v", *w.asked)
	}
}

// GW-03, SMART TRP-06: numbers are of visible rows.
func TestNumbers(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for path, want := range map[string]any{
		"/Observation?_summary=count":               3.0,
		"/Observation?_count=0":                     3.0,
		"/Observation?_total=accurate&_count=1":     3.0,
		"/Observation?_count=1":                     nil,
		"/Observation?_security=HIV&_summary=count": 0.0,
		"/Patient?_summary=count":                   1.0,
		"/Condition?_total=accurate":                1.0,
		"/Group?_summary=count":                     0.0,
	} {
		if r := w.get("rosa", path).want(200); r.body["total"] != want {
			t.Errorf("%s: total %v, want %v", path, r.body["total"], want)
		}
	}
	w.get("rosa", "/Observation?_count=x").want(400)
}

// GW-04, SMART TRP-07: page links are opaque, bound to the grant, and pages
// are full although rows between are hidden.
func TestPages(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		label := labelN
		if i%3 != 0 {
			label = labelHIV
		}
		w.upstream("PUT", fmt.Sprintf("/Procedure/p%02d", i), fmt.Sprintf(`{"resourceType":"Procedure","id":"p%02d"%s,"status":"completed","subject":{"reference":"Patient/rosa"}}`, i, label))
	}
	w.token("rosa", "patient/*.rs", self("rosa"))
	w.token("other", "patient/*.rs", self("rosa"))
	w.token("weak", "patient/Observation.rs", self("rosa"))
	var all []string
	pages := 0
	for next := "/Procedure?_count=3&_sort=_id"; next != ""; pages++ {
		r := w.get("rosa", next).want(200)
		all = append(all, r.ids()...)
		next = r.link("next")
		if next != "" && len(r.ids()) != 3 {
			t.Errorf("page %d shows a hole: %v", pages, r.ids())
		}
		if next != "" {
			for _, token := range []string{"other", "weak"} {
				if r := w.get(token, next).want(403); r.code() != "link-not-yours" {
					t.Error(r.raw)
				}
			}
			w.get("rosa", next+"x").want(403)
			w.get("rosa", next+"&code=1").want(400)
		}
	}
	if len(all) != 7 || pages != 3 {
		t.Errorf("%d pages: %v", pages, all)
	}
	next := w.get("rosa", "/Procedure?_count=3").want(200).link("next")
	narrowed := w.verifier["rosa"]
	narrowed.Scopes = "patient/Observation.rs"
	w.verifier["rosa"] = narrowed
	w.get("rosa", next).want(403)
}

// SMART TRP-18, SCP-06: two scopes with different parameters are a union.
func TestUnionOfGranularScopes(t *testing.T) {
	w := newWorld(t)
	lab, vital := "patient/Observation.rs?category="+obsCategory+"|laboratory", "patient/Observation.rs?category="+obsCategory+"|vital-signs"
	w.token("lab", lab, self("rosa"))
	w.token("both", lab+" "+vital, self("rosa"))
	w.token("mixed", lab+" patient/Observation.rs?status=final", self("rosa"))
	equal(t, w.get("lab", "/Observation").want(200).ids(), []string{"Observation/lab", "Observation/lab2"})
	equal(t, w.get("lab", "/Observation?category=vital-signs").want(200).ids(), nil)
	equal(t, w.get("both", "/Observation").want(200).ids(), []string{"Observation/lab", "Observation/lab2", "Observation/vital"})
	equal(t, w.get("mixed", "/Observation").want(200).ids(), []string{"Observation/lab", "Observation/lab2", "Observation/vital"})
}

// US-26 and M-16: what is included without a right of its own is left out.
func TestIncludesNeedTheirOwnRight(t *testing.T) {
	w := newWorld(t)
	w.token("obs", "patient/Observation.rs", self("rosa"))
	w.token("prov", "patient/Observation.rs patient/Provenance.rs", self("rosa"))
	equal(t, w.get("obs", "/Observation?_id=lab&_include=Observation:subject&_revinclude=Provenance:target").want(200).ids(), []string{"Observation/lab"})
	equal(t, w.get("prov", "/Observation?_id=lab&_revinclude=Provenance:target").want(200).ids(), []string{"Observation/lab", "+Provenance/of-lab"})
	w.token("only", "patient/Provenance.rs", self("rosa"))
	w.get("only", "/Provenance/of-lab").want(404)
	w.get("prov", "/Provenance/of-both").want(404)
	w.get("prov", "/Provenance/of-hiv").want(404)
	w.get("prov", "/Provenance/of-lab").want(200)
}

// M-18: $everything gives the granted types only.
// CPA TF-21.
func TestEverything(t *testing.T) {
	w := newWorld(t)
	w.token("patient", "patient/Patient.rs", self("rosa"))
	w.token("obs", "patient/Observation.rs", self("rosa"))
	equal(t, w.get("patient", "/Patient/rosa/$everything").want(200).ids(), []string{"Patient/rosa"})
	w.get("obs", "/Patient/rosa/$everything").want(403)
	w.get("patient", "/Patient/ines/$everything").want(404)
	w.token("chen", "user/*.rs", practitioner())
	if r := w.get("chen", "/Patient/ines/$everything").want(200); !strings.Contains(r.raw, canary) || strings.Contains(r.raw, "Task/") {
		t.Error(r.raw)
	}
}

// SMART CORS-01, CORS-02, CST-01.
func TestCORSAndMetadata(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	const allow = "Access-Control-Allow-Origin"
	preflight := func(origin, path string) string {
		return w.do("", "OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: GET").header.Get(allow)
	}
	if preflight("https://app.example", "/Patient") == "" || preflight("https://evil.example", "/Patient") != "" || preflight("https://evil.example", "/metadata") == "" {
		t.Error("preflight")
	}
	asked := &w.deps.Origins.(*origins).asked
	asked.Store(0)
	if w.get("rosa", "/Patient/rosa", "Origin: https://app.example").header.Get(allow) == "" {
		t.Error("the app's own origin")
	}
	if w.get("rosa", "/Patient/rosa", "Origin: https://two.example").header.Get(allow) != "" {
		t.Error("another app's origin may read this app's data")
	}
	r := w.get("", "/metadata", "Origin: https://anywhere.example").want(200)
	if asked.Load() != 0 {
		t.Error("all clients were read for an ordinary request")
	}
	// An app must be able to read why its token was refused.
	if w.get("nobody", "/Patient/rosa", "Origin: https://app.example").want(401).header.Get(allow) == "" {
		t.Error("the app's own origin may not read a refusal")
	}
	if w.get("nobody", "/Patient/rosa", "Origin: https://evil.example").want(401).header.Get(allow) != "" {
		t.Error("a foreign origin may read a refusal")
	}
	if r.body["resourceType"] != "CapabilityStatement" || !strings.Contains(r.raw, `"SMART-on-FHIR"`) || !strings.Contains(r.raw, `"type":"Consent"`) ||
		strings.Count(r.raw, `"type":"AuditEvent"`) != 1 || strings.Contains(r.raw, "history-system") || r.header.Get(allow) == "" {
		t.Error(r.raw[:200])
	}
	// SMART CST-02: what SMART 1 clients read.
	for _, part := range []string{
		`"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"`, `{"url":"authorize","valueUri":"https://as.example/authorize"}`,
		`{"url":"token","valueUri":"https://as.example/token"}`, `/capabilities","valueCode":"launch-ehr"}`,
	} {
		if !strings.Contains(r.raw, part) {
			t.Errorf("no %s", part)
		}
	}
	w.get("", "/metadata?_format=xml").want(406)
	// UDP-01: a discovery document that is not served is absent for anybody.
	for _, token := range []string{"", "garbage"} {
		w.get(token, "/.well-known/udap").want(404)
	}
	w.meanwhile(func(*http.Request) { panic(http.ErrAbortHandler) })
	if again := w.get("", "/metadata").want(200); again.raw != r.raw {
		t.Error("the last statement is not served while the upstream is down")
	}
}

// GW-03, GW-14: a full page leads on only where something visible follows.
func TestAFullPageTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs?category="+obsCategory+"|laboratory", self("rosa"))
	r := w.get("rosa", "/Observation?_id=lab,lab2,vital,hiv&_count=2&_sort=_id").want(200)
	if len(r.ids()) != 2 || r.link("next") != "" || r.body["total"] != 2.0 {
		t.Errorf("%s", r.raw)
	}
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	*w.asked = nil
	r = w.get("rosa", "/Observation?_id=lab,hiv,lab2,vital&_count=3").want(200)
	if len(r.ids()) != 3 || r.link("next") != "" || len(*w.asked) != 1 {
		t.Errorf("%s after %v", r.raw, *w.asked)
	}
	*w.asked = nil
	if r = w.get("rosa", "/Observation?_id=lab,lab2,vital&_count=2&_sort=_id").want(200); r.link("next") == "" || len(*w.asked) != 1 {
		t.Errorf("one more was not asked for at once: %v", *w.asked)
	}
	r = w.get("rosa", "/Observation?_id=lab,hiv,lab2,vital&_count=2").want(200)
	if r = w.get("rosa", r.link("next")).want(200); len(r.ids()) != 1 || r.link("next") != "" {
		t.Errorf("%s", r.raw)
	}
}

// GW-26: a number is an answer too: none is told on what ended while it was counted.
func TestACountIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/Observation?_summary=count", "/Observation?_total=accurate&_count=1"} {
		w.token("rosa", "patient/Observation.rs", self("rosa"))
		w.meanwhile(func(*http.Request) { delete(w.verifier, "rosa") })
		w.get("rosa", path).want(401)
		w.meanwhile(nil)
	}
	w.asDaughter("patient/MedicationRequest.rs")
	w.meanwhile(func(*http.Request) { w.consents() })
	w.get("elena", "/MedicationRequest?_total=accurate&_count=1").want(403)
}

// GW-20: a Provenance of a Provenance is hidden on every page alike.
func TestProvenanceOfAProvenance(t *testing.T) {
	w := newWorldOf(t, append(resources(t), sandbox.Resource{Type: "Provenance", ID: "of-of-lab", JSON: []byte(
		`{"resourceType":"Provenance","id":"of-of-lab","target":[{"reference":"Provenance/of-lab"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Practitioner/chen"}}]}`)}))
	w.system("service", "system/*.rs")
	for _, path := range []string{"/Provenance?_id=of-lab,of-of-lab", "/Provenance?_id=of-lab,of-of-lab&_count=1"} {
		r := w.get("service", path).want(200)
		if got := strings.Join(r.ids(), " "); got != "Provenance/of-lab" || r.link("next") != "" {
			t.Errorf("%s: %s", path, r.raw)
		}
	}
	w.get("service", "/Provenance/of-of-lab").want(404)
}
