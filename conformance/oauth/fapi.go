package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

func fapi() []kit.Row {
	const needs = kit.Login | kit.Profiled | kit.Pushing | kit.DPoP
	return []kit.Row{
		{ID: "FAPI2 5.3a", Title: "a client of the profile works from its pushed request to its refresh, all bound to its key", Needs: needs | kit.Symmetric, Run: fapiWorks},
		{ID: "FAPI2 5.3b", Title: "what the profile forbids is refused, one thing at a time", Needs: needs, Run: fapiRefused},
		{ID: "FAPI2 5.3c", Title: "a client of the profile works with its certificate alone", Needs: needs | kit.Certificates, Run: fapiCertificate},
		{ID: "FAPI2 5.4b", Title: "the issuer's metadata lists an algorithm of the profile, and SMART's those of every client", Needs: needs, Run: fapiListed},
		{ID: "FAPI2 5.4", Title: "assertions are taken for the issuer alone, with PS256 or ES256", Needs: needs, Run: fapiAssertions},
	}
}

const fapiScope = "openid fhirUser " + dpopScope

// fapiCode pushes a request with a proof and gives the form that redeems the code.
func fapiCode(ctx context.Context, t *kit.Target, client kit.Client, p *kit.Prover) (url.Values, *kit.Answer, error) {
	verifier := t.NewVerifier()
	req := t.AuthorizeRequest(client, fapiScope, verifier)
	var proofs []string
	if p != nil {
		proof, err := p.Sign(p.Proof(http.MethodPost, t.Config.Push, ""))
		if err != nil {
			return nil, nil, err
		}
		proofs = []string{proof}
	}
	res, err := pushProved(ctx, t, client, req, proofs...)
	if err != nil {
		return nil, nil, err
	}
	var c kit.Check
	life, _ := res.JSON()["expires_in"].(float64)
	c.That(res.Status == http.StatusCreated && life > 0 && life < 600, "pushed: %s, expires_in %v", res, life)
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	a, err := t.Authorize(ctx, url.Values{"client_id": {client.ID}, "request_uri": {res.Text("request_uri")}}, kit.Visit{Person: t.Patient(), App: req.Get("redirect_uri")})
	if err != nil {
		return nil, nil, err
	}
	c.That(a.Code() != "" && a.Query.Get("iss") == t.Config.Issuer, "%s, iss %q", a, a.Query.Get("iss"))
	return kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier), a, c.Err()
}

func fapiWorks(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	client := t.Profiled("")
	form, _, err := fapiCode(ctx, t, client, p)
	if err != nil {
		return err
	}
	res := keyOnly(ctx, t, &c, "the code", client, p, form)
	if res == nil || res.Text("access_token") == "" {
		return c.Err()
	}
	_, err = jose.ParseSignedCompact(res.Text("id_token"), []jose.SignatureAlgorithm{jose.ES256})
	c.That(err == nil, "the id_token is not signed with ES256: %v", err)
	path := "Patient/" + res.Text("patient")
	if read, err := p.FHIR(ctx, res.Text("access_token"), path); c.Note(err) {
		c.That(read.Status == http.StatusOK, "it reads: %s", read)
	}
	if read, err := t.FHIR(ctx, res.Text("access_token"), path); c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "as a bearer token: %s", read)
	}
	if told, err := t.Introspect(ctx, t.Client("symmetric"), res.Text("access_token")); c.Note(err) {
		c.That(thumbprint(told) == p.Thumbprint(), "cnf is %v", told.JSON()["cnf"])
	}
	// FAPI 2.0 §5.3.2.1: no rotation, so that an answer that is lost locks nobody out.
	for range 2 {
		again, err := p.Token(ctx, client, refreshForm(res.Text("refresh_token")))
		if c.Note(err) {
			same := again.Text("refresh_token")
			c.That(again.Status == http.StatusOK && (same == "" || same == res.Text("refresh_token")), "the refresh token serves again: %s", again)
		}
	}
	if again, err := t.Call(ctx, t.Config.Token, client, refreshForm(res.Text("refresh_token"))); c.Note(err) {
		c.That(again.Status == http.StatusBadRequest, "a refresh without a proof: %s", again)
	}
	return c.Err()
}

func fapiRefused(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Profiled("")
	req := t.AuthorizeRequest(client, fapiScope, t.NewVerifier())
	if a, err := t.Authorize(ctx, req, kit.Visit{Person: t.Patient()}); c.Note(err) {
		c.That(a.Code() == "" && a.Query.Get("error") == "invalid_request", "a request that was not pushed: %s", a)
	}
	for what, bend := range map[string]func(url.Values){
		"no code_challenge":       func(v url.Values) { v.Del("code_challenge") },
		"plain":                   func(v url.Values) { v.Set("code_challenge_method", "plain") },
		"implicit":                func(v url.Values) { v.Set("response_type", "token") },
		"hybrid":                  func(v url.Values) { v.Set("response_type", "code id_token") },
		"no redirect_uri":         func(v url.Values) { v.Del("redirect_uri") },
		"another redirect_uri":    func(v url.Values) { v.Set("redirect_uri", v.Get("redirect_uri")+"/x") },
		"a request_uri":           func(v url.Values) { v.Set("request_uri", "https://client.example/request") },
		"an unsigned request":     func(v url.Values) { v.Set("request", "eyJhbGciOiJub25lIn0.e30.") },
		"a scope without meaning": func(v url.Values) { v.Set("scope", "\"") },
	} {
		bent := t.AuthorizeRequest(client, fapiScope, t.NewVerifier())
		bend(bent)
		if res, err := t.Push(ctx, client, bent); c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Text("request_uri") == "", "%s: %s", what, res)
		}
	}
	anybody := t.Client("public")
	named := t.AuthorizeRequest(client, fapiScope, t.NewVerifier())
	if res, err := t.Do(ctx, kit.Request{URL: t.Config.Push, Form: named}); c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "no client authentication: %s", res)
	}
	if res, err := t.Push(ctx, anybody, named); c.Note(err) {
		c.That(res.Status >= 400 && res.Text("request_uri") == "", "another client: %s", res)
	}
	return c.Err()
}

func fapiCertificate(ctx context.Context, t *kit.Target) error {
	client := t.Profiled(kit.MethodTLSOfSelf)
	m, err := t.Showing(client.Pair)
	if err != nil {
		return err
	}
	verifier := t.NewVerifier()
	req := t.AuthorizeRequest(client, fapiScope, verifier)
	short, err := m.Pushed(ctx, client, req)
	if err != nil {
		return err
	}
	a, err := t.Authorize(ctx, short, kit.Visit{Person: t.Patient(), App: req.Get("redirect_uri")})
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := m.Call(ctx, m.Config.Token, client, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
	if err != nil {
		return err
	}
	c.That(res.Status == http.StatusOK && strings.EqualFold(res.Text("token_type"), "bearer"), "%s", res)
	path := "Patient/" + res.Text("patient")
	if read, err := m.FHIR(ctx, res.Text("access_token"), path); c.Note(err) {
		c.That(read.Status == http.StatusOK, "it reads: %s", read)
	}
	if read, err := t.FHIR(ctx, res.Text("access_token"), path); c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "without its certificate: %s", read)
	}
	return c.Err()
}

// fapiListed: who picks the algorithm of its assertions by the metadata of the
// issuer must find one of the profile (FAPI 2.0 §5.4.1); who picks by SMART's must
// find none that its registration does not allow (DISC-12).
func fapiListed(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.Config.Issuer, "/") + "/.well-known/openid-configuration"})
	if err != nil {
		return err
	}
	var c kit.Check
	list, _ := res.JSON()["token_endpoint_auth_signing_alg_values_supported"].([]any)
	c.That(slices.ContainsFunc(list, func(alg any) bool { return alg == "PS256" || alg == "ES256" || alg == "EdDSA" }), "the issuer lists %v", list)
	for _, alg := range t.Config.TokenAuthAlgorithms {
		c.That(slices.Contains(list, any(alg)), "SMART lists %s, the issuer %v", alg, list)
	}
	return c.Err()
}

func fapiAssertions(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Profiled("")
	push := func(alg string, bend func(*kit.Assertion)) (*kit.Response, error) {
		a := t.NewAssertion(client, alg)
		bend(&a)
		raw, err := client.Sign(a)
		if err != nil {
			return nil, err
		}
		form := t.AuthorizeRequest(client, fapiScope, t.NewVerifier())
		form.Set("client_assertion_type", kit.AssertionType)
		form.Set("client_assertion", raw)
		return t.Do(ctx, kit.Request{URL: t.Config.Push, Form: form})
	}
	if res, err := push("ES256", func(*kit.Assertion) {}); c.Note(err) {
		c.That(res.Status == http.StatusCreated, "a good one: %s", res)
	}
	for what, aud := range map[string]any{
		"the token endpoint": t.Config.Token, "the endpoint itself": t.Config.Push,
		"the issuer and more": []string{t.Config.Issuer, t.Config.Token}, "another server": "https://other.example",
	} {
		res, err := push("ES256", func(a *kit.Assertion) { a.Claims["aud"] = aud })
		strangerTo(&c, what, res, err)
	}
	if !slices.Contains([]string{"", "ES384"}, client.AuthAlg) {
		res, err := push("ES384", func(*kit.Assertion) {})
		strangerTo(&c, "ES384", res, err)
	}
	return c.Err()
}
