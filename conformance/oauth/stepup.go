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

func stepUp() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE STU-01", Title: "what needs a recent log-in is refused with a challenge, and works after one", Needs: kit.Login | kit.Clock | kit.StepsUp, Run: stepUpWorks},
		{ID: "MANDATE STU-02", Title: "max_age and prompt=login ask for a new log-in, and its time is told", Needs: kit.Login | kit.Symmetric | kit.Clock, Run: stepUpAsked},
	}
}

func stepUpWorks(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.StepUpClient()
	visit := kit.Visit{Person: t.Patient(), Browser: t.NewBrowser(t.Person(t.Patient()))}
	launch := kit.Launch{Client: app, Scope: "launch/patient patient/Patient.rs patient/Condition.rs", Visit: visit}
	g, err := t.Launch(ctx, launch)
	if err != nil {
		return err
	}
	read := func(g *kit.Grant, path string, want int) *kit.Response {
		res, err := t.FHIR(ctx, g.Access(), path)
		if !c.Note(err) {
			return &kit.Response{Header: http.Header{}}
		}
		c.That(res.Status == want, "%s", res)
		return res
	}
	read(g, "Patient/"+g.Patient(), http.StatusOK)
	if err := t.Advance(ctx, 6*time.Minute); err != nil {
		return err
	}
	head := read(g, "Patient/"+g.Patient(), http.StatusUnauthorized).Header.Get("WWW-Authenticate")
	for _, part := range []string{`Bearer `, `error="insufficient_user_authentication"`, `max_age="300"`} {
		c.That(strings.Contains(head, part), "the challenge lacks %s: %q", part, head)
	}
	read(g, "Condition?patient="+g.Patient(), http.StatusOK)
	req := t.AuthorizeRequest(app, launch.Scope, t.NewVerifier())
	req.Set("max_age", "300")
	a, err := t.Authorize(ctx, req, launch.Visit)
	if !c.Note(err) {
		return c.Err()
	}
	c.That(slices.Contains(a.Steps, "signin"), "nobody was asked to log in: %v", a.Steps)
	if again, err := t.Launch(ctx, launch); c.Note(err) {
		read(again, "Patient/"+again.Patient(), http.StatusOK)
	}
	return c.Err()
}

func stepUpAsked(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("symmetric")
	visit := kit.Visit{Person: t.Patient(), Browser: t.NewBrowser(t.Person(t.Patient()))}
	if _, err := t.Launch(ctx, kit.Launch{Client: app, Scope: parScope, Visit: visit}); err != nil {
		return err
	}
	ask := func(change func(url.Values)) (*kit.Answer, string) {
		verifier := t.NewVerifier()
		req := t.AuthorizeRequest(app, parScope, verifier)
		change(req)
		a, err := t.Authorize(ctx, req, visit)
		if !c.Note(err) || !c.That(a.Code() != "", "%s", a) {
			return &kit.Answer{}, ""
		}
		res, err := t.Call(ctx, t.Config.Token, app, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
		c.Note(err)
		return a, res.Text("access_token")
	}
	if err := t.Advance(ctx, 2*time.Minute); err != nil {
		return err
	}
	a, _ := ask(func(v url.Values) { v.Set("max_age", "3600") })
	c.That(!slices.Contains(a.Steps, "signin"), "a log-in of two minutes ago is too old for max_age=3600")
	for name, value := range map[string]string{"max_age": "60", "prompt": "login"} {
		if err := t.Advance(ctx, 2*time.Minute); err != nil {
			return err
		}
		before := t.Now()
		a, token := ask(func(v url.Values) { v.Set(name, value) })
		c.That(slices.Contains(a.Steps, "signin"), "%s=%s: nobody was asked to log in", name, value)
		told, err := t.Introspect(ctx, app, token)
		if c.Note(err) {
			at, _ := told.JSON()["auth_time"].(float64)
			c.That(int64(at) >= before.Unix()-1 && told.Text("acr") != "", "%s=%s: auth_time %v, acr %q", name, value, at, told.Text("acr"))
		}
	}
	return c.Err()
}
