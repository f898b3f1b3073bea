package broken

import (
	"net/http"
	"net/url"
	"strings"
)

// proofHeader is the header of a DPoP proof.
const proofHeader = "DPoP"

// boundFaults break tokens that are bound to a key (RFC 9449).
func (p *Proxy) boundFaults() []Fault {
	// toward removes the proofs of requests to a path for which a test holds.
	toward := func(path string, when func(proof map[string]any) bool) func(*http.Request) {
		return func(r *http.Request) {
			if r.URL.Path == path && when(claims(r.Header.Get(proofHeader))) {
				r.Header.Del(proofHeader)
			}
		}
	}
	always := func(map[string]any) bool { return true }
	again, answer := rememberBy(func(r *http.Request) string {
		if r.URL.Path != "/token" {
			return ""
		}
		return r.Header.Get(proofHeader)
	})
	return []Fault{
		{Name: "proofs are not looked at", request: toward("/token", always), Rows: []string{"RFC9449 5", "RFC9449 5b"}},
		{Name: "a proof for another method counts as none", request: toward("/token", func(proof map[string]any) bool {
			method, _ := proof["htm"].(string)
			return method != http.MethodPost
		}), Rows: []string{"RFC9449 4.3"}},
		{Name: "a proof serves twice", request: again, response: answer, Rows: []string{"RFC9449 11.1"}},
		{Name: "cnf is not told", response: at("/introspect", object(drop("cnf"))), Rows: []string{"RFC9449 5", "RFC8705 3", "MANDATE TX-05", "MANDATE TX-07"}},
		{Name: "a bound token serves as a bearer token", response: fhir(p.taken("Bearer ")), Rows: []string{"RFC9449 7.1", "RFC9449 5b", "RFC8705 3", "MANDATE TX-05"}},
		{Name: "proofs are not looked at with a bound token", response: fhir(p.taken(proofHeader + " ")), Rows: []string{"RFC9449 4.3b", "RFC9449 11.1"}},
		{Name: "the key of a code is forgotten", request: authorizeQuery(func(q url.Values) { q.Del("dpop_jkt") }), Rows: []string{"RFC9449 10"}},
		{Name: "a proof beside a pushed request is not looked at", request: toward("/par", always), Rows: []string{"RFC9449 10.1"}},
		{Name: "symmetric proofs are offered",
			response: at("/smart-configuration", object(set("dpop_signing_alg_values_supported", []string{"ES256", "HS256"}))), Rows: []string{"RFC9449 5.1"}},
		{Name: "browsers may send no proof", response: header("Access-Control-Allow-Headers", "Authorization, Content-Type"), Rows: []string{"RFC9449 CORS"}},
	}
}

// taken lets in a bound token that came under a scheme and was refused.
func (p *Proxy) taken(scheme string) func(*http.Response) {
	return func(r *http.Response) {
		token, ok := strings.CutPrefix(r.Request.Header.Get("Authorization"), scheme)
		if ok && r.StatusCode == http.StatusUnauthorized && claims(token)["cnf"] != nil {
			p.instead(r)
		}
	}
}
