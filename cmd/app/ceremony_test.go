package app_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// ceremony is what the stories look at of a QuestionnaireResponse.
type ceremony struct {
	ID, Language, Questionnaire, Authored string
	Author, Source                        struct{ Reference string }
	Extension                             []struct{ ValueReference struct{ Reference string } }
	Item                                  []item
}

type item struct {
	LinkID string `json:"linkId"`
	Text   string
	Answer []map[string]any
	Item   []item
}

// answers flattens items to what was answered, and texts to what stood there.
func flattened(all []item) (answers map[string]any, texts []string) {
	answers = map[string]any{}
	for _, i := range all {
		texts = append(texts, i.Text)
		for _, a := range i.Answer {
			for _, v := range a {
				answers[i.LinkID] = v
			}
		}
		deeper, more := flattened(i.Item)
		for id, v := range deeper {
			answers[id] = v
		}
		texts = append(texts, more...)
	}
	return answers, texts
}

// ceremonies reads those about Rosa, the oldest first.
func (s teller) ceremonies(b *kit.Browser, query string) (out []ceremony) {
	s.t.Helper()
	for _, r := range s.finds(b, "QuestionnaireResponse"+query) {
		var c ceremony
		if err := json.Unmarshal([]byte(r.Raw), &c); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// RS-06, PV-01 … PV-03, CN-10: who agrees on a page, or takes back, leaves in the
// transaction of the Consent what was shown and answered; the Provenances name it; the
// patient and staff read it, nobody who helps does, and what is refused leaves none.
func TestWhatWasAgreedToIsKept(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	bea := s.enrolled(link, "bea@example.org", code, "bea")
	s.proofedBy(hale, id)
	at := "/people/" + id
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	builder := s.proven(rosa, at+"/share")
	seen := s.press(rosa, builder, "look", url.Values{"kind": {"medicines", "visits"}, "fn": {"message"}, "until": {until}, "urgent": {"yes"}})
	if got := s.ceremonies(rosa, ""); len(got) != 0 {
		t.Fatalf("kept before anything was agreed: %+v", got)
	}
	late := s.press(rosa, seen, "yes", url.Values{"until": {s.Now().AddDate(2, 0, 0).Format(time.DateOnly)}})
	if got := s.ceremonies(rosa, ""); late.Status != http.StatusBadRequest || len(got) != 0 {
		t.Errorf("kept although it was refused: %d %+v", late.Status, got)
	}
	s.says(s.press(rosa, seen, "yes", nil), "Bea Brook has access until")

	first := s.firstCeremony(rosa, until, builder.Text()+seen.Text())
	consent := first.Extension[0].ValueReference.Reference
	s.named(hale, consent, first.ID, "CREATE")
	s.holds("the Consent", s.consentAt(rosa, consent), `"sourceReference"`, "QuestionnaireResponse/"+first.ID)
	s.changedAndEnded(rosa, hale, at, consent)
	s.blockedCeremonies(rosa, bea, at, 5)
	s.closedCeremonies(bea, rosa, first.ID)
}

// firstCeremony looks at what a first grant leaves.
func (s teller) firstCeremony(rosa *kit.Browser, until, shown string) ceremony {
	s.t.Helper()
	all := s.ceremonies(rosa, "")
	if len(all) != 1 {
		s.t.Fatalf("%+v", all)
	}
	first := all[0]
	answers, texts := flattened(first.Item)
	for id, want := range map[string]any{
		"kind.medicines": true, "kind.visits": true, "kind.notes": false, "fn.message": true, "fn.download": false, "until": until, "urgent": true, "yes": true,
	} {
		if answers[id] != want {
			s.t.Errorf("%s: %v, not %v", id, answers[id], want)
		}
	}
	stood := html.UnescapeString(shown)
	for _, text := range texts {
		if !strings.Contains(stood, text) {
			s.t.Errorf("%q was not shown", text)
		}
	}
	if first.Author.Reference != "Patient/rosa" || first.Source != first.Author || first.Language != "en" || !strings.Contains(first.Questionnaire, "/Questionnaire/share-seen|") || first.Authored == "" {
		s.t.Errorf("%+v", first)
	}
	return first
}

// changedAndEnded: a renewal with less, a pause and an end.
func (s teller) changedAndEnded(rosa, hale *kit.Browser, at, consent string) {
	s.t.Helper()
	s.says(s.fill(rosa, at+"/renew", "yes", url.Values{"choice": {"less"}, "without": {"visits"}}), "Bea Brook has access until")
	s.says(s.fill(rosa, at+"/pause", "yes", nil), "rests now")
	s.says(s.fill(rosa, at+"/resume", "yes", nil), "Bea Brook has access until")
	s.says(s.fill(rosa, at+"/revoke", "no", nil), "Bea Brook has access until")
	s.says(s.fill(rosa, at+"/revoke", "yes", url.Values{"quiet": {"yes"}}), "You ended the access of Bea Brook.")
	all := s.ceremonies(hale, "?patient=rosa")
	if len(all) != 5 {
		s.t.Fatalf("%d ceremonies", len(all))
	}
	renewed, _ := flattened(all[1].Item)
	choice, _ := renewed["choice"].(map[string]any)
	if choice["code"] != "less" || choice["display"] != "Less than now" || renewed["without.visits"] != true || renewed["without.medicines"] != false {
		s.t.Errorf("the renewal: %v", renewed)
	}
	if ended, _ := flattened(all[4].Item); ended["quiet"] != true || !strings.Contains(all[4].Questionnaire, "proxy-act-revoke|") {
		s.t.Errorf("the end: %v", ended)
	}
	s.named(hale, consent, all[1].ID, "UPDATE")
	s.named(hale, all[4].Extension[0].ValueReference.Reference, all[4].ID, "UPDATE", "PATRQT", "ONLINEWRIT", "SUBCON", `"revision"`)
}

// named wants that a Provenance of a Consent names a ceremony.
func (s teller) named(b *kit.Browser, consent, ceremony, activity string, more ...string) {
	s.t.Helper()
	for _, p := range s.finds(b, "Provenance?target="+consent) {
		if strings.Contains(p.Raw, "QuestionnaireResponse/"+ceremony) && strings.Contains(p.Raw, activity) {
			s.holds("the Provenance", p.Raw, append(more, `"role":"source"`)...)
			return
		}
	}
	s.t.Errorf("no Provenance of %s names %s", consent, ceremony)
}

// consentAt reads a Consent by an app of the patient.
func (s teller) consentAt(b *kit.Browser, ref string) string {
	s.t.Helper()
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Consent.rs", Visit: kit.Visit{Browser: b, Patient: "rosa"}})
	return string(s.fetch(s.t, g.Access(), ref, http.StatusOK).Body)
}

// blockedCeremonies: who shuts somebody out leaves what was shown.
func (s teller) blockedCeremonies(rosa, bea *kit.Browser, at string, before int) {
	s.t.Helper()
	s.says(s.fill(rosa, at+"/block", "yes", nil), "Bea Brook")
	all := s.ceremonies(rosa, "")
	if len(all) != before+1 || !strings.Contains(all[before].Questionnaire, "proxy-act-block|") {
		s.t.Errorf("%d ceremonies after a block", len(all))
	}
	s.fill(rosa, "/people/block", "", url.Values{"name": {"Cal Crane"}, "email": {"cal@example.org"}, "relation": {"FMRSPS"}})
	all = s.ceremonies(rosa, "")
	if named, _ := flattened(all[len(all)-1].Item); len(all) != before+2 || named["name"] != "Cal Crane" {
		s.t.Errorf("a block by name: %v", named)
	}
	if p := s.open(s.t, bea, "/records/QuestionnaireResponse"); p.Status != http.StatusOK || strings.Contains(p.Text(), "Bea Brook") {
		s.t.Errorf("who is blocked reads %s", p.Text())
	}
}

// closedCeremonies looks through the eyes of those who may not look.
func (s teller) closedCeremonies(bea, rosa *kit.Browser, id string) {
	s.t.Helper()
	path := "QuestionnaireResponse/" + id
	s.open(s.t, bea, "/helping")
	for _, where := range []string{path, path + "/_history", path + "/_history/1"} {
		if res := s.looks(bea, where); res.Status != http.StatusNotFound {
			s.t.Errorf("who helps reads %s: %d", where, res.Status)
		}
		if res := s.looks(rosa, where); res.Status != http.StatusOK {
			s.t.Errorf("the patient does not read %s: %d", where, res.Status)
		}
		if res := s.looks(s.NewBrowser(kit.Person{}), where); res.Status != http.StatusUnauthorized {
			s.t.Errorf("somebody reads %s: %d", where, res.Status)
		}
	}
	for _, list := range []string{"", "?patient=rosa", "?patient=joaquin"} {
		if got := s.finds(bea, "QuestionnaireResponse"+list); len(got) != 0 {
			s.t.Errorf("who helps finds %d by %q", len(got), list)
		}
	}
	if got := s.finds(rosa, "QuestionnaireResponse?patient=joaquin"); len(got) != 0 {
		s.t.Errorf("a patient finds %d of another", len(got))
	}
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: rosa, Patient: "rosa"}})
	if res := s.fhir(s.t, g.Access(), path); res.Status < 400 {
		s.t.Errorf("the FHIR base has %s", path)
	}
	if res := s.put(s.t, "/records/other", "", []byte(`{"resourceType":"QuestionnaireResponse","status":"completed","subject":{"reference":"Patient/rosa"}}`)); res.Status != http.StatusForbidden {
		s.t.Errorf("another system writes one: %d %s", res.Status, res.Body)
	}
}
