package smart

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func answers() []kit.Row {
	return []kit.Row{
		{ID: "SMART AZ-15", Title: "a code is bound to client, redirect URI and challenge", Needs: kit.Login | kit.Symmetric, Run: azCodeBound},
		{ID: "SMART AZ-15b", Title: "a code is dead after 65 seconds", Needs: kit.Login | kit.Clock, Run: azCodeLate},
		{ID: "SMART AZ-16", Title: "a code used twice is refused and its tokens end", Needs: kit.Login | kit.Symmetric, Run: azReplay},
		{ID: "SMART AZ-16b", Title: "of 50 parallel redemptions one succeeds, and then the others end its grant", Needs: kit.Login, Run: azParallel},
		{ID: "SMART AZ-18", Title: "nothing ticked never means everything granted", Needs: kit.Login, Run: azNothing},
		{ID: "SMART AZ-19", Title: "pages refuse framing, forged posts are refused, redirects are 303 or 302", Needs: kit.Login, Run: azPages},
		{ID: "SMART AZ-21", Title: "a consent answer fits only the request that was shown", Needs: kit.Login, Run: azTamper},
		{ID: "SMART AZ-22", Title: "the screen is shown again when scopes grow", Needs: kit.Login, Run: azAgain},
		{ID: "SMART CTX-20", Title: "the posted patient must be one that was offered", Needs: kit.Login | kit.Proxies, Run: azForeignPatient},
	}
}

func azCodeBound(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	public, symmetric := t.Client("public"), t.Client("symmetric")
	launch := kit.Launch{Client: public, Scope: plainScope, Visit: visit(t)}
	for what, try := range map[string]func(*kit.Grant) (*kit.Response, error){
		"another client": func(g *kit.Grant) (*kit.Response, error) {
			return t.Call(ctx, t.Config.Token, symmetric, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
		},
		"another redirect URI": func(g *kit.Grant) (*kit.Response, error) {
			return t.Call(ctx, t.Config.Token, public, kit.CodeForm(g.Code, g.Redirect+"x", g.Verifier))
		},
		"another verifier": func(g *kit.Grant) (*kit.Response, error) {
			return t.Call(ctx, t.Config.Token, public, kit.CodeForm(g.Code, g.Redirect, t.NewVerifier()))
		},
	} {
		g, err := t.Code(ctx, launch)
		if !c.Note(err) {
			continue
		}
		res, err := try(g)
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "%s: %s", what, res)
		}
	}
	return c.Err()
}

func azReplay(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "the second use: %s", res)
	}
	res, err = t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "the first access token lives on: %s", res)
	}
	res, err = t.Refresh(ctx, client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "the first refresh token lives on: %s", res)
	}
	return c.Err()
}

func azParallel(ctx context.Context, t *kit.Target) error {
	client := t.Client("public")
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	answers := make([]string, 50)
	tokens := make([]string, len(answers))
	for i := range answers {
		wg.Go(func() {
			res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
			if err != nil {
				answers[i] = err.Error()
				return
			}
			answers[i], tokens[i] = fmt.Sprintf("%d %s", res.Status, res.Text("error")), res.Text("access_token")
		})
	}
	wg.Wait()
	var c kit.Check
	won := 0
	for i, a := range answers {
		if strings.HasPrefix(a, "200") {
			won++
			res, err := t.FHIR(ctx, tokens[i], "Patient/"+t.Person(t.Patient()).Patients[0])
			if c.Note(err) {
				c.That(res.Status == http.StatusUnauthorized, "after the race the winner's token lives on: %s", res)
			}
		} else {
			c.That(a == "400 invalid_grant", "a loser got %q", a)
		}
	}
	c.That(won == 1, "%d redemptions succeeded", won)
	return c.Err()
}

// untickAll clears every box.
func untickAll(f *kit.Form) {
	for _, field := range f.Fields {
		if field.Type == "checkbox" {
			field.Checked = false
		}
	}
}

func azNothing(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	v := visit(t)
	v.Consent = untickAll
	a, err := t.Authorize(ctx, req, v)
	var c kit.Check
	if a == nil {
		return err
	}
	// Being asked again is fine; a code for nothing ticked is not.
	c.That(a.Code() == "", "a code was given although nothing was ticked")
	c.That(a.ConsentPage != nil, "no consent page was shown")
	return c.Err()
}

func azPages(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	b := t.NewBrowser(t.Person(t.Patient()))
	a, err := t.Authorize(ctx, req, kit.Visit{Browser: b})
	if err != nil {
		return err
	}
	var c kit.Check
	pages := 0
	for _, r := range a.Trail() {
		if r.Status >= 300 && r.Status < 400 {
			c.That(r.Status == http.StatusSeeOther || r.Status == http.StatusFound, "%s", r)
		}
		if r.Media() != "text/html" || r.Status != http.StatusOK {
			continue
		}
		pages++
		c.That(strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || strings.EqualFold(r.Header.Get("X-Frame-Options"), "DENY"), "%s may be framed", r)
		c.That(strings.Contains(r.Header.Get("Cache-Control"), "no-store"), "%s may be stored", r)
		c.That(r.Header.Get("Access-Control-Allow-Origin") == "", "%s sends CORS headers", r)
	}
	c.That(pages >= 2, "only %d pages were shown", pages)
	if f := a.ConsentPage; c.That(f != nil, "no consent page") {
		forgedPosts(ctx, t, &c, f.ConsentForm())
	}
	return c.Err()
}

// forgedPosts sends a consent form without its token, from another site and
// from another browser.
func forgedPosts(ctx context.Context, t *kit.Target, c *kit.Check, f *kit.Form) {
	values := f.Values(f.Button("allow"))
	stranger := t.NewBrowser(t.Person(t.Patient()))
	u, err := url.Parse(f.Action)
	if !c.Note(err) {
		return
	}
	for what, header := range map[string]http.Header{
		"another browser": {"Origin": {u.Scheme + "://" + u.Host}, "Sec-Fetch-Site": {"same-origin"}},
		"another site":    {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
	} {
		res, err := stranger.Raw(ctx, kit.Request{URL: f.Action, Form: values, Header: header})
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "a post from %s: %s", what, res)
		}
	}
}

func azTamper(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b := t.NewBrowser(t.Person(t.Patient()))
	app := t.Client("public").RedirectURIs[0]
	narrow, wide := t.NewVerifier(), t.NewVerifier()
	small := t.AuthorizeRequest(t.Client("public"), "launch/patient patient/Patient.rs", narrow)
	large := t.AuthorizeRequest(t.Client("public"), plainScope, wide)
	first, err := pageOf(ctx, t, b, small, "")
	if err != nil {
		return err
	}
	second, err := pageOf(ctx, t, b, large, "")
	if err != nil {
		return err
	}
	// The answer of the small request, with a field of the large one, sent to
	// the large one.
	swapped := *second.ConsentForm()
	values := first.ConsentForm().Values(first.ConsentForm().Button("allow"))
	p, err := b.Post(ctx, &swapped, values, app)
	if c.Note(err) {
		c.That(p.Back == nil || p.Back.Query().Get("code") == "", "an answer to another request was taken")
	}
	// A field that was not offered must not widen the grant.
	f := *first.ConsentForm()
	values = f.Values(f.Button("allow"))
	for _, extra := range []string{"kind.Observation", "kind.rest", "act.any", "keep"} {
		values.Set(extra, "on")
	}
	p, err = b.Post(ctx, &f, values, app)
	if !c.Note(err) || p.Back == nil || p.Back.Query().Get("code") == "" {
		return c.Err()
	}
	res, err := t.Call(ctx, t.Config.Token, t.Client("public"), kit.CodeForm(p.Back.Query().Get("code"), app, narrow))
	if c.Note(err) {
		c.That(!strings.Contains(res.Text("scope"), "Observation") && !strings.Contains(res.Text("scope"), "*") && res.Text("refresh_token") == "",
			"fields that were not offered widened the grant to %q", res.Text("scope"))
	}
	return c.Err()
}

func azAgain(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b := t.Browser(t.Patient())
	for _, scope := range []string{"launch/patient patient/Patient.rs", plainScope} {
		a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), scope, t.NewVerifier()), kit.Visit{Browser: b})
		if c.Note(err) {
			c.That(a.ConsentPage != nil, "no screen for %q", scope)
		}
	}
	return c.Err()
}

func azForeignPatient(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	v := kit.Visit{Person: "elena", Patient: "rosa"}
	a, err := t.Authorize(ctx, req, v)
	if err != nil {
		return err
	}
	if a.PatientPage == nil {
		return fmt.Errorf("no choice of patient was shown to a proxy of several patients")
	}
	req, _ = request(t)
	b := t.Browser("elena")
	var c kit.Check
	for _, forged := range []string{"noah", "Patient/noah", "rosa", a.PatientPage.FormWith("patient").Field("patient").Value} {
		page, err := b.Open(ctx, t.Config.Authorize+"?"+req.Encode(), req.Get("redirect_uri"))
		if !c.Note(err) {
			continue
		}
		f := page.FormWith("patient")
		if !c.That(f != nil, "no choice of patient: %s", page.Response) {
			continue
		}
		values := f.Values(f.Button("choose"))
		values.Set("patient", forged)
		p, err := b.Post(ctx, f, values, req.Get("redirect_uri"))
		if c.Note(err) {
			c.That(p.Back == nil && p.ConsentForm() == nil && p.Status >= 400 && p.Status < 500, "the patient %q was taken: %s", short(forged), p.Response)
		}
	}
	return c.Err()
}

func short(s string) string {
	if len(s) > 24 {
		return s[:24] + "…"
	}
	return s
}

// azCodeLate waits, by the server's clock, longer than a code may live.
func azCodeLate(ctx context.Context, t *kit.Target) error {
	client := t.Client("public")
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	if err := t.Advance(ctx, 65*time.Second); err != nil {
		return err
	}
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
	if err != nil {
		return err
	}
	if res.Status != http.StatusBadRequest || res.Text("error") != "invalid_grant" {
		return fmt.Errorf("after 65 s: %s", res)
	}
	return nil
}
