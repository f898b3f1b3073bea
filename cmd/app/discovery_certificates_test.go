package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// certificateToggles are the switches of mutual TLS (RFC 8705 §5, RFC 8414 §2),
// here with a proxy on this machine that ends TLS (RFC 9440).
func certificateToggles() []toggle {
	behind := func(c *app.Config) { c.MTLS.Proxies = []string{"127.0.0.0/8", "::1/128"} }
	every := []string{docSMART, docOpenID, docOAuth}
	return []toggle{
		{name: "tokens bound to a certificate", on: behind, documents: every, member: "tls_client_certificate_bound_access_tokens", works: certifies},
		{name: "log-in by a certificate", on: behind, documents: every, member: "token_endpoint_auth_methods_supported", value: kit.MethodTLSOfSelf, works: certifies},
	}
}

// certifies reports whether a client that registers its certificate gets a token
// for it, and one that is bound to it.
func certifies(t *testing.T, s *server) bool {
	t.Helper()
	pair, err := (*kit.ClientAuthority)(nil).Pair("matrix.example")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pair.JWKS("own")
	if err != nil {
		t.Fatal(err)
	}
	asks, err := json.Marshal(map[string]any{
		"client_name": "Matrix", "grant_types": []string{"client_credentials"}, "jwks": keys, "scope": "system/Patient.rs",
		"token_endpoint_auth_method": kit.MethodTLSOfSelf, "tls_client_certificate_bound_access_tokens": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var made card
	if res := s.admin(t, "POST", "/clients", string(asks), &made); res.Status != http.StatusCreated {
		return false
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}, "client_id": {made.ID}}
	res := s.do(t, kit.Request{URL: s.Config.Token, Form: form, Header: http.Header{"Client-Cert": {pair.Header()}}})
	if res.Status != http.StatusOK {
		return false
	}
	read := func(header http.Header) int {
		header.Set("Authorization", "Bearer "+res.Text("access_token"))
		return s.do(t, kit.Request{URL: s.FHIRBase + "/Patient?_count=1", Header: header}).Status
	}
	with, without := read(http.Header{"Client-Cert": {pair.Header()}}), read(http.Header{})
	if with != http.StatusOK || without != http.StatusUnauthorized {
		t.Errorf("the token of a certificate is answered with %d, without the certificate with %d", with, without)
	}
	return true
}
