package gateway_test

import (
	"strings"
	"testing"
)

const (
	patientGroup = `{"resourceType":"Group","id":"ward","type":"person","actual":true,"member":[MEMBERS]}`
	memberRosa   = `{"entity":{"reference":"Patient/rosa"}}`
)

// limited makes a client that acts for itself and is bound to the ward, of
// which Rosa alone is a member.
func limited(w *world, scopes string) {
	w.upstream("PUT", "/Group/ward", strings.Replace(patientGroup, "MEMBERS", memberRosa, 1))
	w.upstream("PUT", "/Group/both", `{"resourceType":"Group","id":"both","type":"person","actual":true,"name":"`+canary+`","member":[`+memberRosa+`,{"entity":{"reference":"Patient/ines"}}]}`)
	w.system("ward", scopes)
	b := w.verifier["ward"]
	b.Client.PatientGroup = "ward"
	w.verifier["ward"] = b
}

// SMART TRP-26, BLK-07: a service that is bound to a group reaches its members
// in every way, and nobody else in any.
func TestServiceOfAGroup(t *testing.T) {
	w := newWorld(t)
	limited(w, "system/*.cruds system/AuditEvent.rs")
	for path, want := range map[string]int{
		"/Patient/rosa": 200, "/Patient/ines": 404, "/Patient/none": 404, "/Observation/lab": 200, "/Observation/ines-lab": 404, "/Observation/ines-by-rosa": 404,
		"/Condition/foreign": 404, "/Binary/rosa-pdf": 200, "/Binary/ines-pdf": 404, "/Binary/orphan": 404, "/Provenance/of-both": 404,
		"/Group/ward": 200, "/Group/both": 404, "/Bundle/old": 404, "/Practitioner/chen": 200, "/AuditEvent": 403,
		"/Patient/ines/$everything": 404, "/Patient/ines/Observation": 404, "/Patient/rosa/Observation": 200, "/Patient/ines/_history": 404,
	} {
		if r := w.get("ward", path).want(want); want != 200 && strings.Contains(r.raw, canary) {
			t.Errorf("%s tells of somebody else", path)
		}
	}
	for _, search := range []string{
		"/Patient", "/Patient?_id=ines", "/Patient?_id=rosa,ines", "/Observation", "/Observation?patient=ines", "/Observation?subject=Patient/rosa,Patient/ines",
		"/Group", "/DocumentReference", "/Condition", "/Patient?_id=rosa&_revinclude=Observation:performer",
	} {
		if r := w.get("ward", search).want(200); strings.Contains(r.raw, canary) {
			t.Errorf("%s tells of somebody else", search)
		}
	}
	if r := w.get("ward", "/Observation").want(200); !strings.Contains(r.raw, "rosa-note") {
		t.Error("nothing of the group is found")
	}
	for _, about := range []string{"ines", "rosa"} {
		status := map[string]int{"rosa": 201, "ines": 403}[about]
		r := w.do("ward", "POST", "/Observation", strings.Replace(observation("", about, "laboratory", ""), `"id":"",`, "", 1))
		if r.status != status && (about == "rosa" || r.status < 400) {
			t.Errorf("an entry about %s: %d", about, r.status)
		}
	}
	w.do("ward", "PUT", "/Observation/ines-lab", observation("ines-lab", "rosa", "laboratory", "")).want(404)
	w.do("ward", "PUT", "/Observation/lab", observation("lab", "ines", "laboratory", "")).want(403)
	w.do("ward", "DELETE", "/Observation/ines-lab", "").want(404)
	if r := w.get("ward", "/Patient/rosa/$everything").want(200); strings.Contains(r.raw, "Patient/ines") {
		t.Error("$everything tells of somebody else")
	}
}

// SMART BLK-07: files hold the group's members only, whichever export it was, and
// the export of another group is not begun.
func TestExportsOfAServiceOfAGroup(t *testing.T) {
	w := newWorld(t)
	limited(w, "system/Group.rs system/Observation.rs system/Patient.rs")
	for _, path := range []string{"/$export", "/Patient/$export", "/Group/ward/$export"} {
		lines := 0
		for _, f := range w.exported("ward", path) {
			r := w.get("ward", strings.TrimPrefix(f.URL, base)).want(200)
			lines += strings.Count(r.raw, "\n")
			if strings.Contains(r.raw, canary) || strings.Contains(r.raw, "Patient/ines") {
				t.Errorf("%s: %s tells of somebody else", path, f.Type)
			}
		}
		if lines == 0 {
			t.Errorf("%s: nothing is exported", path)
		}
	}
	w.get("ward", "/Group/both/$export", "Prefer: respond-async").want(404)
}

// Whoever leaves a group is out of reach with the next request.
func TestLeavingAGroup(t *testing.T) {
	w := newWorld(t)
	for what, group := range map[string]string{
		"inactive":  strings.Replace(patientGroup, "MEMBERS", `{"entity":{"reference":"Patient/rosa"},"inactive":true}`, 1),
		"over":      strings.Replace(patientGroup, "MEMBERS", `{"entity":{"reference":"Patient/rosa"},"period":{"end":"2026-11-21"}}`, 1),
		"to come":   strings.Replace(patientGroup, "MEMBERS", `{"entity":{"reference":"Patient/rosa"},"period":{"start":"2026-11-23"}}`, 1),
		"unclear":   strings.Replace(patientGroup, "MEMBERS", `{"entity":{"reference":"Patient/rosa"},"period":{"end":"soon"}}`, 1),
		"removed":   strings.Replace(patientGroup, "MEMBERS", `{"entity":{"reference":"Patient/ines"}}`, 1),
		"closed":    strings.Replace(strings.Replace(patientGroup, "MEMBERS", memberRosa, 1), `"actual"`, `"active":false,"actual"`, 1),
		"described": strings.Replace(strings.Replace(patientGroup, "MEMBERS", memberRosa, 1), `"actual":true`, `"actual":false`, 1),
		"deleted":   "",
	} {
		limited(w, "system/Group.rs system/Patient.rs system/Observation.rs")
		w.get("ward", "/Patient/rosa").want(200)
		path := strings.TrimPrefix(w.exported("ward", "/Group/ward/$export?_type=Observation")[0].URL, base)
		if group == "" {
			w.upstream("DELETE", "/Group/ward", "")
		} else {
			w.upstream("PUT", "/Group/ward", group)
		}
		if r := w.get("ward", "/Patient/rosa"); r.status != 404 {
			t.Errorf("%s: the Patient is answered with %d", what, r.status)
		}
		if r := w.get("ward", path); strings.Contains(r.raw, "rosa-note") {
			t.Errorf("%s: the file still has the patient: %d", what, r.status)
		}
	}
}

// SMART TRP-08: a service whose scope is granular does not replace what its scope
// does not reach, though it may create by updating.
func TestServiceDoesNotReplaceWhatIsHidden(t *testing.T) {
	w := newWorld(t)
	w.system("labs", "system/Observation.cruds?category="+obsCategory+"|laboratory")
	w.do("labs", "PUT", "/Observation/vital", observation("vital", "rosa", "laboratory", labelN)).want(404)
	w.do("labs", "PUT", "/Observation/fresh", observation("fresh", "rosa", "laboratory", labelN)).want(201)
	w.do("labs", "PUT", "/Observation/fresh", observation("fresh", "rosa", "laboratory", "")).want(200)
	w.system("all", "system/Observation.rs")
	if r := w.get("all", "/Observation/vital").want(200); !strings.Contains(r.raw, "vital-signs") {
		t.Error("the hidden entry was replaced")
	}
}
