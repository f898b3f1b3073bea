package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Sealer keeps what an attempt needs from everybody who carries it.
type Sealer = federation.Sealer

// Deps is what a Client works with.
type Deps struct {
	Provider Provider
	// Callback is the address to which the provider sends browsers back; each
	// provider has its own (RFC 9700 §4.4.2.2).
	Callback string
	HTTP     *http.Client
	Keys     Keys
	Sealer   Sealer
	Clock    clock.Clock
	IDs      ids.Source
	// Development takes plain http to this machine.
	Development bool
}

// Client signs people in at one provider. It is safe for concurrent use.
type Client struct {
	Deps

	known federation.Memory[Metadata]
}

// New makes a client.
func New(d Deps) *Client { return &Client{Deps: d} }

// Metadata gives the provider's configuration. Errors: errs.Upstream with code
// idp-away.
func (c *Client) Metadata(ctx context.Context) (Metadata, error) {
	return c.known.Get(ctx, c.Clock.Now(), func(ctx context.Context) (Metadata, error) {
		m, err := Web{c.HTTP}.Discover(ctx, c.Provider.Issuer, c.Development)
		if err != nil {
			return m, errAway(err)
		}
		return m, nil
	})
}

func errAway(cause error) error {
	return errs.Wrap(cause, errs.Upstream, "idp-away", "The identity provider does not answer as it should.")
}

// errFailed is what a browser is told of an answer that cannot be accepted; the cause
// goes to the log of this server only.
func errFailed(cause error) error {
	return errs.Wrap(cause, errs.AccessDenied, "upstream-answer", "The identity provider's answer cannot be accepted.")
}

// attempt is what travels in the state.
type attempt struct {
	Attempt
	federation.Trip
	Until int64 `json:"until"`
}

const secretBytes = 32

func (c *Client) secret() string {
	return base64.RawURLEncoding.EncodeToString(c.IDs.Bytes(secretBytes))
}

// About implements federation.Client.
func (c *Client) About() federation.Provider { return c.Provider.Provider }

// Depart implements federation.Client; the state carries all.
func (c *Client) Depart(ctx context.Context, t federation.Trip, fresh bool) (federation.Departure, error) {
	to, err := c.Begin(ctx, t, fresh)
	return federation.Departure{To: to}, err
}

// Land implements federation.Client.
func (c *Client) Land(ctx context.Context, r federation.Return) (federation.Arrived, error) {
	single := func(name string) string {
		if v := r.Query[name]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
	return c.Finish(ctx, Returned{State: single("state"), Code: single("code"), Issuer: single("iss"), Error: single("error")}, r.Browser)
}

// Begin gives the address at which a person signs in. fresh asks the provider to do
// it anew. Errors: errs.Upstream, errs.Unavailable.
func (c *Client) Begin(ctx context.Context, t federation.Trip, fresh bool) (string, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return "", err
	}
	a := attempt{
		Attempt: Attempt{Issuer: c.Provider.Issuer, ClientID: c.Provider.ClientID, Nonce: c.secret(), Verifier: c.secret()},
		Trip:    t, Until: c.Clock.Now().Add(federation.TripLife).Unix(),
	}
	state, err := c.Sealer.Seal(ctx, a)
	if err != nil {
		return "", err
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {a.ClientID}, "redirect_uri": {c.Callback},
		"scope": {strings.Join(append([]string{"openid"}, c.Provider.Scopes...), " ")}, "state": {state}, "nonce": {a.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if len(c.Provider.ACR) > 0 {
		q.Set("acr_values", strings.Join(c.Provider.ACR, " "))
	}
	if fresh {
		q.Set("prompt", "login")
	}
	return join(m.Authorize, q), nil
}

// join adds parameters to an endpoint, which may have a query of its own.
func join(endpoint string, q url.Values) string {
	if strings.Contains(endpoint, "?") {
		return endpoint + "&" + q.Encode()
	}
	return endpoint + "?" + q.Encode()
}

// Returned is what the provider sends back through the browser. Issuer is empty
// where it names none (RFC 9207).
type Returned struct{ State, Code, Issuer, Error string }

// Trip gives what the browser of a state was sent away for. Errors: errs.AccessDenied
// with code upstream-state for a state that was not made here, for another browser, or too
// long ago.
func (c *Client) Trip(ctx context.Context, state, browser string) (federation.Trip, error) {
	a, err := c.open(ctx, state, browser)
	return a.Trip, err
}

func (c *Client) open(ctx context.Context, state, browser string) (a attempt, err error) {
	raw, err := c.Sealer.Open(ctx, state)
	if errs.Is(err, errs.Unavailable) {
		return a, err
	}
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	bound := a.Browser != "" && ids.Equal(a.Browser, browser)
	if err != nil || !bound || a.Issuer != c.Provider.Issuer || a.ClientID != c.Provider.ClientID || c.Clock.Now().Unix() >= a.Until {
		return attempt{}, errs.Wrap(err, errs.AccessDenied, "upstream-state", "The answer of the identity provider was not asked for by this browser, or came too late.")
	}
	return a, nil
}

// Finish redeems the code and says whom the provider signed in. Errors:
// errs.AccessDenied with code upstream-state, idp-denied, or idp-answer when anything of
// the answer is not as it must be; errs.Unavailable.
func (c *Client) Finish(ctx context.Context, r Returned, browser string) (out federation.Arrived, err error) {
	a, err := c.open(ctx, r.State, browser)
	if err != nil {
		return out, err
	}
	out.Trip = a.Trip
	m, err := c.Metadata(ctx)
	if err != nil {
		return out, errFailed(err)
	}
	switch {
	case r.Issuer != "" && r.Issuer != a.Issuer, r.Issuer == "" && m.NamesISS:
		return out, errFailed(nil) // Another provider answered (RFC 9207 §2.4).
	case r.Error == "access_denied":
		return out, errs.New(errs.AccessDenied, "idp-denied", "The person did not sign in at the identity provider.")
	case r.Error != "" || r.Code == "":
		return out, errFailed(nil)
	}
	compact, err := c.redeem(ctx, m, a, r.Code)
	if err != nil {
		return out, errFailed(err)
	}
	claims, err := Verify(ctx, c.Keys, m.Keys, compact)
	if err != nil {
		return out, errFailed(err)
	}
	if !claims.Fits(a.Attempt, c.Clock.Now()) {
		return out, errFailed(nil)
	}
	out.Said = federation.Said{Subject: claims.Subject, Session: claims.Session, ACR: claims.ACR, AMR: claims.AMR, Attributes: claims.values()}
	out.Answer, out.Until = a.Nonce, time.Unix(a.Until, 0)
	return out, nil
}

// redeem asks for the id_token of a code.
func (c *Client) redeem(ctx context.Context, m Metadata, a attempt, code string) (string, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.Callback}, "code_verifier": {a.Verifier}}
	name, secret := "", ""
	switch c.Provider.Auth {
	case SecretBasic:
		// RFC 6749 §2.3.1: both are form-encoded first.
		name, secret = url.QueryEscape(a.ClientID), url.QueryEscape(c.Provider.Secret)
	case SecretPost:
		form.Set("client_id", a.ClientID)
		form.Set("client_secret", c.Provider.Secret)
	case PrivateKeyJWT:
		compact, err := c.assertion(m.Token)
		if err != nil {
			return "", err
		}
		form.Set("client_id", a.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", compact)
	}
	var answer struct {
		IDToken string `json:"id_token"`
	}
	err := Web{c.HTTP}.Post(ctx, m.Token, "application/x-www-form-urlencoded", []byte(form.Encode()), &answer, name, secret)
	return answer.IDToken, err
}

const assertionLife = 2 * time.Minute

// assertion proves this server to the token endpoint (RFC 7523).
func (c *Client) assertion(audience string) (string, error) {
	alg, err := algorithmOf(c.Provider.Key)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if c.Provider.KeyID != "" {
		options.WithHeader("kid", c.Provider.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: c.Provider.Key}, options)
	if err != nil {
		return "", err
	}
	now := c.Clock.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: c.Provider.ClientID, Subject: c.Provider.ClientID, Audience: jwt.Audience{audience}, ID: c.IDs.ID(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
}

// algorithmOf gives the algorithm in which a key signs. Errors: errs.Invalid for a
// key that is too small or of another kind.
func algorithmOf(key any) (jose.SignatureAlgorithm, error) {
	const minRSABits = 2048
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() >= minRSABits {
			return jose.RS256, nil
		}
	}
	return "", errs.New(errs.Invalid, "idp-key", "The key must be RSA of 2048 bits or more, P-256 or P-384.")
}

// LogoutURL gives the address at which a browser signs out at the provider too, ""
// where it has none (OIDC RP-Initiated Logout §2).
func (c *Client) LogoutURL(ctx context.Context, back string) string {
	m, err := c.Metadata(ctx)
	if err != nil || m.EndSession == "" || !c.Provider.Logout {
		return ""
	}
	return join(m.EndSession, url.Values{"client_id": {c.Provider.ClientID}, "post_logout_redirect_uri": {back}})
}
