package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// appScope is what the apps of these rows ask for.
const appScope = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs"

func symmetric() []kit.Row {
	return []kit.Row{
		{ID: "SMART SYM-01", Title: "HTTP Basic works, form-encoded or not", Needs: kit.Login | kit.Symmetric, Run: symBasic},
		{ID: "SMART SYM-01b", Title: "an id and a secret with reserved characters work form-encoded", Needs: kit.Reserved, Run: symReserved},
		{ID: "SMART SYM-02", Title: "a secret does not give client_credentials", Needs: kit.Symmetric, Run: symBackend},
		{ID: "SMART SYM-03", Title: "a wrong secret is 401 invalid_client with a challenge", Needs: kit.Symmetric, Run: symWrong},
		{ID: "SMART SYM-04", Title: "a client with a secret cannot leave it out", Needs: kit.Login | kit.Symmetric, Run: symPublic},
		{ID: "SMART SYM-05", Title: "two ways of authentication are invalid_request", Needs: kit.Symmetric | kit.Asymmetric, Run: symTwo},
	}
}

func launch(ctx context.Context, t *kit.Target, kind string) (*kit.Grant, error) {
	return t.Launch(ctx, kit.Launch{Client: t.Client(kind), Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func symBasic(ctx context.Context, t *kit.Target) error {
	g, err := launch(ctx, t, "symmetric")
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: refreshForm(g.RefreshToken()), Basic: &[2]string{g.Client.ID, g.Client.Secret}})
	if !c.Note(err) {
		return c.Err()
	}
	c.That(res.Status == http.StatusOK, "%s", res)
	encoded := strings.ReplaceAll(g.Client.ID, "-", "%2D")
	r := kit.Request{URL: t.Config.Token, Form: refreshForm(res.Text("refresh_token")), Header: http.Header{}}
	r.Header.Set("Authorization", basic(encoded, g.Client.Secret))
	res, err = t.Do(ctx, r)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "a percent-encoded id: %s", res)
	}
	return c.Err()
}

func symBackend(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("symmetric"), "system/Patient.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	code := res.Text("error")
	c.That((res.Status == 400 || res.Status == 401) && (code == "invalid_client" || code == "unauthorized_client"), "%s", res)
	return c.Err()
}

func symWrong(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	id := t.Client("symmetric").ID
	for what, credential := range map[string]string{
		"wrong secret": basic(id, "wrong"), "no secret": basic(id, ""), "not base64": "Basic !!!", "no colon": "Basic YWJj", "two schemes": basic(id, "x") + ", Bearer y",
	} {
		r := kit.Request{URL: t.Config.Token, Form: refreshForm("x"), Header: http.Header{"Authorization": {credential}}}
		res, err := t.Do(ctx, r)
		if !c.Note(err) {
			continue
		}
		c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client" || what != "wrong secret" && res.Status == http.StatusBadRequest, "%s: %s", what, res)
		if res.Status == http.StatusUnauthorized {
			c.That(strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic"), "%s: WWW-Authenticate is %q", what, res.Header.Get("WWW-Authenticate"))
		}
	}
	return c.Err()
}

func symPublic(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	form := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	form.Set("client_id", client.ID)
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "%s", res)
	return c.Err()
}

func symTwo(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	form := refreshForm("x")
	form.Set("client_id", client.ID)
	form.Set("client_secret", client.Secret)
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form, Basic: &[2]string{client.ID, client.Secret}})
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_request", "header and body: %s", res)
	}
	r, err := t.As(t.Client("asymmetric"), kit.Request{URL: t.Config.Token, Form: refreshForm("x")})
	if !c.Note(err) {
		return c.Err()
	}
	r.Basic = &[2]string{client.ID, client.Secret}
	res, err = t.Do(ctx, r)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_request", "header and assertion: %s", res)
	}
	return c.Err()
}

// symReserved authenticates with form-encoded parts; what the request asks for
// does not exist, so a good credential is told by the refusal.
func symReserved(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.ReservedClient()
	for secret, want := range map[string]string{client.Secret: "invalid_grant", client.Secret + "x": "invalid_client"} {
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: refreshForm("x"), Basic: &[2]string{client.ID, secret}})
		if c.Note(err) {
			c.That(res.Text("error") == want, "%s, expected %s", res, want)
		}
	}
	return c.Err()
}
