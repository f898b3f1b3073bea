package evidence_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/errs"
)

var (
	noon  = time.Date(2026, 11, 14, 12, 0, 0, 0, time.UTC)
	elena = fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"}
	hale  = evidence.Party{Resource: fhir.Reference{Type: "Practitioner", ID: "dr-hale"}, Account: "p-hale"}
)

// asked is what so many people who must act together ask for.
func asked(yes int, outcome string) func() (evidence.Record, error) {
	r := evidence.Together{ID: "j1", Patient: "rosa", Function: "schedule", Outcome: outcome, Began: noon, At: noon, Due: noon.AddDate(0, 0, 14)}
	for range yes {
		r.Approved = append(r.Approved, evidence.Approver{Party: evidence.Party{Resource: elena, Account: "p-elena"}, At: noon})
	}
	return r.Task
}

// made is one of each record, as the life cycle writes them.
func made() map[string]func() (evidence.Record, error) {
	change := evidence.Change{
		ID: "c1-2", Patient: "rosa", Target: fhir.Reference{Type: "Consent", ID: "c1"}, Version: 2, At: noon, Purpose: "PWATRNY", Channel: evidence.Online, Signed: true,
		Sources: []string{"Observation/o1", "DocumentReference/d1"},
		Agents: []evidence.Agent{
			{Party: evidence.Party{Resource: elena}, Type: "author", Role: evidence.RoleOf("HPOWATT"), ForPatient: true},
			{Party: hale, Type: "verifier"}, {Party: evidence.Party{Account: "p-osei"}, Type: "attester"}, {Type: "performer"},
		},
	}
	errand := evidence.Errand{
		ID: "t1", Patient: "rosa", Relation: elena, Account: "p-elena", Act: "confirm", State: "confirmed", Reason: "x",
		By: evidence.Party{Account: "p-rosa"}, Began: noon, At: noon, Until: noon.AddDate(0, 6, 0), Consents: []string{"c1"},
	}
	check := evidence.Check{
		ID: "v1", Patient: "rosa", Relation: elena, Status: "validated", At: noon, Kind: "HPOWATT", How: []string{"in-person"},
		Attested: hale, AttestedAt: noon, Checked: evidence.Party{Account: "p-osei"}, CheckedAt: noon, Next: noon.AddDate(1, 0, 0), Document: "DocumentReference/d1",
	}
	paper := evidence.Document{ID: "d1", Patient: "rosa", Relation: elena, By: hale, At: noon, Kind: "HPOWATT", Media: "application/pdf", Bytes: []byte("%PDF")}
	agreed := evidence.Ceremony{
		ID: "q1", Patient: "rosa", By: evidence.Party{Resource: fhir.Reference{Type: "Patient", ID: "rosa"}, Account: "p-rosa"}, At: noon,
		Consents: []string{"c1", "c2"},
		Shown: evidence.Shown{Page: "share", Language: "es", Words: "a1b2c3d4e5f6", Lines: []evidence.Line{
			{ID: "title", Text: "¿Qué quiere compartir?"},
			{ID: "kind", Text: "Puede ver", Lines: []evidence.Line{{ID: "kind.plans", Text: "Planes", Answer: evidence.Ticked(false)}}},
			{ID: "until", Text: "Último día", Answer: evidence.Day("2027-05-20")},
			{ID: "choice", Text: "¿Qué sigue?", Answer: evidence.Chosen("same", "Lo mismo")},
			{ID: "name", Text: "Nombre", Answer: evidence.Typed("Víctor")}, {ID: "email", Text: "Correo", Answer: evidence.Typed("")},
		}},
	}
	seen, form := paper, paper
	seen.Media, seen.Bytes = "", nil
	form.Kind, form.Relation = "", fhir.Reference{}
	message := evidence.Writing{
		ID: "w1", Patient: "rosa", Target: fhir.Reference{Type: "Communication", ID: "m1"}, Version: "1", Operation: "CREATE", At: noon,
		By: evidence.Party{Resource: elena, Account: "p-elena"}, App: evidence.Party{Client: "app"}, Consents: []string{"c1"},
	}
	return map[string]func() (evidence.Record, error){
		"Provenance":               change.Provenance,
		"Provenance of a message":  message.Provenance,
		"Provenance of a deletion": evidence.Writing{ID: "w2", Patient: "rosa", Target: message.Target, Operation: "DELETE", At: noon, By: message.By}.Provenance,
		"Task":                     errand.Task,
		"Task of an invitation":    evidence.Errand{ID: "t2", Patient: "rosa", Act: "invite", State: "invited", By: hale, Began: noon, At: noon}.Task,
		"Task of a prohibition":    evidence.Lapse{ID: "l1", Patient: "rosa", Consent: fhir.Reference{Type: "Consent", ID: "e4"}, By: hale, At: noon, Ends: noon.AddDate(0, 1, 0)}.Task,
		"Task that one asks for":   asked(1, ""),
		"Task that two ask for":    asked(2, ""),
		"Task that was done":       asked(2, "done"),
		"VerificationResult":       check.VerificationResult,
		"identity":                 evidence.Check{ID: "v2", Patient: "rosa", Relation: elena, Status: "validated", At: noon, How: []string{"in-person", "passport"}, Checked: hale, CheckedAt: noon}.VerificationResult,
		"Observation":              evidence.Determination{ID: "o1", Patient: "rosa", By: hale, At: noon, Lacks: true, Review: noon.AddDate(0, 1, 0)}.Observation,
		"Observation of recovery":  evidence.Determination{ID: "o2", Patient: "rosa", By: hale, At: noon}.Observation,
		"Flag":                     evidence.Hold{ID: "f1", Patient: "rosa", Active: true, By: hale, Began: noon}.Flag,
		"Flag that was released":   evidence.Hold{ID: "f1", Patient: "rosa", By: hale, Began: noon, Ended: noon}.Flag,
		"Person":                   evidence.Human{ID: "h1", Account: "p-elena", Name: "Elena", Active: true, Links: []evidence.Link{{Target: elena, Level: 3}}}.Person,
		"DocumentReference":        paper.DocumentReference,
		"paper that staff saw":     seen.DocumentReference,
		"DocumentReference (form)": form.DocumentReference,
		"Binary":                   paper.Binary,
		"QuestionnaireResponse":    agreed.QuestionnaireResponse,
	}
}

// RS-01, RS-05, RS-07 … RS-09, RS-11: whatever is recorded is valid FHIR R4, knows
// whom it is about, and is marked as restricted.
func TestRecordsAreValid(t *testing.T) {
	c, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range made() {
		r, err := make()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err = r.Next(0, noon)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.ValidateType(r.JSON, r.Type); err != nil {
			t.Errorf("%s: %v\n%s", name, err, r.JSON)
		}
		if r.Patient != "rosa" && r.Type != evidence.TypePerson || !slices.Contains(evidence.Types(), r.Type) {
			t.Errorf("%s: %+v", name, r)
		}
		var doc struct {
			ID   string
			Meta struct {
				VersionID string `json:"versionId"`
				Security  []fhir.Coding
			}
		}
		if err := json.Unmarshal(r.JSON, &doc); err != nil || doc.ID != r.ID || doc.Meta.VersionID != "1" || len(doc.Meta.Security) != 1 || doc.Meta.Security[0].Code != "R" {
			t.Errorf("%s: %+v %v", name, doc, err)
		}
	}
}

// RC-18, PV-04, PV-05: a Provenance tells who signed for whom, by what right, and
// on what it rests.
func TestWhoSignedForWhom(t *testing.T) {
	r, err := made()["Provenance"]()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"code":"POACON"`, `"onBehalfOf":{"reference":"Patient/rosa"}`, `"reference":"Consent/c1/_history/2"`,
		`{"role":"revision","what":{"reference":"Consent/c1/_history/1"}}`, `{"role":"source","what":{"reference":"Observation/o1"}}`,
		`"code":"1.2.840.10065.1.12.1.7"`, `"value":"p-osei"`, `"code":"ONLINEWRIT"`,
	} {
		if !strings.Contains(string(r.JSON), want) {
			t.Errorf("%s is missing in %s", want, r.JSON)
		}
	}
	if r.Focus != "Consent/c1" {
		t.Error(r.Focus)
	}
	for kind, want := range map[string]string{"": "SUBCON", "DPOWATT": "POACON", "GUARD": "GRDCON", "PRN": "PRCON", "EXCEST": "PRCON"} {
		if got := evidence.RoleOf(kind); got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

// RS-10: what somebody was told is a valid Communication whose status follows its
// delivery; it tells of nobody where the portal tells of nobody.
func TestWhatSomebodyWasTold(t *testing.T) {
	c, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	told := evidence.Notice{
		ID: "n1", Kind: "grant", To: evidence.Party{Resource: elena, Account: "p-elena"}, Subject: "rosa", About: elena,
		Text: "You get access to the record of Rosa.", Language: "en", Created: noon,
	}
	bare := evidence.Notice{ID: "n2", Kind: "other", To: evidence.Party{Account: "p-elena"}, Text: "Something changed.", Language: "en", Created: noon}
	sent, seen, read, over, late := told, told, told, bare, bare
	sent.Sent, read.Sent, late.Sent = noon.Add(time.Minute), noon.Add(time.Minute), noon.Add(time.Minute)
	seen.Seen, read.Seen = noon.Add(time.Hour), noon.Add(time.Hour)
	over.Over, late.Over = true, true
	for _, one := range []struct {
		n       evidence.Notice
		status  string
		version int
		holds   string
	}{
		{told, "preparation", 1, `"about":[{"reference":"RelatedPerson/rosa-elena"}]`}, {bare, "preparation", 1, `"contentString":"Something changed."`},
		{sent, "completed", 2, `"sent":"2026-11-14T12:01:00.000Z"`}, {seen, "completed", 2, `"sent":"2026-11-14T12:00:00.000Z"`},
		{read, "completed", 3, `"received":"2026-11-14T13:00:00.000Z"`}, {over, "stopped", 1, `"sender"`}, {late, "not-done", 2, `"recipient"`},
	} {
		r, err := one.n.Communication()
		if err != nil || r.Status != one.status || r.Version != one.version || !strings.Contains(string(r.JSON), one.holds) {
			t.Errorf("%+v %v\n%s", one, err, r.JSON)
		}
		if err := c.ValidateType(r.JSON, "Communication"); err != nil {
			t.Errorf("%s: %v\n%s", one.status, err, r.JSON)
		}
		if one.n.Subject == "" && (strings.Contains(string(r.JSON), "Patient/") || strings.Contains(string(r.JSON), "RelatedPerson/")) {
			t.Errorf("tells of somebody: %s", r.JSON)
		}
	}
	if _, err := evidence.Parse([]byte(`{"resourceType":"Communication","status":"completed"}`)); !errs.Is(err, errs.Invalid) {
		t.Error("a notice can be stored", err)
	}
}

// RS-06: a ceremony is found by its Consent and by who answered, and says in which
// words what was asked and answered.
func TestWhatWasShownAndAnswered(t *testing.T) {
	r, err := made()["QuestionnaireResponse"]()
	if err != nil {
		t.Fatal(err)
	}
	if r.Focus != "Consent/c1" || r.Person != "p-rosa" || r.Status != "completed" {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{
		`"language":"es"`, `/Questionnaire/share|a1b2c3d4e5f6"`, `"reference":"Consent/c2"`, `"authored":"2026-11-14T12:00:00.000Z"`,
		`{"answer":[{"valueBoolean":false}],"linkId":"kind.plans","text":"Planes"}`, `{"linkId":"email","text":"Correo"}`,
	} {
		if !strings.Contains(string(r.JSON), want) {
			t.Errorf("%s is missing in %s", want, r.JSON)
		}
	}
}

// What comes from outside must say whom it is about, by the element of its type.
func TestColumns(t *testing.T) {
	for name, path := range map[string]string{
		`{"resourceType":"Task","status":"requested","intent":"order"}`:                                      "Task.for",
		`{"resourceType":"Flag","status":"active","author":{"reference":"Practitioner/x"}}`:                  "Flag.subject",
		`{"resourceType":"Observation","status":"final","subject":{"reference":"Group/g"}}`:                  "Observation.subject",
		`{"resourceType":"DocumentReference","subject":{"reference":"https://elsewhere.example/Patient/x"}}`: "DocumentReference.subject",
		`{"resourceType":"VerificationResult","target":[{"reference":"RelatedPerson/x"}]}`:                   "VerificationResult.target",
		`{"resourceType":"Provenance","target":[{"reference":"Consent/x"}]}`:                                 "Provenance.agent.onBehalfOf",
		`{"resourceType":"Consent"}`: "resourceType",
	} {
		if _, err := evidence.Parse([]byte(name)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := evidence.Parse([]byte(`{"resourceType":"Task","id":"t","status":"requested","for":{"reference":"Patient/rosa"},"focus":{"reference":"RelatedPerson/x"},
		"owner":{"identifier":{"system":"` + evidence.SystemAccount + `","value":"p-1"}}}`))
	if err != nil || r.Patient != "rosa" || r.Focus != "RelatedPerson/x" || r.Person != "p-1" || r.Status != "requested" || r.ID != "t" {
		t.Errorf("%+v %v", r, err)
	}
	r, err = evidence.Parse([]byte(`{"resourceType":"Person","active":true,"identifier":[{"system":"urn:x","value":"n"},{"system":"` + evidence.SystemAccount + `","value":"p-1"}]}`))
	if err != nil || r.Patient != "" || r.Person != "p-1" || r.Status != "active" {
		t.Errorf("%+v %v", r, err)
	}
	r, err = evidence.Parse([]byte(`{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/rosa"},
		"author":[{"reference":"RelatedPerson/x"},{"identifier":{"system":"` + evidence.SystemAccount + `","value":"p-2"}}]}`))
	if err != nil || r.Person != "p-2" {
		t.Errorf("%+v %v", r, err)
	}
}
