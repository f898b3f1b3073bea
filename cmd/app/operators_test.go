package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// service makes a backend service with a key, and its registration.
func service(t *testing.T, id, scopes string) (c kit.Client, registration map[string]any) {
	t.Helper()
	private, err := kit.MakeKeys(id)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(private, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		delete(k, "d")
	}
	c = kit.Client{ID: id, Kind: "backend", PrivateJWKS: private, Scopes: scopes}
	return c, map[string]any{"client_id": id, "kind": "backend", "jwks": set, "scopes": scopes}
}

// file writes registrations for --client.
func file(t *testing.T, registrations ...map[string]any) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "clients.json")
	raw, err := json.Marshal(registrations)
	if err == nil {
		err = os.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// An operator's tool administers with the token of a backend service: each area
// needs its own scope, what it does is recorded under its name, and no other
// token opens anything.
func TestAdministrationByToken(t *testing.T) {
	tool, toolEntry := service(t, "grants-tool", "admin/grants system/Patient.rs")
	auditor, auditorEntry := service(t, "audit-tool", "admin/audit")
	s := start(t, func(c *app.Config) { c.ClientFiles = []string{file(t, toolEntry, auditorEntry)} })
	token := func(c kit.Client, scope string) string {
		t.Helper()
		res, err := s.ClientCredentials(t.Context(), c, scope)
		if err != nil || res.Status != http.StatusOK || res.Text("scope") != scope {
			t.Fatal(res, err, res.Text("scope"))
		}
		return res.Text("access_token")
	}
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	asks := func(bearer, method, path string, want int) {
		t.Helper()
		if res := s.do(t, kit.Request{Method: method, URL: s.AdminAPI.URL + path, Bearer: bearer}); res.Status != want {
			t.Errorf("%s %s: %d, not %d: %s", method, path, res.Status, want, res.Body)
		}
	}
	row := s.newest(t, "rosa")
	grants, audits := token(tool, "admin/grants"), token(auditor, "admin/audit")
	for _, c := range []struct {
		bearer, method, path string
		want                 int
	}{
		{grants, "GET", "/grants?patient=rosa", http.StatusOK},
		{grants, "GET", "/clients", http.StatusForbidden},
		{grants, "GET", "/audit", http.StatusForbidden},
		{grants, "GET", "/consents", http.StatusForbidden},
		{audits, "GET", "/audit", http.StatusOK},
		{audits, "GET", "/grants?patient=rosa", http.StatusForbidden},
		{audits, "POST", "/grants/" + row.ID + "/revoke", http.StatusForbidden},
		{token(tool, "system/Patient.rs"), "GET", "/grants?patient=rosa", http.StatusForbidden},
		{g.Access(), "GET", "/grants?patient=rosa", http.StatusForbidden},
		{"", "GET", "/grants?patient=rosa", http.StatusUnauthorized},
		{"made-up", "GET", "/grants?patient=rosa", http.StatusUnauthorized},
		{grants, "POST", "/grants/" + row.ID + "/revoke", http.StatusOK},
	} {
		asks(c.bearer, c.method, c.path, c.want)
	}
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	s.fetch(t, grants, "Patient/rosa", http.StatusForbidden)
	events := s.events(t, "kind=grant.revoked&grant="+row.ID)
	if len(events) != 1 || events[0].Detail["administrator"] != tool.ID {
		t.Errorf("who ended the grant: %+v", events)
	}
	if res, err := s.ClientCredentials(t.Context(), tool, "admin/clients"); err != nil || res.Text("error") != "invalid_scope" {
		t.Error("a scope of the administration API beyond the registration", res, err)
	}
	if res, err := s.RevokeToken(t.Context(), auditor, audits); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	asks(audits, "GET", "/audit", http.StatusUnauthorized)
}

// Who audits does not operate, and an app of people administers nothing.
func TestAdministrationIsRefused(t *testing.T) {
	_, both := service(t, "both", "admin/audit admin/grants")
	public := map[string]any{"client_id": "app", "kind": "public", "redirect_uris": []string{"https://app.example/cb"}, "scopes": "admin/clients"}
	data := t.TempDir()
	code, out, errOut := cli(t, "client", "add", file(t, both), "--data", data)
	if code != 1 || !strings.Contains(errOut, "who audits does not operate") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
	code, out, errOut = cli(t, "client", "add", file(t, public), "--data", data)
	if !strings.Contains(errOut, "never be granted were left out") || !strings.Contains(errOut, "admin/clients") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
}
