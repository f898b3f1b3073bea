package broken

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// ofPatient are witnesses that need to know the patient in context.
var ofPatient = []string{"SMART REF-05", "SMART LAU-03", "SMART CAP-10", "SMART M-01", "SMART TRP-09", "SMART TRP-17", "SMART US-24"}

// tokenFaults break the token answer.
func tokenFaults() []Fault {
	return []Fault{
		{Name: "scope stripped from token answers", response: tokenMember(drop("scope")), Rows: []string{"SMART TOK-05", "SMART TOK-07"},
			Also: []string{"SMART REF-05", "SMART BKS-03", "SMART SCP-32"}},
		{Name: "no-store dropped", response: at("/token", header("Cache-Control", "")), Rows: []string{"SMART TOK-09", "SMART REF-05"}},
		{Name: "expires_in as text", response: tokenMember(set("expires_in", "3600")), Rows: []string{"SMART TOK-06", "SMART REF-05"}, Also: []string{"SMART BKS-03"}},
		{Name: "tokens of a day", response: tokenMember(set("expires_in", 86400)), Rows: []string{"SMART TOK-11", "SMART BKS-04", "MANDATE SC-14"}},
		{Name: "token answers as text", response: at("/token", header("Content-Type", "text/html")), Rows: []string{"SMART TOK-05", "SMART TOK-14"}},
		{Name: "the token type is missing", response: tokenMember(drop("token_type")), Rows: []string{"SMART TOK-05", "SMART BKS-03", "SMART REF-05"}},
		{Name: "errors as 200", response: at("/token", func(r *http.Response) {
			if r.StatusCode >= 400 && r.StatusCode < 500 {
				r.StatusCode = http.StatusOK
			}
		}), Rows: []string{"SMART TOK-14", "SMART REF-07", "SMART PKCE-03"}, Also: []string{"SMART SYM-03", "SMART ASY-02", "SMART ASY-07", "SMART REV-02"}},
		{Name: "context only in the token", response: tokenMember(drop("patient")), Rows: []string{"SMART TOK-10", "SMART CTX-01"}, Also: ofPatient},
		{Name: "patient with its type", response: tokenMember(func(d map[string]any) {
			if id, ok := d["patient"].(string); ok {
				d["patient"] = "Patient/" + id
			}
		}), Rows: []string{"SMART CTX-01"}, Also: ofPatient},
		{Name: "the banner as text", response: tokenMember(func(d map[string]any) {
			if b, ok := d["need_patient_banner"].(bool); ok {
				d["need_patient_banner"] = map[bool]string{true: "true", false: "false"}[b]
			}
		}), Rows: []string{"SMART CAP-08"}},
		{Name: "a bare unknown member", response: tokenMember(set("userName", "rosa")), Rows: []string{"SMART CTX-18"}},
		{Name: "a refresh token for everybody", response: tokenMember(func(d map[string]any) {
			if d["refresh_token"] == nil {
				d["refresh_token"] = "given-away"
			}
		}), Rows: []string{"SMART SCP-22", "SMART BKS-05", "SMART US-12"}},
		{Name: "more is granted than was asked", response: tokenMember(func(d map[string]any) {
			d["scope"] = strings.TrimSpace(strings.ReplaceAll(toText(d["scope"]), "patient/Patient.r ", "") + " patient/*.cruds")
		}), Rows: []string{"SMART SCP-12b", "SMART TOK-08", "SMART INT-04"}, Also: []string{"SMART BKS-03"}},
		{Name: "v1 scopes in v2", response: tokenMember(func(d map[string]any) {
			d["scope"] = strings.ReplaceAll(toText(d["scope"]), ".read", ".rs")
		}), Rows: []string{"SMART SCP-04", "SMART SCP-04b"}},
	}
}

func toText(v any) string {
	s, _ := v.(string)
	return s
}

// identityFaults break the id_token; it is signed properly all the same.
func (p *Proxy) identityFaults() []Fault {
	return []Fault{
		{Name: "no id_token", response: tokenMember(drop("id_token")), Rows: []string{"SMART OID-01", "SMART OID-02"}, Also: []string{"SMART OID-09"}},
		{Name: "another issuer in the id_token", response: p.idToken(set("iss", "https://other.example")), Rows: []string{"SMART OID-09"}},
		{Name: "nonce dropped", response: p.idToken(drop("nonce")), Rows: []string{"SMART OID-09"}},
		{Name: "another audience in the id_token", response: p.idToken(set("aud", "demo-ehr")), Rows: []string{"SMART OID-09"}},
		{Name: "fhirUser of somebody else", response: p.idToken(func(c map[string]any) {
			if c["fhirUser"] != nil {
				c["fhirUser"] = p.base() + "/Patient/noah"
			}
		}), Rows: []string{"SMART OID-04", "SMART OID-05", "SMART OID-06", "SMART OID-12"}},
		{Name: "no fhirUser", response: p.idToken(drop("fhirUser")), Rows: []string{"SMART OID-04"}},
		{Name: "the id_token's key is not published", response: at("/jwks", object(set("keys", []any{}))), Rows: []string{"SMART OID-02", "SMART OID-03"},
			Also: []string{"SMART OID-09"}},
	}
}

// lifeFaults break how codes and tokens end.
func lifeFaults(p *Proxy) []Fault {
	spendCode, sameCode := remember("code")
	spendRefresh, sameRefresh := remember("refresh_token")
	return []Fault{
		{Name: "codes work twice", request: spendCode, response: sameCode, Rows: []string{"SMART AZ-16", "SMART AZ-16b"}},
		{Name: "refresh tokens work for ever", request: spendRefresh, response: sameRefresh, Rows: []string{"SMART REF-08"}},
		{Name: "scope is ignored at refresh", request: tokenForm(func(f url.Values) {
			if f.Get("grant_type") == "refresh_token" {
				f.Del("scope")
			}
		}), Rows: []string{"SMART REF-03", "SMART REF-04"}},
		{Name: "an expired token is accepted", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusUnauthorized && p.late(r.Request) {
				p.instead(r)
			}
		}), Rows: []string{"SMART TOK-12b"}},
		{Name: "a revoked token is accepted", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusUnauthorized && p.known(r.Request) && !p.late(r.Request) {
				p.instead(r)
			}
		}), Rows: []string{"SMART REV-01b", "SMART REV-02", "SMART TRP-24", "SMART AZ-16", "SMART US-03"}},
		{Name: "revocation does nothing", request: form("/revoke", func(f url.Values) {
			f.Set("token", "another-one")
		}), Rows: []string{"SMART REV-01b", "SMART REV-02", "SMART INT-11", "SMART TRP-24"}},
		{Name: "every token is active", response: at("/introspect", object(func(d map[string]any) {
			if d["active"] == false {
				d["active"] = true
			}
		})), Rows: []string{"SMART INT-07", "SMART INT-10", "SMART INT-11"}},
		{Name: "introspection says why", response: at("/introspect", object(func(d map[string]any) {
			if d["active"] == false {
				d["error"] = "expired"
			}
		})), Rows: []string{"SMART INT-07", "SMART INT-11"}},
		{Name: "introspection keeps the context to itself", response: at("/introspect", object(drop("patient"))), Rows: []string{"SMART INT-05"}},
		{Name: "introspection forgets the end", response: at("/introspect", object(drop("exp"))), Rows: []string{"SMART INT-02", "SMART TOK-06"}},
	}
}

// gatewayFaults break the FHIR API.
func (p *Proxy) gatewayFaults() []Fault {
	return []Fault{
		{Name: "refusals as empty Bundles", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusForbidden {
				r.StatusCode = http.StatusOK
				replace(r, empty)
			}
		}), Rows: []string{"SMART US-13", "SMART BKS-07", "SMART M-05", "SMART TRP-01"}, Also: []string{"SMART M-01", "SMART TRP-09", "SMART US-24"}},
		{Name: "another patient's record can be read", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusNotFound {
				p.instead(r)
			}
		}), Rows: []string{"SMART TRP-03", "SMART TRP-14", "SMART SCP-12"}},
		{Name: "a search shows another patient's record", response: fhir(func(r *http.Response) {
			if r.StatusCode != http.StatusOK || !strings.HasSuffix(r.Request.URL.Path, "/Observation") {
				return
			}
			raw, ok := p.fetch(r.Request, "Observation?_count=1&patient=Patient/noah")
			theirs := map[string]any{}
			if !ok || json.Unmarshal(raw, &theirs) != nil {
				return
			}
			more, _ := theirs["entry"].([]any)
			object(func(d map[string]any) {
				if entries, ok := d["entry"].([]any); ok {
					d["entry"] = append(entries, more...)
				}
			})(r)
		}), Rows: []string{"SMART TRP-17"}},
		{Name: "the total of hidden records is told", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusOK && r.Request.URL.Query().Get("_summary") == "count" {
				p.instead(r)
			}
		}), Rows: []string{"SMART TRP-06"}},
		{Name: "a type that was not granted is shown", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusForbidden && p.known(r.Request) {
				p.instead(r)
			}
		}), Rows: []string{"SMART US-13", "SMART BKS-07", "SMART M-05", "SMART M-02", "SMART CAP-16"}, Also: []string{"SMART TRP-01", "SMART US-24"}},
		{Name: "anybody may read", response: fhir(func(r *http.Response) {
			if r.StatusCode == http.StatusUnauthorized && r.Request.Header.Get("Authorization") == "" {
				p.instead(r)
			}
		}), Rows: []string{"SMART TOK-12"}},
		{Name: "health data may be stored", response: fhir(header("Cache-Control", "public, max-age=60")), Rows: []string{"SMART NO-STORE"}},
	}
}
