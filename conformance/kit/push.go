package kit

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Push sends an authorization request to the endpoint for pushed ones, as a
// client, and gives the answer (RFC 9126).
func (t *Target) Push(ctx context.Context, c Client, req url.Values) (*Response, error) {
	return t.Call(ctx, t.Config.Push, c, req)
}

// Pushed pushes a request and gives what the browser carries instead of it.
// Errors: it was not taken.
func (t *Target) Pushed(ctx context.Context, c Client, req url.Values) (url.Values, error) {
	res, err := t.Push(ctx, c, req)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusCreated || res.Text("request_uri") == "" {
		return nil, fmt.Errorf("the request was not taken: %s", res)
	}
	return url.Values{"client_id": {c.ID}, "request_uri": {res.Text("request_uri")}}, nil
}

// LaunchPushed walks a launch whose request is pushed, and redeems the code.
// Errors: no code, or no token.
func (t *Target) LaunchPushed(ctx context.Context, l Launch) (*Grant, error) {
	verifier := t.NewVerifier()
	req := t.AuthorizeRequest(l.Client, l.Scope, verifier)
	if l.Handle != "" {
		req.Set("launch", l.Handle)
	}
	short, err := t.Pushed(ctx, l.Client, req)
	if err != nil {
		return nil, err
	}
	l.Visit.App = req.Get("redirect_uri")
	a, err := t.Authorize(ctx, short, l.Visit)
	if err != nil {
		return nil, err
	}
	if a.Code() == "" || a.Query.Get("state") != req.Get("state") {
		return nil, fmt.Errorf("%w with the state that was pushed: %s", errNoCode, a)
	}
	g := &Grant{Client: l.Client, Code: a.Code(), Verifier: verifier, Redirect: l.Visit.App, Answer: a}
	return g, t.Redeem(ctx, g)
}
