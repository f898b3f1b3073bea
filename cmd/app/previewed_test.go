package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/internal/words"
)

var seenRow = regexp.MustCompile(`<dt>([^<]+)</dt><dd>([0-9,]+) entr`)

// promised reads what a preview page counts, by kind in words.
func (s teller) promised(page *kit.Page) map[string]int {
	s.t.Helper()
	s.says(page, "would ", " see?")
	out := map[string]int{}
	for _, m := range seenRow.FindAllStringSubmatch(string(page.Body), -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(m[2], ",", ""))
		if err != nil {
			s.t.Fatal(err)
		}
		out[m[1]] = n
	}
	return out
}

// delivers counts, by kind in words, what an app gets through the gateway.
func (s teller) delivers(g *kit.Grant) map[string]int {
	s.t.Helper()
	texts, err := words.New()
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]int{}
	for _, scope := range g.Scopes() {
		rest, ok := strings.CutPrefix(scope, "patient/")
		if !ok {
			continue
		}
		typ, _, _ := strings.Cut(rest, ".")
		if _, about := compartment.SearchByPatient(typ); !about {
			// Names of doctors, places and medicines, and the files of letters, are
			// no entries of a record.
			continue
		}
		query := typ + "?_count=200&patient=rosa"
		if typ == "Patient" {
			query = "Patient?_id=rosa"
		}
		all, err := s.All(s.t.Context(), g.Access(), query)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(all) > 0 {
			out[texts.Kind("en", words.Kind{Type: typ})] = len(all)
		}
	}
	return out
}

// invented puts a random entry into Rosa's record, labelled at random, behind the
// gateway's back.
func (s teller) invented(random *rand.Rand, i int) {
	s.t.Helper()
	const act, confidentiality = "http://terminology.hl7.org/CodeSystem/v3-ActCode", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	typ := []string{"Observation", "Condition", "AllergyIntolerance", "MedicationRequest"}[i%4]
	doc := map[string]any{"resourceType": typ, "id": fmt.Sprintf("made-%d", i), "code": map[string]any{"text": "made up"}}
	about := map[string]any{"reference": "Patient/rosa"}
	switch typ {
	case "AllergyIntolerance":
		doc["patient"] = about
	case "MedicationRequest":
		delete(doc, "code")
		doc["subject"], doc["status"], doc["intent"] = about, "active", "order"
		doc["medicationCodeableConcept"] = map[string]any{"text": "made up"}
	case "Observation":
		doc["subject"], doc["status"] = about, "final"
	default:
		doc["subject"] = about
	}
	var labels []any
	if random.IntN(5) > 0 {
		labels = append(labels, map[string]any{"system": confidentiality, "code": []string{"N", "N", "L", "R", "V"}[random.IntN(5)]})
	}
	if random.IntN(3) == 0 {
		labels = append(labels, map[string]any{"system": act, "code": []string{"HIV", "PSY", "SUD", "PRS", "NOPAT", "ETH"}[random.IntN(6)]})
	}
	doc["meta"] = map[string]any{"security": labels}
	raw, err := json.Marshal(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	res := s.do(s.t, kit.Request{Method: http.MethodPut, URL: fmt.Sprintf("%s/%s/made-%d", s.Upstream, typ, i), Body: strings.NewReader(string(raw)), Type: "application/fhir+json"})
	if res.Status >= 300 {
		s.t.Fatal(res)
	}
}

// SP-07, TF-20: what a preview promises is what the gateway delivers, over a record
// with random entries and labels, for random choices; again after entries were
// labelled anew, and after one was kept private.
func TestAPreviewTellsWhatTheGatewayDelivers(t *testing.T) {
	s := teller{start(t, nil), t}
	random := rand.New(rand.NewPCG(6, 5))
	for i := range 200 {
		s.invented(random, i)
	}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	kinds := []string{"medicines", "allergies", "results", "conditions", "visits", "plans", "notes"}
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	for round := range 4 {
		random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		chosen := kinds[:3+random.IntN(3)]
		if !slices.Contains(chosen, "allergies") {
			chosen = append(slices.Clone(chosen), "allergies")
		}
		choice := url.Values{"kind": chosen, "fn": {"download"}, "until": {until}}
		look := s.fill(rosa, "/people/"+bea.id+"/share", "look", choice)
		promised := s.promised(look)
		s.says(s.press(rosa, look, "yes", nil), "Bea Brook has access until")
		g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/*.rs", Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
		if got := s.delivers(g); !maps.Equal(got, promised) || len(got) < 2 {
			t.Errorf("round %d, %v: the preview promises %v, the gateway delivers %v", round, chosen, promised, got)
		}
		for i := range 200 {
			if random.IntN(4) == 0 {
				s.invented(random, i)
			}
		}
		s.kept(rosa, "/record/allergies", "keep")
	}
}

// SP-11, SP-15, SC-20, TF-19: a patient sees in plain words what somebody does with
// the access, ends one app of it, and renews without what was never looked at.
func TestAPatientSeesHowAnAccessIsUsed(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	mine := "/people/" + bea.id
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	look := s.fill(rosa, mine+"/share", "look", url.Values{"kind": {"medicines", "conditions"}, "until": {until}})
	s.press(rosa, look, "yes", nil)
	const asked = "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Condition.rs patient/Patient.rs"
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asked, Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
	s.fetch(t, g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)

	page := s.open(t, rosa, mine)
	s.says(page, "Bea Brook has never looked at this: Illnesses", "Apps that Bea Brook uses", "Heart Diary sees it since", "What this person looked at")
	s.says(s.open(t, rosa, "/activity?person="+s.events(t, "kind=fhir.search&limit=1")[0].PersonID), "Bea Brook", "looked at medicines")
	end := regexp.MustCompile(`href="(/apps/[^"]+)/end"`).FindSubmatch(page.Body)
	if end == nil {
		t.Fatalf("no app to end: %s", page.Body)
	}
	s.says(s.open(t, rosa, string(end[1])), "Never asked for Conditions")
	s.press(rosa, s.open(t, rosa, string(end[1])+"/end"), "end", nil)
	if res := s.fhir(t, g.Access(), "MedicationRequest?patient=rosa"); res.Status < 400 {
		t.Errorf("an app that was cut still reads: %s", res)
	}
	again := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asked, Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
	s.fetch(t, again.Access(), "Condition?patient=rosa", http.StatusOK)
	s.fetch(t, again.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	if p := s.open(t, rosa, mine); strings.Contains(p.Text(), "never looked at") {
		t.Errorf("all was looked at: %s", p.Text())
	}

	s.press(rosa, s.fill(rosa, mine+"/share", "look", url.Values{"kind": {"medicines", "conditions", "notes"}, "until": {until}}), "yes", nil)
	s.says(s.proven(rosa, mine+"/renew"), "Never looked at. Tick what to leave out.", "Letters, notes and forms")
	s.says(s.fill(rosa, mine+"/renew", "yes", url.Values{"without": {"notes"}}), "Medicines", "Illnesses")
	if p := s.open(t, rosa, mine); strings.Contains(p.Text(), "Letters, notes and forms") {
		t.Errorf("what was left out is shared: %s", p.Text())
	}
}

// LC-12, TF-15: to say that something feels wrong leaves no name in the list of
// pages, has a way out, tells the officer, and tells the other nothing.
func TestSomethingFeelsWrong(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	if code, out, fault := cli(t, "operator", "assign", "admin", "auditor", "--data", s.data); code != 0 {
		t.Fatal(out, fault)
	}
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: sharedScope, Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
	bea.person = s.events(t, "kind=grant.created&limit=1")[0].PersonID
	letters := s.mail(bea)
	ask := s.open(t, rosa, "/people/"+bea.id+"/worry")
	s.says(ask, "Does something feel wrong with Bea Brook?", "Leave this page now")
	if strings.Contains(string(ask.Body), "<title>Does") {
		t.Error("the title of the page tells")
	}
	s.says(s.press(rosa, ask, "yes", nil), "The access of Bea Brook rests now.")
	if res := s.fhir(t, g.Access(), "MedicationRequest?patient=rosa"); res.Status < 400 {
		t.Errorf("still open: %s", res)
	}
	if got := s.mail(bea); got != letters {
		t.Errorf("the other got %q after %q", got, letters)
	}
	s.says(s.open(t, bea.b, "/helping/"+bea.id), "This is not available now. You can call us.")
	told := false
	notices, err := s.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notices {
		told = told || n.Template == "proxy.worry"
	}
	if !told {
		t.Error("no officer is told")
	}
	s.says(s.open(t, hale, "/staff/people"), "Bea Brook")
}
