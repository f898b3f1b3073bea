package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func certificates() []kit.Row {
	const shown = kit.Certificates
	return []kit.Row{
		{ID: "RFC8705 5", Title: "discovery tells where certificates are asked for and which ways of authentication they serve", Run: mtlsListed},
		{ID: "RFC8705 2.1", Title: "a certificate with the registered name from a trusted authority authenticates, no other does", Needs: shown, Run: mtlsAuthority},
		{ID: "RFC8705 2.2", Title: "the registered certificate authenticates an app, another one with its name does not", Needs: shown | kit.Login, Run: mtlsOwn},
		{ID: "RFC8705 3", Title: "a bound token is refused without its certificate, and introspection shows cnf", Needs: shown | kit.Symmetric, Run: mtlsBound},
		{ID: "RFC8705 4", Title: "a public app's refresh token is bound: another certificate is refused and ends nothing", Needs: shown | kit.Login, Run: mtlsRefresh},
		{ID: "RFC8705 7.1", Title: "a client registered for bound tokens gets none without a certificate", Needs: shown | kit.Login, Run: mtlsRequired},
		{ID: "RFC9440 4", Title: "a Client-Cert header from anybody counts for nothing", Needs: shown, Run: mtlsSpoofed},
	}
}

// itself is the request of a backend service.
func itself() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}}
}

func mtlsListed(_ context.Context, t *kit.Target) error {
	a := t.Config.Aliases
	if !t.Config.OffersTLS() {
		if a.Token != "" || t.Config.CertificateBound {
			var c kit.Check
			c.That(false, "no authentication by certificate is listed, and yet %+v", a)
			return c.Err()
		}
		return kit.Unmet{Why: "the server asks for no client certificate"}
	}
	var c kit.Check
	c.That(t.Config.CertificateBound, "tls_client_certificate_bound_access_tokens is missing")
	for name, address := range map[string]string{"token_endpoint": a.Token, "introspection_endpoint": a.Introspect, "revocation_endpoint": a.Revoke} {
		if a.Token != "" {
			c.That(strings.HasPrefix(address, "https://"), "the alias of %s is %q", name, address)
		}
	}
	c.That((a.Push != "") == (t.Config.Push != "" && a.Token != ""), "the alias of the endpoint for pushed requests is %q", a.Push)
	return c.Err()
}

// strangerTo notes everything but the refusal of a client.
func strangerTo(c *kit.Check, what string, res *kit.Response, err error) {
	if c.Note(err) {
		refusedClient(c, what, res)
	}
}

func mtlsAuthority(ctx context.Context, t *kit.Target) error {
	client := t.Certified(kit.MethodTLS)
	m, err := t.Showing(client.Pair)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := m.Call(ctx, m.Config.Token, client, itself())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("access_token") != "", "its certificate: %s", res)
	}
	var none *kit.ClientAuthority
	forged, err := none.Pair(client.TLSDNS)
	c.Note(err)
	for what, pair := range map[string]kit.Pair{"no certificate": {}, "one that nobody vouches for": forged, "that of another client": t.Certified("").Pair} {
		if m, err := t.Showing(pair); c.Note(err) {
			res, err := m.Call(ctx, m.Config.Token, client, itself())
			strangerTo(&c, what, res, err)
		}
	}
	res, err = t.Call(ctx, t.Config.Token, client, itself())
	strangerTo(&c, "at the ordinary endpoint", res, err)
	return c.Err()
}

// mtlsLaunch gives a grant of an app that shows its certificate, and the target
// as it reaches it.
func mtlsLaunch(ctx context.Context, t *kit.Target, client kit.Client) (*kit.Target, *kit.Grant, error) {
	m, err := t.Showing(client.Pair)
	if err != nil {
		return nil, nil, err
	}
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: dpopScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return nil, nil, err
	}
	return m, g, m.Redeem(ctx, g)
}

func mtlsOwn(ctx context.Context, t *kit.Target) error {
	client := t.Certified(kit.MethodTLSOfSelf)
	m, g, err := mtlsLaunch(ctx, t, client)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(strings.EqualFold(g.Text("token_type"), "bearer"), "token_type is %q", g.Text("token_type"))
	if res, err := m.FHIR(ctx, g.Access(), "Patient/"+g.Patient()); c.Note(err) {
		c.That(res.Status == http.StatusOK, "it reads: %s", res)
	}
	var none *kit.ClientAuthority
	forged, err := none.Pair("service.selftest.example")
	c.Note(err)
	if m, err := t.Showing(forged); c.Note(err) {
		res, err := m.Refresh(ctx, client, g.RefreshToken(), "")
		strangerTo(&c, "another certificate", res, err)
	}
	if res, err := m.Refresh(ctx, client, g.RefreshToken(), ""); c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("refresh_token") != "", "its own afterwards: %s", res)
	}
	return c.Err()
}

func mtlsBound(ctx context.Context, t *kit.Target) error {
	client := t.Certified(kit.MethodTLS)
	m, err := t.Showing(client.Pair)
	if err != nil {
		return err
	}
	res, err := m.Call(ctx, m.Config.Token, client, itself())
	if err != nil {
		return err
	}
	token := res.Text("access_token")
	var c kit.Check
	if told, err := t.Introspect(ctx, t.Client("symmetric"), token); c.Note(err) {
		cnf, _ := told.JSON()["cnf"].(map[string]any)
		c.That(told.JSON()["active"] == true && cnf["x5t#S256"] == client.Thumbprint(), "active %v, cnf %v", told.JSON()["active"], told.JSON()["cnf"])
	}
	if told, err := m.Introspect(ctx, client, token); c.Note(err) {
		c.That(told.JSON()["active"] == true, "its owner is told: %s", told)
	}
	const path = "Patient?_count=1"
	if res, err := m.FHIR(ctx, token, path); c.Note(err) {
		c.That(res.Status == http.StatusOK, "with its certificate: %s", res)
	}
	stranger, err := t.Showing(t.Certified("").Pair)
	c.Note(err)
	bare, err := t.Showing(kit.Pair{})
	c.Note(err)
	for what, other := range map[string]*kit.Target{"another certificate": stranger, "no certificate": bare, "the ordinary address": t} {
		if res, err := other.FHIR(ctx, token, path); c.Note(err) {
			challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
			c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, `error="invalid_token"`), "%s: %s", what, res)
		}
	}
	return c.Err()
}

func mtlsRefresh(ctx context.Context, t *kit.Target) error {
	client := t.Certified("")
	m, g, err := mtlsLaunch(ctx, t, client)
	if err != nil {
		return err
	}
	thief, err := t.Showing(t.Certified(kit.MethodTLS).Pair)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := m.Refresh(ctx, client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	c.That(res.Status == http.StatusOK, "its own certificate: %s", res)
	next := res.Text("refresh_token")
	for _, token := range []string{g.RefreshToken(), next} {
		for what, other := range map[string]*kit.Target{"another certificate": thief, "none": t} {
			if res, err := other.Refresh(ctx, client, token, ""); c.Note(err) {
				c.That(res.Status == http.StatusBadRequest && slices.Contains([]string{"invalid_grant", "invalid_request"}, res.Text("error")), "%s: %s", what, res)
			}
		}
	}
	if res, err = m.Refresh(ctx, client, next, ""); c.Note(err) {
		c.That(res.Status == http.StatusOK, "the owner afterwards: %s", res)
		if read, err := m.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient()); c.Note(err) {
			c.That(read.Status == http.StatusOK, "the owner reads: %s", read)
		}
	}
	return c.Err()
}

func mtlsRequired(ctx context.Context, t *kit.Target) error {
	client := t.Certified("")
	m, err := t.Showing(client.Pair)
	if err != nil {
		return err
	}
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: dpopScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	var c kit.Check
	form := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	res, err := t.Call(ctx, t.Config.Token, client, form)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_request", "without one: %s", res)
	}
	if res, err = m.Call(ctx, m.Config.Token, client, form); c.Note(err) {
		c.That(res.Status == http.StatusOK, "with one: %s", res)
	}
	return c.Err()
}

func mtlsSpoofed(ctx context.Context, t *kit.Target) error {
	client := t.Certified(kit.MethodTLS)
	bare, err := t.Showing(kit.Pair{})
	if err != nil {
		return err
	}
	m, err := t.Showing(client.Pair)
	if err != nil {
		return err
	}
	header := http.Header{
		"Client-Cert": {client.Header()}, "X-Client-Cert": {client.Header()}, "X-Ssl-Client-Cert": {url.QueryEscape(client.Certificate)},
		"X-Forwarded-Client-Cert": {"Cert=\"" + url.QueryEscape(client.Certificate) + "\""}, "Ssl-Client-Cert": {client.Certificate[:20]},
	}
	var c kit.Check
	good, err := m.Call(ctx, m.Config.Token, client, itself())
	if err != nil {
		return err
	}
	for _, other := range []*kit.Target{t, bare} {
		r, err := other.As(client, kit.Request{URL: other.Config.Token, Form: itself(), Header: header})
		if !c.Note(err) {
			continue
		}
		res, err := other.Do(ctx, r)
		strangerTo(&c, "the header alone", res, err)
		h := header.Clone()
		h.Set("Authorization", "Bearer "+good.Text("access_token"))
		if res, err := other.Do(ctx, kit.Request{URL: other.FHIRBase + "/Patient?_count=1", Header: h}); c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized, "a bound token with the header alone: %s", res)
		}
	}
	return c.Err()
}
