package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/conformance/kit"
)

// teller tells a story of people who help with records, page by page.
type teller struct {
	*server
	t *testing.T
}

// fill opens a page, types what is given into its form and presses a button;
// names that repeat are ticked.
func (s teller) fill(b *kit.Browser, path, press string, values url.Values) *kit.Page {
	s.t.Helper()
	return s.press(b, s.proven(b, path), press, values)
}

func (s teller) press(b *kit.Browser, page *kit.Page, press string, values url.Values) *kit.Page {
	s.t.Helper()
	i := slices.IndexFunc(page.Forms, func(f *kit.Form) bool {
		return f.Field("csrf") != nil && !strings.Contains(f.Action, "signout") && (press == "" || f.Button(press) != nil)
	})
	if i < 0 {
		s.t.Fatalf("no form with %q (%d): %s", press, page.Status, page.Text())
	}
	f := page.Forms[i]
	body := f.Values(f.Button(press))
	for name, list := range values {
		body[name] = list
	}
	next, err := b.Post(s.t.Context(), f, body, "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.walk.posted(http.MethodPost, strings.TrimPrefix(f.Action, s.Issuer), next.Status)
	return next
}

// says wants sentences on a page.
func (s teller) says(p *kit.Page, all ...string) {
	s.t.Helper()
	for _, want := range all {
		if !strings.Contains(p.Text(), want) {
			s.t.Errorf("%q is missing (%d) in %s", want, p.Status, p.Text())
		}
	}
}

// letter gives the link of the latest invitation to an address.
func (s teller) letter(to string) string {
	s.t.Helper()
	var box struct {
		Notices []struct {
			Template string
			Args     map[string]string
		}
	}
	if err := json.Unmarshal(s.get(s.t, "/dev/outbox").Body, &box); err != nil {
		s.t.Fatal(err)
	}
	for _, n := range box.Notices {
		if n.Args["to"] == to {
			return strings.TrimPrefix(n.Args["link"], s.Issuer)
		}
	}
	s.t.Fatalf("no letter to %s", to)
	return ""
}

var (
	sixDigits = regexp.MustCompile(`\b\d{6}\b`)
	caseAt    = regexp.MustCompile(`/(?:people|helping)/([0-9a-f]{32})`)
	base32Key = regexp.MustCompile(`\b([A-Z2-7]{4} ){7}[A-Z2-7]{4}\b`)
)

// invited lets rosa invite somebody and gives the case, the link and the code.
func (s teller) invited(rosa *kit.Browser, name, email string) (id, link, code string) {
	s.t.Helper()
	page := s.fill(rosa, "/people/invite", "", url.Values{"name": {name}, "email": {email}, "relation": {"FRND"}})
	s.says(page, name+" is invited.", "Tell "+name+" this code")
	m := caseAt.FindStringSubmatch(page.URL)
	if m == nil {
		s.t.Fatal(page.URL, s.out.String())
	}
	return m[1], s.letter(email), sixDigits.FindString(page.Text())
}

// enrolled makes the account of an invited person.
func (s teller) enrolled(link, email, code, username string) *kit.Browser {
	s.t.Helper()
	p := kit.Person{Username: username, Password: "a long enough one"}
	b := s.NewBrowser(p)
	account := s.fill(b, link, "check", url.Values{"email": {email}, "code": {code}})
	s.says(account, "Make your own account")
	p.TOTPSecret = strings.ReplaceAll(base32Key.FindString(account.Text()), " ", "")
	onetime, err := kit.TOTP(p.TOTPSecret, s.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	s.says(s.press(b, account, "make", url.Values{"username": {username}, "password": {p.Password}, "onetime": {onetime}}), "Nothing is open yet")
	return s.NewBrowser(p)
}

// LC-01 … LC-03, LC-10, SP-02, SP-03, SP-07, SP-10, SP-13: a patient lets a friend
// in, and shuts the door again.
func TestAPatientLetsAFriendIn(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.says(s.open(t, rosa, "/people"), "Let another person in")
	again := s.fill(rosa, "/people/invite", "", url.Values{"name": {" "}, "email": {"no address"}})
	if again.Status != http.StatusBadRequest {
		t.Error(again.Status)
	}
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	s.says(s.open(t, rosa, "/people"), "Bea Brook is invited.")
	similar := s.fill(rosa, "/people/invite", "", url.Values{"name": {"bea  BROOK"}, "email": {"b2@example.org"}, "relation": {"FRND"}})
	s.says(similar, "Is this another person?")

	// The link alone tells nothing, not even whether it is one.
	bare := s.NewBrowser(kit.Person{})
	real, err := bare.Open(t.Context(), s.at(link), "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(real.Text(), "Rosa") || strings.Contains(real.Text(), "Bea") {
		t.Errorf("the link tells %s", real.Text())
	}
	for _, wrong := range []url.Values{
		{"email": {"bea@example.org"}, "code": {"000000"}}, {"email": {"else@example.org"}, "code": {code}},
	} {
		s.says(s.fill(bare, link, "check", wrong), "This does not fit.")
	}
	s.says(s.fill(bare, "/invitation/nonsense", "check", url.Values{"email": {"bea@example.org"}, "code": {code}}), "This does not fit.")

	bea := s.enrolled(link, "BEA@example.org", code, "bea")
	// Used once, it is over.
	s.says(s.fill(bare, link, "check", url.Values{"email": {"bea@example.org"}, "code": {code}}), "This does not fit.")
	s.says(s.open(t, bea, "/helping"), "Bea Brook would like to help somebody.")
	if p := s.open(t, bea, "/people/"+id); p.Status != http.StatusNotFound {
		t.Errorf("the proxy reads the patient's page: %d", p.Status)
	}

	// Nothing can be shared with somebody whom nobody has seen (SP-22).
	if p := s.open(t, rosa, "/people/"+id+"/share"); p.Status != http.StatusConflict {
		t.Errorf("shared before proofing: %d", p.Status)
	}
	if p := s.open(t, rosa, "/staff/people"); p.Status != http.StatusForbidden {
		t.Errorf("a patient at the work queue: %d", p.Status)
	}
	s.says(s.open(t, hale, "/staff"), "People who help patients")
	s.says(s.open(t, hale, "/staff/people"), "Bea Brook would like to help Rosa Alvarez.")
	s.says(s.fill(hale, "/staff/people/"+id+"/proof", "yes", url.Values{"document1": {"passport"}, "document2": {"passport"}}), "Choose two different papers")
	s.says(s.fill(hale, "/staff/people/"+id+"/proof", "yes", url.Values{"document1": {"passport"}, "document2": {"driving-licence"}}), "waits for a yes from Rosa Alvarez")

	s.granting(rosa, bea, id)
	s.ending(rosa, bea, id)
}

// granting builds a grant and uses it.
func (s teller) granting(rosa, bea *kit.Browser, id string) {
	s.t.Helper()
	share := "/people/" + id + "/share"
	choice := url.Values{"kind": {"medicines"}, "fn": {"schedule"}, "until": {s.Now().AddDate(0, 6, 0).Format(time.DateOnly)}}
	s.says(s.fill(rosa, share, "look", url.Values{"kind": {}, "fn": {}, "until": {""}}), "Access always has an end.")
	late := s.fill(rosa, share, "look", url.Values{"kind": {"medicines"}, "until": {s.Now().AddDate(2, 0, 0).Format(time.DateOnly)}})
	s.says(s.press(rosa, late, "yes", nil), "within the next twelve months")
	seen := s.fill(rosa, share, "look", choice)
	s.says(seen, "What would Bea Brook see?", "Medicines 40 entries", "It begins in ten minutes.")
	s.says(s.press(rosa, seen, "yes", nil), "Bea Brook will have access soon.", "You can still take it back.")
	s.says(s.fill(rosa, "/people/"+id+"/undo", "yes", nil), "Now you decide.")
	s.says(s.press(rosa, s.fill(rosa, share, "look", choice), "yes", nil), "will have access soon")

	// Ten minutes later it begins, whether or not anybody has noted it.
	if err := s.Advance(s.t.Context(), 11*time.Minute); err != nil {
		s.t.Fatal(err)
	}
	s.says(s.open(s.t, rosa, "/people/"+id), "Bea Brook has access until")
}

func (s teller) ending(rosa, bea *kit.Browser, id string) {
	s.t.Helper()
	const asked = "launch/patient openid fhirUser offline_access patient/MedicationRequest.rs patient/Condition.rs patient/Patient.rs"
	g := s.granted(s.t, kit.Launch{Client: s.Client("public"), Scope: asked, Visit: kit.Visit{Browser: bea, Patient: "Rosa Alvarez"}})
	s.fetch(s.t, g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	s.fetch(s.t, g.Access(), "Condition?patient=rosa", http.StatusForbidden)
	s.says(s.open(s.t, rosa, "/people"), "Bea Brook can see")
	// Versions guard against two who change at once.
	stale, err := rosa.Open(s.t.Context(), s.at("/people/"+id+"/revoke"), "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.says(s.fill(rosa, "/people/"+id+"/pause", "yes", nil), "rests now")
	if res := s.fhir(s.t, g.Access(), "MedicationRequest?patient=rosa"); res.Status < 400 {
		s.t.Errorf("a paused access still reads: %d", res.Status)
	}
	if p := s.press(rosa, stale, "yes", nil); p.Status != http.StatusPreconditionFailed {
		s.t.Errorf("a stale form: %d", p.Status)
	}
	s.says(s.fill(rosa, "/people/"+id+"/resume", "yes", nil), "Bea Brook has access until")
	s.fetch(s.t, g.Access(), "MedicationRequest?patient=rosa", http.StatusOK)
	s.says(s.fill(rosa, "/people/"+id+"/revoke", "yes", nil), "You ended the access of Bea Brook.")
	if res := s.fhir(s.t, g.Access(), "MedicationRequest?patient=rosa"); res.Status < 400 {
		s.t.Errorf("an ended access still reads: %d", res.Status)
	}
	s.says(s.open(s.t, bea, "/helping/"+id), "has ended")
	var acts []string
	for _, e := range s.events(s.t, "patient=rosa&kind=proxy.step") {
		acts = append(acts, e.Kind)
	}
	if len(acts) < 8 {
		s.t.Errorf("%d steps are recorded", len(acts))
	}
}

// proofedBy lets a clinician see a person's papers.
func (s teller) proofedBy(b *kit.Browser, id string) {
	s.t.Helper()
	s.says(s.fill(b, "/staff/people/"+id+"/proof", "yes", url.Values{"document1": {"passport"}, "document2": {"identity-card"}}), "waits for a yes")
}

// reads asks for medicines with a token and reports whether they came.
func (s teller) reads(g *kit.Grant) bool {
	s.t.Helper()
	return s.fhir(s.t, g.Access(), "MedicationRequest?patient=rosa").Status == http.StatusOK
}

// checked ticks everything on the checklist of a legal paper and says that it is in
// order.
func (s teller) checked(b *kit.Browser, at string) *kit.Page {
	s.t.Helper()
	page := s.proven(b, at+"/verify")
	var seen []string
	for _, f := range page.Forms {
		for _, x := range f.Fields {
			if x.Name == "seen" {
				seen = append(seen, x.Value)
			}
		}
	}
	return s.press(b, page, "yes", url.Values{"seen": seen})
}

const asksForMedicines = "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Patient.rs"

// LC-05, LC-13 … LC-16, SP-04, SP-12: an agent whose power of attorney springs
// gets access when two clinicians say so, and loses it when one finds that the
// patient can decide again, or when nobody looks again in time.
// CPA TF-10; FX-26.
func TestAnAgentWakesAndSleeps(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.browser("hale"), s.browser("osei")
	if p := s.open(t, s.browser("rosa"), "/staff/people/register"); p.Status != http.StatusForbidden {
		t.Errorf("a patient registers for others: %d", p.Status)
	}
	s.open(t, hale, "/staff")
	s.open(t, osei, "/staff")
	nobody := s.fill(hale, "/staff/people/register", "yes", url.Values{"patient": {"nobody"}, "name": {"Ann"}, "email": {"ann@example.org"}, "relation": {"SIS"}})
	s.says(nobody, "There is no such patient.")
	page := s.fill(hale, "/staff/people/register", "yes", url.Values{"patient": {"rosa"}, "name": {"Ann Alvarez"}, "email": {"ann@example.org"}, "relation": {"SIS"}})
	s.says(page, "Ann Alvarez is invited to help Rosa Alvarez.")
	id, code := caseAt.FindStringSubmatch(page.URL)[1], sixDigits.FindString(page.Text())
	if text := s.open(t, osei, "/staff/people/"+id).Text(); strings.Contains(text, code) {
		t.Error("another member of staff sees the code")
	}
	ann := s.enrolled(s.letter("ann@example.org"), "ann@example.org", code, "ann")
	s.proofedBy(hale, id)
	at := "/staff/people/" + id
	review := s.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	s.says(s.fill(hale, at+"/attest", "yes", url.Values{"instrument": {""}, "trigger": {"capacity-loss"}}), "Choose one from the list.")
	s.says(s.fill(hale, at+"/attest", "yes", url.Values{"instrument": {"HPOWATT"}, "trigger": {"capacity-loss"}}), "waits for a second person")
	s.says(s.fill(hale, at+"/verify", "yes", nil), "You did the first part.")
	s.says(s.fill(osei, at+"/verify", "yes", url.Values{"seen": {"original"}}), "Tick each line")
	s.says(s.checked(osei, at), "checked by two people")
	s.says(s.fill(hale, at+"/determine", "yes", url.Values{"review": {s.Now().AddDate(1, 0, 0).Format(time.DateOnly)}}), "not later than the rules allow")
	s.says(s.fill(hale, at+"/determine", "yes", url.Values{"review": {review}}), "One doctor has signed")
	if s.opens(ann) {
		t.Error("one clinician opens the record")
	}
	s.says(s.fill(hale, at+"/determine", "yes", url.Values{"review": {review}}), "You did the first part.")
	s.says(s.fill(osei, at+"/determine", "yes", url.Values{"review": {review}}), "Ann Alvarez helps Rosa Alvarez until")
	launch := func() kit.Launch {
		return kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: ann, Patient: "Rosa Alvarez"}}
	}
	g := s.granted(t, launch())
	if !s.reads(g) {
		t.Error("an agent in effect cannot read")
	}
	s.says(s.fill(hale, at+"/restore", "yes", nil), "has a checked legal right")
	if s.reads(g) {
		t.Error("an agent reads although the patient can decide again")
	}
	s.fill(hale, at+"/determine", "yes", url.Values{"review": {review}})
	s.says(s.fill(osei, at+"/determine", "yes", url.Values{"review": {review}}), "helps Rosa Alvarez until")
	if s.reads(g) {
		t.Error("a token from before works again")
	}
	g = s.granted(t, launch())
	if !s.reads(g) {
		t.Error("an agent in effect again cannot read")
	}
	if err := s.Advance(t.Context(), 32*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if s.reads(g) {
		t.Error("an agent reads after the review")
	}
}

// LC-06 … LC-08, LC-11, LC-12, LC-19, LC-23, LC-24, LC-29, LC-30: what can happen
// to an access that runs.
// CPA TF-15, TF-16; FX-31, FX-32.
func TestWhatHappensToAnAccess(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale, osei := s.secured("rosa"), s.browser("hale"), s.browser("osei")
	s.open(t, rosa, "/people")
	s.open(t, hale, "/staff")
	s.open(t, osei, "/staff")
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	bea := s.enrolled(link, "bea@example.org", code, "bea")
	s.proofedBy(hale, id)
	mine, at := "/people/"+id, "/staff/people/"+id
	share := func(kinds ...string) *kit.Page {
		until := s.Now().AddDate(0, 2, 0).Format(time.DateOnly)
		return s.press(rosa, s.fill(rosa, mine+"/share", "look", url.Values{"kind": kinds, "until": {until}, "urgent": {"yes"}}), "yes", nil)
	}
	token := func() *kit.Grant {
		return s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines + " patient/Condition.rs", Visit: kit.Visit{Browser: bea, Patient: "Rosa Alvarez"}})
	}
	s.says(share("medicines", "conditions"), "Bea Brook has access until")
	g := token()
	s.fetch(t, g.Access(), "Condition?patient=rosa", http.StatusOK)
	s.says(share("medicines"), "Bea Brook has access until")
	if s.fhir(t, g.Access(), "Condition?patient=rosa").Status < 400 || !s.reads(g) {
		t.Error("less is not less, or too little")
	}
	s.says(s.fill(bea, "/helping/"+id+"/ask", "yes", nil), "helps Rosa Alvarez until")
	s.says(s.fill(rosa, mine+"/renew", "yes", nil), "Access made longer")

	// A quiet worry closes; staff see it, and the proxy is not told why.
	before := len(s.ceremonies(rosa, ""))
	s.says(s.fill(rosa, mine+"/worry", "yes", nil), "rests now")
	if after := len(s.ceremonies(rosa, "")); after != before {
		t.Errorf("that something feels wrong is kept as if it were agreed to: %d, not %d", after, before)
	}
	if s.reads(g) {
		t.Error("reads during a hold")
	}
	if text := s.open(t, bea, "/helping/"+id).Text(); strings.Contains(text, "wrong with") || !strings.Contains(text, "not available now") {
		t.Errorf("the proxy reads %s", text)
	}
	s.says(s.open(t, hale, "/staff/people"), "The access of Bea Brook for Rosa Alvarez rests now.")
	s.says(s.fill(hale, at+"/release", "yes", nil), "helps Rosa Alvarez until")

	s.dyingAndLiving(bea, hale, osei, at, token)
	s.partings(rosa, osei)
}

// dyingAndLiving notes a death, takes it back, and ends what should never have
// been.
func (s teller) dyingAndLiving(bea, hale, osei *kit.Browser, at string, token func() *kit.Grant) {
	t := s.t
	t.Helper()
	g := token()
	// Two note a death; taken back, all is as before, for those who sign in anew.
	s.says(s.fill(hale, at+"/died", "yes", nil), "A death was reported")
	if !s.reads(g) {
		t.Error("one report closes")
	}
	s.says(s.fill(hale, at+"/died", "yes", nil), "You did the first part.")
	s.says(s.fill(osei, at+"/died", "yes", nil), "rests now")
	if s.reads(g) {
		t.Error("reads after a death")
	}
	s.says(s.fill(osei, at+"/revive", "yes", nil), "helps Rosa Alvarez until")
	if s.reads(g) {
		t.Error("a token from before the death works again")
	}
	if p, err := bea.Open(t.Context(), s.at("/helping"), ""); err != nil || p.SignInForm() == nil {
		t.Errorf("no new log-in is asked for: %v", err)
	}
	g = token()
	if !s.reads(g) {
		t.Error("cannot read after the death was taken back")
	}
	s.says(s.fill(hale, at+"/compromised", "yes", nil), "helps Rosa Alvarez until")
	if s.reads(g) {
		t.Error("an app of a stolen account reads")
	}
	s.says(s.fill(hale, at+"/void", "yes", nil), "has ended")
	s.says(s.open(t, bea, "/helping"), "The access of Bea Brook for Rosa Alvarez has ended.")
}

// partings are those of one who steps back, and of one whose relationship ends.
func (s teller) partings(rosa, osei *kit.Browser) {
	t := s.t
	t.Helper()
	id, link, code := s.invited(rosa, "Cal Cole", "cal@example.org")
	cal := s.enrolled(link, "cal@example.org", code, "cal")
	s.says(s.open(t, cal, "/helping/"+id), "show two papers")
	s.says(s.fill(cal, "/helping/"+id+"/resign", "yes", nil), "has ended")
	id, link, code = s.invited(rosa, "Dan Dahl", "dan@example.org")
	s.enrolled(link, "dan@example.org", code, "dan")
	s.proofedBy(osei, id)
	s.says(s.fill(osei, "/staff/people/"+id+"/part", "yes", nil), "has ended")
	id, _, _ = s.invited(rosa, "Eve Eads", "eve@example.org")
	s.says(s.fill(rosa, "/people/"+id+"/resend", "yes", nil), "Eve Eads is invited.")
}

// Every page that the list of the life cycle names is there, and shows nothing
// to somebody who is not signed in (SP-19).
func TestTheLifeCycleIsReachable(t *testing.T) {
	s := start(t, nil)
	b := s.NewBrowser(kit.Person{})
	for _, r := range lifecycle.Rows() {
		if r.Path == "" {
			continue
		}
		if r.Who == "feed" || r.Who == "service" {
			res := s.do(t, kit.Request{Method: http.MethodPost, URL: s.at(strings.ReplaceAll(r.Path, "{id}", "a")), Type: "application/json", Body: strings.NewReader("{}")})
			if res.Status != http.StatusUnauthorized {
				t.Errorf("%s %s: %s", r.ID, r.Path, res)
			}
			continue
		}
		path := strings.NewReplacer("{id}", strings.Repeat("a", 32), "{secret}", "x").Replace(r.Path)
		p, err := b.Open(t.Context(), s.at(path), "")
		if err != nil || p.Status != http.StatusOK {
			t.Errorf("%s %s: %v", r.ID, r.Path, err)
			continue
		}
		if p.SignInForm() == nil && p.FormWith("email") == nil {
			t.Errorf("%s shows %s", r.Path, p.Text())
		}
	}
}
