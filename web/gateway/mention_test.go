package gateway_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/proof"
	"github.com/mandate-health/mandate/fhir/sandbox"
)

// ofRosa is a record of Rosa.
func ofRosa(typ, id, extra string) sandbox.Resource {
	subject := `"subject":{"reference":"Patient/rosa"}`
	if typ == "Medication" {
		subject = `"status":"active"`
	}
	return sandbox.Resource{Type: typ, ID: id, JSON: []byte(`{"resourceType":"` + typ + `","id":"` + id + `"` + extra + `,` + subject + `}`)}
}

const div = `,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">SECRET-HIV</div>"}`

// telling is a world in which ordinary records refer to sensitive ones.
func telling(t *testing.T) *world {
	t.Helper()
	hiv := `{"reference":"Observation/hiv","display":"SECRET-HIV"}`
	lab := `{"reference":"Observation/lab","display":"lab"}`
	return newWorldOf(t, append(resources(t),
		ofRosa("List", "problems", labelN+div+`,"status":"current","mode":"working","note":[{"text":"SECRET-HIV"}],"entry":[{"item":`+lab+`},{"date":"2026-01-01","item":`+hiv+`}]`),
		ofRosa("DiagnosticReport", "report", labelN+div+`,"status":"final","code":{"text":"labs"},"result":[`+lab+`,`+hiv+`],"conclusion":"SECRET-HIV","presentedForm":[{"title":"SECRET-HIV"}]`),
		ofRosa("Composition", "letter", labelN+div+`,"status":"final","title":"Letter","section":[{"title":"SECRET-HIV","text":{"status":"generated","div":"<div>SECRET-HIV</div>"},"entry":[`+hiv+`]},{"title":"Labs","entry":[`+lab+`]}]`),
		ofRosa("Encounter", "ward", labelHIV+`,"status":"finished","class":{"code":"IMP"}`),
		ofRosa("Observation", "at-ward", labelN+`,"status":"final","code":{"text":"weight"},"encounter":{"reference":"Encounter/ward","display":"SECRET-HIV"},"performer":[{"reference":"Practitioner/chen"}]`),
		ofRosa("Medication", "azt", labelHIV+`,"code":{"text":"SECRET-HIV"}`),
		ofRosa("Medication", "plain", `,"code":{"text":"paracetamol"}`),
		ofRosa("MedicationRequest", "of-azt", labelN+`,"status":"active","intent":"order","medicationReference":{"reference":"Medication/azt","display":"SECRET-HIV"}`),
		ofRosa("MedicationRequest", "of-plain", labelN+`,"status":"active","intent":"order","medicationReference":{"reference":"Medication/plain","display":"paracetamol"}`),
		ofRosa("Condition", "gone", labelN+`,"code":{"text":"cough"},"encounter":{"reference":"Encounter/nowhere","display":"nowhere"}`),
		ofRosa("Observation", "beside-ines", labelN+`,"status":"final","code":{"text":"x"},"hasMember":[{"reference":"Observation/ines-lab","display":"`+canary+`"},`+lab+`]`),
	))
}

// GW-08, LB-17: what leaves tells nothing of what is hidden, by whatever way it
// is reached; what may be seen is still referred to.
func TestReferencesToHiddenRecords(t *testing.T) {
	w := telling(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for _, path := range []string{
		"/List/problems", "/List/problems/_history/1", "/List/problems/_history", "/DiagnosticReport/report", "/Composition/letter", "/Observation/at-ward", "/Condition/gone",
		"/List", "/DiagnosticReport?_include=DiagnosticReport:result", "/Composition?_count=1", "/Observation?_count=100&_revinclude=DiagnosticReport:result", "/MedicationRequest?_include=MedicationRequest:medication",
		"/Patient/rosa/$everything?_count=200", "/Patient/rosa/*?_count=200", "/Observation/beside-ines",
	} {
		raw := w.get("rosa", path).want(200).raw
		for _, secret := range []string{"SECRET-HIV", canary, "Observation/hiv", "Encounter/ward", "Encounter/nowhere", "ines-lab", "of-azt"} {
			if strings.Contains(raw, secret) {
				t.Errorf("%s tells of %s: %s", path, secret, raw)
			}
		}
	}
	for path, want := range map[string]string{
		"/List/problems": `"entry":[{"item":{"reference":"Observation/lab"`, "/DiagnosticReport/report": `"result":[{"reference":"Observation/lab"`,
		"/Composition/letter": `"title":"Labs"`, "/Observation/at-ward": `"performer":[{"reference":"Practitioner/chen"`, "/MedicationRequest/of-plain": "paracetamol",
	} {
		if raw := w.get("rosa", path).want(200).raw; !strings.Contains(raw, want) {
			t.Errorf("%s lost %s: %s", path, want, raw)
		}
	}
	// What would say nothing without its medicine is hidden with it.
	w.get("rosa", "/MedicationRequest/of-azt").want(404)
	if r := w.get("rosa", "/MedicationRequest?_summary=count").want(200); r.body["total"] != 2.0 {
		t.Errorf("the number tells of the hidden prescription: %s", r.raw)
	}
	// A search does not say that somebody refers to it either.
	for _, path := range []string{"/DiagnosticReport?result=Observation/hiv", "/DiagnosticReport?result=hiv", "/Observation?encounter=Encounter/ward", "/Observation?encounter:missing=false&_id=at-ward", "/DiagnosticReport?result=Observation/nobody"} {
		if r := w.get("rosa", path).want(200); len(r.ids()) != 0 || r.body["total"] != 0.0 {
			t.Errorf("%s found %v", path, r.ids())
		}
	}
	if r := w.get("rosa", "/DiagnosticReport?result=Observation/hiv,Observation/lab").want(200); len(r.ids()) != 1 {
		t.Errorf("what may be seen is not found by: %v", r.ids())
	}
}

// GW-08: whoever may see a record is told who refers to it, whole.
func TestReferencesToWhatMayBeSeen(t *testing.T) {
	w := telling(t)
	w.token("rosa", "patient/*.rs", self("rosa"), "HIV")
	w.token("narrow", "patient/List.rs", self("rosa"), "HIV")
	w.token("chen", "user/*.rs", practitioner())
	for _, token := range []string{"rosa", "narrow", "chen"} {
		raw := w.get(token, "/List/problems").want(200).raw
		for _, want := range []string{"Observation/hiv", "<div", `"note"`} {
			if !strings.Contains(raw, want) {
				t.Errorf("%s lost %s: %s", token, want, raw)
			}
		}
	}
	w.get("rosa", "/MedicationRequest/of-azt").want(200)
}

// GW-08, A.9: to somebody who acts for the patient everything is hidden that no
// consent opens, and so is every reference to it.
func TestReferencesForAProxy(t *testing.T) {
	w := telling(t)
	w.asDaughter("patient/*.rs")
	raw := w.get("elena", "/MedicationRequest?_count=100").want(200).raw
	if strings.Contains(raw, "SECRET-HIV") || !strings.Contains(raw, "morphine") || !strings.Contains(raw, "paracetamol") {
		t.Error(raw)
	}
}

// SMART TRP-21: what was shown in part is not written back, and the answer does not
// say whether what is missing is hidden or absent.
func TestWhatWasShownInPartIsNotWrittenBack(t *testing.T) {
	w := telling(t)
	w.token("rosa", "patient/*.cruds", self("rosa"))
	for _, path := range []string{"/Observation/at-ward", "/Condition/gone"} {
		shown := w.get("rosa", path).want(200).raw
		if code := w.do("rosa", "PUT", path, shown).want(422).code(); code != "resource-incomplete" {
			t.Errorf("%s: %s", path, code)
		}
		if code := w.do("rosa", "PATCH", path, `[{"op":"replace","path":"/code","value":{"text":"other"}}]`, "Content-Type: application/json-patch+json").want(422).code(); code != "resource-incomplete" {
			t.Errorf("%s: %s", path, code)
		}
		// A test does not tell that there is something.
		if code := w.do("rosa", "PATCH", path, `[{"op":"test","path":"/encounter/reference","value":"Encounter/ward"}]`, "Content-Type: application/json-patch+json").want(422).code(); code != "patch-not-applicable" {
			t.Errorf("%s: %s", path, code)
		}
	}
}

// SMART M-19: a bulk export tells as little.
func TestReferencesInAnExport(t *testing.T) {
	w := newWorldOf(t, append(resources(t),
		ofRosa("Observation", "psy", strings.Replace(labelHIV, `"HIV"`, `"PSYTHPN"`, 1)+`,"status":"final","code":{"text":"SECRET-PSY"}`),
		ofRosa("List", "both", labelN+`,"status":"current","mode":"working","entry":[{"item":{"reference":"Observation/psy","display":"SECRET-PSY"}},{"item":{"reference":"Observation/hiv","display":"told"}}]`),
	))
	w.system("backend", "system/List.rs system/Observation.rs")
	if raw := w.get("backend", "/List/both").want(200).raw; strings.Contains(raw, "SECRET-PSY") || !strings.Contains(raw, "told") {
		t.Error(raw)
	}
	r := w.get("backend", "/$export?_type=List", "Prefer: respond-async").want(202)
	job := strings.TrimPrefix(r.header.Get("Content-Location"), base)
	w.get("backend", job)
	done := w.get("backend", job).want(200)
	files, _ := done.body["output"].([]any)
	if len(files) != 1 {
		t.Fatal(done.raw)
	}
	address, _ := files[0].(map[string]any)["url"].(string)
	if raw := w.get("backend", strings.TrimPrefix(address, base)).want(200).raw; strings.Contains(raw, "SECRET-PSY") || !strings.Contains(raw, "told") {
		t.Error(raw)
	}
}

// GW-08: looking at what is referred to takes one request for each type and part,
// and none at all a moment later.
func TestWhatReferencesCost(t *testing.T) {
	w := telling(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	*w.asked = nil
	w.get("rosa", "/Observation/at-ward").want(200)
	if len(*w.asked) != 2 {
		t.Errorf("a read took %v", *w.asked)
	}
	*w.asked = nil
	w.get("rosa", "/Observation/at-ward").want(200)
	w.get("rosa", "/Observation/lab").want(200)
	if len(*w.asked) != 2 {
		t.Errorf("two further reads took %v", *w.asked)
	}
	// Another one's answers are their own.
	w.token("open", "patient/*.rs", self("rosa"), "HIV")
	if raw := w.get("open", "/Observation/at-ward").want(200).raw; !strings.Contains(raw, "Encounter/ward") {
		t.Error(raw)
	}
	if raw := w.get("rosa", "/Observation/at-ward").want(200).raw; strings.Contains(raw, "Encounter/ward") {
		t.Error(raw)
	}
	*w.asked = nil
	w.modes(map[string]string{"reference": "off"})
	if raw := w.get("rosa", "/Observation/at-ward").want(200).raw; !strings.Contains(raw, "Encounter/ward") || len(*w.asked) != 1 {
		t.Error(raw, *w.asked)
	}
	w.modes(map[string]string{"reference": "audit"})
	if raw := w.get("rosa", "/Observation/at-ward").want(200).raw; !strings.Contains(raw, "Encounter/ward") || w.log.last().Detail["would_deny"] != "reference:refers-to-hidden" {
		t.Error(raw, w.log.last())
	}
}

// aboutRecords finds references to what may be labelled.
var aboutRecords = regexp.MustCompile(`"reference":"(Observation|Condition|MedicationRequest)/`)

// GW-08: where a house does not enforce labels, an app is told of what it may
// read there, in the entries of a batch too, and of no more elsewhere; the oracle
// judges each entry under the same modes.
func TestReferencesFollowTheModeOfLabels(t *testing.T) {
	lists := []proof.Request{{Method: "GET", Path: "/List/l0"}, {Method: "GET", Path: "/List/l1"}}
	both := proof.Request{Batch: lists}
	grant := &proof.Grant{Kind: proof.Self, Patient: proof.Ana, Scopes: "patient/*.rs"}
	told := map[string]int{}
	g := proof.NewGenerator(1)
	for range 60 {
		records := g.World()
		for _, mode := range []string{"enforce", "off"} {
			records.Modes = map[string]string{}
			if mode != "enforce" {
				records.Modes["label"] = mode
			}
			w := proofWorld(t, records)
			w.grants(grant)
			for _, q := range append(lists, both) {
				for _, f := range w.judge(records, grant, q) {
					t.Errorf("labels %s: %s\n%s", mode, f, explain(records, grant, q, f))
				}
			}
			told[mode] += len(aboutRecords.FindAllString(w.ask(both).raw, -1))
			w.up.Close()
		}
	}
	if told["enforce"] == 0 || told["off"] <= told["enforce"] {
		t.Fatalf("the worlds show nothing: references told by mode %v", told)
	}
}
