package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access/label"
	"github.com/mandate-health/mandate/fhir/sandbox"
)

// SI-02: a note on family conflict that nobody labelled is restricted to an app
// for which the patient did not open that topic, in every way it is reached; it
// is shown without labels, and the upstream is not written to.
func TestUnlabelledNote(t *testing.T) {
	note := func(id, code string) sandbox.Resource {
		return sandbox.Resource{Type: "Condition", ID: id, JSON: []byte(`{"resourceType":"Condition","id":"` + id + `","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"` + code + `"}],"text":"text-` + id + `"},"subject":{"reference":"Patient/rosa"}}`)}
	}
	drug := func(id, code string) sandbox.Resource {
		return sandbox.Resource{Type: "MedicationRequest", ID: id, JSON: []byte(`{"resourceType":"MedicationRequest","id":"` + id + `","status":"active","intent":"order","medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"` + code + `"}]},"subject":{"reference":"Patient/rosa"}}`)}
	}
	w := newWorldOf(t, append(resources(t), note("quarrel", "Z63.8"), note("cold", "J00"), drug("opioid", "7052"), drug("other", "313782")))
	sets, err := label.Load(label.Palliative())
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Authority.Labelling = sets
	w.token("rosa", "patient/Condition.rs", self("rosa"))
	w.token("open", "patient/Condition.rs", self("rosa"), "MH")
	w.get("rosa", "/Condition/quarrel").want(404)
	found := w.get("rosa", "/Condition?_total=accurate").want(200)
	if ids := found.ids(); slices.Contains(ids, "Condition/quarrel") || !slices.Contains(ids, "Condition/cold") || found.body["total"] != float64(len(ids)) {
		t.Errorf("%v of %v", ids, found.body["total"])
	}
	if r := w.get("rosa", "/Condition?code=Z63.8&_summary=count").want(200); r.body["total"] != 0.0 {
		t.Errorf("%s", r.raw)
	}
	shown := w.get("open", "/Condition/quarrel").want(200)
	if strings.Contains(shown.raw, "security") || strings.Contains(shown.raw, "unclassified") {
		t.Errorf("%s", shown.raw)
	}
	// Whoever acts for Rosa waits until somebody labels it.
	w.asDaughter("patient/MedicationRequest.rs")
	w.get("elena", "/MedicationRequest/mr").want(200)
	w.get("elena", "/MedicationRequest/opioid").want(404)
	w.get("elena", "/MedicationRequest/other").want(404)
	for _, asked := range *w.asked {
		if !strings.HasPrefix(asked, "GET ") {
			t.Errorf("the upstream was sent %s", asked)
		}
	}
}

// GW-09, EV-11: the attachment of a document has the labels that the value sets
// give the document: it is kept with it, and opens with it.
func TestAttachmentOfAnUnlabelledDocument(t *testing.T) {
	document := func(id, code string) []sandbox.Resource {
		return []sandbox.Resource{
			{Type: "Binary", ID: id, JSON: []byte(`{"resourceType":"Binary","id":"` + id + `","contentType":"text/plain","data":"aGVsbG8="}`)},
			{Type: "DocumentReference", ID: id, JSON: []byte(`{"resourceType":"DocumentReference","id":"` + id + `","status":"current","type":{"coding":[{"system":"urn:n","code":"` + code + `"}]},"subject":{"reference":"Patient/rosa"},"content":[{"attachment":{"url":"Binary/` + id + `"}}]}`)},
		}
	}
	w := newWorldOf(t, slices.Concat(resources(t), document("kept", "private"), document("plain", "plain")))
	sets, err := label.Load(label.File{Name: "own", Text: []byte(`{"version":"1","sets":[
		{"name":"private","codes":[{"system":"urn:n","codes":["private"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSYTHPN"}]},
		{"name":"plain","codes":[{"system":"urn:n","codes":["plain"]}],"labels":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}],"whole":true}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Authority.Labelling = sets
	w.system("service", "system/Binary.rs")
	w.get("service", "/Binary/kept").want(404)
	w.get("service", "/Binary/plain").want(200)
	w.asDaughter("patient/DocumentReference.rs")
	w.consents(strings.NewReplacer(`"MedicationRequest"`, `"DocumentReference"`, `"MedicationStatement"`, `"Binary"`).Replace(example(t, "e1.json")))
	w.get("elena", "/DocumentReference/plain").want(200)
	w.get("elena", "/Binary/plain").want(200)
	w.get("elena", "/Binary/kept").want(404)
}
