package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/limit"
)

// card is what a registration answers.
type card struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Token  string `json:"registration_access_token"`
	URI    string `json:"registration_client_uri"`
	Status string `json:"registration_status"`
	Scope  string `json:"scope"`
}

// jsonTo sends JSON to an absolute address.
func (s *server) jsonTo(t *testing.T, method, address, token, body string) (*kit.Response, card) {
	t.Helper()
	res := s.do(t, kit.Request{Method: method, URL: address, Bearer: token, Body: strings.NewReader(body), Type: "application/json"})
	var c card
	if res.Status < 300 && res.Status != http.StatusNoContent {
		if err := json.Unmarshal(res.Body, &c); err != nil {
			t.Fatal(err)
		}
	}
	return res, c
}

const asks = `{"client_name":"Diary","redirect_uris":["https://diary.example/cb"],"token_endpoint_auth_method":"client_secret_basic","scope":"openid patient/*.rs"}`

// RFC 7591, RFC 7592: a client registers itself, gets nothing before it is
// approved, manages itself with its token, and its secret works.
func TestDynamicRegistration(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Registration.Mode = "approval" })
	endpoint := s.Issuer + "/register"
	if s.Config.Registration != endpoint {
		t.Errorf("discovery says %q", s.Config.Registration)
	}
	res, c := s.jsonTo(t, "POST", endpoint, "", asks)
	if res.Status != http.StatusCreated || c.Status != "pending" || c.URI != endpoint+"/"+c.ID || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(res, string(res.Body))
	}
	asksIntrospection := func() int {
		return s.do(t, kit.Request{Method: "POST", URL: s.Config.Introspect, Basic: &[2]string{c.ID, c.Secret}, Form: map[string][]string{"token": {"x"}}}).Status
	}
	if got := asksIntrospection(); got != http.StatusUnauthorized {
		t.Errorf("a client that waits: %d", got)
	}
	if code, _, errOut := cli(t, "client", "approve", "--data", s.data, c.ID); code != 0 {
		t.Fatal(errOut)
	}
	if got := asksIntrospection(); got != http.StatusOK {
		t.Errorf("the approved client may not use its secret: %d", got)
	}
	for name, row := range map[string]struct {
		body, want string
		status     int
	}{
		"no JSON":    {"{", "invalid_client_metadata", 400},
		"a list":     {"[]", "invalid_client_metadata", 400},
		"twice":      {`{"client_name":"a","Client_Name":"b"}`, "json-duplicate-key", 400},
		"keys twice": {strings.Replace(asks, "{", `{"jwks":{"keys":[{"kid":"a","kid":"b"}]},`, 1), "json-duplicate-key", 400},
		"deep":       {strings.Replace(asks, "{", `{"jwks":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`,`, 1), "json-depth", 400},
		"redirect":   {strings.Replace(asks, "https", "http", 1) + " ", "", 201}, // development takes it
		"fragment":   {strings.Replace(asks, "/cb", "/cb#x", 1), "invalid_redirect_uri", 400},
		"method":     {strings.Replace(asks, "client_secret_basic", "tls_client_auth", 1), "invalid_client_metadata", 400},
		"binding":    {strings.Replace(asks, "{", `{"tls_client_certificate_bound_access_tokens":true,`, 1), "client-binding-not-offered", 400},
		"own":        {strings.Replace(asks, "client_secret_basic", "self_signed_tls_client_auth", 1), "invalid_client_metadata", 400},
		"statement":  {strings.Replace(asks, "{", `{"software_statement":"e30.e30.",`, 1), "invalid_software_statement", 400},
		"very large": {`{"client_name":"` + strings.Repeat("x", 200<<10) + `"}`, "invalid_request", 413},
	} {
		res, _ := s.jsonTo(t, "POST", endpoint, "", row.body)
		if res.Status != row.status || !strings.Contains(string(res.Body), row.want) {
			t.Errorf("%s: %s %s", name, res, res.Body)
		}
	}
	if res := s.do(t, kit.Request{Method: "POST", URL: endpoint, Form: map[string][]string{"client_name": {"x"}}}); res.Status != http.StatusUnsupportedMediaType {
		t.Error(res)
	}
	res, again := s.jsonTo(t, "PUT", c.URI, c.Token, strings.Replace(asks, "{", `{"client_id":"`+c.ID+`","contacts":["dev@diary.example"],`, 1))
	if res.Status != http.StatusOK || again.Token == c.Token || again.Secret != "" {
		t.Error(res, string(res.Body))
	}
	if res, _ := s.jsonTo(t, "PUT", c.URI, again.Token, asks); res.Status != http.StatusBadRequest {
		t.Errorf("another client_id: %s", res)
	}
	if res, _ := s.jsonTo(t, "GET", c.URI, c.Token, ""); res.Status != http.StatusUnauthorized {
		t.Errorf("the token before: %s", res)
	}
	if res, _ := s.jsonTo(t, "DELETE", c.URI, again.Token, ""); res.Status != http.StatusNoContent {
		t.Error(res)
	}
	if got := asksIntrospection(); got != http.StatusUnauthorized {
		t.Errorf("a deleted client: %d", got)
	}
}

// Registration is off unless it is opened; then discovery does not name it. It
// is bounded by address.
func TestRegistrationIsOffAndBounded(t *testing.T) {
	s := start(t, nil)
	if s.Config.Registration != "" {
		t.Errorf("discovery says %q", s.Config.Registration)
	}
	if res, _ := s.jsonTo(t, "POST", s.Issuer+"/register", "", asks); res.Status != http.StatusNotFound {
		t.Error(res)
	}
	open := start(t, func(c *app.Config) {
		c.Registration.Mode, c.Limits = "token", limit.Config{Register: 2}
	})
	last := 0
	for range 4 {
		res, _ := open.jsonTo(t, "POST", open.Issuer+"/register", "", asks)
		last = res.Status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the fourth of two an hour: %d", last)
	}
}

// The operators' API registers, shows, rotates, edits and ends clients; what is
// wrong is told as problem+json, and nothing secret is shown twice.
func TestOperatorsRegisterClients(t *testing.T) {
	s := start(t, nil)
	var made, seen struct {
		card
		Secrets int `json:"secrets_valid"`
	}
	if res := s.admin(t, "POST", "/clients", asks, &made); res.Status != http.StatusCreated || made.Secret == "" || made.Status != "approved" {
		t.Fatal(res, string(res.Body))
	}
	works := func(secret string, want bool) {
		t.Helper()
		res := s.do(t, kit.Request{Method: "POST", URL: s.Config.Introspect, Basic: &[2]string{made.ID, secret}, Form: map[string][]string{"token": {"x"}}})
		if (res.Status == http.StatusOK) != want {
			t.Error(res)
		}
	}
	works(made.Secret, true)
	if res := s.admin(t, "POST", "/clients/"+made.ID+"/secret", "", &seen); res.Status != http.StatusOK || seen.Secrets != 2 || seen.Secret == made.Secret {
		t.Error(res, string(res.Body))
	}
	works(made.Secret, true)
	works(seen.Secret, true)
	s.admin(t, "POST", "/clients/"+made.ID+"/retire-secret", "", nil)
	works(made.Secret, false)
	works(seen.Secret, true)
	for path, row := range map[string]struct {
		method, body string
		status       int
	}{
		"/clients":                         {"POST", `{"client_name":"x","unknown":1}`, http.StatusBadRequest},
		"/clients/" + made.ID:              {"PUT", strings.Replace(asks, "{", `{"client_id":"other",`, 1), http.StatusBadRequest},
		"/clients/nobody":                  {"GET", "", http.StatusNotFound},
		"/clients/nobody/disable":          {"POST", "", http.StatusNotFound},
		"/clients/" + made.ID + "/approve": {"POST", "", http.StatusConflict},
		"/registrations/invitations":       {"POST", `{"days":31}`, http.StatusBadRequest},
	} {
		if res := s.admin(t, row.method, path, row.body, nil); res.Status != row.status || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s %s", row.method, path, res, res.Body)
		}
	}
	s.admin(t, "POST", "/clients/"+made.ID+"/disable", "", nil)
	works(seen.Secret, false)
	s.admin(t, "POST", "/clients/"+made.ID+"/enable", "", nil)
	works(seen.Secret, true)
	if res := s.admin(t, "GET", "/clients", "", nil); strings.Contains(string(res.Body), "hash") {
		t.Error("the list of clients holds hashes")
	}
	if res := s.admin(t, "DELETE", "/clients/"+made.ID, "", nil); res.Status != http.StatusOK {
		t.Error(res)
	}
	works(seen.Secret, false)
	if res := s.admin(t, "GET", "/clients", "", nil); strings.Contains(string(res.Body), made.ID) {
		t.Error("a deleted client is listed")
	}
}

// A client that is bound to networks is refused from any other address, with the
// right secret too.
func TestClientsBoundToAddresses(t *testing.T) {
	s := start(t, nil)
	var made card
	s.admin(t, "POST", "/clients", strings.Replace(asks, "{", `{"allowed_addresses":["192.0.2.0/24"],"introspect":true,`, 1), &made)
	ask := func() *kit.Response {
		return s.do(t, kit.Request{Method: "POST", URL: s.Config.Introspect, Basic: &[2]string{made.ID, made.Secret}, Form: map[string][]string{"token": {"x"}}})
	}
	if res := ask(); res.Status != http.StatusUnauthorized || !strings.Contains(string(res.Body), "client-address") {
		t.Error(res, string(res.Body))
	}
	s.admin(t, "PUT", "/clients/"+made.ID, strings.Replace(asks, "{", `{"client_id":"`+made.ID+`","allowed_addresses":["127.0.0.0/8","::1/128"],`, 1), nil)
	if res := ask(); res.Status != http.StatusOK {
		t.Error(res, string(res.Body))
	}
	code, out, errOut := cli(t, "client", "rotate", "--data", s.data, made.ID)
	if code != 0 || len(strings.TrimSpace(out)) != 43 {
		t.Fatalf("%s %s", out, errOut)
	}
	was := made.Secret
	made.Secret = strings.TrimSpace(out)
	if res := ask(); res.Status != http.StatusOK {
		t.Error(res)
	}
	if code, out, errOut := cli(t, "client", "rotate", "--retire", "--data", s.data, made.ID); code != 0 || !strings.Contains(out, "1 valid secret") {
		t.Fatalf("%s %s", out, errOut)
	}
	if code, out, _ := cli(t, "client", "show", "--data", s.data, made.ID); code != 0 || !strings.Contains(out, "127.0.0.0/8") || strings.Contains(out, "hash") {
		t.Error(out)
	}
	made.Secret = was
	if res := ask(); res.Status != http.StatusUnauthorized {
		t.Error(res)
	}
}
