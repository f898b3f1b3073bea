package app_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// ireland writes a pack of Ireland into a folder of an operator.
func ireland(t *testing.T, dir, teen, topics string) {
	t.Helper()
	text := `{"format": 1, "jurisdiction": "IE", "inherits": "US", "version": "own", "reviewed": "Counsel, 2026-11-01",
		"ages": [{"from": "2000-01-01", "source": "s", "teen": ` + teen + `, "adult": 18, "leap_day": "03-01"}], "minor_topics": [` + topics + `]}`
	if err := os.WriteFile(filepath.Join(dir, "ie.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// restarted ends a server and starts it again on the same store, under the packs of
// a folder, some minutes after the first: codes of an authenticator are good once.
func restarted(t *testing.T, before teller, dir, packs string, later time.Duration) teller {
	t.Helper()
	before.stop(t)
	s := teller{startIn(t, dir, func(c *app.Config) { c.Jurisdiction, c.LawPacks = "IE", packs }), t}
	s.until(s.Now().Add(later))
	return s
}

// FX-23, LC-20, LC-26, LB-11: what a changed pack takes from an access that there is
// it takes at once; what it would give is left to a new agreement.
func TestAChangedPackNarrowsAtOnceAndNeverWidens(t *testing.T) {
	dir, packs := t.TempDir(), t.TempDir()
	s := teller{startIn(t, dir, func(c *app.Config) { c.Jurisdiction = "IE" }), t}
	hale, osei := s.clinicians()
	id, dee := s.listed(hale, "noah", "Dee Whitfield", "dee")
	s.proofedBy(hale, id)
	s.papers(hale, osei, id, url.Values{"instrument": {"PRN"}, "trigger": {"immediate"}})
	at := "/staff/people/" + id
	s.says(s.fill(hale, at+"/activate", "yes", nil), "helps Noah Whitfield until")
	if !s.may(dee, "Observation") {
		t.Fatal("a parent of a child cannot read")
	}

	// The same ages, and a topic over which every minor decides alone.
	ireland(t, packs, "16", `{"from": "2000-01-01", "source": "s", "topic": "sexual-health", "age": 0}`)
	s = restarted(t, s, dir, packs, 2*time.Minute)
	s.awaited(s.browser("hale"), at, "The law changed: less is open")
	dee = s.NewBrowser(dee.Person)
	if !s.may(dee, "Observation") {
		t.Error("a topic that is kept closes the rest")
	}

	// Noah is a teenager by another law: his mother keeps what a household needs.
	ireland(t, packs, "13", "")
	s = restarted(t, s, dir, packs, 4*time.Minute)
	dee = s.NewBrowser(dee.Person)
	eventually(t, "a parent of a teenager reads too much", func() bool { return !s.may(dee, "Observation") })
	if !s.may(dee, "Immunization") {
		t.Error("a parent of a teenager reads nothing")
	}

	// A law that would give more gives nothing to what there is.
	ireland(t, packs, "17", "")
	s = restarted(t, s, dir, packs, 6*time.Minute)
	dee = s.NewBrowser(dee.Person)
	if s.may(dee, "Observation") {
		t.Error("a law that widened opened an access that there was")
	}
}

// LC-08, LC-10: a relation from before gets a case where its Consent stands, which
// opens nothing, and is renewed and ended from then on as any other.
func TestARelationFromBeforeIsTakenOver(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, _ := s.clinicians()
	rosa := s.secured("rosa")
	s.open(t, rosa, "/people")
	adopt := func(patient, related string) *kit.Page {
		return s.fill(hale, "/staff/people/adopt", "yes", url.Values{"patient": {patient}, "related": {related}})
	}
	// Nobody, somebody of another patient, and one whose relation has ended.
	for _, related := range []string{"nobody", "noah-dana", "rosa-victor"} {
		s.says(adopt("rosa", related), "This patient has no such person")
	}
	tomas := s.browser("tomas")
	launch := kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: tomas, Patient: "Rosa Alvarez"}}
	g := s.granted(t, launch)
	page := adopt("rosa", "rosa-tomas")
	s.says(page, "Tomas Alvarez helps Rosa Alvarez until", "Taken over from before")
	s.says(adopt("rosa", "rosa-tomas"), "This person is on the list.")
	id := caseAt.FindStringSubmatch(page.URL)[1]
	if !s.reads(g) {
		t.Error("taking over closes")
	}
	s.says(s.open(t, rosa, "/people/"+id), "Tomas Alvarez has access until")
	s.says(s.fill(rosa, "/people/"+id+"/renew", "yes", nil), "Access made longer")
	s.says(s.fill(rosa, "/people/"+id+"/revoke", "yes", nil), "You ended the access of Tomas Alvarez.")
	if s.reads(g) {
		t.Error("reads after the end")
	}
	// An agent whose Consent sleeps waits for the papers.
	s.says(adopt("rosa", "rosa-marcus"), "Marcus Alvarez", "waits for a yes")
}

// Packs are listed, shown, checked and compared without a store; a bad one stops the
// server with path and reason; the doctor says what is in force and that nobody
// reviewed it.
func TestPacksFromTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	ireland(t, dir, "15", "")
	file := filepath.Join(dir, "ie.json")
	at := func(want int, words string, args ...string) {
		t.Helper()
		code, out, errOut := cli(t, append([]string{"packs"}, args...)...)
		if code != want || !strings.Contains(out+errOut, words) {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
	at(0, "US-AL   US        2026.11  none", "list")
	at(0, "Counsel, 2026-11-01", "list", "--law-packs", dir)
	at(0, `"reviewed": "none"`, "show", "US-CA")
	at(1, `"FR" has no pack; these have: GB-ENG, IE`, "show", "FR")
	at(0, "understood: IE version own, reviewed: Counsel", "check", file)
	at(0, "narrows ages ages", "diff", file)
	at(0, "nothing changes in IE", "diff", "--law-packs", dir, file)
	bad := filepath.Join(dir, "xx.json")
	if err := os.WriteFile(bad, []byte(`{"format":1,"jurisdiction":"XX","version":"1","reviewed":"none","label_sets":[{"from":"2000-01-01","source":"s","topic":"hiv","labels":["HIVX"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	at(1, bad+`: label_sets[0].labels[0]: "HIVX" is no label that the decision knows`, "check", bad)
	_, err := run(t.TempDir(), func(c *app.Config) { c.LawPacks = dir })
	if err == nil || !strings.Contains(err.Error(), bad+": label_sets[0].labels[0]") {
		t.Errorf("a bad pack starts: %v", err)
	}
	if code, out, errOut := cli(t, "doctor", "--dev", "--offline", "--only", "law-pack"); !strings.Contains(out, "reviewed: none") || !strings.Contains(out, "lawyer") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}
