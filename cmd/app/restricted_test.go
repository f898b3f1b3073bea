package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity"
)

const topicScope = "launch/patient patient/Patient.rs patient/Condition.rs"

// topical asks for Conditions with the topic HIV and gives what came of the form.
func (s teller) topical(b *kit.Browser, req url.Values) *kit.Page {
	s.t.Helper()
	back := req.Get("redirect_uri")
	page, err := b.Open(s.t.Context(), s.Config.Authorize+"?"+req.Encode(), back)
	if err == nil && page.ConsentForm() == nil {
		page, err = b.SignIn(s.t.Context(), s.Config.Authorize+"?"+req.Encode())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ticks(b, page, back)
}

// ticks ticks the topic on a consent page, and one kind only.
func (s teller) ticks(b *kit.Browser, page *kit.Page, back string) *kit.Page {
	s.t.Helper()
	f := page.ConsentForm()
	if f == nil {
		s.t.Fatalf("no consent page: %s %s", page.URL, page.Text())
	}
	f.Tick("kind.Patient", true)
	f.Tick("kind.Condition", true)
	f.Tick("topic.HIV", true)
	next, err := b.Submit(s.t.Context(), f, f.Button("allow"), back)
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

// SP-20, SM-02, NI-01, RFC 9470: what is particularly private is let to an app, opened
// on one's own pages and fetched by the app only with a second factor that was just
// proven, each as the table says. What was ticked waits for the proof.
func TestWhatIsPrivateAsksForAFreshProof(t *testing.T) {
	s := teller{start(t, func(c *app.Config) { c.SignIn.Assurance = []string{"self+restricted-call=aal2/20m"} }), t}
	client, verifier := s.Client("symmetric"), s.NewVerifier()
	req := s.AuthorizeRequest(client, topicScope, verifier)
	back := req.Get("redirect_uri")

	// With a password only, the person is told what lacks.
	s.says(s.topical(s.browser("rosa"), req), "You need a second way to prove who you are")

	rosa := s.secured("rosa")
	s.forward(t, identity.ShareWithin+time.Second)
	if p := s.open(t, rosa, "/record/conditions"); !strings.Contains(p.Text(), "Some entries here are private.") {
		t.Errorf("%s", p.Text())
	} else if p, err := rosa.Open(t.Context(), s.at("/record/conditions?private=1"), ""); err != nil || p.FormWith("code") == nil {
		t.Errorf("private entries are shown without a proof: %v %s", err, p.Text())
	}
	asked := s.topical(rosa, req)
	if asked.FormWith("code") == nil || asked.Back != nil {
		t.Fatalf("a topic is let without a proof: %s %s", asked.URL, asked.Text())
	}
	form := asked.FormWith("code")
	s.forward(t, 31*time.Second)
	code, err := kit.TOTP(rosa.Person.TOTPSecret, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	form.Set("code", code)
	waits, err := rosa.Submit(t.Context(), form, nil, back)
	if err != nil || waits.ConsentForm() == nil {
		t.Fatalf("%v %s", err, waits.Text())
	}
	if f := waits.ConsentForm(); !f.Field("topic.HIV").Checked || !f.Field("kind.Condition").Checked {
		t.Error("what was ticked is forgotten")
	}
	done := s.ticks(rosa, waits, back)
	if done.Back == nil {
		t.Fatalf("%s %s", done.URL, done.Text())
	}
	if all, few := s.proven(rosa, "/record/conditions?private=1"), "Some entries here are private."; strings.Contains(all.Text(), few) {
		t.Error("a proof shows not all")
	}
	res, err := s.Call(t.Context(), s.Config.Token, client, kit.CodeForm(done.Back.Query().Get("code"), back, verifier))
	if err != nil {
		t.Fatal(err)
	}
	s.privateCalls(res.Text("access_token"))
}

// privateCalls reads a private Condition while the log-in is fresh, and later.
func (s teller) privateCalls(token string) {
	s.t.Helper()
	const system = "http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV"
	id, err := s.First(s.t.Context(), "Condition?_count=1&patient=Patient/rosa&_security="+url.QueryEscape(system))
	if err != nil {
		s.t.Fatal(err)
	}
	s.fetch(s.t, token, "Condition/"+id, http.StatusOK)
	before := s.fetch(s.t, token, "Condition?patient=rosa&_count=100", http.StatusOK).Total()
	s.forward(s.t, 21*time.Minute)
	res := s.fetch(s.t, token, "Condition/"+id, http.StatusUnauthorized)
	head := res.Header.Get("WWW-Authenticate")
	for _, part := range []string{`error="insufficient_user_authentication"`, `acr_values="urn:mandate:aal:2"`, `max_age="1200"`} {
		if !strings.Contains(head, part) {
			s.t.Errorf("the challenge lacks %s: %s", part, head)
		}
	}
	if strings.Contains(string(res.Body), "HIV") {
		s.t.Errorf("the refusal tells: %s", res.Body)
	}
	after := s.fetch(s.t, token, "Condition?patient=rosa&_count=100", http.StatusOK)
	if after.Total() >= before || strings.Contains(string(after.Body), id) {
		s.t.Errorf("a search shows what a read does not: %d, then %d", before, after.Total())
	}
	s.fetch(s.t, token, "Patient/rosa", http.StatusOK)
}
