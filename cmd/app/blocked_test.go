package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// twin is one of two people who are alike in all that the server knows, but for
// one of them being shut out by somebody.
type twin struct {
	name, email, username string
	b                     *kit.Browser
	g                     *kit.Grant
	id, person            string
	seen                  []string
}

// changing is what differs between any two answers to one person.
var changing = regexp.MustCompile(`(name="csrf" value=")[^"]*|(request=)[^"&\s]+|name="until" value="\d+"|data-left="\d+"|[0-9a-f]{32}|\b[0-9a-f]{4}-[0-9a-f]{4}\b|(state|code|session_state)=[^"&\s]+|/flow/[A-Za-z0-9_-]+|[A-Za-z0-9_-]{43,}|\d{2}:\d{2} UTC|\d{2}:\d{2}:\d{2}(\.\d+)?(Z| GMT|[+-]\d{2}:\d{2})?`)

// note keeps an answer as anybody would see it: the own name and what is drawn
// anew for each answer are taken out.
func (w *twin) note(where string, all ...*kit.Response) {
	for _, r := range all {
		var header []string
		for name, values := range r.Header {
			header = append(header, name+": "+strings.Join(values, "|"))
		}
		slices.Sort(header)
		text := fmt.Sprintf("%s %d\n%s\n\n%s", where, r.Status, strings.Join(header, "\n"), r.Body)
		for _, own := range []string{w.name, url.QueryEscape(w.name), w.email, w.username} {
			text = strings.ReplaceAll(text, own, "OWN")
		}
		w.seen = append(w.seen, changing.ReplaceAllString(text, "$1$2*"))
	}
}

// alike wants that two people saw the same, byte by byte.
func alike(t *testing.T, a, b *twin) {
	t.Helper()
	if len(a.seen) != len(b.seen) {
		t.Errorf("%s saw %d answers, %s %d", a.name, len(a.seen), b.name, len(b.seen))
	}
	for i := range min(len(a.seen), len(b.seen)) {
		one, other := strings.Split(a.seen[i], "\n"), strings.Split(b.seen[i], "\n")
		for j := range max(len(one), len(other)) {
			if j >= len(one) || j >= len(other) || one[j] != other[j] {
				t.Errorf("%s and %s can tell, from line %d of %s:\n%q\n%q", a.name, b.name, j, one[0], one[min(j, len(one)):], other[min(j, len(other)):])
				break
			}
		}
	}
	a.seen, b.seen = nil, nil
}

// letIn lets a patient give somebody medicines at once. who may have an account.
func (s teller) letIn(patient, hale *kit.Browser, who *twin) {
	s.t.Helper()
	id, link, code := s.invited(patient, who.name, who.email)
	who.id = id
	if who.b == nil {
		who.b = s.enrolled(link, who.email, code, who.username)
		s.open(s.t, who.b, "/helping")
	} else {
		s.fill(who.b, link, "check", url.Values{"email": {who.email}, "code": {code}})
	}
	s.proofedBy(hale, id)
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	look := s.fill(patient, "/people/"+id+"/share", "look", url.Values{"kind": {"medicines"}, "until": {until}, "urgent": {"yes"}})
	s.says(s.press(patient, look, "yes", nil), who.name+" has access until")
}

// tries walks all ways to the record of Rosa and notes what is seen.
func (s teller) tries(who *twin) {
	s.t.Helper()
	ctx := s.t.Context()
	fresh := s.NewBrowser(who.b.Person)
	page, err := fresh.SignIn(ctx, s.at("/home"))
	if err != nil {
		s.t.Fatal(err)
	}
	who.note("log-in", page.Trail...)
	who.person = s.events(s.t, "kind=login.succeeded&limit=1")[0].PersonID
	// A notice of the log-in is on its way to both; when it arrives is chance.
	s.sent(fresh)
	for _, path := range []string{"/home", "/helping", "/helping/request", "/acting", "/messages", "/records/Task", "/people", "/apps", "/activity", "/invitation/" + strings.Repeat("a", 43), "/people/" + strings.Repeat("0", 32),
		"/records/Communication", "/records/QuestionnaireResponse?patient=rosa"} {
		page, err := fresh.Open(ctx, s.at(path), "")
		if err != nil {
			s.t.Fatal(err)
		}
		who.note(path, page.Trail...)
	}
	const asked = "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Patient.rs"
	for _, patient := range []string{"", "rosa", "nobody"} {
		a, err := s.Authorize(ctx, s.AuthorizeRequest(s.Client("public"), asked, s.NewVerifier()), kit.Visit{Browser: fresh, Patient: patient})
		if err != nil {
			who.seen = append(who.seen, "authorize "+patient+" "+changing.ReplaceAllString(strings.ReplaceAll(err.Error(), who.name, "OWN"), "*"))
			continue
		}
		who.note("authorize "+patient, a.Trail()...)
	}
	if who.g == nil {
		return
	}
	for _, path := range []string{"Patient/rosa", "Patient/nobody", "MedicationRequest?patient=rosa", "Observation?patient=Patient/rosa", "RelatedPerson?patient=rosa", "Consent?patient=rosa", "Patient"} {
		res, err := s.FHIR(ctx, who.g.Access(), path)
		if err != nil {
			s.t.Fatal(err)
		}
		who.note(path, res)
	}
}

// mail gives the letters to an account since a time, by template.
func (s teller) mail(who *twin) string {
	s.t.Helper()
	notices, err := s.Notices(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, n := range notices {
		if n.PersonID == who.person {
			out = append(out, n.Template)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// inTheMorning goes to six o'clock of the next day: people who do the same one after
// the other would be told apart by a midnight in between.
func (s teller) inTheMorning() {
	s.t.Helper()
	if err := s.Advance(s.t.Context(), s.Now().Truncate(24*time.Hour).Add(30*time.Hour).Sub(s.Now())); err != nil {
		s.t.Fatal(err)
	}
}

// TF-14, FX-15, WM-07, SC-10, SC-11: somebody whom Rosa shut out by name, and who
// never had access, sees what a stranger sees, at every door and in every letter.
func TestABlockedPersonSeesWhatAStrangerSees(t *testing.T) {
	s := teller{start(t, nil), t}
	s.inTheMorning()
	rosa, noah, hale := s.secured("rosa"), s.secured("noah"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	cal := &twin{name: "Cal Crane", email: "cal@example.org", username: "calcrane"}
	for _, w := range []*twin{bea, cal} {
		s.letIn(noah, hale, w)
		w.g = s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Patient.rs", Visit: kit.Visit{Browser: w.b, Patient: "Noah Whitfield"}})
		s.tries(w)
	}
	alike(t, bea, cal)

	shut := s.fill(rosa, "/people/block", "", url.Values{"name": {bea.name}, "email": {"BEA@example.org"}, "relation": {"FMRSPS"}})
	s.says(shut, "You have shut Bea Brook out for good.", "Bea Brook does not know this.")
	s.says(s.open(t, rosa, "/people"), "People whom you have shut out")
	for _, w := range []*twin{bea, cal} {
		s.tries(w)
	}
	alike(t, bea, cal)
	if a, b := s.mail(bea), s.mail(cal); a != b {
		t.Errorf("letters to one are %q, to the other %q", a, b)
	}

	// Rosa is reminded; nobody else is told.
	again := s.fill(rosa, "/people/invite", "", url.Values{"name": {"B. Brook"}, "email": {bea.email}, "relation": {"FRND"}})
	s.says(again, "You have shut this person out.")

	// Let in by another way than Rosa's, the block still holds.
	for _, w := range []*twin{bea, cal} {
		form := s.fill(hale, "/staff/people/register", "yes", url.Values{"patient": {"rosa"}, "name": {w.name}, "email": {w.email}, "relation": {"FRND"}})
		m := caseAt.FindStringSubmatch(strings.Replace(form.URL, "/staff/people/", "/people/", 1))
		if m == nil {
			t.Fatal(form.URL, form.Text())
		}
		accepted := s.fill(w.b, s.letter(w.email), "check", url.Values{"email": {w.email}, "code": {sixDigits.FindString(form.Text())}})
		s.says(accepted, "Nothing is open yet")
		w.note("accepted", accepted.Trail...)
		s.tries(w)
	}
	alike(t, bea, cal)
	bodies := string(s.admin(t, "GET", "/consents?patient=rosa", "", nil).Body)
	if n := strings.Count(bodies, "/policy/proxy/block/1"); n != 2 {
		t.Errorf("%d prohibitions name Bea Brook", n)
	}
	back := "/people/" + caseAt.FindStringSubmatch(shut.URL)[1] + "/unblock"
	s.says(s.fill(rosa, back, "yes", nil), "You ended the access of Bea Brook.")
}

// TF-14: somebody who had access and is shut out sees what one sees whose access
// Rosa ended without a word.
func TestABlockedHelperSeesWhatAFormerHelperSees(t *testing.T) {
	s := teller{start(t, nil), t}
	s.inTheMorning()
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	cal := &twin{name: "Cal Crane", email: "cal@example.org", username: "calcrane"}
	for _, w := range []*twin{bea, cal} {
		s.letIn(rosa, hale, w)
		w.g = s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Patient.rs", Visit: kit.Visit{Browser: w.b, Patient: "Rosa Alvarez"}})
		s.fetch(t, w.g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	}
	s.says(s.straight(rosa, "/people/"+bea.id+"/block"), "You have shut Bea Brook out for good.")
	s.says(s.press(rosa, s.open(t, rosa, "/people/"+cal.id+"/revoke"), "yes", url.Values{"quiet": {"yes"}}), "You ended the access of Cal Crane.")
	for _, w := range []*twin{bea, cal} {
		s.tries(w)
		w.note("helped", s.open(t, w.b, "/helping/"+w.id).Trail...)
	}
	alike(t, bea, cal)
	if a, b := s.mail(bea), s.mail(cal); a != b {
		t.Errorf("letters to one are %q, to the other %q", a, b)
	}
}
