package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// asksPDP asks the decision point about a subject, as a client.
func (s *server) asksPDP(t *testing.T, c kit.Client, subject, id, action, typ, resource string) (status int, decision bool, codes string) {
	t.Helper()
	res := s.do(t, kit.Request{
		URL: s.Issuer + "/access/v1/evaluation", Method: http.MethodPost, Type: "application/json", Basic: &[2]string{c.ID, c.Secret},
		Body: strings.NewReader(`{"subject":{"type":"` + subject + `","id":"` + id + `"},"action":{"name":"` + action + `"},"resource":{"type":"` + typ + `","id":"` + resource + `"}}`),
	})
	var out struct {
		Decision bool
		Context  struct {
			Reasons []struct{ Rule, Code string }
		}
	}
	if res.Status == http.StatusOK {
		if err := json.Unmarshal(res.Body, &out); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range out.Context.Reasons {
		codes += r.Rule + ":" + r.Code + " "
	}
	return res.Status, out.Decision, strings.TrimSpace(codes)
}

// Another resource server asks about Elena's token: what she may, for as long as
// her consent stands; each decision is in the log with who asked. While no client
// has the right, there is nobody to tell it to.
func TestResourceServerAsksForDecisions(t *testing.T) {
	s := start(t, nil)
	ehr := s.DecidingClient()
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	row := s.newest(t, "rosa")
	wants := func(subject, id, action, typ, resource, want string) {
		t.Helper()
		status, decision, codes := s.asksPDP(t, ehr, subject, id, action, typ, resource)
		got := "deny " + codes
		if decision {
			got = "permit"
		}
		if status != http.StatusOK || got != want {
			t.Errorf("%s %s/%s: %d %s, want %s", action, typ, resource, status, got, want)
		}
	}
	wants("access_token", g.Access(), "search-type", "MedicationRequest", "*", "permit")
	wants("grant", row.ID, "search-type", "MedicationRequest", "*", "permit")
	wants("access_token", g.Access(), "search-type", "Goal", "*", "deny scope:no-scope")
	wants("access_token", g.Access(), "read", "Patient", "rosa", "permit")
	wants("access_token", g.Access(), "read", "Patient", "noah", "deny resource:not-found")
	events := s.events(t, "grant="+row.ID+"&kind=decision.permit&kind=decision.deny")
	if len(events) != 5 || events[0].Detail["asked_by"] != ehr.ID || events[0].Detail["rule"] != "compartment" || events[1].Reason != "" || len(events[4].Consents) == 0 {
		t.Errorf("the log has %+v", events)
	}
	s.asksOfOperations(t, ehr)
	s.admin(t, "POST", "/consents/e1-daughter-meds-appts/withdraw", "", nil)
	wants("access_token", g.Access(), "search-type", "MedicationRequest", "*", "deny consent:consents-ended")
	must(t, "grant", "revoke", row.ID, "--data", s.data)
	wants("access_token", g.Access(), "search-type", "MedicationRequest", "*", "deny subject:token-inactive")
	wants("grant", row.ID, "search-type", "MedicationRequest", "*", "deny subject:grant-inactive")

	if res := s.get(t, "/.well-known/authzen-configuration"); res.Status != http.StatusOK {
		t.Error(res)
	}
	must(t, "client", "edit", ehr.ID, "evaluate_access=false", "--loosen", "--data", s.data)
	if status, _, _ := s.asksPDP(t, ehr, "grant", row.ID, "read", "Patient", "rosa"); status != http.StatusForbidden {
		t.Errorf("without the right: %d", status)
	}
	if res := s.get(t, "/.well-known/authzen-configuration"); res.Status != http.StatusNotFound {
		t.Error(res)
	}
}

// asksOfOperations asks whether $everything and $export may be done, and looks at
// what the metadata offers.
func (s *server) asksOfOperations(t *testing.T, ehr kit.Client) {
	t.Helper()
	rosa := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	for _, c := range [][4]string{
		{"$everything", "Patient", "rosa", "200 true "}, {"$everything", "Patient", "noah", "200 false compartment:outside-compartment"},
		{"$export", "Patient", "*", "200 false interaction:operation-not-offered"}, {"$export", "*", "*", "200 false interaction:operation-not-offered"},
		{"$meta", "Patient", "rosa", "400 false "}, {"$everything", "Patient", "rosa/x", "400 false "},
	} {
		status, decision, codes := s.asksPDP(t, ehr, "access_token", rosa.Access(), c[0], c[1], c[2])
		if decision {
			codes = ""
		}
		if got := fmt.Sprintf("%d %v %s", status, decision, codes); got != c[3] {
			t.Errorf("%v: %s", c, got)
		}
	}
	if res := s.get(t, "/.well-known/authzen-configuration"); strings.Contains(string(res.Body), "search") {
		t.Errorf("searches are not offered: %s", res.Body)
	}
}
