package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// bundle is what the records answer with: one resource, or a Bundle of them.
type bundle struct {
	ResourceType string
	Total        int
	Entry        []struct{ Resource record }
}

// record is what the stories look at of a record.
type record struct {
	ResourceType string
	ID           string
	Status       string
	Raw          string `json:"-"`
}

func (r *record) UnmarshalJSON(raw []byte) error {
	type plain record
	err := json.Unmarshal(raw, (*plain)(r))
	r.Raw = string(raw)
	return err
}

// looks asks for records in a browser.
func (s teller) looks(b *kit.Browser, path string) *kit.Response {
	s.t.Helper()
	res, err := b.Raw(s.t.Context(), kit.Request{URL: s.Issuer + "/records/" + path})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

func (s teller) finds(b *kit.Browser, path string) (out []record) {
	s.t.Helper()
	res := s.looks(b, path)
	var in bundle
	if err := json.Unmarshal(res.Body, &in); err != nil || res.Status != http.StatusOK || in.ResourceType != "Bundle" {
		s.t.Fatalf("%s: %s %v", path, res, err)
	}
	for _, e := range in.Entry {
		out = append(out, e.Resource)
	}
	return out
}

// statuses lists the versions of a record, the oldest first.
func (s teller) statuses(b *kit.Browser, path string) (out []string) {
	s.t.Helper()
	for _, r := range s.finds(b, path+"/_history") {
		out = append(out, r.Status)
	}
	slices.Reverse(out)
	return out
}

func (s teller) holds(what, text string, all ...string) {
	s.t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			s.t.Errorf("%s: %q is missing in %s", what, want, text)
		}
	}
}

// RS-01, RS-05, RS-07 … RS-09, RS-11, LC-05, LC-12, LC-13, LC-15, PV-04, PV-05,
// RC-18: each step of an access leaves its records, in the transaction of the step;
// staff read them at their own address, the proxy the status of the own Task and
// nothing else, and others nothing.
// CPA TF-23, TR-13.
func TestStepsLeaveRecords(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.browser("hale"), s.browser("osei")
	s.open(t, hale, "/staff")
	s.open(t, osei, "/staff")
	page := s.fill(hale, "/staff/people/register", "yes", url.Values{"patient": {"rosa"}, "name": {"Ann Alvarez"}, "email": {"ann@example.org"}, "relation": {"SIS"}})
	id, code := caseAt.FindStringSubmatch(page.URL)[1], sixDigits.FindString(page.Text())
	task := "Task/case-" + id
	if got := s.statuses(hale, task); !slices.Equal(got, []string{"requested"}) {
		t.Error(got)
	}
	ann := s.enrolled(s.letter("ann@example.org"), "ann@example.org", code, "ann")
	s.proofedBy(hale, id)
	at, identity, authority := "/staff/people/"+id, "VerificationResult/case-"+id+"-identity", "VerificationResult/case-"+id+"-authority"
	s.holds("identity", string(s.looks(hale, identity).Body), `"validated"`, `"passport"`, "RelatedPerson/", "Patient/rosa", "Practitioner/")
	s.fill(hale, at+"/attest", "yes", url.Values{"instrument": {"HPOWATT"}, "trigger": {"capacity-loss"}})
	s.checked(osei, at)
	if got := s.statuses(hale, authority); !slices.Equal(got, []string{"attested", "validated"}) {
		t.Error(got)
	}
	papers := s.finds(hale, "DocumentReference?patient=rosa")
	if len(papers) != 1 {
		t.Fatal(papers)
	}
	s.holds("authority", string(s.looks(hale, authority).Body), "DocumentReference/"+papers[0].ID, `"HPOWATT"`, `"witnessed"`, `"nextScheduled"`)

	review := url.Values{"review": {s.Now().AddDate(0, 0, 30).Format(time.DateOnly)}}
	s.fill(hale, at+"/determine", "yes", review)
	if found := s.finds(hale, "Observation?patient=rosa"); len(found) != 1 || len(s.finds(hale, "Provenance?patient=rosa&target=Consent/none")) != 0 {
		t.Error(found)
	}
	s.fill(osei, at+"/determine", "yes", review)
	found := s.finds(osei, "Observation?patient=rosa")
	if len(found) != 2 || found[0].Status != "final" {
		t.Fatal(found)
	}
	s.activated(hale, id, found, papers[0].ID)
	s.held(hale, ann, at)
	s.fill(hale, at+"/restore", "yes", nil)
	if again := s.finds(osei, "Observation?patient=rosa"); len(again) != 3 || !strings.Contains(again[2].Raw, "has-capacity") {
		t.Error(again)
	}
	s.shut(ann, id, []string{identity, authority, "Observation/" + found[0].ID, "DocumentReference/" + papers[0].ID, "Flag/case-" + id + "-hold"})
}

// activated looks at what an activation by two clinicians leaves.
func (s teller) activated(hale *kit.Browser, id string, found []record, paper string) {
	s.t.Helper()
	var consent string
	for _, p := range s.finds(hale, "Provenance?patient=rosa") {
		if strings.Contains(p.Raw, "POACON") {
			consent = p.Raw
		}
	}
	s.holds("the Provenance", consent, `"onBehalfOf":{"reference":"Patient/rosa"}`, "Observation/"+found[0].ID, "Observation/"+found[1].ID,
		"DocumentReference/"+paper, `"attester"`, `"verifier"`, `"PWATRNY"`, "Consent/")
	person := s.finds(hale, "Task?patient=rosa")
	if len(person) != 1 || !strings.Contains(person[0].Raw, "RelatedPerson/") {
		s.t.Fatal(person)
	}
	// One step, two acts: each has its version. That the access has begun may have been
	// noted by the clock since, which is the ninth.
	if got := s.statuses(hale, "Task/case-"+id); len(got) < 8 || len(got) > 9 || got[7] != "in-progress" || got[1] != "received" {
		s.t.Error(got)
	}
}

// held holds an access and lets it go on.
func (s teller) held(hale, ann *kit.Browser, at string) {
	s.t.Helper()
	s.fill(hale, at+"/hold", "yes", nil)
	s.fill(hale, at+"/release", "yes", nil)
	flag := "Flag/case-" + strings.TrimPrefix(at, "/staff/people/") + "-hold"
	if got := s.statuses(hale, flag); !slices.Equal(got, []string{"active", "inactive"}) {
		s.t.Error(got)
	}
	s.open(s.t, ann, "/helping")
	if res := s.looks(ann, flag+"/_history/1"); res.Status != http.StatusNotFound {
		s.t.Error(res)
	}
}

// shut looks through the eyes of those who may not look.
func (s teller) shut(ann *kit.Browser, id string, paths []string) {
	t := s.t
	t.Helper()
	s.open(t, ann, "/helping")
	own := s.looks(ann, "Task/case-"+id)
	if own.Status != http.StatusOK || !strings.Contains(string(own.Body), `"in-progress"`) || strings.Contains(string(own.Body), "requester") || strings.Contains(string(own.Body), `"code":{`) {
		t.Error(own.Status, string(own.Body))
	}
	if list := s.finds(ann, "Task"); len(list) != 1 {
		t.Error(list)
	}
	rosa := s.secured("rosa")
	s.open(t, rosa, "/people")
	none := s.looks(ann, "Observation/none")
	for _, path := range append(paths, "Task/case-"+id) {
		for who, b := range map[string]*kit.Browser{"ann": ann, "rosa": rosa} {
			if who == "ann" && strings.HasPrefix(path, "Task") {
				continue
			}
			if res := s.looks(b, path); res.Status != http.StatusNotFound || len(res.Body) != len(none.Body) {
				t.Errorf("%s reads %s: %d %s", who, path, res.Status, res.Body)
			}
		}
		if res := s.looks(s.NewBrowser(kit.Person{}), path); res.Status != http.StatusUnauthorized || strings.Contains(string(res.Body), "resourceType") {
			t.Errorf("somebody reads %s: %d", path, res.Status)
		}
	}
	for _, list := range []string{"Observation?patient=rosa", "Provenance?patient=rosa", "Flag?patient=rosa", "Person"} {
		if got := s.finds(ann, list); len(got) != 0 {
			t.Errorf("%s: %v", list, got)
		}
	}
	// Nor does the FHIR base hold any of it (D14).
	for _, path := range paths {
		if res := s.fhir(t, s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: rosa, Patient: "rosa"}}).Access(), path); res.Status < 400 {
			t.Errorf("the FHIR base has %s", path)
		}
	}
}

// RS-05, GW-09: what another system gives is valid FHIR R4 with the element named
// where it is not, is changed by who saw it last, and what Mandate wrote nobody
// changes.
func TestRecordsOfOtherSystems(t *testing.T) {
	s := start(t, nil)
	doc := `{"resourceType":"DocumentReference","id":"court-1","status":"current","subject":{"reference":"Patient/rosa"},
		"author":[{"identifier":{"system":"https://mandate.example/fhir/NamingSystem/account","value":"demo-elena"}}],"content":[{"attachment":{"url":"Binary/court-1-file"}}]}`
	file := `{"resourceType":"Binary","id":"court-1-file","contentType":"application/pdf","securityContext":{"reference":"DocumentReference/court-1"},"data":"JVBERg=="}`
	refused := func(id, match, body string, status int, says string) {
		t.Helper()
		if res := s.put(t, "/records/"+id, match, []byte(body)); res.Status != status || !strings.Contains(string(res.Body), says) {
			t.Errorf("%s %s: %d %s", id, says, res.Status, res.Body)
		}
	}
	refused("court-1-file", "", file, http.StatusBadRequest, "Binary.securityContext")
	for says, bad := range map[string]string{
		"DocumentReference.status":      strings.Replace(doc, `"current"`, `"currant"`, 1),
		"DocumentReference.subject":     strings.Replace(doc, "Patient/rosa", "Group/rosa", 1),
		"DocumentReference.id":          strings.Replace(doc, `"court-1"`, `"court-2"`, 1),
		"DocumentReference":             strings.Replace(doc, `"content"`, `"contents"`, 1),
		"resourceType":                  `{"resourceType":"Basic","code":{"text":"x"}}`,
		"VerificationResult.target":     `{"resourceType":"VerificationResult","status":"attested","target":[{"reference":"RelatedPerson/x"}]}`,
		"Task.intent":                   `{"resourceType":"Task","status":"requested","intent":"ordered","for":{"reference":"Patient/rosa"}}`,
		"Observation.effectiveDateTime": `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/rosa"},"effectiveDateTime":"soon"}`,
		"code: empty array":             `{"resourceType":"Flag","status":"active","subject":{"reference":"Patient/rosa"},"code":[]}`,
	} {
		refused("court-1", "", bad, http.StatusBadRequest, says)
	}
	if res := s.admin(t, "GET", "/records/court-1", "", nil); res.Status != http.StatusNotFound {
		t.Error("something half written", res.Status)
	}
	if res := s.put(t, "/records/court-1", "", []byte(doc)); res.Status != http.StatusOK || res.Header.Get("ETag") != `W/"1"` {
		t.Fatal(res, string(res.Body))
	}
	if res := s.put(t, "/records/court-1-file", "", []byte(file)); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	refused("court-1", "", doc, http.StatusConflict, "record-exists")
	refused("court-1", `W/"2"`, doc, http.StatusPreconditionFailed, "version-changed")
	refused("court-1", `W/"1"`, strings.Replace(doc, "Patient/rosa", "Patient/joaquin", 1), http.StatusConflict, "record-moved")
	refused("case-1", "", strings.Replace(doc, "court-1", "case-1", 1), http.StatusForbidden, "record-own")
	refused("p1", "", `{"resourceType":"Provenance","target":[{"reference":"Consent/x"}],"recorded":"2026-11-02T10:15:00Z","agent":[{"who":{"display":"x"},"onBehalfOf":{"reference":"Patient/rosa"}}]}`,
		http.StatusForbidden, "record-own")
	if res := s.put(t, "/records/court-1", `W/"1"`, []byte(strings.Replace(doc, "current", "superseded", 1))); res.Status != http.StatusOK {
		t.Error(res)
	}
	var list struct{ Records []record }
	s.admin(t, "GET", "/records?patient=rosa&type=DocumentReference", "", &list)
	if len(list.Records) != 1 || list.Records[0].Status != "superseded" {
		t.Errorf("%+v", list)
	}
	s.admin(t, "GET", "/records/court-1/history", "", &list)
	if len(list.Records) != 2 {
		t.Errorf("%+v", list)
	}
	if res := s.admin(t, "GET", "/records/court-1?version=1", "", nil); !strings.Contains(string(res.Body), `"current"`) || res.Header.Get("ETag") != `W/"1"` {
		t.Error(res, string(res.Body))
	}
	if res := s.admin(t, "GET", "/records", "", nil); res.Status != http.StatusBadRequest {
		t.Error(res)
	}
	s.submitted(t)
}

// submitted: who handed a document in reads it and its file, and the patient does
// not (A.1, RS-05).
func (s *server) submitted(t *testing.T) {
	t.Helper()
	say := teller{s, t}
	elena, rosa := s.browser("elena"), say.secured("rosa")
	s.open(t, elena, "/helping")
	s.open(t, rosa, "/people")
	for _, path := range []string{"DocumentReference/court-1", "Binary/court-1-file", "DocumentReference/court-1/_history/1"} {
		if res := say.looks(elena, path); res.Status != http.StatusOK || res.Header.Get("Cache-Control") == "" {
			t.Errorf("who submitted it: %s %s", path, res)
		}
		if res := say.looks(rosa, path); res.Status != http.StatusNotFound {
			t.Errorf("the patient: %s %s", path, res)
		}
	}
	var list struct {
		Events []struct{ Kind, PersonID string }
	}
	s.admin(t, "GET", "/audit?patient=rosa&kind=fhir.read", "", &list)
	if !slices.ContainsFunc(list.Events, func(e struct{ Kind, PersonID string }) bool { return e.PersonID == "demo-elena" }) {
		t.Error("the log does not tell who read")
	}
}
