package broken

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// Faults gives every fault that the proxy can make.
func (p *Proxy) Faults() []Fault {
	var out []Fault
	for _, part := range [][]Fault{
		discoveryFaults(), p.authorizeFaults(), pushFaults(), decisionFaults(), consentFaults(), helpingFaults(), p.clientFaults(), tokenFaults(), grantFaults(),
		p.boundFaults(), p.identityFaults(), lifeFaults(p), p.gatewayFaults(), longFaults(),
		stateFaults(), logoutFaults(), sessionFaults(), p.registrationFaults(), p.certificateFaults(), p.documentFaults(), p.communityFaults(),
	} {
		out = append(out, part...)
	}
	return out
}

// discoveryFaults break what a server says of itself.
func discoveryFaults() []Fault {
	smart := func(change func(map[string]any)) func(*http.Response) {
		return at("/smart-configuration", object(change))
	}
	return []Fault{
		{Name: "plain advertised", response: smart(set("code_challenge_methods_supported", []string{"S256", "plain"})), Rows: []string{"SMART DISC-07"}},
		{Name: "challenge methods missing", response: smart(drop("code_challenge_methods_supported")), Rows: []string{"SMART DISC-05", "SMART DISC-07"}},
		{Name: "issuer of discovery differs", response: at("/openid-configuration", object(set("issuer", "http://other/"))), Rows: []string{"SMART DISC-09"}},
		{Name: "the issuer lists no algorithm of FAPI 2.0",
			response: at("/openid-configuration", object(set("token_endpoint_auth_signing_alg_values_supported", []string{"RS384", "ES384"}))),
			Rows:     []string{"FAPI2 5.4b"}},
		{Name: "configuration as text", response: at("/smart-configuration", header("Content-Type", "text/plain")), Rows: []string{"SMART DISC-03"}},
		{Name: "a relative endpoint", response: smart(func(d map[string]any) {
			d["management_endpoint"] = "/apps"
		}), Rows: []string{"SMART DISC-04"}, Also: []string{"MANDATE SE-13"}},
		{Name: "a capability withheld", response: smart(func(d map[string]any) {
			d["capabilities"] = []string{"launch-standalone", "client-public", "sso-openid-connect"}
		}), Rows: []string{"SMART US-05", "SMART CAP-19", "SMART CAP-21"}},
		{Name: "another brand in discovery", response: smart(set("user_access_brand_identifier", map[string]any{"system": "urn:x", "value": "another"})),
			Rows: []string{"SMART BRD-04"}},
		{Name: "brands without a time", response: at("/user-access-brands", object(drop("timestamp"))), Rows: []string{"SMART BRD-02"}},
		{Name: "brands with a strong tag", response: at("/user-access-brands", header("ETag", `"1"`)), Rows: []string{"SMART BRD-03"}},
		{Name: "private members in the key set", response: at("/jwks", object(func(d map[string]any) {
			keys, _ := d["keys"].([]any)
			for _, k := range keys {
				if key, ok := k.(map[string]any); ok {
					key["k"] = "AQAB"
				}
			}
		})), Rows: []string{"SMART OID-03"}},
		{Name: "metadata behind a log-in", response: at("/fhir/metadata", func(r *http.Response) { r.StatusCode = http.StatusUnauthorized }),
			Rows: []string{"SMART CST-01"}, Also: []string{"SMART CORS-01"}},
		{Name: "any origin, with credentials", response: func(r *http.Response) {
			r.Header.Set("Access-Control-Allow-Origin", "*")
			r.Header.Set("Access-Control-Allow-Credentials", "true")
		}, Rows: []string{"SMART CORS-01", "SMART CORS-02", "SMART CORS-03"}},
		{Name: "pages may be framed", response: func(r *http.Response) {
			r.Header.Del("Content-Security-Policy")
			r.Header.Del("X-Frame-Options")
		}, Rows: []string{"SMART AZ-19"}},
		{Name: "cookies for scripts", response: func(r *http.Response) {
			for i, c := range r.Header.Values("Set-Cookie") {
				r.Header["Set-Cookie"][i] = strings.ReplaceAll(c, "; HttpOnly", "")
			}
		}, Rows: []string{"MANDATE SE-12"}},
	}
}

// authorizeFaults break the authorization request.
func (p *Proxy) authorizeFaults() []Fault {
	return []Fault{
		{Name: "plain is accepted", request: authorizeQuery(func(q url.Values) {
			if q.Get("code_challenge_method") == "plain" {
				q.Set("code_challenge", kit.Challenge(q.Get("code_challenge")))
			}
			q.Set("code_challenge_method", "S256")
		}), Rows: []string{"SMART PKCE-01"}},
		{Name: "the verifier is not looked at", request: func(r *http.Request) {
			const verifier = "a-verifier-that-the-proxy-knows-and-nobody-else-0123"
			authorizeQuery(func(q url.Values) { q.Set("code_challenge", kit.Challenge(verifier)) })(r)
			tokenForm(func(f url.Values) {
				if f.Get("grant_type") == "authorization_code" {
					f.Set("code_verifier", verifier)
				}
			})(r)
		}, Rows: []string{"SMART PKCE-02", "SMART PKCE-03", "SMART PKCE-04", "SMART PKCE-05"}},
		{Name: "any aud is accepted", request: func(r *http.Request) {
			authorizeQuery(func(q url.Values) { q.Set("aud", "http://"+r.Host+"/fhir") })(r)
		}, Rows: []string{"SMART AZ-07", "SMART AZ-08"}},
		{Name: "a missing state is accepted", request: authorizeQuery(func(q url.Values) {
			if q.Get("state") == "" {
				q.Set("state", "made-up")
			}
		}), Rows: []string{"SMART AZ-11"}},
		{Name: "state dropped", response: redirectQuery(func(q url.Values) { q.Del("state") }),
			Rows: []string{"SMART AZ-01", "SMART AZ-10", "SMART AZ-12"}, Also: []string{"SMART AZ-07", "SMART PKCE-04"}},
		{Name: "state changed", response: redirectQuery(func(q url.Values) { q.Set("state", strings.ToLower(q.Get("state"))+"x") }),
			Rows: []string{"SMART AZ-01", "SMART AZ-10", "SMART AZ-12"}, Also: []string{"SMART AZ-07", "SMART PKCE-04"}},
		{Name: "iss left out", response: redirectQuery(func(q url.Values) { q.Del("iss") }), Rows: []string{"SMART AZ-20"}},
		{Name: "a redirect URI is compared by its beginning", request: authorizeQuery(func(q url.Values) {
			app, _ := p.client("demo-app")
			for _, good := range app.RedirectURIs {
				if strings.HasPrefix(q.Get("redirect_uri"), good) {
					q["redirect_uri"] = []string{good}
				}
			}
		}), Rows: []string{"SMART AZ-04"}},
		{Name: "an unregistered redirect URI is followed", response: at("/authorize", func(r *http.Response) {
			to := r.Request.URL.Query().Get("redirect_uri")
			if r.StatusCode == http.StatusBadRequest && to != "" {
				r.StatusCode = http.StatusFound
				r.Header.Set("Location", to+"?error=invalid_request")
			}
		}), Rows: []string{"SMART AZ-04", "SMART AZ-05"}},
		{Name: "what was unticked is granted", request: form("/consent", func(f url.Values) {
			for _, kind := range []string{"kind.Observation", "kind.Condition", "kind.MedicationRequest", "kind.Patient", "keep"} {
				f.Set(kind, "on")
			}
			f.Del("kind.Observation.how")
			f.Del("kind.Condition.how")
		}), Rows: []string{"SMART US-10", "SMART US-13", "SMART US-24", "SMART TOK-08", "SMART US-12"}},
	}
}

// clientFaults break how clients prove who they are.
func (p *Proxy) clientFaults() []Fault {
	spend, same := remember("client_assertion")
	return []Fault{
		{Name: "assertions work twice", request: spend, response: same, Rows: []string{"SMART ASY-10"}},
		{Name: "alg none is accepted", request: p.assertion(func(head, _ map[string]any) {
			if alg, _ := head["alg"].(string); strings.EqualFold(alg, "none") {
				head["alg"] = "ES384"
			}
		}), Rows: []string{"SMART ASY-02"}},
		{Name: "the key id is not looked at", request: p.assertion(func(map[string]any, map[string]any) {}),
			Rows: []string{"SMART ASY-03"}},
		{Name: "the assertion's end is not looked at", request: p.assertion(func(_, body map[string]any) {
			body["exp"] = p.now().Unix() + 200
		}), Rows: []string{"SMART ASY-09"}},
		{Name: "the assertion's audience is not looked at", request: p.assertion(func(_, body map[string]any) {
			body["aud"] = strings.TrimSuffix(p.base(), "/fhir") + "/token"
		}), Rows: []string{"SMART ASY-08"}},
		{Name: "any secret will do", request: func(r *http.Request) {
			id, _, basic := r.BasicAuth()
			if c, ok := p.client(id); ok && basic && c.Secret != "" {
				r.SetBasicAuth(c.ID, c.Secret)
			}
		}, Rows: []string{"SMART SYM-03", "SMART TOK-14"}},
		{Name: "no challenge with a 401", response: header("Www-Authenticate", ""), Rows: []string{"SMART SYM-03", "SMART TOK-12"}},
		{Name: "introspection is open to anybody", request: func(r *http.Request) {
			if r.URL.Path == "/introspect" && r.Header.Get("Authorization") == "" {
				if c, ok := p.client("demo-symmetric"); ok {
					r.SetBasicAuth(c.ID, c.Secret)
					form("/introspect", func(f url.Values) { f.Del("client_id") })(r)
				}
			}
		}, Rows: []string{"SMART INT-08"}},
	}
}

// base gives the FHIR base of the good server.
func (p *Proxy) base() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready.FHIRBase
}

// empty is a search that finds nothing.
var empty = json.RawMessage(`{"resourceType":"Bundle","type":"searchset","total":0}`)
