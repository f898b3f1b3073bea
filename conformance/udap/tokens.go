package udap

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func tokens() []kit.Row {
	return []kit.Row{
		{ID: "SMART UDP-24", Title: "state, PKCE and a registered redirect URI are required of an app", Needs: kit.UDAP | kit.Login, Run: tokAuthorize},
		{ID: "SMART UDP-24b", Title: "an app that registered by statement gets a person's record", Also: []string{"UDP-25", "UDP-27"}, Needs: kit.UDAP | kit.Login, Run: tokPerson},
		{ID: "SMART UDP-25", Title: "an assertion without its certificate, of somebody else, too long or replayed is refused", Needs: kit.UDAP, Run: tokAssertion},
		{ID: "SMART UDP-27", Title: "an access token lives 60 minutes at most, and a service gets no refresh token", Also: []string{"UDP-28"}, Needs: kit.UDAP, Run: tokLife},
		{ID: "SMART UDP-29", Title: "a service must state hl7-b2b", Needs: kit.UDAP, Run: tokExtension},
		{ID: "SMART UDP-30", Title: "hl7-b2b is complete and states a purpose that is served", Needs: kit.UDAP, Run: tokPurpose},
		{ID: "SMART UDP-31", Title: "a token tells for whom and for what purpose it was given", Needs: kit.UDAP, Run: tokContext},
		{ID: "SMART UDP-36b", Title: "one token endpoint serves registered keys and certificates", Needs: kit.UDAP | kit.Backend, Run: tokBoth},
	}
}

func tokAuthorize(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, true, nil)
	if err != nil {
		return err
	}
	for what, bend := range map[string]func(url.Values){
		"no state": func(v url.Values) { v.Del("state") }, "no code_challenge": func(v url.Values) { v.Del("code_challenge") },
		"plain": func(v url.Values) { v.Set("code_challenge_method", "plain") },
	} {
		req := t.AuthorizeRequest(client, appScope, t.NewVerifier())
		bend(req)
		a, err := t.Authorize(ctx, req, kit.Visit{Browser: t.NewBrowser(t.Person(t.Patient()))})
		if c.Note(err) {
			c.That(a.Query.Get("error") == "invalid_request", "%s: %s", what, a)
		}
	}
	req := t.AuthorizeRequest(client, appScope, t.NewVerifier())
	req.Set("redirect_uri", "https://evil.example/callback")
	a, err := t.Authorize(ctx, req, kit.Visit{Browser: t.NewBrowser(t.Person(t.Patient()))})
	if c.Note(err) {
		c.That(a.Query == nil, "an unregistered redirect URI: %s", a)
	}
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(g.Code, g.Redirect, t.NewVerifier()))
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "a wrong verifier: %s", res)
	}
	return c.Err()
}

func tokPerson(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, true, nil)
	if err != nil {
		return err
	}
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	life, _ := g.JSON()["expires_in"].(float64)
	c.That(life > 0 && life <= 3600, "expires_in is %v", g.JSON()["expires_in"])
	read, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(read.Status == http.StatusOK, "%s", read)
	}
	if c.That(g.RefreshToken() != "", "no refresh token") {
		next, err := t.Refresh(ctx, client, g.RefreshToken(), "")
		if c.Note(err) {
			c.That(next.Status == http.StatusOK && next.Text("access_token") != "", "refresh: %s", next)
		}
	}
	return c.Err()
}

// assert sends a token request of a service with an assertion that was bent.
func assert(ctx context.Context, t *kit.Target, client kit.Client, form url.Values, bend func(*kit.Assertion)) (*kit.Response, error) {
	a := t.NewAssertion(client, "")
	a.Claims["extensions"] = extensions()
	if bend != nil {
		bend(&a)
	}
	signed, err := client.Member.Sign(a)
	if err != nil {
		return nil, err
	}
	body := url.Values{
		"grant_type": {"client_credentials"}, "scope": {serviceScope}, "udap": {"1"},
		"client_assertion_type": {kit.AssertionType}, "client_assertion": {signed},
	}
	for name, values := range form {
		body[name] = values
		if len(values) == 0 {
			delete(body, name)
		}
	}
	return t.Do(ctx, kit.Request{URL: t.Config.Token, Form: body})
}

func tokAssertion(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	stranger, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	key, err := kit.ECKey(elliptic.P256())
	if err != nil {
		return err
	}
	now := t.Now().Unix()
	refused := func(what string, who kit.Client, form url.Values, bend func(*kit.Assertion)) {
		res, err := assert(ctx, t, who, form, bend)
		if c.Note(err) {
			c.That(res.Status == 400 || res.Status == 401, "%s: %s", what, res)
			c.That(res.Text("access_token") == "", "%s: a token was given", what)
		}
	}
	claim := func(name string, value any) func(*kit.Assertion) {
		return func(a *kit.Assertion) {
			a.Claims[name] = value
			if value == nil {
				delete(a.Claims, name)
			}
		}
	}
	good, err := assert(ctx, t, client, nil, nil)
	if !c.Note(err) || !c.That(good.Status == http.StatusOK, "a good one: %s", good) {
		return c.Err()
	}
	refused("no udap", client, url.Values{"udap": nil}, nil)
	refused("no x5c", client, nil, func(a *kit.Assertion) { a.Header = map[string]any{"x5c": nil} })
	refused("no x5c but a kid", client, nil, func(a *kit.Assertion) { a.Header = map[string]any{"x5c": nil, "kid": "k"} })
	refused("another member's certificate", kit.Client{ID: client.ID, Member: &stranger}, nil, nil)
	refused("another key", kit.Client{ID: client.ID, Member: &kit.Member{Chain: client.Member.Chain, Key: key}}, nil, nil)
	refused("the URI as iss", client, nil, func(a *kit.Assertion) { a.Claims["iss"], a.Claims["sub"] = client.Member.URI, client.Member.URI })
	refused("another sub", client, nil, claim("sub", "somebody"))
	refused("another aud", client, nil, claim("aud", "https://evil.example/token"))
	refused("no exp", client, nil, claim("exp", nil))
	refused("expired", client, nil, func(a *kit.Assertion) { a.Claims["iat"], a.Claims["exp"] = now-600, now-400 })
	refused("an hour", client, nil, claim("exp", now+3600))
	refused("no iat", client, nil, claim("iat", nil))
	refused("no jti", client, nil, claim("jti", nil))
	refused("a secret beside it", client, url.Values{"client_id": {client.ID}, "client_secret": {"x"}}, nil)
	jti := t.Random()
	first, err := assert(ctx, t, client, nil, claim("jti", jti))
	if c.Note(err) {
		c.That(first.Status == http.StatusOK, "%s", first)
	}
	refused("a replayed jti", client, nil, claim("jti", jti))
	c.Note(unsigned(ctx, t, client, &c))
	return c.Err()
}

// unsigned sends assertions that nobody signed.
func unsigned(ctx context.Context, t *kit.Target, client kit.Client, c *kit.Check) error {
	header, err := json.Marshal(map[string]any{"alg": "none", "x5c": client.Member.X5C()})
	if err != nil {
		return err
	}
	payload, err := json.Marshal(t.NewAssertion(client, "").Claims)
	if err != nil {
		return err
	}
	forged := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	res, err := assert(ctx, t, client, url.Values{"client_assertion": {forged}}, nil)
	if err == nil {
		c.That(res.Status == 400 || res.Status == 401, "alg none: %s", res)
	}
	return err
}

func tokLife(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	res, err := t.ClientCredentials(ctx, client, serviceScope)
	if err != nil {
		return err
	}
	life, _ := res.JSON()["expires_in"].(float64)
	c.That(res.Status == http.StatusOK && life > 0 && life <= 3600, "%s with expires_in %v", res, res.JSON()["expires_in"])
	c.That(res.Text("refresh_token") == "", "a refresh token was given")
	return c.Err()
}

func tokExtension(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	for what, value := range map[string]any{
		"none": nil, "empty": map[string]any{}, "another": map[string]any{"hl7-other": map[string]any{}},
		"null": map[string]any{"hl7-b2b": nil}, "a text": map[string]any{"hl7-b2b": "1"},
	} {
		res, err := assert(ctx, t, client, nil, func(a *kit.Assertion) { a.Claims["extensions"] = value })
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Text("access_token") == "", "%s: %s", what, res)
		}
	}
	return c.Err()
}

func tokPurpose(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	try := func(what string, good bool, bend func(map[string]any)) {
		res, err := assert(ctx, t, client, nil, func(a *kit.Assertion) {
			ext := extensions()
			bend(ext["hl7-b2b"].(map[string]any))
			a.Claims["extensions"] = ext
		})
		switch {
		case !c.Note(err):
		case good:
			c.That(res.Status == http.StatusOK, "%s: %s", what, res)
		default:
			c.That(res.Status >= 400 && res.Status < 500 && res.Text("access_token") == "", "%s: %s", what, res)
		}
	}
	try("no version", false, without("version"))
	try("version 2", false, set("version", "2"))
	try("no organization_id", false, without("organization_id"))
	try("an organization_id that is no URI", false, set("organization_id", "clinic"))
	try("no purpose_of_use", false, without("purpose_of_use"))
	try("an empty purpose_of_use", false, set("purpose_of_use", []string{}))
	try("an unknown purpose", false, set("purpose_of_use", []string{"CURIOSITY"}))
	try("a consent_reference without policy", false, set("consent_reference", []string{"https://clinic.example/fhir/Consent/1"}))
	try("a relative consent_reference", false, func(b map[string]any) {
		b["consent_policy"], b["consent_reference"] = []string{"urn:oid:1.2.3"}, []string{"Consent/1"}
	})
	try("a person", true, func(b map[string]any) {
		b["subject_name"], b["subject_id"], b["subject_role"] = "Dr. Example", "urn:oid:2.16.840.1.113883.4.6#1234567890", "http://nucc.org/provider-taxonomy#207SG0202X"
	})
	try("a plain code", true, set("purpose_of_use", []string{"TREAT"}))
	return c.Err()
}

func tokContext(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	for _, purpose := range []string{"TREAT", "HPAYMT"} {
		ext := extensions()
		ext["hl7-b2b"].(map[string]any)["purpose_of_use"] = []string{purpose}
		client.Extensions = ext
		res, err := t.ClientCredentials(ctx, client, serviceScope)
		if !c.Note(err) || !c.That(res.Status == http.StatusOK, "%s: %s", purpose, res) {
			continue
		}
		about, err := t.Call(ctx, t.Config.Introspect, client, url.Values{"token": {res.Text("access_token")}})
		if c.Note(err) {
			c.That(about.JSON()["active"] == true && strings.Contains(string(about.Body), purpose), "introspection does not tell %s: %s", purpose, about)
		}
	}
	return c.Err()
}

func tokBoth(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	for _, who := range []kit.Client{client, t.Client("backend")} {
		res, err := t.ClientCredentials(ctx, who, serviceScope)
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s", res)
		}
	}
	// A certificate says nothing about a client that registered keys.
	registered := t.Client("backend")
	res, err := assert(ctx, t, kit.Client{ID: registered.ID, Member: client.Member}, nil, nil)
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "a certificate for a client with registered keys: %s", res)
	}
	return c.Err()
}
