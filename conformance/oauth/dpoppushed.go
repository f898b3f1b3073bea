package oauth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/conformance/kit"
)

func dpopPushedRows() []kit.Row {
	const needs = kit.DPoP | kit.Login | kit.Pushing
	return []kit.Row{
		{ID: "RFC9449 10.1", Title: "a proof beside a pushed request binds the code to its key, serves once, and must be that of dpop_jkt", Needs: needs, Run: dpopPushed},
		{ID: "RFC9449 10b", Title: "dpop_jkt binds the code in pushed and in signed requests too", Needs: needs | kit.Asymmetric | kit.Signing, Run: dpopCarried},
	}
}

// pushProved pushes a request with proofs as they are.
func pushProved(ctx context.Context, t *kit.Target, client kit.Client, req url.Values, proofs ...string) (*kit.Response, error) {
	r, err := t.As(client, kit.Request{URL: t.Config.Push, Form: req, Header: http.Header{"Dpop": proofs}})
	if err != nil {
		return nil, err
	}
	return t.Do(ctx, r)
}

// keyOnly notes unless a code serves its own key and no other.
func keyOnly(ctx context.Context, t *kit.Target, c *kit.Check, what string, client kit.Client, own *kit.Prover, form url.Values) *kit.Response {
	thief, err := t.NewProver()
	if !c.Note(err) {
		return nil
	}
	if res, err := thief.Token(ctx, client, form); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "%s: another key: %s", what, res)
	}
	if res, err := t.Call(ctx, t.Config.Token, client, form); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "%s: no proof: %s", what, res)
	}
	res, err := own.Token(ctx, client, form)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "%s: its own key: %s", what, res)
	}
	return res
}

func dpopPushed(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	other, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	client, verifier := t.Client("public"), t.NewVerifier()
	req := t.AuthorizeRequest(client, dpopScope, verifier)
	proof, err := p.Sign(p.Proof(http.MethodPost, t.Config.Push, ""))
	c.Note(err)
	res, err := pushProved(ctx, t, client, req, proof)
	if err != nil {
		return err
	}
	if !c.That(res.Status == http.StatusCreated, "%s", res) {
		return c.Err()
	}
	short := url.Values{"client_id": {client.ID}, "request_uri": {res.Text("request_uri")}}
	a, err := t.Authorize(ctx, short, kit.Visit{Person: t.Patient(), App: req.Get("redirect_uri")})
	if c.Note(err) && c.That(a.Code() != "", "no code: %s", a) {
		keyOnly(ctx, t, &c, "a proof", client, p, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
	}
	refused := func(what string, req url.Values, proofs ...string) {
		if res, err := pushProved(ctx, t, client, req, proofs...); c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_dpop_proof", "%s: %s", what, res)
		}
	}
	refused("the proof again", t.AuthorizeRequest(client, dpopScope, verifier), proof)
	elsewhere, err := p.Sign(p.Proof(http.MethodPost, t.Config.Token, ""))
	c.Note(err)
	refused("a proof for another endpoint", t.AuthorizeRequest(client, dpopScope, verifier), elsewhere)
	fresh, err := p.Sign(p.Proof(http.MethodPost, t.Config.Push, ""))
	c.Note(err)
	mismatched := t.AuthorizeRequest(client, dpopScope, verifier)
	mismatched.Set("dpop_jkt", other.Thumbprint())
	refused("another key in dpop_jkt", mismatched, fresh)
	fresh, err = p.Sign(p.Proof(http.MethodPost, t.Config.Push, ""))
	c.Note(err)
	same := t.AuthorizeRequest(client, dpopScope, verifier)
	same.Set("dpop_jkt", p.Thumbprint())
	if res, err := pushProved(ctx, t, client, same, fresh); c.Note(err) {
		c.That(res.Status == http.StatusCreated, "the same key in dpop_jkt: %s", res)
	}
	return c.Err()
}

func dpopCarried(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("asymmetric")
	for what, carry := range map[string]func(req url.Values) (url.Values, error){
		"pushed": func(req url.Values) (url.Values, error) { return t.Pushed(ctx, app, req) },
		"signed": func(req url.Values) (url.Values, error) {
			a, _ := object(t, app)
			for name := range req {
				if name != "aud" {
					a.Claims[name] = req.Get(name)
				}
			}
			raw, err := app.Sign(a)
			return url.Values{"client_id": {app.ID}, "request": {raw}}, err
		},
	} {
		p, err := t.NewProver()
		if err != nil {
			return err
		}
		verifier := t.NewVerifier()
		req := t.AuthorizeRequest(app, parScope, verifier)
		req.Set("dpop_jkt", p.Thumbprint())
		v, err := carry(req)
		if !c.Note(err) {
			continue
		}
		a, err := t.Authorize(ctx, v, kit.Visit{Person: t.Patient(), App: req.Get("redirect_uri")})
		if c.Note(err) && c.That(a.Code() != "", "%s: no code: %s", what, a) {
			keyOnly(ctx, t, &c, what, app, p, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
		}
	}
	return c.Err()
}
