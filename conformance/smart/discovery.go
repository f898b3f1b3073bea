package smart

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func discovery() []kit.Row {
	return []kit.Row{
		{ID: "SMART DISC-01", Title: "the configuration lies below the FHIR base", Run: discPath},
		{ID: "SMART DISC-02", Title: "it is readable without and with a garbage credential", Also: []string{"M-21"}, Run: discOpen},
		{ID: "SMART DISC-03", Title: "it is application/json whatever Accept says", Run: discAccept},
		{ID: "SMART DISC-04", Title: "every endpoint is an absolute URL", Run: discAbsolute},
		{ID: "SMART DISC-05", Title: "the required members are there with their types", Run: discMembers},
		{ID: "SMART DISC-06", Title: "an authorization endpoint goes with launch capabilities", Also: []string{"VER-03"}, Run: discAuthorize},
		{ID: "SMART DISC-07", Title: "S256 is listed and plain is not", Run: discS256},
		{ID: "SMART DISC-08", Title: "issuer and jwks_uri go with sso-openid-connect", Run: discIssuer},
		{ID: "SMART DISC-09", Title: "the issuer is the same in both discovery documents", Run: discSameIssuer},
		{ID: "SMART DISC-10", Title: "an unlisted grant type is refused as unsupported", Run: discGrantTypes},
		{ID: "SMART DISC-11", Title: "private_key_jwt is listed with the asymmetric capability", Run: discAuthMethods},
		{ID: "SMART DISC-12", Title: "RS384 or ES384 is listed with the asymmetric capability", Run: discAlgorithms},
		{ID: "SMART DISC-13", Title: "scopes_supported is there", Run: discScopes},
		{ID: "SMART DISC-14", Title: "response_types_supported is code alone", Run: discResponseTypes},
		{ID: "SMART DISC-15", Title: "management, introspection and revocation endpoints answer", Run: discEndpoints},
		{ID: "SMART DISC-19", Title: "no unknown bare word among the capabilities", Run: discWords},
		{ID: "SMART DISC-20", Title: "the documents agree whatever is accepted, and every address that they name answers", Run: discAgree},
		{ID: "SMART OID-10", Title: "the OpenID configuration has its required members", Run: discOpenID},
		{ID: "SMART OID-03", Title: "the key set holds a public RSA key with kid and nothing private", Run: discKeys},
		{ID: "SMART CORS-01", Title: "any origin may read the configuration and the CapabilityStatement", Run: discCORS},
		{ID: "SMART CORS-03", Title: "the authorization endpoint sends no CORS headers", Run: authorizeCORS},
		{ID: "SMART CST-01", Title: "the CapabilityStatement is open and names SMART-on-FHIR", Also: []string{"M-21"}, Run: discCapability},
	}
}

func configurationURL(t *kit.Target) string {
	return t.FHIRBase + "/.well-known/smart-configuration"
}

func discPath(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && len(res.JSON()) > 0, "%s", res)
	return c.Err()
}

func discOpen(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, credential := range []string{"", "Bearer garbage", "Basic garbage"} {
		r := kit.Request{URL: configurationURL(t), Header: http.Header{}}
		if credential != "" {
			r.Header.Set("Authorization", credential)
		}
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "with %q: %s", credential, res)
		}
	}
	return c.Err()
}

func discAccept(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var first []byte
	for _, accept := range []string{"", "text/html", "application/fhir+xml", "application/json", "*/*;q=0.1"} {
		r := kit.Request{URL: configurationURL(t), Header: http.Header{}}
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		res, err := t.Do(ctx, r)
		if !c.Note(err) {
			continue
		}
		if first == nil {
			first = res.Body
		}
		c.That(res.Status == http.StatusOK && res.Media() == "application/json", "Accept %q: %d %s", accept, res.Status, res.Media())
		c.That(slices.Equal(first, res.Body), "Accept %q changes the body", accept)
	}
	return c.Err()
}

func discAbsolute(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	for name, value := range res.JSON() {
		if !strings.HasSuffix(name, "_endpoint") && !strings.HasSuffix(name, "_uri") && !strings.HasSuffix(name, "_bundle") {
			continue
		}
		text, _ := value.(string)
		u, err := url.Parse(text)
		c.That(err == nil && u.Scheme != "" && u.Host != "", "%s is %q", name, text)
	}
	return c.Err()
}

func discMembers(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	doc := res.JSON()
	_, text := doc["token_endpoint"].(string)
	c.That(text, "token_endpoint is no string")
	for _, name := range []string{"grant_types_supported", "capabilities", "code_challenge_methods_supported"} {
		list, ok := doc[name].([]any)
		c.That(ok && len(list) > 0, "%s is no list", name)
		for _, v := range list {
			_, text := v.(string)
			c.That(text, "%s holds %v", name, v)
		}
	}
	return c.Err()
}

func discAuthorize(_ context.Context, t *kit.Target) error {
	var c kit.Check
	launches := t.Config.Claims("launch-ehr") || t.Config.Claims("launch-standalone")
	c.That(!launches || t.Config.Authorize != "", "launch is claimed without authorization_endpoint")
	return c.Err()
}

func discS256(_ context.Context, t *kit.Target) error {
	var c kit.Check
	c.That(slices.Contains(t.Config.ChallengeMethods, "S256"), "S256 is not listed: %v", t.Config.ChallengeMethods)
	c.That(!slices.Contains(t.Config.ChallengeMethods, "plain"), "plain is listed")
	return c.Err()
}

func discIssuer(_ context.Context, t *kit.Target) error {
	var c kit.Check
	if t.Config.Claims("sso-openid-connect") {
		c.That(t.Config.Issuer != "" && t.Config.JWKSURI != "", "issuer %q, jwks_uri %q", t.Config.Issuer, t.Config.JWKSURI)
	} else {
		c.That(t.Config.Issuer == "", "an issuer without sso-openid-connect")
	}
	return c.Err()
}

func openIDConfiguration(ctx context.Context, t *kit.Target) (*kit.Response, error) {
	return t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.Config.Issuer, "/") + "/.well-known/openid-configuration"})
}

func discSameIssuer(ctx context.Context, t *kit.Target) error {
	res, err := openIDConfiguration(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Text("issuer") == t.Config.Issuer && t.Config.Issuer != "", "SMART says %q, OpenID says %q", t.Config.Issuer, res.Text("issuer"))
	return c.Err()
}

func discGrantTypes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, want := range []string{"authorization_code", "client_credentials"} {
		c.That(slices.Contains(t.Config.GrantTypes, want), "%s is not listed", want)
	}
	client := t.Client("symmetric")
	for _, grant := range []string{"password", "urn:example:nothing"} {
		res, err := t.Call(ctx, t.Config.Token, client, url.Values{"grant_type": {grant}, "username": {"a"}, "password": {"b"}})
		if !c.Note(err) {
			continue
		}
		if client.ID == "" { // without a client, refusing the client comes first
			c.That(res.Status >= 400 && res.Status < 500, "%s: %s", grant, res)
			continue
		}
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "unsupported_grant_type", "%s: %s", grant, res)
	}
	return c.Err()
}

func discAuthMethods(_ context.Context, t *kit.Target) error {
	var c kit.Check
	if t.Config.Claims("client-confidential-asymmetric") {
		c.That(slices.Contains(t.Config.TokenAuthMethods, "private_key_jwt"), "%v", t.Config.TokenAuthMethods)
	}
	if t.Config.Claims("client-confidential-symmetric") && len(t.Config.TokenAuthMethods) > 0 {
		c.That(slices.Contains(t.Config.TokenAuthMethods, "client_secret_basic"), "%v", t.Config.TokenAuthMethods)
	}
	return c.Err()
}

func discAlgorithms(_ context.Context, t *kit.Target) error {
	var c kit.Check
	algs := t.Config.TokenAuthAlgorithms
	if t.Config.Claims("client-confidential-asymmetric") {
		c.That(slices.Contains(algs, "RS384") || slices.Contains(algs, "ES384"), "%v", algs)
	}
	c.That(!slices.Contains(algs, "none") && !slices.Contains(algs, "HS256"), "%v", algs)
	return c.Err()
}

func discScopes(_ context.Context, t *kit.Target) error {
	var c kit.Check
	c.That(len(t.Config.Scopes) > 0, "scopes_supported is missing")
	return c.Err()
}

func discResponseTypes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.That(slices.Equal(t.Config.ResponseTypes, []string{"code"}), "%v", t.Config.ResponseTypes)
	return c.Err()
}

func discEndpoints(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	page, err := t.Do(ctx, kit.Request{URL: t.Config.Management, Header: http.Header{"Accept": {"text/html"}}})
	if c.Note(err) {
		c.That(page.Status < 400, "management_endpoint: %s", page)
	}
	for name, endpoint := range map[string]string{"introspection": t.Config.Introspect, "revocation": t.Config.Revoke} {
		if !c.That(endpoint != "", "no %s_endpoint", name) {
			continue
		}
		res, err := t.Do(ctx, kit.Request{URL: endpoint, Form: url.Values{"token": {"nothing"}}})
		if c.Note(err) {
			c.That(res.Status != http.StatusNotFound && res.Status < 500, "%s_endpoint: %s", name, res)
		}
	}
	return c.Err()
}

// knownCapabilities are the short names of SMART 2.2.
var knownCapabilities = []string{
	"launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
	"client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-style", "context-ehr-patient",
	"context-ehr-encounter", "context-standalone-patient", "context-standalone-encounter", "permission-offline",
	"permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2", "smart-app-state",
}

func discWords(_ context.Context, t *kit.Target) error {
	var c kit.Check
	for _, name := range t.Config.Capabilities {
		c.That(slices.Contains(knownCapabilities, name) || strings.Contains(name, ":"), "unknown capability %q", name)
	}
	return c.Err()
}

func discOpenID(ctx context.Context, t *kit.Target) error {
	res, err := openIDConfiguration(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && res.Media() == "application/json", "%s %s", res, res.Media())
	doc := res.JSON()
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"} {
		c.That(res.Text(name) != "", "%s is missing", name)
	}
	for _, name := range []string{"response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"} {
		list, _ := doc[name].([]any)
		c.That(len(list) > 0, "%s is missing", name)
	}
	algs, _ := doc["id_token_signing_alg_values_supported"].([]any)
	c.That(slices.Contains(algs, any("RS256")), "RS256 is not listed: %v", algs)
	c.That(res.Text("token_endpoint") == t.Config.Token, "token_endpoint differs from the SMART configuration")
	return c.Err()
}

func discKeys(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.JWKSURI})
	if err != nil {
		return err
	}
	var c kit.Check
	keys, _ := res.JSON()["keys"].([]any)
	rsa := false
	for _, raw := range keys {
		k, _ := raw.(map[string]any)
		rsa = rsa || k["kty"] == "RSA"
		c.That(k["kid"] != nil && k["kid"] != "", "a key has no kid")
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			c.That(k[private] == nil, "a key shows its private member %s", private)
		}
	}
	c.That(rsa, "no RSA key among %d", len(keys))
	return c.Err()
}

func discCORS(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	const origin = "https://anybody.example"
	for _, u := range []string{configurationURL(t), t.FHIRBase + "/metadata"} {
		res, err := t.Do(ctx, kit.Request{URL: u, Header: http.Header{"Origin": {origin}}})
		if c.Note(err) {
			allowed := res.Header.Get("Access-Control-Allow-Origin")
			c.That(allowed == "*" || allowed == origin, "GET %s allows %q", u, allowed)
			c.That(allowed != "*" || res.Header.Get("Access-Control-Allow-Credentials") == "", "credentials are allowed to everybody")
		}
		res, err = t.Do(ctx, kit.Request{Method: http.MethodOptions, URL: u, Header: http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {"GET"},
		}})
		if c.Note(err) {
			allowed := res.Header.Get("Access-Control-Allow-Origin")
			c.That(res.Status < 300 && (allowed == "*" || allowed == origin), "preflight %s: %d %q", u, res.Status, allowed)
		}
	}
	return c.Err()
}

func authorizeCORS(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Authorize, Header: http.Header{"Origin": {"https://anybody.example"}}})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Header.Get("Access-Control-Allow-Origin") == "", "it allows %q", res.Header.Get("Access-Control-Allow-Origin"))
	return c.Err()
}

func discCapability(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/metadata"})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && res.Text("resourceType") == "CapabilityStatement", "%s", res)
	body := string(res.Body)
	c.That(strings.Contains(body, "http://terminology.hl7.org/CodeSystem/restful-security-service") && strings.Contains(body, `"SMART-on-FHIR"`),
		"rest.security.service does not name SMART-on-FHIR")
	rest, _ := res.JSON()["rest"].([]any)
	if c.That(len(rest) > 0, "no rest") {
		first, _ := rest[0].(map[string]any)
		security, _ := first["security"].(map[string]any)
		_, flag := security["cors"].(bool)
		c.That(flag, "rest.security.cors is no boolean")
	}
	return c.Err()
}
