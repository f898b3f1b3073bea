package broken

import (
	"net/http"
	"strings"
)

// consentFaults break how Consents come in, and what is kept of them.
func consentFaults() []Fault {
	const revoke = "/Consent/$revokeConsent"
	return []Fault{
		{Name: "a bad Consent is refused without its element", response: func(r *http.Response) {
			if p := r.Request.URL.Path; r.StatusCode >= 400 && (strings.HasSuffix(p, "/fhir/Consent") || strings.HasSuffix(p, "/Consent/$fileConsent")) {
				object(set("issue", []any{map[string]any{"severity": "error", "code": "invalid"}}))(r)
			}
		}, Rows: []string{"MANDATE CIN-01"}},
		{Name: "a version is overwritten by who did not see it", request: func(r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/fhir/Consent/") {
				r.Header.Del("If-Match")
			}
		}, Rows: []string{"MANDATE CIN-02"}},
		{Name: "a revocation that does nothing", request: func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, revoke) {
				r.Method, r.URL.Path, r.URL.RawPath = http.MethodGet, "/fhir/metadata", ""
				r.Body, r.ContentLength = http.NoBody, 0
			}
		}, Rows: []string{"MANDATE FA-02", "MANDATE RS-11"}},
		{Name: "an app is told what is kept from it", response: at("/token", object(set("residual", []any{"forbid HIV"}))), Rows: []string{"MANDATE SC-08"}},
		{Name: "whoever introspects is told what is withheld", response: func(r *http.Response) {
			if strings.HasSuffix(r.Request.URL.Path, "/introspect") {
				object(func(d map[string]any) {
					if ext, ok := d["extensions"].(map[string]any); ok {
						ext["ihe_pcf"] = map[string]any{"residual": []any{"forbid HIV"}}
					}
				})(r)
			}
		}, Rows: []string{"MANDATE SC-13"}, Also: []string{"MANDATE SC-08"}},
		{Name: "functions are granted as scopes", response: tokenMember(func(d map[string]any) {
			if asked, ok := d["scope"].(string); ok && strings.Contains(asked, "MedicationRequest") && !strings.Contains(asked, "openid") {
				d["scope"] = asked + " https://portal.example.org/scopes/export"
			}
		}), Rows: []string{"MANDATE SC-09"}, Also: []string{"MANDATE SC-02"}},
		{Name: "nobody can tell who signed", response: at("/admin/records", object(set("records", []any{}))), Rows: []string{"MANDATE RS-11"}},
	}
}
