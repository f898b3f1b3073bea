package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// flag is one switch of a client.
type flag struct {
	// members are those of a registration that turn it on.
	kind    string
	members map[string]any
	// member of the discovery documents says that the server has it, whatever
	// clients are registered for; empty where none does.
	member string
	// works reports whether the server treats the client as one that has it.
	works func(t *testing.T, s *server, c kit.Client) bool
}

// tokenError gives the error of a token request of a client.
func tokenError(t *testing.T, s *server, c kit.Client, form url.Values) string {
	t.Helper()
	res, err := s.Call(t.Context(), s.Config.Token, c, form)
	if err != nil {
		t.Fatal(err)
	}
	return res.Text("error")
}

func flags() map[string]flag {
	launch := func(t *testing.T, s *server, c kit.Client) (*kit.Response, error) {
		g, err := s.Code(t.Context(), kit.Launch{Client: c, Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
		if err != nil {
			return nil, err
		}
		return s.Call(t.Context(), s.Config.Token, c, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
	}
	return map[string]flag{
		"device_authorization": {"public", map[string]any{"device_authorization": true}, "device_authorization_endpoint", func(t *testing.T, s *server, c kit.Client) bool {
			res, err := s.BeginDevice(t.Context(), c, "launch/patient patient/Patient.rs")
			return err == nil && res.Status == http.StatusOK
		}},
		"token_exchange": {"symmetric", map[string]any{"token_exchange": true}, "grant_types_supported", func(t *testing.T, s *server, c kit.Client) bool {
			return tokenError(t, s, c, url.Values{"grant_type": {grantExchange}}) == "invalid_request"
		}},
		"dpop_bound_access_tokens": {"public", map[string]any{"dpop_bound_access_tokens": true}, "dpop_signing_alg_values_supported", func(t *testing.T, s *server, c kit.Client) bool {
			res, err := launch(t, s, c)
			return err == nil && res.Text("error") == "invalid_dpop_proof"
		}},
		"require_pushed_authorization_requests": {"public", map[string]any{"require_pushed_authorization_requests": true}, "pushed_authorization_request_endpoint", func(t *testing.T, s *server, c kit.Client) bool {
			_, err := launch(t, s, c)
			return err != nil && strings.Contains(err.Error(), "no authorization code")
		}},
		"client_credentials_by_secret": {"symmetric", map[string]any{"client_credentials_by_secret": true, "redirect_uris": []string{}, "scopes": "system/Patient.rs"}, "", func(t *testing.T, s *server, c kit.Client) bool {
			return tokenError(t, s, c, url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}}) == ""
		}},
		"authorization_details_types": {"public", map[string]any{"authorization_details_types": []string{"smart_on_fhir"}}, "", func(t *testing.T, s *server, c kit.Client) bool {
			res, err := launch(t, s, c)
			return err == nil && res.JSON()["authorization_details"] != nil
		}},
	}
}

// SMART DISC-20: each switch of a client changes what that client may do and
// nothing else; what discovery says holds for the clients that have it.
func TestSwitchesOfClients(t *testing.T) {
	const secret, redirect = "a secret of many characters", "https://switch.example/cb"
	var file []map[string]any
	clients := map[string]kit.Client{}
	for name, f := range flags() {
		for _, on := range []bool{true, false} {
			id := name + map[bool]string{true: "-on", false: "-off"}[on]
			m := map[string]any{"client_id": id, "kind": f.kind, "client_name": "Switch", "redirect_uris": []string{redirect}}
			c := kit.Client{ID: id, Kind: f.kind, RedirectURIs: []string{redirect}}
			if f.kind == "symmetric" {
				m["client_secret"], c.Secret = secret, secret
			}
			if on {
				for k, v := range f.members {
					m[k] = v
				}
			}
			file, clients[id] = append(file, m), c
		}
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clients.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) { c.ClientFiles = append(c.ClientFiles, path) })
	var said map[string]any
	if err := json.Unmarshal(s.get(t, docSMART).Body, &said); err != nil {
		t.Fatal(err)
	}
	for name, f := range flags() {
		if f.member != "" && said[f.member] == nil {
			t.Errorf("%s: %s is not said", name, f.member)
		}
		if !f.works(t, s, clients[name+"-on"]) {
			t.Errorf("%s: it does not work for a client that has it", name)
		}
		if f.works(t, s, clients[name+"-off"]) {
			t.Errorf("%s: it works for a client that does not have it", name)
		}
	}
}

// SMART DISC-20: a tenant's own switch changes that tenant's documents and
// behaviour, and no other's.
func TestSwitchesOfTenants(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"open", "shut"} {
		must(t, "tenant", "add", id, "--name", "Tenant", "--upstream", "http://localhost:1/fhir", "--data", dir)
	}
	must(t, "tenant", "edit", "open", "--registration", "approval", "--data", dir)
	s := startIn(t, dir, func(c *app.Config) { c.Data = dir })
	for base, want := range map[string]bool{"": false, "/t/open": true, "/t/shut": false} {
		for _, doc := range []string{docSMART, docOpenID, docOAuth} {
			var d map[string]any
			if err := json.Unmarshal(s.get(t, base+doc).Body, &d); err != nil {
				t.Fatal(base, doc, err)
			}
			if endpoint, said := d["registration_endpoint"]; said != want || said && endpoint != s.Issuer+base+"/register" {
				t.Errorf("%s: registration_endpoint is %v", base+doc, endpoint)
			}
		}
		body := strings.NewReader(`{"client_name":"Matrix","redirect_uris":["https://matrix.example/cb"],"token_endpoint_auth_method":"none"}`)
		res := s.do(t, kit.Request{Method: http.MethodPost, URL: s.Issuer + base + "/register", Body: body, Type: "application/json"})
		if (res.Status == http.StatusCreated) != want {
			t.Errorf("%s: registration is answered with %s", base, res)
		}
	}
}
