package udap

import (
	"context"
	"crypto/elliptic"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func tiered() []kit.Row {
	const needs = kit.UDAP | kit.Login
	return []kit.Row{
		{ID: "SMART UDP-32", Title: "a person logs in at a provider of the community, and consents here", Needs: needs, Run: tierLogIn},
		{ID: "SMART UDP-33", Title: "an identity provider that is not trusted is refused", Needs: needs, Run: tierTrust},
		{ID: "SMART UDP-34", Title: "state and nonce are of one attempt, and a state that was not made for it ends with server_error", Needs: needs, Run: tierState},
		{ID: "SMART UDP-35", Title: "the id_token is validated, and somebody unknown gets access_denied", Needs: needs, Run: tierWho},
	}
}

// offered asks for a server that lets people log in elsewhere.
func offered(ctx context.Context, t *kit.Target) error {
	d, err := read(ctx, t)
	if err == nil && !slices.Contains(d.Profiles, "udap_to") {
		err = kit.Unmet{Why: "the profile udap_to in the UDAP metadata"}
	}
	return err
}

// member issues the certificate of a provider.
func member(t *kit.Target) func(kit.Authority, string) (kit.Member, error) {
	return func(a kit.Authority, uri string) (kit.Member, error) { return a.Issue(uri, t.Now(), nil, nil) }
}

// serve begins a provider of the community that names a person whom the server
// knows.
func serve(ctx context.Context, t *kit.Target) (*kit.Provider, error) {
	a, err := t.UDAPCA.Authority()
	if err != nil {
		return nil, err
	}
	p, err := t.ServeProvider(ctx, a, member(t))
	if err == nil {
		p.Subject = t.Patient()
	}
	return p, err
}

// community gives an app and a provider that are members, at a server that lets
// people log in elsewhere. Close ends the provider.
func community(ctx context.Context, t *kit.Target) (kit.Client, *kit.Provider, error) {
	if err := offered(ctx, t); err != nil {
		return kit.Client{}, nil, err
	}
	client, err := register(ctx, t, true, nil)
	if err != nil {
		return client, nil, err
	}
	idp, err := serve(ctx, t)
	return client, idp, err
}

// elsewhere gives the request of an app whose person logs in at a provider.
func elsewhere(t *kit.Target, client kit.Client, idp, verifier string) url.Values {
	req := t.AuthorizeRequest(client, "udap "+appScope, verifier)
	req.Set("idp", idp)
	return req
}

// stranger is a browser in which nobody can log in here.
func stranger(t *kit.Target) kit.Visit { return kit.Visit{Browser: t.NewBrowser(kit.Person{})} }

func tierLogIn(ctx context.Context, t *kit.Target) error {
	client, idp, err := community(ctx, t)
	if err != nil {
		return err
	}
	defer idp.Close()
	verifier := t.NewVerifier()
	req := elsewhere(t, client, idp.URL, verifier)
	a, err := t.Authorize(ctx, req, stranger(t))
	if err != nil {
		return err
	}
	var c kit.Check
	c.Note(idp.Fault())
	c.That(a.ConsentPage != nil, "no consent was asked for here; steps %v, %s", a.Steps, a)
	c.That(!slices.Contains(a.Steps, "signin"), "the person was asked to log in here")
	if !c.That(a.Code() != "" && a.Query.Get("state") == req.Get("state"), "%s", a) {
		return c.Err()
	}
	res, err := t.Call(ctx, t.Config.Token, client, url.Values{
		"grant_type": {"authorization_code"}, "code": {a.Code()}, "redirect_uri": {req.Get("redirect_uri")}, "code_verifier": {verifier},
	})
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("patient") != "", "%s", res)
		c.That(!strings.Contains(" "+res.Text("scope")+" ", " udap "), "udap is among the granted scopes")
	}
	asked := idp.Asked()
	if c.That(len(asked) == 1, "the provider was asked %d times", len(asked)) {
		for name, want := range map[string]string{"response_type": "code", "code_challenge_method": "S256", "client_id": "data-holder"} {
			c.That(asked[0].Get(name) == want, "to the provider: %s is %q", name, asked[0].Get(name))
		}
		scopes := strings.Fields(asked[0].Get("scope"))
		c.That(slices.Contains(scopes, "openid") && slices.Contains(scopes, "udap"), "to the provider: scope is %v", scopes)
		redirects, _ := idp.Statement()["redirect_uris"].([]any)
		c.That(slices.Contains(redirects, any(asked[0].Get("redirect_uri"))), "the redirect URI is not that of the software statement %v", redirects)
	}
	return c.Err()
}

func tierTrust(ctx context.Context, t *kit.Target) error {
	client, err := register(ctx, t, true, nil)
	if err != nil {
		return err
	}
	foreign, err := kit.NewAuthority(t.Now())
	if err != nil {
		return err
	}
	outside, err := t.ServeProvider(ctx, foreign, member(t))
	if err != nil {
		return err
	}
	defer outside.Close()
	host, named, err := listed(ctx, t)
	if err != nil {
		return err
	}
	defer host.Close()
	known, err := t.UDAPCA.Authority()
	if err != nil {
		return err
	}
	revoked, err := t.ServeProvider(ctx, known, func(a kit.Authority, uri string) (kit.Member, error) {
		m, err := a.Issue(uri, t.Now(), nil, named)
		if err == nil {
			host.Revoke(m, t.Now())
		}
		return m, err
	})
	if err != nil {
		return err
	}
	defer revoked.Close()
	other, err := t.ServeProvider(ctx, known, func(a kit.Authority, _ string) (kit.Member, error) {
		return a.Issue("https://somebody-else.example", t.Now(), nil, nil)
	})
	if err != nil {
		return err
	}
	defer other.Close()
	var c kit.Check
	for what, idp := range map[string]string{
		"nobody's": "https://idp.nobody.example", "of another community": outside.URL, "with a revoked certificate": revoked.URL,
		"with another's certificate": other.URL, "no URL": "idp", "inside the network": "http://10.0.0.1",
	} {
		req := elsewhere(t, client, idp, t.NewVerifier())
		a, err := t.Authorize(ctx, req, stranger(t))
		// A server may offer another log-in in place of the error.
		if c.Note(err) && a.Query != nil {
			c.That(a.Query.Get("error") == "invalid_idp" && a.Query.Get("state") == req.Get("state"), "%s: %s", what, a)
		}
	}
	c.That(len(outside.Asked())+len(revoked.Asked())+len(other.Asked()) == 0, "a person was sent to a provider that is not trusted")
	return c.Err()
}

// leave sends a browser on its way to the provider and gives what it is asked
// there.
func leave(ctx context.Context, t *kit.Target, b *kit.Browser, req url.Values, idp string) (url.Values, error) {
	p, err := b.Open(ctx, t.Config.Authorize+"?"+req.Encode(), idp+"/authorize")
	if err != nil || p.Back == nil {
		return url.Values{}, err
	}
	return p.Back.Query(), nil
}

func tierState(ctx context.Context, t *kit.Target) error {
	client, idp, err := community(ctx, t)
	if err != nil {
		return err
	}
	defer idp.Close()
	var c kit.Check
	seen := map[string]bool{}
	for what, forge := range map[string]func(state string) string{
		"a made-up state": func(string) string { return "forged" }, "no state": func(string) string { return "" },
		"a changed state": func(s string) string { return s[:len(s)-1] + string('A'+s[len(s)-1]%2) + "A" },
	} {
		b := t.NewBrowser(kit.Person{})
		req := elsewhere(t, client, idp.URL, t.NewVerifier())
		asked, err := leave(ctx, t, b, req, idp.URL)
		if !c.Note(err) || !c.That(asked.Get("state") != "" && asked.Get("nonce") != "", "the provider is asked %v", asked) {
			continue
		}
		c.That(asked.Get("state") != req.Get("state"), "the app's state was handed on")
		c.That(!seen[asked.Get("state")] && !seen[asked.Get("nonce")], "a state or a nonce was used before")
		seen[asked.Get("state")], seen[asked.Get("nonce")] = true, true
		back := url.Values{"code": {"code"}, "state": {forge(asked.Get("state"))}}
		p, err := b.Open(ctx, asked.Get("redirect_uri")+"?"+back.Encode(), req.Get("redirect_uri"))
		if c.Note(err) && c.That(p.Back != nil, "%s: the app was not told: %s", what, p.Response) {
			got := p.Back.Query()
			c.That(got.Get("error") == "server_error" && got.Get("state") == req.Get("state"), "%s: %v", what, got)
		}
	}
	// A state of one browser is worth nothing in another.
	req := elsewhere(t, client, idp.URL, t.NewVerifier())
	asked, err := leave(ctx, t, t.NewBrowser(kit.Person{}), req, idp.URL)
	if c.Note(err) {
		back := url.Values{"code": {"code"}, "state": {asked.Get("state")}}
		p, err := t.NewBrowser(kit.Person{}).Open(ctx, asked.Get("redirect_uri")+"?"+back.Encode(), req.Get("redirect_uri"))
		if c.Note(err) {
			c.That(p.Back == nil && p.Status >= 400, "a state in another browser: %s", p.Response)
		}
	}
	return c.Err()
}

func tierWho(ctx context.Context, t *kit.Target) error {
	client, idp, err := community(ctx, t)
	if err != nil {
		return err
	}
	defer idp.Close()
	var c kit.Check
	ends := func(what, want string) {
		a, err := t.Authorize(ctx, elsewhere(t, client, idp.URL, t.NewVerifier()), stranger(t))
		if c.Note(err) {
			c.That(a.Query.Get("error") == want && a.Code() == "", "%s: %s", what, a)
		}
	}
	now := t.Now().Unix()
	for what, claim := range map[string][2]any{
		"another iss": {"iss", "https://idp.nobody.example"}, "another aud": {"aud", "somebody"}, "another nonce": {"nonce", "n"}, "no nonce": {"nonce", nil},
		"expired": {"exp", now - 1}, "no exp": {"exp", nil}, "no sub": {"sub", nil}, "another azp": {"azp", "somebody"}, "an old iat": {"iat", now - 3600},
		"several audiences without azp": {"aud", []string{"data-holder", "somebody"}},
	} {
		idp.Bend = func(claims map[string]any) { claims[claim[0].(string)] = claim[1] }
		ends(what, "server_error")
	}
	idp.Bend = nil
	if idp.Stranger, err = kit.ECKey(elliptic.P256()); err != nil {
		return err
	}
	ends("a signature of somebody else", "server_error")
	idp.Stranger, idp.Subject = nil, "nobody-"+t.Random()
	ends("an unknown subject", "access_denied")
	idp.Subject, idp.Denies = t.Patient(), "access_denied"
	ends("a person who turned back", "access_denied")
	idp.Denies = "temporarily_unavailable"
	ends("a provider that is not well", "server_error")
	idp.Denies = ""
	a, err := t.Authorize(ctx, elsewhere(t, client, idp.URL, t.NewVerifier()), stranger(t))
	if c.Note(err) {
		c.That(a.ConsentPage != nil && a.Code() != "", "a known person: steps %v, %s", a.Steps, a)
	}
	return c.Err()
}
