package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

const tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"

// handOn exchanges a token for one with which an agent acts.
func (s *server) handOn(t *testing.T, agent kit.Client, subject string) *kit.Response {
	t.Helper()
	res, err := s.Call(t.Context(), s.Config.Token, agent, url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {subject}, "subject_token_type": {tokenTypeAccess},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// peers 23, RFC 8693: an agent acts through an app for a person, sees what the
// app sees and not more; record and page name it, and the person can end it
// without ending the app.
func TestAnAgentActsThroughAnApp(t *testing.T) {
	s := shared(t)
	b := s.browser("rosa")
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs patient/Observation.rs", Visit: kit.Visit{Browser: b}})
	if text := g.Answer.ConsentPage.Text(); !strings.Contains(text, "may hand this access on") || !strings.Contains(text, "Visit Scribe") {
		t.Errorf("the consent page does not say who may act: %s", text)
	}
	row := s.newest(t, "rosa")
	agent, ok := s.ClientByID("demo-agent")
	if !ok {
		t.Fatal("no agent")
	}
	res := s.handOn(t, agent, g.Access())
	token := res.Text("access_token")
	if res.Status != http.StatusOK || res.Text("patient") != "rosa" || res.Text("refresh_token") != "" {
		t.Fatal(res)
	}
	s.fetch(t, token, "Patient/rosa", http.StatusOK)
	s.fetch(t, token, "Condition?patient=rosa", http.StatusForbidden)
	events := s.events(t, "grant="+row.ID)
	if !slices.ContainsFunc(events, func(e eventRow) bool {
		return e.ClientID == "demo-agent" && e.GrantID == row.ID && e.Detail["act"] == "demo-agent demo-app"
	}) {
		t.Errorf("no event names the chain: %+v", events)
	}
	if text := s.open(t, b, "/apps").Text(); !strings.Contains(text, "Visit Scribe acts through it") {
		t.Errorf("the list does not name the agent: %s", text)
	}
	page := s.open(t, b, "/apps/"+row.ID)
	f := page.FormWith("actor")
	if f == nil || !strings.Contains(page.Text(), "Visit Scribe") {
		t.Fatalf("nothing to end it with: %s", page.Text())
	}
	forged := f.Values(&f.Buttons[0])
	forged.Set("csrf", "x")
	if _, err := b.Post(t.Context(), f, forged, ""); err != nil {
		t.Fatal(err)
	}
	s.fetch(t, token, "Patient/rosa", http.StatusOK)
	if _, err := b.Submit(t.Context(), f, &f.Buttons[0], ""); err != nil {
		t.Fatal(err)
	}
	s.fetch(t, token, "Patient/rosa", http.StatusUnauthorized)
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	if again := s.handOn(t, agent, g.Access()); again.Status != http.StatusBadRequest || again.Text("error") != "invalid_request" {
		t.Error(again)
	}
	if text := s.open(t, b, "/apps/"+row.ID).Text(); strings.Contains(text, "Stop Visit Scribe") {
		t.Errorf("still offered: %s", text)
	}
	// Nobody ends what is not theirs.
	other := s.browser("elena")
	s.open(t, other, "/apps")
	if res, err := other.Raw(t.Context(), kit.Request{URL: f.Action, Form: f.Values(nil)}); err != nil || res.Status < 400 {
		t.Error(res, err)
	}
}
