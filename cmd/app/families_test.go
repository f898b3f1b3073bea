package app_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// shown is a line of the page that lists the people of the demonstration.
type shown struct {
	helper, patient, words string
	as                     []string
}

var shownAt = regexp.MustCompile(`<li data-helper="([^"]*)" data-patient="([^"]*)" data-as="([^"]*)" data-words="([^"]*)">`)

// toldByDemo reads what the demonstration says can be looked at.
func (s teller) toldByDemo() []shown {
	s.t.Helper()
	page := string(s.do(s.t, kit.Request{URL: strings.TrimSuffix(s.DemoApp, "/app/") + "/people/"}).Body)
	var out []shown
	for _, m := range shownAt.FindAllStringSubmatch(page, -1) {
		out = append(out, shown{html.UnescapeString(m[1]), m[2], html.UnescapeString(m[4]), strings.Fields(m[3])})
	}
	return out
}

// SP-01, A.5: what the demonstration says about its families is so: each place of the
// life cycle is on the pages of the patient, of the helper and of staff, and what was
// done to get there is in the audit log. The same families are there in every start.
func TestTheFamiliesOfTheDemonstration(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.Families, c.Bereavement = true, 30 }), t}
	if text := s.out.String(); strings.Contains(text, "is not complete") {
		t.Error(text)
	}
	if err := s.Advance(t.Context(), time.Minute); err != nil { // what is over soon is over
		t.Fatal(err)
	}
	browsers := map[string]*kit.Browser{}
	pages := map[string]string{}
	look := func(username string, paths ...string) string {
		all := ""
		for _, path := range paths {
			at := username + path
			if _, seen := pages[at]; !seen {
				if browsers[username] == nil {
					browsers[username] = s.browser(username)
				}
				pages[at] = s.open(t, browsers[username], path).Text()
			}
			all += pages[at] + "\n"
		}
		return all
	}
	rows := s.toldByDemo()
	if len(rows) < 25 {
		t.Fatalf("%d cases are listed", len(rows))
	}
	for _, row := range rows {
		for i, username := range row.as {
			var text string
			want := row.helper
			switch s.Person(username).Role {
			case "patient":
				text = look(username, "/people")
			case "clinician":
				text = look(username, "/staff/people", "/staff/matters")
				if !strings.Contains(text, want) {
					want = row.patient // a matter is about a patient
				}
			default:
				text, want = look(username, "/helping"), ""
			}
			if i == 0 && row.words != "" {
				want = row.words
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s of %s: as %s %q is not in %s", row.helper, row.patient, username, want, text)
			}
		}
	}
	if text := look("rick", "/helping"); strings.Contains(text, "Ruth") {
		t.Errorf("who is shut out sees %s", text)
	}
	s.familiesAreRecorded()
}

// familiesAreRecorded wants the steps of the families in the audit log, by those who
// took them.
func (s teller) familiesAreRecorded() {
	s.t.Helper()
	acts, by := []string{}, []string{}
	for _, e := range s.events(s.t, "kind=proxy.step&limit=1000") {
		acts, by = append(acts, e.Detail["act"]), append(by, e.PersonID)
	}
	for _, act := range []string{
		"invite", "accept", "proof", "reject", "attest", "verify", "confirm", "ask", "pause", "revoke", "resign",
		"determine", "report", "block", "request", "propose",
	} {
		if !slices.Contains(acts, act) {
			s.t.Errorf("no %q is recorded: %v", act, acts)
		}
	}
	for _, person := range []string{"demo-ruth", "demo-hale", "demo-osei", "demo-noah", "demo-joy"} {
		if !slices.Contains(by, person) {
			s.t.Errorf("nothing is recorded of %s", person)
		}
	}
}
