package consent

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func pages() []kit.Row {
	needs := kit.Login
	return []kit.Row{
		{ID: "MANDATE 6a", Title: "staff and proxies never sign in with a password alone", Needs: needs | kit.Proxies, Run: secondFactor},
		{ID: "MANDATE 6b", Title: "a wrong password and an unknown account get the same answer", Needs: needs, Run: sameRefusal},
		{ID: "MANDATE SE-12", Title: "cookies are HttpOnly with SameSite, and Secure over HTTPS", Needs: needs, Run: cookies},
		{ID: "MANDATE SE-13", Title: "the session id changes at log-in", Needs: needs, Run: newSession},
		{ID: "MANDATE SE-17", Title: "after log-out the session is dead", Needs: needs, Run: loggedOut},
		{ID: "MANDATE 7d", Title: "pages come in English and Spanish", Also: []string{"BP-02", "SCP-30"}, Needs: needs, Run: languages},
		{ID: "MANDATE 7c", Title: "the help page answers anybody and names a telephone", Needs: needs, Run: help},
		{ID: "MANDATE XSS", Title: "nothing of a request is reflected raw", Needs: needs, Run: reflection},
		{ID: "MANDATE 10a", Title: "the patient sees who looked", Needs: needs, Run: activity},
		{ID: "SMART BP-04", Title: "connected apps are listed for the person who allowed them", Needs: needs, Run: connected},
		{ID: "MANDATE SC-20", Title: "a patient sees the app that a proxy allowed", Needs: needs | kit.Proxies, Run: proxyApp},
	}
}

func secondFactor(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, person := range []string{"elena", "hale"} {
		b := t.NewBrowser(t.Person(person))
		p, err := b.Open(ctx, t.Config.Management, "")
		if !c.Note(err) {
			continue
		}
		f := p.FormWith("password")
		if !c.That(f != nil, "no sign-in page: %s", p.Response) {
			continue
		}
		f.Set("username", b.Person.Username)
		f.Set("password", b.Person.Password)
		p, err = b.Submit(ctx, f, nil, "")
		if c.Note(err) {
			c.That(p.FormWith("code") != nil, "%s gets no second step: %s", person, p.Response)
		}
		p, err = b.Open(ctx, t.Config.Management, "")
		if c.Note(err) {
			c.That(p.FormWith("password") != nil || p.FormWith("code") != nil, "%s is signed in after the first step: %s", person, p.Response)
		}
	}
	return c.Err()
}

func sameRefusal(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var texts []string
	for _, username := range []string{t.Patient(), "nobody-" + t.Random()[:8]} {
		b := t.NewBrowser(kit.Person{Username: username})
		p, err := b.Open(ctx, t.Config.Management, "")
		if !c.Note(err) {
			continue
		}
		f := p.FormWith("password")
		if !c.That(f != nil, "no sign-in page: %s", p.Response) {
			continue
		}
		f.Set("username", username)
		f.Set("password", "wrong-password-of-the-row")
		p, err = b.Submit(ctx, f, nil, "")
		if c.Note(err) {
			c.That(p.Status == http.StatusUnauthorized, "%s", p.Response)
			texts = append(texts, strings.ReplaceAll(p.Text(), username, "NAME"))
		}
	}
	c.That(len(texts) == 2 && texts[0] == texts[1], "the two pages differ")
	return c.Err()
}

// cookiesOf gives every cookie that a sign-in sets.
func cookiesOf(ctx context.Context, t *kit.Target) ([]*http.Cookie, error) {
	b := t.NewBrowser(t.Person(t.Patient()))
	a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), chartScope, t.NewVerifier()), kit.Visit{Browser: b})
	if err != nil {
		return nil, err
	}
	var out []*http.Cookie
	for _, r := range a.Trail() {
		answer := http.Response{Header: r.Header}
		out = append(out, answer.Cookies()...)
	}
	return out, nil
}

func cookies(ctx context.Context, t *kit.Target) error {
	all, err := cookiesOf(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	secure := strings.HasPrefix(t.FHIRBase, "https:")
	for _, k := range all {
		if strings.HasSuffix(k.Name, "_lang") {
			continue // a preference, no secret
		}
		c.That(k.HttpOnly, "%s is open to scripts", k.Name)
		c.That(k.SameSite == http.SameSiteLaxMode || k.SameSite == http.SameSiteStrictMode, "%s has no SameSite", k.Name)
		c.That(k.Domain == "", "%s has a Domain", k.Name)
		c.That(!secure || k.Secure && strings.HasPrefix(k.Name, "__Host-"), "%s is not bound to HTTPS", k.Name)
	}
	c.That(len(all) > 0, "no cookie was set")
	return c.Err()
}

func newSession(ctx context.Context, t *kit.Target) error {
	all, err := cookiesOf(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	found := false
	for _, k := range all {
		if !strings.Contains(k.Name, "session") {
			continue
		}
		found = true
		planted := strings.Repeat("A", len(k.Value))
		b := t.NewBrowser(t.Person(t.Patient()))
		c.Note(b.Plant(t.Issuer, k.Name, planted))
		p, err := b.SignIn(ctx, t.Config.Management)
		if c.Note(err) {
			c.That(p.Status == http.StatusOK, "%s", p.Response)
			c.That(!strings.Contains(b.Cookies(t.Issuer), planted), "a session id from before the log-in was adopted")
		}
	}
	c.That(found, "no cookie has session in its name")
	return c.Err()
}

func loggedOut(ctx context.Context, t *kit.Target) error {
	b := t.NewBrowser(t.Person(t.Patient()))
	p, err := b.SignIn(ctx, t.Config.Management)
	if err != nil {
		return err
	}
	kept := b.Cookies(t.Issuer)
	if err := b.SignOut(ctx, t.Console, t.Config.Management); err != nil {
		return err
	}
	var c kit.Check
	c.That(p.Status == http.StatusOK, "%s", p.Response)
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Management, Header: http.Header{"Cookie": {kept}, "Accept": {"text/html"}}})
	if c.Note(err) {
		c.That(res.Status != http.StatusOK, "the cookie of the ended session still opens the page")
	}
	return c.Err()
}

func languages(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, lang := range []string{"en", "es", "ar"} {
		res, err := t.Do(ctx, kit.Request{URL: t.Issuer + "/help", Header: http.Header{"Accept-Language": {lang}}})
		if c.Note(err) {
			c.That(strings.Contains(string(res.Body), `<html lang="`+lang+`"`), "%s: the page is not in that language", lang)
		}
	}
	return c.Err()
}

func help(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.Issuer + "/help"})
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK || !strings.Contains(string(res.Body), `href="tel:`) {
		return fmt.Errorf("%s, with a telephone: %v", res, strings.Contains(string(res.Body), "tel:"))
	}
	return nil
}

func reflection(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "aud", "launch", "response_type"} {
		req := t.AuthorizeRequest(t.Client("public"), chartScope, t.NewVerifier())
		req.Set(name, attack)
		if name != "client_id" && name != "redirect_uri" {
			req.Set("client_id", "nobody")
		}
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Authorize + "?" + req.Encode()})
		if c.Note(err) {
			c.That(!strings.Contains(string(res.Body), "<script>alert") && !strings.Contains(string(res.Body), "<img src=x"), "%s is reflected raw", name)
		}
	}
	for _, path := range []string{
		"/signin?next=" + url.QueryEscape(attack), "/signin?next=https://evil.example/",
		"/signin?flow=" + url.QueryEscape(attack), "/" + url.PathEscape(attack),
	} {
		res, err := t.Do(ctx, kit.Request{URL: t.Issuer + path, Header: http.Header{"Accept": {"text/html"}}})
		if c.Note(err) {
			c.That(!strings.Contains(string(res.Body), "<script>alert"), "%s is reflected raw", path)
			c.That(!strings.HasPrefix(res.Header.Get("Location"), "https://evil"), "%s redirects away", path)
		}
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: url.Values{"grant_type": {attack}, "client_id": {attack}}})
	if c.Note(err) {
		c.That(!strings.Contains(string(res.Body), "<script>"), "the token endpoint reflects raw")
	}
	return c.Err()
}

// link finds a link on a page whose path ends so.
func link(p *kit.Page, ending string) string {
	base, err := url.Parse(p.URL)
	if err != nil {
		return ""
	}
	for _, l := range kit.Links(p.Body, base) {
		if u, err := url.Parse(l); err == nil && strings.HasSuffix(u.Path, ending) {
			return l
		}
	}
	return ""
}

func activity(ctx context.Context, t *kit.Target) error {
	g, err := launchWith(ctx, t, chartScope, nil)
	if err != nil {
		return err
	}
	if _, err := t.FHIR(ctx, g.Access(), "Observation?_count=1&patient="+g.Patient()); err != nil {
		return err
	}
	b := t.Browser(t.Patient())
	p, err := b.SignIn(ctx, t.Config.Management)
	if err != nil {
		return err
	}
	to := link(p, "/activity")
	if to == "" {
		return fmt.Errorf("the page of connected apps leads to no record of who looked")
	}
	if p, err = b.Open(ctx, to, ""); err != nil {
		return err
	}
	var c kit.Check
	c.That(p.Status == http.StatusOK, "%s", p.Response)
	if t.Has()&kit.Proxies != 0 {
		c.That(strings.Contains(p.Text(), "Heart Diary"), "the page does not name the app that looked")
	}
	return c.Err()
}

func connected(ctx context.Context, t *kit.Target) error {
	if _, err := launchWith(ctx, t, chartScope, nil); err != nil {
		return err
	}
	p, err := t.Browser(t.Patient()).SignIn(ctx, t.Config.Management)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(p.Status == http.StatusOK, "%s", p.Response)
	c.That(link(p, "/end") != "", "no connection can be ended")
	other, err := t.NewBrowser(t.Person("joaquin")).SignIn(ctx, t.Config.Management)
	if c.Note(err) && link(p, "/end") != "" {
		stolen, err := t.Browser("joaquin").SignIn(ctx, t.Config.Management)
		c.Note(err)
		c.That(stolen == nil || link(stolen, "/end") != link(p, "/end"), "another person sees the same connection")
		c.That(other.Status == http.StatusOK, "%s", other.Response)
		foreign, err := t.Browser("joaquin").Open(ctx, link(p, "/end"), "")
		if c.Note(err) {
			c.That(foreign.Status == http.StatusNotFound || foreign.Status == http.StatusForbidden, "another person opens the connection: %s", foreign.Response)
		}
	}
	return c.Err()
}

func proxyApp(ctx context.Context, t *kit.Target) error {
	if _, err := elenaFor(ctx, t, "rosa"); err != nil {
		return err
	}
	p, err := t.Browser("rosa").SignIn(ctx, t.Config.Management)
	if err != nil {
		return err
	}
	if !strings.Contains(p.Text(), "Elena") {
		return fmt.Errorf("the page of connected apps does not tell that Elena allowed an app")
	}
	return nil
}
