package app_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// The record of the check has all names (SM-24). Whose device is a helper's, a passkey
// that would stay on a device of the ward, and too many in a day are refused.
func TestTheRecordOfAWitnessedEnrolment(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, _ := s.clinicians()
	elena := s.browser("elena")
	s.open(t, elena, "/home")
	s.signsOutAt(elena, "/home")
	s.says(s.device(elena, s.codeOn(s.witness(hale, "rosa"))), "This one belongs to somebody who helps, or to the care team.")

	tablet, d := s.NewBrowser(kit.Person{}), s.key()
	page := s.device(tablet, s.codeOn(s.witness(hale, unknownPatient)), "shared")
	s.says(s.answers(tablet, page, "", d.Create), "That passkey would stay on this device")
	page = s.formWith(tablet, s.reopened(tablet, page), "password", url.Values{"password": {chosen}, "again": {chosen}})
	console := s.sees(hale, "/staff/bedside/"+page.URL[strings.LastIndex(page.URL, "/")+1:])
	s.formWith(hale, console, "number", url.Values{"number": numbers(page)})
	end := s.presses(tablet, s.reopened(tablet, page), "end")
	if !strings.Contains(end.URL, "/signin") {
		t.Errorf("the end leads to %s", end.URL)
	}
	seed := ""
	for _, e := range s.events(t, "kind=bedside.step") {
		if e.Detail["step"] == "done" {
			seed = e.Detail["enrolment"]
		}
	}
	record := string(s.looks(hale, "VerificationResult/bedside-"+seed).Body)
	s.holds("the check", record, `"validated"`, `"Harold Abbott"`, `"Dr. Hale"`, "Patient/"+unknownPatient, "Practitioner/dr-hale", `"wristband"`, `"witnessed"`, `"factor-password"`)

	for range 8 {
		s.codeOn(s.witness(hale, "p02"))
		hale = s.stillThere(hale)
		if p := s.witness(hale, "p02"); strings.Contains(p.Text(), "too often today") {
			return
		}
	}
	t.Error("nothing stops somebody who begins again and again")
}

// stillThere keeps a clinician's log-in fresh.
func (s teller) stillThere(b *kit.Browser) *kit.Browser {
	s.t.Helper()
	s.forward(s.t, time.Minute)
	_ = s.sees(b, "/staff")
	return b
}

// Who is at particular risk needs two clinicians and a key that stays on its device.
// Auditors hear of enrolments on the day, and at once when one clinician witnessed many.
func TestPeopleAtRiskAndThoseWhoWatch(t *testing.T) {
	dir := t.TempDir()
	data := dir + "/data"
	run := func(args ...string) []string { return append(args, "--data", data) }
	for _, who := range [][]string{{"--username", "ada", "--name", "Ada", "--role", "admin"}, {"--username", "dan", "--name", "Dan", "--role", "admin"}, {"--username", "pia", "--name", "Pia", "--role", "patient", "--identity", "Patient/p02"}} {
		if code, _, errOut := account(t, "a long enough passphrase\n", run(who...)...); code != 0 {
			t.Fatal(errOut)
		}
	}
	must(t, run("account", "protect", "pia")...)
	must(t, run("operator", "assign", "ada", "operator")...)
	must(t, run("operator", "assign", "dan", "auditor", "--as", "ada")...)
	s := teller{startIn(t, dir, func(c *app.Config) { c.Data = data }), t}
	hale, osei := s.clinicians()
	console := s.witness(hale, "p02")
	s.says(console, "This needs two members of staff")
	tablet, d := s.NewBrowser(kit.Person{}), s.key()
	page := s.device(tablet, s.codeOn(console))
	if page.FormWith("password") != nil {
		t.Error("a password is offered")
	}
	d.Synced = true
	s.answers(tablet, page, "", d.Create)
	page = s.reopened(tablet, page)
	s.says(page, "Sign-in for Pia")
	d.Synced = false
	page = s.answers(tablet, page, "", d.Create)
	two := numbers(page)
	s.formWith(hale, s.reopened(hale, console), "number", url.Values{"number": {two[0]}})
	s.says(s.formWith(osei, s.witness(osei, "p02"), "number", url.Values{"number": {two[1]}}), "Pia can sign in now")
	s.says(s.witness(hale, "p02"), "two people review it")

	for i := 3; i <= 6; i++ {
		bed := s.NewBrowser(kit.Person{})
		console := s.witness(hale, fmt.Sprintf("p%02d", i))
		page := s.formWith(bed, s.device(bed, s.codeOn(console)), "password", url.Values{"password": {chosen}, "again": {chosen}})
		s.says(s.formWith(hale, s.reopened(hale, console), "number", url.Values{"number": numbers(page)}), "can sign in now")
		s.stillThere(hale)
		s.stillThere(osei)
	}
	told := map[string]int{}
	all, err := s.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		told[n.Template]++
	}
	if told["bedside-review"] != 1 || told["bedside-many"] != 1 || told["account-bedside"] != 5 {
		t.Errorf("told: %v", told)
	}
}
