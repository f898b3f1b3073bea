package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func introspection() []kit.Row {
	return []kit.Row{
		{ID: "SMART INT-02", Title: "active, scope, client_id and exp are told", Also: []string{"INT-01", "US-04"}, Needs: kit.Login | kit.Symmetric, Run: intMembers},
		{ID: "SMART INT-04", Title: "the scopes are those of the token answer", Also: []string{"US-04"}, Needs: kit.Login | kit.Symmetric, Run: intScopes},
		{ID: "SMART INT-05", Title: "the launch context reappears", Needs: kit.Login | kit.Symmetric, Run: intContext},
		{ID: "SMART INT-06", Title: "iss and sub are told with an id_token", Needs: kit.Login | kit.Symmetric, Run: intIdentity},
		{ID: "SMART INT-07", Title: "an unknown token is {\"active\":false} and nothing else", Also: []string{"US-04"}, Needs: kit.Symmetric, Run: intInactive},
		{ID: "SMART INT-07b", Title: "an expired token is told by active false alone", Needs: kit.Login | kit.Symmetric | kit.Clock, Run: intExpired},
		{ID: "SMART INT-08", Title: "nobody may introspect without a credential", Needs: kit.Login, Run: intGuarded},
		{ID: "SMART INT-09", Title: "a bearer token of a client with the right sees tokens of others", Also: []string{"VER-07"}, Needs: kit.Login | kit.Symmetric, Run: intBearer},
		{ID: "SMART INT-10", Title: "a client without the right learns nothing of others' tokens", Needs: kit.Login | kit.Asymmetric, Run: intForeign},
		{ID: "MANDATE INT-12", Title: "who accepts a signed answer gets one, for itself, that is no token", Needs: kit.Login | kit.Symmetric | kit.SignedAnswers, Run: intSigned},
		{ID: "SMART INT-11", Title: "a revoked token is inactive at once", Needs: kit.Login | kit.Symmetric, Run: intLive},
	}
}

// own gives a grant of the symmetric client and what introspection says.
func own(ctx context.Context, t *kit.Target) (*kit.Grant, *kit.Response, error) {
	g, err := t.Standard(ctx, "symmetric", t.Patient(), appScope)
	if err != nil {
		return nil, nil, err
	}
	res, err := t.Introspect(ctx, g.Client, g.Access())
	return g, res, err
}

func intMembers(ctx context.Context, t *kit.Target) error {
	g, res, err := own(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && res.JSON()["active"] == true, "%s", res)
	c.That(res.Text("scope") != "" && res.Text("client_id") == g.Client.ID, "scope %q, client_id %q", res.Text("scope"), res.Text("client_id"))
	exp, number := res.JSON()["exp"].(float64)
	c.That(number && exp == float64(int64(exp)) && exp > float64(t.Now().Unix()), "exp is %v", res.JSON()["exp"])
	return c.Err()
}

func intScopes(ctx context.Context, t *kit.Target) error {
	g, res, err := own(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	told, had := strings.Fields(res.Text("scope")), g.Scopes()
	slices.Sort(told)
	slices.Sort(had)
	c.That(slices.Equal(told, had), "told %v, granted %v", told, had)
	return c.Err()
}

func intContext(ctx context.Context, t *kit.Target) error {
	g, res, err := own(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Patient() != "" && res.Text("patient") == g.Patient(), "patient is %v", res.JSON()["patient"])
	return c.Err()
}

func intIdentity(ctx context.Context, t *kit.Target) error {
	_, res, err := own(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Text("iss") == t.Config.Issuer && res.Text("sub") != "", "iss %q, sub is empty: %v", res.Text("iss"), res.Text("sub") == "")
	c.That(strings.HasSuffix(res.Text("fhirUser"), t.Person(t.Patient()).FHIRUser), "fhirUser is %q", res.Text("fhirUser"))
	return c.Err()
}

func intInactive(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, token := range []string{"garbage", t.Random(), "a.b.c"} {
		res, err := t.Introspect(ctx, t.Client("symmetric"), token)
		if c.Note(err) {
			doc := res.JSON()
			c.That(res.Status == http.StatusOK && doc["active"] == false && len(doc) == 1, "%s with %d members", res, len(doc))
		}
	}
	return c.Err()
}

func intGuarded(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	var c kit.Check
	for what, form := range map[string]url.Values{
		"nobody": {"token": {g.Access()}}, "a public client": {"token": {g.Access()}, "client_id": {g.Client.ID}},
	} {
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Introspect, Form: form})
		if c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func intBearer(ctx context.Context, t *kit.Target) error {
	other, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	g, err := t.Standard(ctx, "symmetric", t.Patient(), appScope)
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Introspect, Form: url.Values{"token": {other.Access()}}, Bearer: g.Access()})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && res.JSON()["active"] == true && res.Text("client_id") == other.Client.ID, "%s, active %v", res, res.JSON()["active"])
	return c.Err()
}

func intForeign(ctx context.Context, t *kit.Target) error {
	other, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Introspect(ctx, t.Client("asymmetric"), other.Access())
	if c.Note(err) {
		doc := res.JSON()
		c.That(res.Status == http.StatusForbidden || res.Status == http.StatusOK && doc["active"] == false && len(doc) == 1, "%s, active %v", res, doc["active"])
	}
	g, err := t.Standard(ctx, "asymmetric", t.Patient(), appScope)
	if !c.Note(err) {
		return c.Err()
	}
	res, err = t.Do(ctx, kit.Request{URL: t.Config.Introspect, Form: url.Values{"token": {other.Access()}}, Bearer: g.Access()})
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden || res.Status == http.StatusUnauthorized || res.JSON()["active"] == false, "by bearer token: %s", res)
	}
	return c.Err()
}

func intLive(ctx context.Context, t *kit.Target) error {
	g, err := launch(ctx, t, "symmetric")
	if err != nil {
		return err
	}
	var c kit.Check
	if _, err := t.RevokeToken(ctx, g.Client, g.Access()); !c.Note(err) {
		return c.Err()
	}
	res, err := t.Introspect(ctx, g.Client, g.Access())
	if c.Note(err) {
		c.That(res.JSON()["active"] == false && len(res.JSON()) == 1, "%s, active %v", res, res.JSON()["active"])
	}
	return c.Err()
}

func intExpired(ctx context.Context, t *kit.Target) error {
	g, err := launch(ctx, t, "symmetric")
	if err != nil {
		return err
	}
	if err := t.Advance(ctx, 61*time.Minute); err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Introspect(ctx, g.Client, g.Access())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.JSON()["active"] == false && len(res.JSON()) == 1, "%s with %d members", res, len(res.JSON()))
	}
	return c.Err()
}
