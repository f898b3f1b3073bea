package smart

import (
	"context"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func authorize() []kit.Row {
	return []kit.Row{
		{ID: "SMART AZ-01", Title: "GET leads through log-in and consent to a code", Needs: kit.Login, Run: azMethod(false)},
		{ID: "SMART AZ-02", Title: "a cross-site POST does the same", Also: []string{"CAP-03"}, Needs: kit.Login, Run: azMethod(true)},
		{ID: "SMART AZ-03", Title: "each missing parameter gives an error and no code", Needs: kit.Login, Run: azMissing},
		{ID: "SMART AZ-04", Title: "the redirect URI is compared exactly", Also: []string{"VER-04"}, Needs: kit.Login, Run: azRedirect},
		{ID: "SMART AZ-05", Title: "a bad client or redirect URI is never redirected", Needs: kit.Login, Run: azNoRedirect},
		{ID: "SMART AZ-06", Title: "aud names the FHIR base, and so may resource", Needs: kit.Login, Run: azAud},
		{ID: "SMART AZ-07", Title: "a foreign aud never gives a code", Needs: kit.Login, Run: azForeignAud},
		{ID: "SMART AZ-08", Title: "aud is not compared by prefix, one trailing slash is borne", Needs: kit.Login, Run: azAudCompare},
		{ID: "SMART AZ-10", Title: "state comes back byte by byte on success and error", Needs: kit.Login, Run: azState},
		{ID: "SMART AZ-11", Title: "a missing state is invalid_request", Needs: kit.Login, Run: azNoState},
		{ID: "SMART AZ-12", Title: "denied means access_denied with state and no code", Also: []string{"AZ-01"}, Needs: kit.Login, Run: azDeny},
		{ID: "SMART AZ-13", Title: "another response_type is unsupported_response_type", Needs: kit.Login, Run: azResponseType},
		{ID: "SMART AZ-14", Title: "unknown parameters are ignored, repeated ones refused", Needs: kit.Login, Run: azRepeated},
		{ID: "SMART AZ-20", Title: "the answer names the issuer when metadata says so", Needs: kit.Login, Run: azIss},
	}
}

// request gives a valid request of the public client.
func request(t *kit.Target) (url.Values, string) {
	verifier := t.NewVerifier()
	return t.AuthorizeRequest(t.Client("public"), plainScope, verifier), verifier
}

// visit is the usual person going through with it.
func visit(t *kit.Target) kit.Visit { return kit.Visit{Person: t.Patient()} }

// refused sends a request that must not give a code. It must end with the
// error at the app, or, when page is true, may end with a page.
func refused(ctx context.Context, t *kit.Target, c *kit.Check, what string, req url.Values, page bool, errors ...string) {
	a, err := t.Authorize(ctx, req, visit(t))
	if !c.Note(err) {
		return
	}
	c.That(a.Code() == "", "%s: a code was given", what)
	if a.Query == nil {
		c.That(page && a.Last.Status >= 400 && a.Last.Status < 500, "%s: %s", what, a)
		return
	}
	got := a.Query.Get("error")
	ok := len(errors) == 0 && got != ""
	for _, e := range errors {
		ok = ok || got == e
	}
	c.That(ok, "%s: %s", what, a)
	c.That(a.Query.Get("state") == req.Get("state"), "%s: state is not echoed", what)
}

func azMethod(post bool) func(context.Context, *kit.Target) error {
	return func(ctx context.Context, t *kit.Target) error {
		req, _ := request(t)
		v := visit(t)
		v.Post = post
		a, err := t.Authorize(ctx, req, v)
		if err != nil {
			return err
		}
		var c kit.Check
		c.That(a.Code() != "", "%s", a)
		c.That(a.Query.Get("state") == req.Get("state"), "state is not echoed")
		return c.Err()
	}
}

func azMissing(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, name := range []string{"response_type", "scope", "aud", "code_challenge", "code_challenge_method", "state", "client_id", "redirect_uri"} {
		req, _ := request(t)
		req.Del(name)
		refused(ctx, t, &c, "without "+name, req, name == "client_id" || name == "redirect_uri")
	}
	return c.Err()
}

func azRedirect(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	good := t.Client("public").RedirectURIs[0]
	u, err := url.Parse(good)
	if err != nil {
		return err
	}
	for _, bad := range []string{
		good + "/", good + "x", good + "?a=b", good + "#f", strings.ToUpper(good), good + "/../evil",
		u.Scheme + "://evil.example" + u.Path, u.Scheme + "://sub." + u.Host + u.Path, u.Scheme + "://" + u.Host + "@evil.example" + u.Path,
		u.Scheme + "://" + u.Host + ".evil.example" + u.Path, u.Scheme + "://" + u.Hostname() + ":1" + u.Path, u.Scheme + "://user@" + u.Host + u.Path,
		"javascript:alert(1)", "//" + u.Host + u.Path,
	} {
		req, _ := request(t)
		req.Set("redirect_uri", bad)
		errorPage(ctx, t, &c, bad, req)
	}
	return c.Err()
}

// errorPage sends a request that must end on a page at once.
func errorPage(ctx context.Context, t *kit.Target, c *kit.Check, what string, req url.Values) {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Authorize + "?" + req.Encode()})
	if c.Note(err) {
		c.That(res.Status >= 400 && res.Status < 500 && res.Header.Get("Location") == "", "%s: %d, Location %q", what, res.Status, res.Header.Get("Location"))
	}
}

func azNoRedirect(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	req, _ := request(t)
	req.Set("client_id", "nobody-"+t.Random())
	errorPage(ctx, t, &c, "unknown client", req)
	req, _ = request(t)
	req.Set("redirect_uri", "https://evil.example/callback")
	errorPage(ctx, t, &c, "unregistered redirect URI", req)
	req, _ = request(t)
	req["redirect_uri"] = append(req["redirect_uri"], "https://evil.example/callback")
	errorPage(ctx, t, &c, "two redirect URIs", req)
	return c.Err()
}

func azAud(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, name := range []string{"aud", "resource"} {
		req, _ := request(t)
		req.Del("aud")
		req.Set(name, t.FHIRBase)
		a, err := t.Authorize(ctx, req, visit(t))
		if c.Note(err) {
			c.That(a.Code() != "", "%s=base: %s", name, a)
		}
	}
	return c.Err()
}

func azForeignAud(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, aud := range []string{"https://evil.example/fhir", t.Config.Token, strings.Replace(t.FHIRBase, "http", "ftp", 1)} {
		req, _ := request(t)
		req.Set("aud", aud)
		refused(ctx, t, &c, aud, req, true)
	}
	return c.Err()
}

func azAudCompare(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, aud := range []string{t.FHIRBase + "x", t.FHIRBase + ".evil.example", t.FHIRBase + "//", t.FHIRBase + "/Patient", ""} {
		req, _ := request(t)
		req.Set("aud", aud)
		refused(ctx, t, &c, "aud "+aud, req, true)
	}
	req, _ := request(t)
	req.Set("aud", t.FHIRBase+"/")
	a, err := t.Authorize(ctx, req, visit(t))
	if c.Note(err) {
		c.That(a.Code() != "", "one trailing slash: %s", a)
	}
	return c.Err()
}

func azState(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, state := range []string{"a+b %&=c/?#\"'<>é~", strings.Repeat("s", 200), "1"} {
		req, _ := request(t)
		req.Set("state", state)
		a, err := t.Authorize(ctx, req, visit(t))
		if c.Note(err) {
			c.That(a.Query.Get("state") == state && a.Code() != "", "success: %q came back as %q", state, a.Query.Get("state"))
		}
		req.Set("response_type", "token")
		refused(ctx, t, &c, "error", req, false, "unsupported_response_type")
	}
	return c.Err()
}

func azNoState(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	req, _ := request(t)
	req.Del("state")
	refused(ctx, t, &c, "without state", req, false, "invalid_request")
	return c.Err()
}

func azDeny(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	v := visit(t)
	v.Deny = true
	a, err := t.Authorize(ctx, req, v)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(a.Query.Get("error") == "access_denied" && a.Code() == "", "%s", a)
	c.That(a.Query.Get("state") == req.Get("state"), "state is not echoed")
	return c.Err()
}

func azResponseType(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, kind := range []string{"token", "code token", "id_token", "code id_token", "none"} {
		req, _ := request(t)
		req.Set("response_type", kind)
		refused(ctx, t, &c, kind, req, false, "unsupported_response_type")
	}
	return c.Err()
}

func azRepeated(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	req, _ := request(t)
	req.Set("foo", "1")
	a, err := t.Authorize(ctx, req, visit(t))
	if c.Note(err) {
		c.That(a.Code() != "", "an unknown parameter: %s", a)
	}
	for _, name := range []string{"scope", "aud", "code_challenge", "response_type"} {
		req, _ := request(t)
		req.Add(name, req.Get(name))
		refused(ctx, t, &c, "two of "+name, req, false, "invalid_request")
	}
	return c.Err()
}

func azIss(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	a, err := t.Authorize(ctx, req, visit(t))
	if err != nil {
		return err
	}
	var c kit.Check
	if t.Config.IssParameter {
		c.That(a.Query.Get("iss") == t.Config.Issuer, "iss is %q on success", a.Query.Get("iss"))
	}
	req.Set("response_type", "token")
	a, err = t.Authorize(ctx, req, visit(t))
	if c.Note(err) && t.Config.IssParameter {
		c.That(a.Query.Get("iss") == t.Config.Issuer, "iss is %q on error", a.Query.Get("iss"))
	}
	return c.Err()
}
