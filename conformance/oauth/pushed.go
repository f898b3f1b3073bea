package oauth

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func pushed() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE PAR-01", Title: "a pushed request leads to a token, and nothing beside its request_uri counts", Needs: kit.Login | kit.Pushing, Run: parWorks},
		{ID: "MANDATE PAR-02", Title: "a request_uri serves once, its own client only, and never leads away", Needs: kit.Login | kit.Pushing, Run: parOnce},
		{ID: "MANDATE PAR-03", Title: "a request is judged when it is pushed, and its client authenticates", Needs: kit.Login | kit.Symmetric | kit.Pushing, Run: parJudged},
		{ID: "MANDATE PAR-04", Title: "a client that must push gets no code for a request that was not pushed", Needs: kit.Login | kit.Pushes | kit.Pushing, Run: parRequired},
		{ID: "MANDATE PAR-07", Title: "a client that is registered for one algorithm proves itself with no other", Needs: kit.Login | kit.Pushes | kit.Pushing, Run: parPinned},
		{ID: "MANDATE PAR-05", Title: "an EHR launch works when pushed, and its handle is good until the browser comes", Needs: kit.Login | kit.Launcher | kit.Pushing, Run: parLaunch},
		{ID: "MANDATE PAR-06", Title: "a request_uri ends as soon as it said it would", Needs: kit.Login | kit.Clock | kit.Pushing, Run: parExpires},
	}
}

const parScope = "launch/patient openid fhirUser patient/Patient.rs"

func parRequest(t *kit.Target, c kit.Client) url.Values {
	return t.AuthorizeRequest(c, parScope, t.NewVerifier())
}

func parWorks(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("public")
	g, err := t.LaunchPushed(ctx, kit.Launch{Client: app, Scope: parScope, Visit: kit.Visit{Person: t.Patient()}})
	if c.Note(err) {
		c.That(g.Patient() != "", "no patient in context: %s", g)
	}
	req := parRequest(t, app)
	short, err := t.Pushed(ctx, app, req)
	if !c.Note(err) {
		return c.Err()
	}
	bent := maps.Clone(short)
	bent.Set("state", "another")
	bent.Set("scope", "openid")
	bent.Set("redirect_uri", "https://evil.example/callback")
	a, err := t.Authorize(ctx, bent, kit.Visit{Person: t.Patient(), App: app.RedirectURIs[0]})
	if c.Note(err) {
		c.That(a.Code() != "" && a.Query.Get("state") == req.Get("state"), "with other parameters beside it: %s", a)
	}
	return c.Err()
}

// page sends what must end on a page at once and lead nowhere.
func page(ctx context.Context, t *kit.Target, c *kit.Check, what string, req url.Values) {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Authorize + "?" + req.Encode()})
	if c.Note(err) {
		c.That(res.Status >= 400 && res.Status < 500 && res.Header.Get("Location") == "", "%s: %d, Location %q", what, res.Status, res.Header.Get("Location"))
	}
}

func parOnce(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("public")
	short, err := t.Pushed(ctx, app, parRequest(t, app))
	if err != nil {
		return err
	}
	foreign := maps.Clone(short)
	for _, other := range t.Clients {
		if other.ID != app.ID && len(other.RedirectURIs) > 0 {
			foreign.Set("client_id", other.ID)
			page(ctx, t, &c, "another client", foreign)
			break
		}
	}
	guessed := maps.Clone(short)
	guessed.Set("request_uri", short.Get("request_uri")+"x")
	page(ctx, t, &c, "an unknown request_uri", guessed)
	twice := maps.Clone(short)
	twice["request_uri"] = append(twice["request_uri"], twice.Get("request_uri"))
	page(ctx, t, &c, "two request_uri", twice)
	a, err := t.Authorize(ctx, short, kit.Visit{Person: t.Patient(), App: app.RedirectURIs[0]})
	if c.Note(err) {
		c.That(a.Code() != "", "after three bad tries: %s", a)
	}
	page(ctx, t, &c, "a second time", short)
	return c.Err()
}

func parJudged(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app, guarded := t.Client("public"), t.Client("symmetric")
	refused := func(what string, status int, code string, r kit.Request) {
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That(res.Status == status && res.Text("error") == code && res.Header.Get("Location") == "", "%s: %s", what, res)
		}
	}
	bent := func(change func(url.Values)) kit.Request {
		form := parRequest(t, app)
		change(form)
		return kit.Request{URL: t.Config.Push, Form: form}
	}
	const bad = http.StatusBadRequest
	for what, change := range map[string]func(url.Values){
		"a foreign aud":                  func(v url.Values) { v.Set("aud", "https://evil.example/fhir") },
		"an unregistered redirect URI":   func(v url.Values) { v.Set("redirect_uri", "https://evil.example/callback") },
		"no redirect URI":                func(v url.Values) { v.Del("redirect_uri") },
		"plain PKCE":                     func(v url.Values) { v.Set("code_challenge_method", "plain") },
		"no state":                       func(v url.Values) { v.Del("state") },
		"a launch handle that is no one": func(v url.Values) { v.Set("launch", t.Random()); v.Set("scope", "launch "+parScope) },
		"a request_uri":                  func(v url.Values) { v.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") },
		"a repeated parameter":           func(v url.Values) { v.Add("scope", "openid") },
	} {
		refused(what, bad, "invalid_request", bent(change))
	}
	refused("a token instead of a code", bad, "unsupported_response_type", bent(func(v url.Values) { v.Set("response_type", "token") }))
	refused("a scope that is none", bad, "invalid_scope", bent(func(v url.Values) { v.Set("scope", "\"") }))
	refused("a client that does not prove itself", http.StatusUnauthorized, "invalid_client", kit.Request{URL: t.Config.Push, Form: parRequest(t, guarded)})
	refused("a wrong secret", http.StatusUnauthorized, "invalid_client", kit.Request{URL: t.Config.Push, Form: parRequest(t, guarded), Basic: &[2]string{guarded.ID, t.Random()}})
	refused("parameters in the address", bad, "invalid_request", kit.Request{URL: t.Config.Push + "?prompt=login", Form: parRequest(t, app)})
	res, err := t.Push(ctx, guarded, parRequest(t, guarded))
	if c.Note(err) {
		life, _ := res.JSON()["expires_in"].(float64)
		c.That(res.Status == http.StatusCreated && life >= 5 && life <= 600, "a good one: %s", res)
		c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "the answer may be cached: %q", res.Header.Get("Cache-Control"))
	}
	return c.Err()
}

func parRequired(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.PushClient()
	a, err := t.Authorize(ctx, parRequest(t, app), kit.Visit{Person: t.Patient()})
	if c.Note(err) {
		c.That(a.Code() == "" && (a.Query == nil || a.Query.Get("error") == "invalid_request"), "a request in the address: %s", a)
	}
	_, err = t.LaunchPushed(ctx, kit.Launch{Client: app, Scope: parScope, Visit: kit.Visit{Person: t.Patient()}})
	c.Note(err)
	return c.Err()
}

func parLaunch(ctx context.Context, t *kit.Target) error {
	app := t.Client("public")
	res, err := t.RegisterLaunch(ctx, map[string]any{"client_id": app.ID, "patient": t.Person(t.Patient()).Patients[0]})
	if err != nil {
		return err
	}
	handle := res.Text("launch")
	var c kit.Check
	c.That(handle != "", "no launch handle: %s", res)
	again := parRequest(t, app)
	again.Set("launch", handle)
	again.Set("scope", "launch "+parScope)
	short, err := t.Pushed(ctx, app, again)
	c.Note(err)
	g, err := t.LaunchPushed(ctx, kit.Launch{Client: app, Scope: "launch " + parScope, Handle: handle, Visit: kit.Visit{Person: t.Patient()}})
	if c.Note(err) {
		c.That(g.Patient() == t.Person(t.Patient()).Patients[0], "the patient in context is %q", g.Patient())
	}
	a, err := t.Authorize(ctx, short, kit.Visit{Person: t.Patient(), App: app.RedirectURIs[0]})
	if c.Note(err) {
		c.That(a.Code() == "", "the handle served twice: %s", a)
	}
	return c.Err()
}

func parExpires(ctx context.Context, t *kit.Target) error {
	app := t.Client("public")
	res, err := t.Push(ctx, app, parRequest(t, app))
	if err != nil {
		return err
	}
	life, _ := res.JSON()["expires_in"].(float64)
	if err := t.Advance(ctx, time.Duration(life)*time.Second); err != nil {
		return err
	}
	var c kit.Check
	page(ctx, t, &c, "after its end", url.Values{"client_id": {app.ID}, "request_uri": {res.Text("request_uri")}})
	return c.Err()
}

func parPinned(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.PushClient()
	if app.AuthAlg != "ES256" {
		return kit.Unmet{Why: "a client that is registered for ES256 alone"}
	}
	for alg, status := range map[string]int{"ES256": http.StatusCreated, "ES384": http.StatusUnauthorized} {
		signed, err := app.Sign(t.NewAssertion(app, alg))
		if !c.Note(err) {
			continue
		}
		form := parRequest(t, app)
		form.Set("client_assertion_type", kit.AssertionType)
		form.Set("client_assertion", signed)
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Push, Form: form})
		if c.Note(err) {
			c.That(res.Status == status, "%s: %s", alg, res)
		}
	}
	return c.Err()
}
