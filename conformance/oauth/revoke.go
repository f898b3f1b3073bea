package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func revocation() []kit.Row {
	return []kit.Row{
		{ID: "SMART REV-01", Title: "an unknown token is 200, a foreign one is left alone, no credential is refused", Needs: kit.Login | kit.Symmetric, Run: revUnknown},
		{ID: "SMART REV-02", Title: "revoking the refresh token ends its access tokens", Also: []string{"REF-07"}, Needs: kit.Login, Run: revRefresh},
		{ID: "SMART REV-01b", Title: "revoking an access token ends it at the FHIR server", Needs: kit.Login, Run: revAccess},
	}
}

func revUnknown(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	res, err := t.RevokeToken(ctx, client, "garbage")
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "unknown: %s", res)
	}
	g, err := launch(ctx, t, "public")
	if !c.Note(err) {
		return c.Err()
	}
	for _, token := range []string{g.Access(), g.RefreshToken()} {
		res, err = t.RevokeToken(ctx, client, token)
		if c.Note(err) {
			c.That(res.Status < 500, "foreign: %s", res)
		}
	}
	res, err = t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "another client revoked it: %s", res)
	}
	res, err = t.Do(ctx, kit.Request{URL: t.Config.Revoke, Form: url.Values{"token": {g.Access()}}})
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized || res.Status == http.StatusBadRequest, "nobody: %s", res)
	}
	return c.Err()
}

func revRefresh(ctx context.Context, t *kit.Target) error {
	g, err := launch(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.RevokeToken(ctx, g.Client, g.RefreshToken())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "%s", res)
	}
	res, err = t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "the access token lives on: %s", res)
	}
	res, err = t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "the refresh token lives on: %s", res)
	}
	return c.Err()
}

func revAccess(ctx context.Context, t *kit.Target) error {
	g, err := launch(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	if _, err := t.RevokeToken(ctx, g.Client, g.Access()); !c.Note(err) {
		return c.Err()
	}
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "%s", res)
	}
	return c.Err()
}

func cors() []kit.Row {
	return []kit.Row{
		{ID: "SMART CORS-02", Title: "registered origins may call token and FHIR, others not", Also: []string{"VER-06"}, Needs: kit.Login, Run: corsOrigins},
		{ID: "SMART CORS-02b", Title: "the success answers carry the header too", Needs: kit.Login, Run: corsSuccess},
	}
}

// origin gives the origin of a client's first redirect URI.
func origin(client kit.Client) string {
	u, err := url.Parse(client.RedirectURIs[0])
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func corsOrigins(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	good := origin(t.Client("public"))
	endpoints := map[string]string{t.Config.Token: "POST", t.FHIRBase + "/Patient/x": "GET", t.Config.Revoke: "POST"}
	for _, also := range []string{t.Config.Push, t.Config.Device} {
		if also != "" {
			endpoints[also] = "POST"
		}
	}
	for endpoint, method := range endpoints {
		for _, from := range []string{good, "https://evil.example", "null"} {
			res, err := t.Do(ctx, kit.Request{Method: http.MethodOptions, URL: endpoint, Header: http.Header{
				"Origin": {from}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"authorization,content-type"},
			}})
			if !c.Note(err) {
				continue
			}
			allowed := res.Header.Get("Access-Control-Allow-Origin")
			if from != good {
				c.That(allowed == "", "%s from %s: allows %q", endpoint, from, allowed)
				continue
			}
			headers := strings.ToLower(res.Header.Get("Access-Control-Allow-Headers"))
			c.That(res.Status < 300 && (allowed == good || allowed == "*"), "%s: %d allows %q", endpoint, res.Status, allowed)
			c.That(headers == "*" || strings.Contains(headers, "authorization") && strings.Contains(headers, "content-type"), "%s: allows headers %q", endpoint, headers)
			methods := res.Header.Get("Access-Control-Allow-Methods")
			c.That(strings.Contains(methods, method) || methods == "*", "%s: allows methods %q", endpoint, methods)
		}
	}
	return c.Err()
}

func corsSuccess(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := launch(ctx, t, "public")
	if err != nil {
		return err
	}
	for from, want := range map[string]bool{origin(g.Client): true, "https://evil.example": false} {
		r, err := t.As(g.Client, kit.Request{URL: t.Config.Token, Form: refreshForm(g.RefreshToken()), Header: http.Header{"Origin": {from}}})
		if !c.Note(err) {
			continue
		}
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That((res.Header.Get("Access-Control-Allow-Origin") == from) == want, "token from %s: %q", from, res.Header.Get("Access-Control-Allow-Origin"))
		}
		res, err = t.Do(ctx, kit.Request{URL: t.FHIRBase + "/Patient/" + g.Patient(), Bearer: g.Access(), Header: http.Header{"Origin": {from}}})
		if c.Note(err) {
			allowed := res.Header.Get("Access-Control-Allow-Origin")
			c.That(res.Status == http.StatusOK, "%s", res)
			c.That((allowed == from) == want && allowed != "*", "FHIR from %s: %q", from, allowed)
		}
	}
	return c.Err()
}
