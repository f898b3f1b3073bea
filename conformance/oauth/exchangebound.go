package oauth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/conformance/kit"
)

// exchangeBound are the checks of tokens that are bound to a key and handed on:
// what is made of them is bound too, to the key of who acts.
func exchangeBound() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE TX-05", Title: "a token that is bound to a key is handed on only to who proves a key, and the new one is bound to that",
			Needs: kit.Login | kit.Agent | kit.Symmetric | kit.DPoP, Run: txProved},
		{ID: "MANDATE TX-06", Title: "a stranger with a key of its own makes nothing of a bound token", Needs: kit.Login | kit.Agent | kit.Asymmetric | kit.DPoP, Run: txThief},
		{ID: "MANDATE TX-07", Title: "a token that is bound to a certificate is handed on bound to that of who acts",
			Needs: kit.Login | kit.Symmetric | kit.Certificates, Run: txCertified},
	}
}

// exchangeForm is the request for a token of one's own for another one.
func exchangeForm(token string) url.Values {
	return url.Values{"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {typeAccess}}
}

// proved gives a grant of the app that hands its tokens on, bound to a key.
func proved(ctx context.Context, t *kit.Target) (*kit.Prover, *kit.Grant, kit.Client, error) {
	app, agent, _ := t.Handed()
	p, err := t.NewProver()
	if err != nil {
		return nil, nil, agent, err
	}
	g, err := p.Launch(ctx, kit.Launch{Client: app, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	return p, g, agent, err
}

// actsFor judges what introspection says of a token that was handed on: who acts,
// for which app's person, and to what it is bound.
func actsFor(ctx context.Context, t *kit.Target, c *kit.Check, token string, agent kit.Client, member, bound string) {
	told, err := t.Introspect(ctx, t.Client("symmetric"), token)
	if !c.Note(err) {
		return
	}
	act, _ := told.JSON()["act"].(map[string]any)
	cnf, _ := told.JSON()["cnf"].(map[string]any)
	known := told.JSON()["active"] == true && told.Text("client_id") == agent.ID && act["sub"] == agent.ID
	c.That(known, "introspection tells client_id %q, act %v", told.Text("client_id"), told.JSON()["act"])
	c.That(len(cnf) == 1 && cnf[member] == bound, "introspection tells cnf %v, not %s of who acts", told.JSON()["cnf"], member)
}

func txProved(ctx context.Context, t *kit.Target) error {
	app, g, agent, err := proved(ctx, t)
	if err != nil {
		return err
	}
	own, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	bare, err := swap(ctx, t, agent, g.Access(), nil)
	if c.Note(err) {
		c.That(bare.Status == http.StatusBadRequest && bare.Text("error") == "invalid_dpop_proof" && bare.Text("access_token") == "", "without a proof: %s", bare)
	}
	res, err := own.Token(ctx, agent, exchangeForm(g.Access()))
	if !c.Note(err) || !c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "%s with token_type %q", res, res.Text("token_type")) {
		return c.Err()
	}
	token, path := res.Text("access_token"), "Patient/"+g.Patient()
	actsFor(ctx, t, &c, token, agent, "jkt", own.Thumbprint())
	if read, err := own.FHIR(ctx, token, path); c.Note(err) {
		c.That(read.Status == http.StatusOK, "with the key of who acts: %s", read)
	}
	if read, err := app.FHIR(ctx, token, path); c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "with the key of the app: %s", read)
	}
	if read, err := t.FHIR(ctx, token, path); c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "as a bearer token: %s", read)
	}
	return c.Err()
}

func txThief(ctx context.Context, t *kit.Target) error {
	_, g, agent, err := proved(ctx, t)
	if err != nil {
		return err
	}
	own, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	for what, who := range map[string]kit.Client{
		"another client": t.Client("asymmetric"), "the app itself": g.Client, "the agent's name": {ID: agent.ID, Kind: "public"},
	} {
		if res, err := own.Token(ctx, who, exchangeForm(g.Access())); c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Text("access_token") == "", "%s: %s", what, res)
		}
	}
	if about, err := t.Introspect(ctx, t.Client("symmetric"), g.Access()); c.Note(err) {
		c.That(about.JSON()["active"] == true, "the app's token is over: %s", about)
	}
	return c.Err()
}

func txCertified(ctx context.Context, t *kit.Target) error {
	app := t.Certified("")
	var agent kit.Client
	for _, id := range app.MayAct {
		agent, _ = t.ClientByID(id)
	}
	if agent.Certificate == "" || !agent.TokenExchange {
		return kit.Unmet{Why: "a client with a certificate that may act with the tokens of one whose tokens are bound to a certificate"}
	}
	its, g, err := mtlsLaunch(ctx, t, app)
	if err != nil {
		return err
	}
	own, err := t.Showing(agent.Pair)
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := own.Call(ctx, own.Config.Token, agent, exchangeForm(g.Access()))
	if !c.Note(err) || !c.That(res.Status == http.StatusOK, "%s", res) {
		return c.Err()
	}
	token, path := res.Text("access_token"), "Patient/"+g.Patient()
	actsFor(ctx, t, &c, token, agent, "x5t#S256", agent.Thumbprint())
	for what, other := range map[string]struct {
		*kit.Target
		status int
	}{"its own certificate": {own, http.StatusOK}, "that of the app": {its, http.StatusUnauthorized}, "none": {t, http.StatusUnauthorized}} {
		if read, err := other.FHIR(ctx, token, path); c.Note(err) {
			c.That(read.Status == other.status, "with %s: %s", what, read)
		}
	}
	// Who acts without a certificate or a proof gets nothing of a bound token.
	_, plain, handed := t.Handed()
	if handed {
		if res, err := swap(ctx, t, plain, g.Access(), nil); c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("access_token") == "", "another agent: %s", res)
		}
	}
	return c.Err()
}
