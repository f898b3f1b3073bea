package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func dpop() []kit.Row {
	const login = kit.DPoP | kit.Login
	return []kit.Row{
		{ID: "RFC9449 5.1", Title: "only asymmetric algorithms are listed", Run: dpopListed},
		{ID: "RFC9449 5", Title: "a token that was asked for with a proof is bound to its key, and introspection shows it", Needs: login | kit.Symmetric, Run: dpopBound},
		{ID: "RFC9449 5b", Title: "a backend service gets bound tokens too", Needs: kit.DPoP | kit.Backend, Run: dpopBackend},
		{ID: "RFC9449 5c", Title: "a public app's refresh token is bound: another key is refused and ends nothing", Needs: login, Run: dpopRefresh},
		{ID: "RFC9449 5d", Title: "an app registered for bound tokens must send a proof", Needs: login | kit.Bound, Run: dpopRequired},
		{ID: "RFC9449 4.3", Title: "every malformed proof is refused at the token endpoint, and the code stays good", Needs: login, Run: dpopHostile},
		{ID: "RFC9449 4.3b", Title: "every malformed proof is refused at the FHIR base", Needs: login, Run: dpopHostileRead},
		{ID: "RFC9449 7.1", Title: "a bound token is refused as Bearer, a bearer token as DPoP, and the challenge says what is wanted", Needs: login, Run: dpopScheme},
		{ID: "RFC9449 8", Title: "where a nonce is wanted the server says which, at the token endpoint and at the FHIR base", Needs: kit.DPoP | kit.Nonced, Run: dpopNonce},
		{ID: "RFC9449 10", Title: "dpop_jkt binds the code to the key", Needs: login, Run: dpopCode},
		{ID: "RFC9449 11.1", Title: "a proof is taken once", Needs: login, Run: dpopReplay},
		{ID: "RFC9449 CORS", Title: "a browser app may send a proof and read the nonce", Needs: login, Run: dpopCORS},
	}
}

const dpopScope = "launch/patient offline_access patient/Patient.rs"

// dpopLaunch gives a prover and a grant of a public app that is bound to it.
func dpopLaunch(ctx context.Context, t *kit.Target) (*kit.Prover, *kit.Grant, error) {
	p, err := t.NewProver()
	if err != nil {
		return nil, nil, err
	}
	g, err := p.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: dpopScope, Visit: kit.Visit{Person: t.Patient()}})
	return p, g, err
}

func dpopListed(_ context.Context, t *kit.Target) error {
	if len(t.Config.DPoPAlgorithms) == 0 {
		return kit.Unmet{Why: "the server offers no DPoP"}
	}
	var c kit.Check
	for _, alg := range t.Config.DPoPAlgorithms {
		c.That(alg != "none" && !strings.HasPrefix(alg, "HS"), "%s is listed", alg)
	}
	c.That(slices.Contains(t.Config.DPoPAlgorithms, "ES256"), "ES256 is missing in %v", t.Config.DPoPAlgorithms)
	return c.Err()
}

// thumbprint gives the member cnf.jkt.
func thumbprint(res *kit.Response) any {
	cnf, _ := res.JSON()["cnf"].(map[string]any)
	return cnf["jkt"]
}

func dpopBound(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Text("token_type") == "DPoP", "token_type is %q", g.Text("token_type"))
	res, err := p.FHIR(ctx, g.Access(), "Patient/"+g.Patient()+"?_format=json")
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "%s", res)
	}
	told, err := t.Introspect(ctx, t.Client("symmetric"), g.Access())
	if c.Note(err) {
		c.That(told.JSON()["active"] == true && told.Text("token_type") == "DPoP", "active %v, token_type %q", told.JSON()["active"], told.Text("token_type"))
		c.That(thumbprint(told) == p.Thumbprint(), "cnf is %v", told.JSON()["cnf"])
	}
	plain, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if c.Note(err) {
		c.That(strings.EqualFold(plain.Text("token_type"), "bearer"), "without a proof token_type is %q", plain.Text("token_type"))
	}
	return c.Err()
}

func dpopBackend(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := p.Token(ctx, t.Client("backend"), url.Values{"grant_type": {"client_credentials"}, "scope": {systemScope}})
	if err != nil {
		return err
	}
	c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "%s token_type %q", res, res.Text("token_type"))
	token := res.Text("access_token")
	if res, err = p.FHIR(ctx, token, "Patient?_count=1"); c.Note(err) {
		c.That(res.Status == http.StatusOK, "%s", res)
	}
	if res, err = t.FHIR(ctx, token, "Patient?_count=1"); c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "as a bearer token: %s", res)
	}
	return c.Err()
}

func dpopRefresh(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	thief, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	client, first := g.Client, g.RefreshToken()
	res, err := p.Token(ctx, client, refreshForm(first))
	if err != nil {
		return err
	}
	c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "its own key: %s", res)
	next := res.Text("refresh_token")
	// The old one with another key is no sign of theft, because it is worthless
	// to a thief; it must not end what the owner has.
	for _, token := range []string{first, next} {
		if res, err = thief.Token(ctx, client, refreshForm(token)); c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && slices.Contains([]string{"invalid_grant", "invalid_dpop_proof"}, res.Text("error")), "another key: %s", res)
		}
		if res, err = t.Call(ctx, t.Config.Token, client, refreshForm(token)); c.Note(err) {
			c.That(res.Status == http.StatusBadRequest, "no proof: %s", res)
		}
	}
	if res, err = p.Token(ctx, client, refreshForm(next)); c.Note(err) {
		c.That(res.Status == http.StatusOK, "the owner afterwards: %s", res)
		if read, err := p.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient()); c.Note(err) {
			c.That(read.Status == http.StatusOK, "the owner reads: %s", read)
		}
	}
	return c.Err()
}

func dpopRequired(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	g, err := t.Code(ctx, kit.Launch{Client: t.BoundClient(), Scope: dpopScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	var c kit.Check
	form := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	res, err := t.Call(ctx, t.Config.Token, g.Client, form)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") != "", "without a proof: %s", res)
	}
	if res, err = p.Token(ctx, g.Client, form); c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "with one: %s", res)
	}
	return c.Err()
}

func dpopScheme(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	plain, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	var c kit.Check
	path := "Patient/" + g.Patient()
	proof, err := p.Sign(p.Proof(http.MethodGet, t.FHIRBase+"/"+path, g.Access()))
	c.Note(err)
	for _, proofs := range [][]string{nil, {proof}} {
		if res, err := t.FHIRWith(ctx, "Bearer", g.Access(), path, proofs...); c.Note(err) {
			challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
			c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, `error="invalid_token"`), "a bound token as Bearer: %s", res)
			c.That(strings.Contains(challenge, "DPoP ") && strings.Contains(challenge, "algs="), "the challenge is %s", challenge)
		}
	}
	if res, err := p.FHIR(ctx, plain.Access(), path); c.Note(err) {
		challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
		c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, `error="invalid_token"`), "a bearer token as DPoP: %s", res)
	}
	if res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/" + path}); c.Note(err) {
		challenges := res.Header.Values("WWW-Authenticate")
		c.That(len(challenges) == 2 && !strings.Contains(strings.Join(challenges, ""), "error="), "without a token the challenges are %q", challenges)
	}
	return c.Err()
}

func dpopNonce(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	client, form := t.NoncedClient(), url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}}
	for _, invented := range []string{"", "invented"} {
		p.Nonce = invented
		res, err := p.Token(ctx, client, form)
		if err != nil {
			return err
		}
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "use_dpop_nonce", "nonce %q: %s", invented, res)
		if p.Nonce = res.Header.Get("DPoP-Nonce"); p.Nonce == "" {
			return errors.New("there is no DPoP-Nonce header")
		}
	}
	nonce := p.Nonce
	res, err := p.Token(ctx, client, form)
	if err != nil {
		return err
	}
	token := res.Text("access_token")
	c.That(res.Status == http.StatusOK && token != "", "with the nonce: %s", res)
	p.Nonce = ""
	if res, err = p.FHIR(ctx, token, "Patient?_count=1"); c.Note(err) {
		challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
		c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, `error="use_dpop_nonce"`), "at the FHIR base: %s, %s", res, challenge)
		c.That(res.Header.Get("DPoP-Nonce") != "", "there is no DPoP-Nonce header at the FHIR base")
	}
	p.Nonce = nonce
	if res, err = p.FHIR(ctx, token, "Patient?_count=1"); c.Note(err) {
		c.That(res.Status == http.StatusOK, "with the nonce at the FHIR base: %s", res)
	}
	return c.Err()
}

func dpopCode(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	thief, err := t.NewProver()
	if err != nil {
		return err
	}
	var c kit.Check
	client, verifier := t.Client("public"), t.NewVerifier()
	req := t.AuthorizeRequest(client, dpopScope, verifier)
	req.Set("dpop_jkt", p.Thumbprint())
	a, err := t.Authorize(ctx, req, kit.Visit{Person: t.Patient()})
	if err != nil {
		return err
	}
	form := kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier)
	if res, err := thief.Token(ctx, client, form); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "another key: %s", res)
	}
	if res, err := t.Call(ctx, t.Config.Token, client, form); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "no proof: %s", res)
	}
	if res, err := p.Token(ctx, client, form); c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("token_type") == "DPoP", "its own key: %s", res)
	}
	req = t.AuthorizeRequest(client, dpopScope, verifier)
	req.Set("dpop_jkt", "short")
	if a, err = t.Authorize(ctx, req, kit.Visit{Person: t.Patient()}); c.Note(err) {
		c.That(a.Query.Get("error") == "invalid_request", "a dpop_jkt that is none: %s", a)
	}
	return c.Err()
}

func dpopReplay(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	proof, err := p.Sign(p.Proof(http.MethodPost, t.Config.Token, ""))
	if !c.Note(err) {
		return c.Err()
	}
	res, err := t.TokenWith(ctx, g.Client, refreshForm(g.RefreshToken()), proof)
	if err != nil {
		return err
	}
	c.That(res.Status == http.StatusOK, "the first time: %s", res)
	next := res.Text("refresh_token")
	if res, err = t.TokenWith(ctx, g.Client, refreshForm(next), proof); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_dpop_proof", "the second time: %s", res)
	}
	if res, err = p.Token(ctx, g.Client, refreshForm(next)); c.Note(err) {
		c.That(res.Status == http.StatusOK, "a new one afterwards: %s", res)
	}
	path := "Patient/" + g.Patient()
	if proof, err = p.Sign(p.Proof(http.MethodGet, t.FHIRBase+"/"+path, g.Access())); !c.Note(err) {
		return c.Err()
	}
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if res, err = t.FHIRWith(ctx, "DPoP", g.Access(), path, proof); c.Note(err) {
			c.That(res.Status == want, "at the FHIR base: %s, not %d", res, want)
		}
	}
	return c.Err()
}

func dpopCORS(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	from := origin(g.Client)
	path := "Patient/" + g.Patient()
	for endpoint, method := range map[string]string{t.Config.Token: "POST", t.FHIRBase + "/" + path: "GET"} {
		res, err := t.Do(ctx, kit.Request{Method: http.MethodOptions, URL: endpoint, Header: http.Header{
			"Origin": {from}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"authorization,dpop"},
		}})
		if c.Note(err) {
			headers := strings.ToLower(res.Header.Get("Access-Control-Allow-Headers"))
			c.That(strings.Contains(headers, "dpop") || headers == "*", "%s allows the headers %q", endpoint, headers)
		}
	}
	proof, err := p.Sign(p.Proof(http.MethodGet, t.FHIRBase+"/"+path, g.Access()))
	c.Note(err)
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/" + path, Header: http.Header{
		"Authorization": {"DPoP " + g.Access()}, "Dpop": {proof}, "Origin": {from},
	}})
	if c.Note(err) {
		exposed := strings.ToLower(res.Header.Get("Access-Control-Expose-Headers"))
		c.That(res.Status == http.StatusOK && strings.Contains(exposed, "dpop-nonce"), "%s exposes %q", res, exposed)
	}
	return c.Err()
}
