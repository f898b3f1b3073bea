package oauth

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func signed() []kit.Row {
	needs := kit.Login | kit.Asymmetric | kit.Signing
	return []kit.Row{
		{ID: "MANDATE JAR-01", Title: "a signed request leads to a code, in the address and pushed, and nothing beside it counts", Needs: needs, Run: jarWorks},
		{ID: "MANDATE JAR-02", Title: "a request object that is unsigned, forged, old or for another server gives no code", Needs: needs, Run: jarRefused},
		{ID: "MANDATE JAR-03", Title: "a request_uri that leads elsewhere is refused and never fetched", Needs: kit.Login, Run: jarByReference},
	}
}

// object gives the claims of a good request object and the request in it.
func object(t *kit.Target, app kit.Client) (kit.Assertion, url.Values) {
	req := t.AuthorizeRequest(app, parScope, t.NewVerifier())
	now := t.Now()
	a := kit.Assertion{Algorithm: "ES384", Header: map[string]any{"typ": "oauth-authz-req+jwt"}, Claims: map[string]any{
		"iss": app.ID, "aud": []string{t.Config.Issuer, t.FHIRBase}, "exp": now.Add(4 * time.Minute).Unix(), "nbf": now.Unix(),
		"max_age": 3600,
	}}
	for name := range req {
		if name != "aud" {
			a.Claims[name] = req.Get(name)
		}
	}
	return a, req
}

func jarWorks(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("asymmetric")
	for _, pushed := range []bool{false, true} {
		a, req := object(t, app)
		raw, err := app.Sign(a)
		if err != nil {
			return err
		}
		v := url.Values{"client_id": {app.ID}, "request": {raw}}
		if pushed && t.Config.Push != "" {
			if v, err = t.Pushed(ctx, app, v); !c.Note(err) {
				continue
			}
		}
		v.Set("state", "outside")
		v.Set("redirect_uri", "https://evil.example/callback")
		answer, err := t.Authorize(ctx, v, kit.Visit{Person: t.Patient(), App: app.RedirectURIs[0]})
		if c.Note(err) {
			c.That(answer.Code() != "" && answer.Query.Get("state") == req.Get("state"), "pushed %v: %s", pushed, answer)
		}
	}
	return c.Err()
}

func jarRefused(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("asymmetric")
	refused := func(what, raw string) {
		answer, err := t.Authorize(ctx, url.Values{"client_id": {app.ID}, "request": {raw}}, kit.Visit{Person: t.Patient(), App: app.RedirectURIs[0]})
		if c.Note(err) {
			c.That(answer.Code() == "", "%s: %s", what, answer)
		}
	}
	for what, bend := range map[string]func(kit.Assertion){
		"another issuer of the object":    func(a kit.Assertion) { a.Claims["iss"] = "somebody" },
		"another audience":                func(a kit.Assertion) { a.Claims["aud"] = []string{"https://evil.example", t.FHIRBase} },
		"an object that has expired":      func(a kit.Assertion) { a.Claims["exp"] = t.Now().Add(-time.Second).Unix() },
		"an object without end":           func(a kit.Assertion) { delete(a.Claims, "exp") },
		"an object for a day":             func(a kit.Assertion) { a.Claims["exp"] = t.Now().Add(24 * time.Hour).Unix() },
		"an object of tomorrow":           func(a kit.Assertion) { a.Claims["nbf"] = t.Now().Add(10 * time.Minute).Unix() },
		"another client inside":           func(a kit.Assertion) { a.Claims["client_id"] = "somebody" },
		"no client inside":                func(a kit.Assertion) { delete(a.Claims, "client_id") },
		"an object that could be a proof": func(a kit.Assertion) { a.Claims["sub"] = app.ID },
		"another object inside":           func(a kit.Assertion) { a.Claims["request"] = "e30" },
		"another type":                    func(a kit.Assertion) { a.Header["typ"] = "at+jwt" },
		"no kid":                          func(a kit.Assertion) { a.Header["kid"] = nil },
		"a foreign aud":                   func(a kit.Assertion) { a.Claims["aud"] = []string{t.Config.Issuer, "https://evil.example/fhir"} },
	} {
		a, _ := object(t, app)
		bend(a)
		raw, err := app.Sign(a)
		if c.Note(err) {
			refused(what, raw)
		}
	}
	a, _ := object(t, app)
	raw, err := app.Sign(a)
	if err != nil {
		return err
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, tag, _ := strings.Cut(rest, ".")
	refused("no signature", "eyJhbGciOiJub25lIn0."+body+".")
	refused("a signature of something else", head+"."+body+"x."+tag)
	refused("no JWT", "request")
	return c.Err()
}

func jarByReference(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("public")
	req := parRequest(t, app)
	req.Set("request_uri", "https://evil.example/request.jwt")
	a, err := t.Authorize(ctx, req, kit.Visit{Person: t.Patient()})
	if c.Note(err) {
		got := a.Query.Get("error")
		c.That(a.Code() == "" && (a.Query == nil || got == "request_uri_not_supported" || got == "invalid_request_uri" || got == "invalid_request"), "%s", a)
	}
	page(ctx, t, &c, "alone", url.Values{"client_id": {app.ID}, "request_uri": {"https://evil.example/request.jwt"}})
	return c.Err()
}
