package smart

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func tokens() []kit.Row {
	return []kit.Row{
		{ID: "SMART TOK-01", Title: "the token endpoint takes POST forms only", Needs: kit.Symmetric, Run: tokPost},
		{ID: "SMART TOK-02", Title: "a confidential client leaves client_id out of the body", Needs: kit.Login | kit.Symmetric, Run: clientWorks("symmetric")},
		{ID: "SMART TOK-02b", Title: "a confidential client may repeat its client_id in the body", Needs: kit.Login | kit.Symmetric, Run: tokRepeatedID},
		{ID: "SMART TOK-03", Title: "another client_id, a missing or another redirect URI are refused", Needs: kit.Login | kit.Symmetric, Run: tokMismatch},
		{ID: "SMART TOK-05", Title: "access_token, token_type Bearer and scope are always there", Needs: kit.Login, Run: tokMembers},
		{ID: "SMART TOK-06", Title: "expires_in is a number and tells the real life", Also: []string{"INT-03"}, Needs: kit.Login | kit.Symmetric, Run: tokExpires},
		{ID: "SMART TOK-07", Title: "scope is stated even when all was granted", Needs: kit.Login, Run: tokScopeStated},
		{ID: "SMART TOK-08", Title: "a narrowed scope is reflected, by introspection too", Also: []string{"SCP-11"}, Needs: kit.Login | kit.Symmetric, Run: tokNarrowed},
		{ID: "SMART TOK-09", Title: "no-store and no-cache on tokens and on errors", Needs: kit.Login | kit.Backend, Run: tokNoStore},
		{ID: "SMART TOK-10", Title: "the context is at the top of the answer", Needs: kit.Login, Run: tokContext},
		{ID: "SMART TOK-11", Title: "an access token lives an hour at most", Needs: kit.Login, Run: tokLife},
		{ID: "SMART TOK-12", Title: "no token, a garbage one and an altered one are 401", Needs: kit.Login, Run: tokGarbage},
		{ID: "SMART TOK-12b", Title: "an expired token is 401", Needs: kit.Login | kit.Clock, Run: tokExpired},
		{ID: "SMART TOK-14", Title: "errors follow RFC 6749", Needs: kit.Login | kit.Symmetric, Run: tokErrors},
		{ID: "SMART TOK-16", Title: "pages with a code tell no referrer", Needs: kit.Login, Run: tokReferrer},
		{ID: "SMART CTX-18", Title: "no bare unknown members in the token answer", Needs: kit.Login, Run: tokUnknown},
	}
}

func standard(ctx context.Context, t *kit.Target, kind string) (*kit.Grant, error) {
	return t.Standard(ctx, kind, t.Patient(), plainScope)
}

func tokPost(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	query := form("grant_type", "authorization_code", "code", "x").Encode()
	basic := &[2]string{client.ID, client.Secret}
	for what, r := range map[string]kit.Request{
		"GET":                   {URL: t.Config.Token + "?" + query, Basic: basic},
		"parameters in the URL": {Method: http.MethodPost, URL: t.Config.Token + "?" + query, Basic: basic, Form: url.Values{}},
		"JSON":                  {Method: http.MethodPost, URL: t.Config.Token, Basic: basic, Type: "application/json", Body: strings.NewReader("{}")},
	} {
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func tokMismatch(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	for what, bend := range map[string]func(url.Values){
		"another client_id in the body": func(f url.Values) { f.Set("client_id", t.Client("public").ID) },
		"no redirect URI":               func(f url.Values) { f.Del("redirect_uri") },
		"another redirect URI":          func(f url.Values) { f.Set("redirect_uri", "https://evil.example/") },
	} {
		g, err := t.Code(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
		if !c.Note(err) {
			continue
		}
		f := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
		bend(f)
		res, err := t.Call(ctx, t.Config.Token, client, f)
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest || res.Status == http.StatusUnauthorized, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func tokRepeatedID(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	f := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	f.Set("client_id", client.ID)
	res, err := t.Call(ctx, t.Config.Token, client, f)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK, "%s", res)
	return c.Err()
}

func tokMembers(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Access() != "", "no access_token")
	c.That(strings.EqualFold(g.Text("token_type"), "Bearer"), "token_type is %v", g.JSON()["token_type"])
	c.That(g.Text("scope") != "", "no scope")
	c.That(g.Media() == "application/json", "the media type is %q", g.Media())
	return c.Err()
}

func tokExpires(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	life, number := g.JSON()["expires_in"].(float64)
	if !c.That(number && life > 0, "expires_in is %v", g.JSON()["expires_in"]) {
		return c.Err()
	}
	res, err := t.Introspect(ctx, client, g.Access())
	if c.Note(err) {
		exp, _ := res.JSON()["exp"].(float64)
		c.That(math.Abs(exp-float64(t.Now().Unix())-life) <= 5, "expires_in %.0f does not fit exp: %.0f seconds from now", life, exp-float64(t.Now().Unix()))
	}
	return c.Err()
}

func tokScopeStated(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, want := range strings.Fields("openid fhirUser launch/patient patient/Patient.rs") {
		c.That(slices.Contains(g.Scopes(), want), "%s was asked, allowed and is not in %q", want, g.Text("scope"))
	}
	return c.Err()
}

func tokNarrowed(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	v := visit(t)
	v.Consent = func(f *kit.Form) { f.Tick("kind.Observation", false) }
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: v})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(!strings.Contains(g.Text("scope"), "Observation"), "Observation was unticked, but scope is %q", g.Text("scope"))
	c.That(strings.Contains(g.Text("scope"), "patient/Condition.rs"), "Condition stayed ticked, but scope is %q", g.Text("scope"))
	res, err := t.Introspect(ctx, client, g.Access())
	if c.Note(err) {
		c.That(sameSet(strings.Fields(res.Text("scope")), g.Scopes()), "introspection says %q, the token answer %q", res.Text("scope"), g.Text("scope"))
	}
	return c.Err()
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func tokNoStore(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	check := func(what string, res *kit.Response) {
		c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "%s: Cache-Control is %q", what, res.Header.Get("Cache-Control"))
		c.That(strings.Contains(res.Header.Get("Pragma"), "no-cache"), "%s: Pragma is %q", what, res.Header.Get("Pragma"))
	}
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: plainScope, Visit: visit(t)})
	if !c.Note(err) {
		return c.Err()
	}
	check("code", g.Response)
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if c.Note(err) {
		check("refresh", res)
	}
	res, err = t.Refresh(ctx, g.Client, "garbage", "")
	if c.Note(err) {
		check("error", res)
	}
	res, err = t.ClientCredentials(ctx, t.Client("backend"), "system/Patient.rs")
	if c.Note(err) {
		check("client_credentials", res)
	}
	return c.Err()
}

func tokContext(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Patient() != "", "patient is not a member of the answer")
	return c.Err()
}

func tokLife(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	life, _ := g.JSON()["expires_in"].(float64)
	c.That(life > 0 && life <= 3600, "expires_in is %.0f", life)
	return c.Err()
}

func tokGarbage(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	at := len(g.Access()) - 5
	flipped := byte('A')
	if g.Access()[at] == 'A' {
		flipped = 'B'
	}
	altered := g.Access()[:at] + string(flipped) + g.Access()[at+1:]
	for what, token := range map[string]string{"none": "", "garbage": "garbage", "altered": altered, "a refresh token": g.RefreshToken(), "an id_token": g.Text("id_token")} {
		res, err := t.FHIR(ctx, token, "Patient/"+g.Patient())
		if c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized, "%s: %s", what, res)
			c.That(res.Text("resourceType") == "OperationOutcome", "%s: no OperationOutcome", what)
			c.That(strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer"), "%s: WWW-Authenticate is %q", what, res.Header.Get("WWW-Authenticate"))
		}
	}
	return c.Err()
}

func tokExpired(ctx context.Context, t *kit.Target) error {
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	if err := t.Advance(ctx, 61*60*1e9); err != nil {
		return err
	}
	var c kit.Check
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "%s", res)
	}
	return c.Err()
}

func tokErrors(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	basic := &[2]string{client.ID, client.Secret}
	for _, x := range []struct {
		what   string
		r      kit.Request
		status int
		code   string
	}{
		{"no grant_type", kit.Request{Form: url.Values{"code": {"x"}}, Basic: basic}, 400, "invalid_request"},
		{"unknown grant_type", kit.Request{Form: form("grant_type", "x"), Basic: basic}, 400, "unsupported_grant_type"},
		{"unknown code", kit.Request{Form: kit.CodeForm("x", client.RedirectURIs[0], t.NewVerifier()), Basic: basic}, 400, "invalid_grant"},
		{"unknown refresh token", kit.Request{Form: form("grant_type", "refresh_token", "refresh_token", "x"), Basic: basic}, 400, "invalid_grant"},
		{"wrong secret", kit.Request{Form: kit.CodeForm("x", client.RedirectURIs[0], t.NewVerifier()), Basic: &[2]string{client.ID, "wrong"}}, 401, "invalid_client"},
		{"unknown client", kit.Request{Form: kit.CodeForm("x", client.RedirectURIs[0], t.NewVerifier()), Basic: &[2]string{"nobody", "x"}}, 401, "invalid_client"},
		{"repeated parameter", kit.Request{Form: url.Values{"grant_type": {"refresh_token", "refresh_token"}, "refresh_token": {"x"}}, Basic: basic}, 400, "invalid_request"},
	} {
		x.r.URL = t.Config.Token
		res, err := t.Do(ctx, x.r)
		if !c.Note(err) {
			continue
		}
		c.That(res.Status == x.status && res.Text("error") == x.code, "%s: %s, expected %d %s", x.what, res, x.status, x.code)
		c.That(res.Media() == "application/json", "%s: %s", x.what, res.Media())
		if x.status == 401 {
			c.That(strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic"), "%s: WWW-Authenticate is %q", x.what, res.Header.Get("WWW-Authenticate"))
		}
	}
	return c.Err()
}

func tokReferrer(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	a, err := t.Authorize(ctx, req, visit(t))
	if err != nil {
		return err
	}
	var c kit.Check
	trail := a.Trail()
	last := trail[len(trail)-1]
	c.That(last.Header.Get("Referrer-Policy") == "no-referrer", "the redirect with the code has Referrer-Policy %q", last.Header.Get("Referrer-Policy"))
	c.That(strings.Contains(last.Header.Get("Cache-Control"), "no-store"), "the redirect with the code may be stored")
	return c.Err()
}

// answerMembers are those of a token answer.
var answerMembers = []string{
	"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token", "patient", "encounter", "fhirContext",
	"need_patient_banner", "intent", "smart_style_url", "tenant", "authorization_details",
}

func tokUnknown(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	for name := range g.JSON() {
		c.That(slices.Contains(answerMembers, name) || strings.HasPrefix(name, "__") || strings.Contains(name, ":"), "the answer has the member %q", name)
	}
	return c.Err()
}
