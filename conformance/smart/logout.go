package smart

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func logout() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE SE-17b", Title: "an app with its id_token signs the person out and gets the browser back with its state", Needs: kit.Login, Run: logoutByApp},
		{ID: "MANDATE SE-17c", Title: "without a good id_token nobody is signed out unasked, and no browser goes where it is not registered", Needs: kit.Login, Run: logoutRefused},
	}
}

// leaver is a person signed in through an app that may sign people out.
type leaver struct {
	t       *kit.Target
	b       *kit.Browser
	end     string
	client  kit.Client
	idToken string
}

func newLeaver(ctx context.Context, t *kit.Target) (*leaver, error) {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Issuer + "/.well-known/openid-configuration"})
	if err != nil {
		return nil, err
	}
	l := &leaver{t: t, end: res.Text("end_session_endpoint"), b: t.NewBrowser(t.Person(t.Patient()))}
	if l.end == "" {
		return nil, kit.Unmet{Why: "the server has no end_session_endpoint"}
	}
	for _, c := range t.Clients {
		if c.Kind == "public" && len(c.PostLogoutRedirectURIs) > 0 {
			l.client = c
		}
	}
	if l.client.ID == "" {
		return nil, kit.Unmet{Why: "no app has registered post_logout_redirect_uris"}
	}
	g, err := t.Launch(ctx, kit.Launch{Client: l.client, Scope: "openid fhirUser launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: l.b}})
	if err != nil {
		return nil, err
	}
	if l.idToken = g.Text("id_token"); l.idToken == "" {
		return nil, fmt.Errorf("no id_token: %s", g.Response)
	}
	return l, nil
}

// ask sends the browser to the endpoint and follows nothing.
func (l *leaver) ask(ctx context.Context, v url.Values) (*kit.Response, error) {
	return l.b.Raw(ctx, kit.Request{URL: l.end + "?" + v.Encode(), Header: http.Header{"Accept": {"text/html"}}})
}

// in reports whether the person is still signed in.
func (l *leaver) in(ctx context.Context) (bool, error) {
	res, err := l.b.Raw(ctx, kit.Request{URL: l.t.Config.Management, Header: http.Header{"Accept": {"text/html"}}})
	if err != nil {
		return false, err
	}
	return res.Status == http.StatusOK, nil
}

func (l *leaver) want(ctx context.Context, c *kit.Check, signedIn bool, when string) {
	in, err := l.in(ctx)
	if c.Note(err) {
		c.That(in == signedIn, "signed in: %t, %s", in, when)
	}
}

func logoutByApp(ctx context.Context, t *kit.Target) error {
	l, err := newLeaver(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	l.want(ctx, &c, true, "before")
	back := l.client.PostLogoutRedirectURIs[0]
	res, err := l.ask(ctx, url.Values{"id_token_hint": {l.idToken}, "post_logout_redirect_uri": {back}, "state": {"a&b=c"}})
	if !c.Note(err) {
		return c.Err()
	}
	to, err := url.Parse(res.Header.Get("Location"))
	home := err == nil && strings.HasPrefix(to.String(), back) && to.Query().Get("state") == "a&b=c"
	c.That(home && res.Status == http.StatusSeeOther, "%s: the browser does not go back with the state", res)
	l.want(ctx, &c, false, "after the log-out")
	return c.Err()
}

func logoutRefused(ctx context.Context, t *kit.Target) error {
	l, err := newLeaver(ctx, t)
	if err != nil {
		return err
	}
	back := l.client.PostLogoutRedirectURIs[0]
	parts := strings.Split(l.idToken, ".")
	forged := strings.Join([]string{parts[0], parts[1], strings.Repeat("A", len(parts[len(parts)-1]))}, ".")
	var c kit.Check
	for what, v := range map[string]url.Values{
		"an address that is not registered": {"id_token_hint": {l.idToken}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"a longer address":                  {"id_token_hint": {l.idToken}, "post_logout_redirect_uri": {back + "x"}},
		"a forged id_token":                 {"id_token_hint": {forged}, "post_logout_redirect_uri": {back}},
		"another client_id":                 {"id_token_hint": {l.idToken}, "client_id": {"somebody"}, "post_logout_redirect_uri": {back}},
		"an address of nobody":              {"post_logout_redirect_uri": {back}},
		"a repeated parameter":              {"id_token_hint": {l.idToken, l.idToken}},
	} {
		res, err := l.ask(ctx, v)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Header.Get("Location") == "", "%s: %s", what, res)
		}
	}
	for _, v := range []url.Values{{}, {"client_id": {l.client.ID}, "post_logout_redirect_uri": {back}}} {
		res, err := l.ask(ctx, v)
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s: nobody is asked", res)
		}
	}
	l.want(ctx, &c, true, "though nobody said yes")
	page, err := l.b.Open(ctx, l.end+"?"+url.Values{"client_id": {l.client.ID}, "post_logout_redirect_uri": {back}, "state": {"s"}}.Encode(), back)
	if !c.Note(err) {
		return c.Err()
	}
	for _, f := range page.Forms {
		if f.Field("post_logout_redirect_uri") == nil {
			continue
		}
		gone, err := l.b.Submit(ctx, f, &f.Buttons[0], back)
		if c.Note(err) {
			c.That(gone.Back != nil && gone.Back.Query().Get("state") == "s", "%s: the browser does not go back after yes", gone.Response)
		}
		l.want(ctx, &c, false, "after yes")
		return c.Err()
	}
	c.That(false, "the page has no form to say yes")
	return c.Err()
}
