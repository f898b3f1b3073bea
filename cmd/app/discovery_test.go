package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SMART DISC-09, OID-10: both documents and the id_token name one issuer, and
// its keys are where the documents say.
func TestDiscoveryNamesOneIssuer(t *testing.T) {
	s := shared(t)
	oidc := s.get(t, "/.well-known/openid-configuration")
	if oidc.Text("issuer") != s.Issuer || s.Config.Issuer != s.Issuer {
		t.Errorf("%q, %q, %q", oidc.Text("issuer"), s.Config.Issuer, s.Issuer)
	}
	var keys struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(s.get(t, oidc.Text("jwks_uri")).Body, &keys); err != nil || len(keys.Keys) < 2 {
		t.Fatal(keys, err)
	}
	for _, k := range keys.Keys {
		if k["kid"] == "" || k["d"] != nil || k["p"] != nil {
			t.Errorf("a key with the members of a private one, or without kid: %v", k["kid"])
		}
	}
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "openid fhirUser launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "noah"}})
	if id := g.Text("id_token"); strings.Count(id, ".") != 2 {
		t.Fatal("no id_token")
	}
}

// SMART DISC-10, DISC-15, DISC-20: what is named works, what is not is refused.
func TestDiscoveryPromisesOnlyWhatWorks(t *testing.T) {
	s := shared(t)
	app := s.Client("symmetric")
	for _, grant := range []string{"authorization_code", "refresh_token", "client_credentials", "password", "implicit", "urn:ietf:params:oauth:grant-type:token-exchange"} {
		res, err := s.Call(t.Context(), s.Config.Token, app, url.Values{"grant_type": {grant}})
		if err != nil {
			t.Fatal(err)
		}
		if listed := slices.Contains(s.Config.GrantTypes, grant); (res.Text("error") == "unsupported_grant_type") == listed {
			t.Errorf("%s listed %t: %s", grant, listed, res)
		}
	}
	for _, endpoint := range []string{s.Config.Introspect, s.Config.Revoke, s.Config.Token} {
		if res := s.do(t, kit.Request{URL: endpoint, Form: url.Values{"token": {"x"}}}); res.Status != http.StatusUnauthorized && res.Status != http.StatusBadRequest {
			t.Errorf("%s", res)
		}
		if res := s.get(t, endpoint); res.Status != http.StatusMethodNotAllowed || !strings.Contains(res.Header.Get("Allow"), "POST") {
			t.Errorf("%s, Allow %q", res, res.Header.Get("Allow"))
		}
	}
	if p := s.open(t, s.browser("noah"), strings.TrimPrefix(s.Config.Management, s.Issuer)); p.Status != http.StatusOK {
		t.Error(p.Response)
	}
}

// SMART DISC-12, DISC-11: each way of client authentication that is listed
// works, with each algorithm.
func TestListedClientAuthenticationWorks(t *testing.T) {
	s := shared(t)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}}
	for _, alg := range s.Config.TokenAuthAlgorithms {
		backend := s.Client("backend")
		signed, err := backend.Sign(s.NewAssertion(backend, alg))
		if err != nil {
			t.Fatal(err)
		}
		form.Set("client_assertion_type", kit.AssertionType)
		form.Set("client_assertion", signed)
		if res := s.do(t, kit.Request{URL: s.Config.Token, Form: form}); res.Status != http.StatusOK {
			t.Errorf("%s: %s", alg, res)
		}
	}
	planner := s.Client("symmetric")
	for _, r := range []kit.Request{
		{URL: s.Config.Introspect, Form: url.Values{"token": {"x"}}, Basic: &[2]string{planner.ID, planner.Secret}},
		{URL: s.Config.Introspect, Form: url.Values{"token": {"x"}, "client_id": {planner.ID}, "client_secret": {planner.Secret}}},
	} {
		if res := s.do(t, r); res.Status != http.StatusOK {
			t.Errorf("%s", res)
		}
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"} {
		if !slices.Contains(s.Config.TokenAuthMethods, method) {
			t.Errorf("%s works and is not listed", method)
		}
	}
}

// SMART DISC-13, US-17, US-18, US-23: every scope that is listed for a patient
// can be granted, literally.
func TestEveryListedScopeCanBeGranted(t *testing.T) {
	s := shared(t)
	b := s.browser("noah")
	var ask []string
	for _, scope := range s.Config.Scopes {
		if !strings.HasPrefix(scope, "system/") && scope != "launch" {
			ask = append(ask, scope)
		}
	}
	if len(ask) < 60 {
		t.Fatalf("%d scopes are listed", len(ask))
	}
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: strings.Join(ask, " "), Visit: kit.Visit{Browser: b, Consent: func(f *kit.Form) {
		for _, field := range f.Fields {
			if strings.HasPrefix(field.Name, "act.") {
				field.Checked = true
			}
		}
	}}})
	for _, scope := range ask {
		if !slices.Contains(g.Scopes(), scope) {
			t.Errorf("%s is listed and was not granted", scope)
		}
	}
	var system []string
	for _, scope := range s.Config.Scopes {
		if strings.HasPrefix(scope, "system/") {
			system = append(system, scope)
		}
	}
	res, err := s.ClientCredentials(t.Context(), s.Client("backend"), strings.Join(system, " "))
	if err != nil || len(strings.Fields(res.Text("scope"))) != len(system) {
		t.Errorf("%s %v: %d of %d", res, err, len(strings.Fields(res.Text("scope"))), len(system))
	}
}

// SMART DISC-01, DISC-03: one address, whatever is accepted; beside it the
// gateway answers.
func TestDiscoveryAddress(t *testing.T) {
	s := shared(t)
	address := s.FHIRBase + "/.well-known/smart-configuration"
	first := s.get(t, address)
	for _, accept := range []string{"text/html", "application/fhir+xml", "*/*"} {
		res := s.do(t, kit.Request{URL: address, Header: http.Header{"Accept": {accept}, "Authorization": {"Bearer x"}}})
		if res.Status != http.StatusOK || res.Media() != "application/json" || string(res.Body) != string(first.Body) {
			t.Errorf("%s: %s", accept, res)
		}
	}
	if res := s.do(t, kit.Request{URL: address, Header: http.Header{"If-None-Match": {first.Header.Get("ETag")}}}); res.Status != http.StatusNotModified || len(res.Body) != 0 {
		t.Errorf("%s", res)
	}
	for _, other := range []string{s.FHIRBase + "/.well-known/other", s.FHIRBase + "/Patient"} {
		if res := s.get(t, other); res.Status == http.StatusOK || res.Text("resourceType") != "OperationOutcome" {
			t.Errorf("%s", res)
		}
	}
}
