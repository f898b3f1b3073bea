package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

const (
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

func exchange() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE TX-01", Title: "an agent gets a token that names it in act, with no refresh token and not more than the app has", Needs: kit.Login | kit.Agent, Run: txAct},
		{ID: "MANDATE TX-02", Title: "an exchanged token dies with the token from which it was made", Needs: kit.Login | kit.Agent, Run: txDies},
		{ID: "MANDATE TX-03", Title: "a scope, an audience and a type beyond are refused as RFC 8693 says", Needs: kit.Login | kit.Agent, Run: txBeyond},
		{ID: "MANDATE TX-04", Title: "a client that the app does not name exchanges nothing", Needs: kit.Login | kit.Agent | kit.Asymmetric, Run: txStranger},
	}
}

// swap exchanges a token as a client; more bends the form.
func swap(ctx context.Context, t *kit.Target, c kit.Client, token string, more url.Values) (*kit.Response, error) {
	form := url.Values{"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {typeAccess}}
	for name, values := range more {
		form[name] = values
	}
	return t.Call(ctx, t.Config.Token, c, form)
}

// handed gives a fresh grant of an app and the agent that it names.
func handed(ctx context.Context, t *kit.Target) (*kit.Grant, kit.Client, error) {
	app, agent, _ := t.Handed()
	g, err := t.Launch(ctx, kit.Launch{Client: app, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	return g, agent, err
}

func txAct(ctx context.Context, t *kit.Target) error {
	g, agent, err := handed(ctx, t)
	if err != nil {
		return err
	}
	res, err := swap(ctx, t, agent, g.Access(), nil)
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(res.Status == http.StatusOK && res.Text("access_token") != "", "%s", res) {
		return c.Err()
	}
	c.That(res.Text("issued_token_type") == typeAccess && res.Text("token_type") != "", "issued_token_type %q, token_type %q", res.Text("issued_token_type"), res.Text("token_type"))
	c.That(res.Text("refresh_token") == "" && res.Text("id_token") == "", "more than an access token is given")
	has := " " + strings.Join(g.Scopes(), " ") + " "
	for _, s := range strings.Fields(res.Text("scope")) {
		c.That(strings.Contains(has, " "+s+" "), "%s was not the app's", s)
	}
	mine, _ := res.JSON()["expires_in"].(float64)
	its, _ := g.JSON()["expires_in"].(float64)
	c.That(mine > 0 && mine <= its, "it lives %v seconds, the app's %v", mine, its)
	told, err := t.Introspect(ctx, agent, res.Text("access_token"))
	if c.Note(err) {
		act, _ := told.JSON()["act"].(map[string]any)
		c.That(told.JSON()["active"] == true && act["sub"] == agent.ID, "introspection tells act %v", told.JSON()["act"])
	}
	read, err := t.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(read.Status == http.StatusOK, "%s", read)
	}
	return c.Err()
}

func txDies(ctx context.Context, t *kit.Target) error {
	g, agent, err := handed(ctx, t)
	if err != nil {
		return err
	}
	res, err := swap(ctx, t, agent, g.Access(), nil)
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(res.Text("access_token") != "", "%s", res) {
		return c.Err()
	}
	if _, err := t.RevokeToken(ctx, g.Client, g.Access()); !c.Note(err) {
		return c.Err()
	}
	read, err := t.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "it lives on: %s", read)
	}
	return c.Err()
}

func txBeyond(ctx context.Context, t *kit.Target) error {
	g, agent, err := handed(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, one := range []struct{ name, value, want string }{
		{"scope", "patient/*.cruds", "invalid_scope"},
		{"audience", "https://elsewhere.example/fhir", "invalid_target"},
		{"resource", "https://elsewhere.example/fhir", "invalid_target"},
		{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"},
		{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2", "invalid_request"},
		{"subject_token", "garbage", "invalid_request"},
		{"actor_token", "garbage", "invalid_request"},
	} {
		res, err := swap(ctx, t, agent, g.Access(), url.Values{one.name: {one.value}})
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") == one.want, "%s: %s", one.name, res)
		}
	}
	return c.Err()
}

func txStranger(ctx context.Context, t *kit.Target) error {
	g, _, err := handed(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := swap(ctx, t, t.Client("asymmetric"), g.Access(), nil)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("access_token") == "", "%s", res)
	}
	return c.Err()
}
