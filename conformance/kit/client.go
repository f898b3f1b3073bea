package kit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// AssertionType is the value of client_assertion_type (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Assertion is a client assertion before it is signed. NewAssertion fills it;
// rows bend it.
type Assertion struct {
	Algorithm string
	// Header holds further header members; a nil value removes kid or typ.
	Header map[string]any
	Claims map[string]any
}

// NewAssertion makes a valid assertion of a client for the token endpoint.
func (t *Target) NewAssertion(c Client, algorithm string) Assertion {
	now, audience := t.Now(), t.Config.Token
	if c.Profile != "" {
		audience = t.Config.Issuer
	}
	return Assertion{Algorithm: algorithm, Claims: map[string]any{
		"iss": c.ID, "sub": c.ID, "aud": audience, "jti": t.Random(),
		"exp": now.Add(4 * time.Minute).Unix(), "iat": now.Unix(),
	}}
}

// Sign signs an assertion with the client's key of that algorithm. Errors: the
// client has no such key.
func (c Client) Sign(a Assertion) (string, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(c.PrivateJWKS, &set); err != nil {
		return "", fmt.Errorf("the private keys of %s cannot be read", c.ID)
	}
	at := slices.IndexFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.Algorithm == a.Algorithm })
	if at < 0 {
		return "", fmt.Errorf("%s has no key for %s", c.ID, a.Algorithm)
	}
	return a.SignWith(set.Keys[at].Key, set.Keys[at].KeyID)
}

// PublicJWKS gives the public halves of the client's keys.
func (c Client) PublicJWKS() (jose.JSONWebKeySet, error) {
	var private, public jose.JSONWebKeySet
	if err := json.Unmarshal(c.PrivateJWKS, &private); err != nil {
		return public, fmt.Errorf("the private keys of %s cannot be read", c.ID)
	}
	for _, k := range private.Keys {
		public.Keys = append(public.Keys, k.Public())
	}
	return public, nil
}

// SignWith signs an assertion with a key of the row's own.
func (a Assertion) SignWith(key any, kid string) (string, error) {
	opts := &jose.SignerOptions{}
	for name, value := range map[string]any{"kid": kid, "typ": "JWT"} {
		if bent, ok := a.Header[name]; ok {
			value = bent
		}
		if value != nil {
			opts = opts.WithHeader(jose.HeaderKey(name), value)
		}
	}
	for name, value := range a.Header {
		if name != "kid" && name != "typ" && value != nil {
			opts = opts.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(a.Algorithm), Key: key}, opts)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(a.Claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// As adds the client's own way of authentication to a request with a form.
func (t *Target) As(c Client, r Request) (Request, error) {
	form := url.Values{}
	for name, values := range r.Form {
		form[name] = values
	}
	r.Form = form
	switch {
	case c.byCertificate():
		form.Set("client_id", c.ID)
	case c.Kind == "symmetric":
		r.Basic = &[2]string{c.ID, c.Secret}
	case c.Kind == "asymmetric" || c.Kind == "backend":
		signed, err := c.sign(t, form)
		if err != nil {
			return r, err
		}
		form.Set("client_assertion_type", AssertionType)
		form.Set("client_assertion", signed)
	default:
		form.Set("client_id", c.ID)
	}
	return r, nil
}

// sign makes the client's assertion for a form: by its certificate if it has one.
func (c Client) sign(t *Target, form url.Values) (string, error) {
	if c.Member == nil {
		return c.Sign(t.NewAssertion(c, cmp.Or(c.AuthAlg, "ES384")))
	}
	a := t.NewAssertion(c, "")
	if c.Extensions != nil {
		a.Claims["extensions"] = c.Extensions
	}
	form.Set("udap", "1")
	return c.Member.Sign(a)
}

// Call sends a form to an endpoint as a client.
func (t *Target) Call(ctx context.Context, endpoint string, c Client, form url.Values) (*Response, error) {
	r, err := t.As(c, Request{URL: endpoint, Form: form})
	if err != nil {
		return nil, err
	}
	return t.Do(ctx, r)
}

// CodeForm gives the form that redeems a code.
func CodeForm(code, redirect, verifier string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

// Refresh asks for new tokens; scope may be empty.
func (t *Target) Refresh(ctx context.Context, c Client, token, scope string) (*Response, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	if scope != "" {
		form.Set("scope", scope)
	}
	return t.Call(ctx, t.Config.Token, c, form)
}

// ClientCredentials asks for a token of a backend service.
func (t *Target) ClientCredentials(ctx context.Context, c Client, scope string) (*Response, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	return t.Call(ctx, t.Config.Token, c, form)
}

// Introspect asks about a token as a client.
func (t *Target) Introspect(ctx context.Context, c Client, token string) (*Response, error) {
	return t.Call(ctx, t.Config.Introspect, c, url.Values{"token": {token}})
}

// RevokeToken revokes a token as a client.
func (t *Target) RevokeToken(ctx context.Context, c Client, token string) (*Response, error) {
	return t.Call(ctx, t.Config.Revoke, c, url.Values{"token": {token}})
}

// Launch is what an app asks for and what the person does.
type Launch struct {
	Client Client
	Scope  string
	Visit  Visit
	// Handle is the launch value of an EHR launch.
	Handle string
	// Nonce is sent when not empty.
	Nonce string
}

// Grant is the outcome of a whole launch.
type Grant struct {
	*Response
	Client   Client
	Code     string
	Verifier string
	Redirect string
	Answer   *Answer
	// stale is when a shared grant must not be used any more.
	stale time.Time
}

// Access gives the access token.
func (g *Grant) Access() string { return g.Text("access_token") }

// RefreshToken gives the refresh token, "" without one.
func (g *Grant) RefreshToken() string { return g.Text("refresh_token") }

// Patient gives the patient in context.
func (g *Grant) Patient() string { return g.Text("patient") }

// Scopes gives the granted scopes.
func (g *Grant) Scopes() []string { return strings.Fields(g.Text("scope")) }

// errNoCode says that a launch gave no code.
var errNoCode = errors.New("no authorization code")

// Code walks a launch up to the code. Errors: no code was given.
func (t *Target) Code(ctx context.Context, l Launch) (*Grant, error) {
	verifier := t.NewVerifier()
	req := t.AuthorizeRequest(l.Client, l.Scope, verifier)
	if l.Handle != "" {
		req.Set("launch", l.Handle)
	}
	if l.Nonce != "" {
		req.Set("nonce", l.Nonce)
	}
	a, err := t.Authorize(ctx, req, l.Visit)
	if err != nil {
		return nil, err
	}
	if a.Code() == "" {
		return nil, fmt.Errorf("%w: %s", errNoCode, a)
	}
	return &Grant{Client: l.Client, Code: a.Code(), Verifier: verifier, Redirect: req.Get("redirect_uri"), Answer: a}, nil
}

// Launch walks a launch and redeems the code. Errors: no code, or no token.
func (t *Target) Launch(ctx context.Context, l Launch) (*Grant, error) {
	g, err := t.Code(ctx, l)
	if err != nil {
		return nil, err
	}
	return g, t.Redeem(ctx, g)
}

// Redeem redeems the code of a grant. Errors: no token.
func (t *Target) Redeem(ctx context.Context, g *Grant) (err error) {
	if g.Response, err = t.Call(ctx, t.Config.Token, g.Client, CodeForm(g.Code, g.Redirect, g.Verifier)); err != nil {
		return err
	}
	return g.redeemed()
}

// redeemed gives an error unless the answer has an access token.
func (g *Grant) redeemed() error {
	if g.Status != http.StatusOK || g.Access() == "" {
		return fmt.Errorf("the code was not redeemed: %s", g.Response)
	}
	return nil
}

// Standard gives a grant of a launch that several rows may share: they must
// not use up or end it.
func (t *Target) Standard(ctx context.Context, kind, person, scope string) (*Grant, error) {
	return t.Shared(ctx, Launch{Client: t.Client(kind), Scope: scope, Visit: Visit{Person: person}})
}

// Shared is Standard for any launch; launches with the same client, person,
// patient and scope share one.
func (t *Target) Shared(ctx context.Context, l Launch) (*Grant, error) {
	key := strings.Join([]string{l.Client.ID, l.Visit.Person, l.Visit.Patient, l.Scope}, " ")
	t.mu.Lock()
	g := t.tokens[key]
	t.mu.Unlock()
	if g != nil && t.Now().Before(g.stale) {
		return g, nil
	}
	g, err := t.Launch(ctx, l)
	if err != nil {
		return nil, err
	}
	life, _ := g.JSON()["expires_in"].(float64)
	g.stale = t.Now().Add(time.Duration(life/2) * time.Second)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens[key] = g
	return g, nil
}

// RegisterLaunch registers an EHR launch context for an app and gives the
// answer.
func (t *Target) RegisterLaunch(ctx context.Context, context map[string]any) (*Response, error) {
	ehr, ok := t.ClientByID(t.LaunchAPI.ClientID)
	if !ok {
		return nil, fmt.Errorf("the ready file has no client %s", t.LaunchAPI.ClientID)
	}
	return t.RegisterLaunchAs(ctx, ehr, context)
}

// RegisterLaunchAs does so as a client of the row's choice.
func (t *Target) RegisterLaunchAs(ctx context.Context, ehr Client, context map[string]any) (*Response, error) {
	raw, err := json.Marshal(context)
	if err != nil {
		return nil, err
	}
	return t.Do(ctx, Request{
		Method: http.MethodPost, URL: t.LaunchAPI.URL, Type: "application/json",
		Body: strings.NewReader(string(raw)), Basic: &[2]string{ehr.ID, ehr.Secret},
	})
}

// EHRLaunch registers a context and walks the app's launch with it.
func (t *Target) EHRLaunch(ctx context.Context, context map[string]any, l Launch) (*Grant, error) {
	context["client_id"] = l.Client.ID
	res, err := t.RegisterLaunch(ctx, context)
	if err != nil {
		return nil, err
	}
	if l.Handle = res.Text("launch"); l.Handle == "" {
		return nil, fmt.Errorf("no launch handle: %s", res)
	}
	return t.Launch(ctx, l)
}

// Handed gives an app that people sign in to and a client that may act with its
// tokens.
func (t *Target) Handed() (app, agent Client, ok bool) {
	for _, app := range t.Clients {
		for _, id := range app.MayAct {
			if agent, known := t.ClientByID(id); known && agent.TokenExchange && len(app.RedirectURIs) > 0 {
				return app, agent, true
			}
		}
	}
	return Client{}, Client{}, false
}
