package protocol_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/web/protocol"
)

func documents() map[string]http.Handler {
	e := protocol.Endpoints{
		Issuer: "https://ehr.example", FHIRBase: "https://ehr.example/fhir", Authorize: "https://ehr.example/authorize",
		Token: "https://ehr.example/token", Introspect: "https://ehr.example/introspect", Revoke: "https://ehr.example/revoke",
		JWKS: "https://ehr.example/jwks", Management: "https://ehr.example/apps",
	}
	scopes := []string{"openid", "patient/*.rs"}
	return map[string]http.Handler{"smart": protocol.SMARTConfiguration(e, scopes, noBrands), "oidc": protocol.OpenIDConfiguration(e, scopes)}
}

func discover(h http.Handler, method string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// SMART DISC-02, DISC-03, CORS-01: the same JSON to everybody from anywhere,
// whatever is asked for.
func TestDiscoveryIsTheSameForAll(t *testing.T) {
	for name, h := range documents() {
		first := discover(h, http.MethodGet, http.Header{})
		for _, header := range []http.Header{
			{"Accept": {"text/html"}}, {"Accept": {"application/fhir+xml"}}, {"Authorization": {"Bearer garbage"}}, {"Origin": {"https://app.example"}},
		} {
			got := discover(h, http.MethodGet, header)
			if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "application/json" || got.Body.String() != first.Body.String() || got.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s with %v: %d %v", name, header, got.Code, got.Header())
			}
		}
		preflight := discover(h, http.MethodOptions, http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"GET"}})
		if preflight.Code != http.StatusNoContent || !strings.Contains(preflight.Header().Get("Access-Control-Allow-Methods"), "GET") || preflight.Body.Len() != 0 {
			t.Errorf("%s: %d %v", name, preflight.Code, preflight.Header())
		}
	}
}

// RFC 9110 §13.1.2: a cached copy is told to be good, in any form of the tag.
func TestDiscoveryETag(t *testing.T) {
	both := documents()
	tag := discover(both["smart"], http.MethodGet, http.Header{}).Header().Get("ETag")
	other := discover(both["oidc"], http.MethodGet, http.Header{}).Header().Get("ETag")
	if tag == "" || tag == other {
		t.Fatalf("%q and %q", tag, other)
	}
	for value, want := range map[string]int{
		tag: http.StatusNotModified, "W/" + tag: http.StatusNotModified, other + ", " + tag: http.StatusNotModified, "*": http.StatusNotModified,
		other: http.StatusOK, strings.Trim(tag, `"`): http.StatusOK, "": http.StatusOK,
	} {
		got := discover(both["smart"], http.MethodGet, http.Header{"If-None-Match": {value}})
		if got.Code != want || (want == http.StatusNotModified) != (got.Body.Len() == 0) || got.Header().Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d, %d bytes", value, got.Code, got.Body.Len())
		}
	}
}

// SMART DISC-04…DISC-09, DISC-14, DISC-15, CAP-23, OID-10.
func TestDiscoveryDocuments(t *testing.T) {
	for name, h := range documents() {
		var doc map[string]any
		if err := json.Unmarshal(discover(h, http.MethodGet, http.Header{}).Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		for key, value := range doc {
			if !strings.HasSuffix(key, "_endpoint") && !strings.HasSuffix(key, "_uri") && key != "issuer" {
				continue
			}
			if u, err := url.Parse(value.(string)); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s: %s is %v", name, key, value)
			}
		}
		for key, want := range map[string][]string{
			"code_challenge_methods_supported": {"S256"},
			"response_types_supported":         {"code"},
			"grant_types_supported":            {"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:device_code"},
		} {
			if got := texts(doc[key]); !slices.Equal(got, want) {
				t.Errorf("%s: %s is %v", name, key, got)
			}
		}
	}
	var smart, oidc map[string]any
	_ = json.Unmarshal(discover(documents()["smart"], http.MethodGet, http.Header{}).Body.Bytes(), &smart)
	_ = json.Unmarshal(discover(documents()["oidc"], http.MethodGet, http.Header{}).Body.Bytes(), &oidc)
	if smart["issuer"] != oidc["issuer"] || oidc["capabilities"] != nil || smart["subject_types_supported"] != nil {
		t.Errorf("%v %v", smart["issuer"], oidc["issuer"])
	}
	claimed := texts(smart["capabilities"])
	// SMART US-05: what the (g)(10) test looks for.
	for _, c := range strings.Fields("launch-ehr launch-standalone authorize-post client-public client-confidential-symmetric client-confidential-asymmetric sso-openid-connect context-banner context-style context-ehr-patient context-ehr-encounter context-standalone-patient permission-offline permission-patient permission-user permission-v1 permission-v2") {
		if !slices.Contains(claimed, c) {
			t.Errorf("%s is not claimed", c)
		}
	}
	for _, c := range claimed {
		if strings.HasPrefix(c, "context-passthrough") {
			t.Errorf("%s is no name of 2.2", c)
		}
	}
	if !slices.Contains(texts(oidc["id_token_signing_alg_values_supported"]), "RS256") || oidc["request_parameter_supported"] != true || oidc["request_uri_parameter_supported"] != false {
		t.Errorf("%v", oidc)
	}
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, item := range list {
		s, _ := item.(string)
		out = append(out, s)
	}
	return out
}
