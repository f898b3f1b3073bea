package saml

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Answers keeps what was judged until the browser comes for it. Every node sees it.
type Answers interface {
	// Keep stores a sealed answer until a time. Errors: errs.Unavailable.
	Keep(ctx context.Context, handle, sealed string, until time.Time) error
	// Take gives a stored answer once. Errors: errs.NotFound, errs.Unavailable.
	Take(ctx context.Context, handle string) (string, error)
}

// Deps is what a Client works with.
type Deps struct {
	Provider Provider
	// Entity is the URI by which this server calls itself to the provider, Receiver
	// the address that answers are posted to, Callback where the browser comes for
	// them.
	Entity, Receiver, Callback string

	HTTP    *http.Client
	Answers Answers
	Sealer  federation.Sealer
	Clock   clock.Clock
	IDs     ids.Source
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

// Metadata gives what the provider says of itself. Errors: errs.Upstream with code
// idp-away.
func (c *Client) Metadata(ctx context.Context) (Metadata, error) {
	now := c.Clock.Now()
	return c.known.Get(ctx, now, func(ctx context.Context) (Metadata, error) {
		m, err := Web{c.HTTP, c.Development}.Metadata(ctx, c.Provider, now)
		if err != nil {
			return m, errs.Wrap(err, errs.Upstream, "idp-away", "The identity provider does not answer as it should.")
		}
		return m, nil
	})
}

// errFailed is what a browser is told of an answer that cannot be accepted.
func errFailed(cause error) error {
	return errs.Wrap(cause, errs.AccessDenied, "upstream-answer", "The identity provider's answer cannot be accepted.")
}

// errState is an answer that this browser did not ask for, or that came too late.
func errState(cause error) error {
	return errs.Wrap(cause, errs.AccessDenied, "upstream-state", "The answer of the identity provider was not asked for by this browser, or came too late.")
}

func errInternal(cause error) error {
	return errs.Wrap(cause, errs.Internal, "idp-error", "The exchange with the identity provider could not be prepared.")
}

// attempt is what a browser keeps while it is away.
type attempt struct {
	federation.Trip
	Entity  string    `json:"idp"`
	Request string    `json:"request"`
	Begun   time.Time `json:"begun"`
	Fresh   bool      `json:"fresh,omitempty"`
}

// waiting is what was judged and waits for its browser.
type waiting struct {
	Said    federation.Said `json:"said"`
	Request string          `json:"request"`
	Answer  string          `json:"answer"`
	LogIn   time.Time       `json:"login"`
}

const (
	requestBytes = 20
	secretBytes  = 32
	// waits is how long a judged answer waits for its browser.
	waits = 5 * time.Minute
	// spent is how long an answer is remembered: longer than it can count.
	spent = MaxAge + 2*MaxSkew + waits
)

// About implements federation.Client.
func (c *Client) About() federation.Provider { return c.Provider.Provider }

// LogoutURL implements federation.Client: single log-out of SAML is not offered.
func (c *Client) LogoutURL(context.Context, string) string { return "" }

// Depart implements federation.Client by a signed request of the redirect binding.
func (c *Client) Depart(ctx context.Context, t federation.Trip, fresh bool) (d federation.Departure, err error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return d, err
	}
	now := c.Clock.Now().UTC().Truncate(time.Millisecond)
	a := attempt{Trip: t, Entity: c.Provider.EntityID, Request: "_" + hex.EncodeToString(c.IDs.Bytes(requestBytes)), Begun: now, Fresh: fresh}
	if d.Kept, err = c.Sealer.Seal(ctx, a); err != nil {
		return d, err
	}
	req := saml.AuthnRequest{
		ID: a.Request, Version: version, IssueInstant: now, Destination: m.SignOn, ForceAuthn: &fresh,
		AssertionConsumerServiceURL: c.Receiver, ProtocolBinding: saml.HTTPPostBinding,
		Issuer: &saml.Issuer{Format: formatEntity, Value: c.Entity},
	}
	if c.Provider.Subject == "" {
		create, format := true, persistent
		req.NameIDPolicy = &saml.NameIDPolicy{AllowCreate: &create, Format: &format}
	}
	if c.Provider.Context != "" {
		req.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: "exact", AuthnContextClassRef: c.Provider.Context}
	}
	// What tells the answer apart is in its InResponseTo: RelayState says nothing, and
	// some providers want one.
	relay := base64.RawURLEncoding.EncodeToString(c.IDs.Bytes(requestBytes))
	to, err := req.Redirect(relay, &saml.ServiceProvider{
		Key: c.Provider.Key, Certificate: c.Provider.Certificate, SignatureMethod: dsig.RSASHA256SignatureMethod,
	})
	if err != nil {
		return d, errInternal(err)
	}
	d.To = to.String()
	return d, nil
}

// Receive judges what a provider posts through a browser, and gives the address at
// which the browser comes for it. It needs no cookie. again is true where the
// provider's own pages sent the browser and a log-in of ours may begin. Errors:
// errs.AccessDenied with codes idp-denied, idp-unasked and upstream-answer, caused by
// federation.Refused; errs.Upstream, errs.Unavailable.
func (c *Client) Receive(ctx context.Context, form url.Values) (to string, again bool, err error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return "", false, err
	}
	posted := form["SAMLResponse"]
	if len(posted) != 1 {
		return "", false, errFailed(refuse("answer-unreadable", nil))
	}
	j := judged{wanted: c.wanted(), keys: m.Keys, own: c.Provider.Key}
	a, err := j.judge(posted[0])
	var refused *federation.Refused
	switch {
	case errors.As(err, &refused) && refused.Reason == reasonUnasked && c.Provider.Unasked:
		return "", true, nil
	case errors.As(err, &refused) && refused.Reason == reasonUnasked:
		return "", false, errs.Wrap(err, errs.AccessDenied, "idp-unasked", "The identity provider sent a person whom nobody here had sent there.")
	case errors.Is(err, errDenied):
		return "", false, errs.Wrap(err, errs.AccessDenied, "idp-denied", "The person did not sign in at the identity provider.")
	case err != nil:
		return "", false, errFailed(err)
	}
	said, ok := a.said(j.wanted)
	if !ok {
		return "", false, errFailed(refuse("answer-subject", nil))
	}
	handle := base64.RawURLEncoding.EncodeToString(c.IDs.Bytes(secretBytes))
	sealed, err := c.Sealer.Seal(ctx, waiting{Said: said, Request: a.request(j.wanted), Answer: a.ID, LogIn: a.LogIns[0].At})
	if err == nil {
		err = c.Answers.Keep(ctx, handle, sealed, j.now.Add(waits))
	}
	return c.Callback + "?" + url.Values{"answer": {handle}}.Encode(), false, err
}

func (c *Client) wanted() wanted {
	return wanted{entity: c.Provider.EntityID, audience: c.Entity, recipient: c.Receiver, subject: c.Provider.Subject, now: c.Clock.Now()}
}

// Land implements federation.Client. Errors: errs.AccessDenied with codes
// upstream-state and upstream-answer; errs.Unavailable.
func (c *Client) Land(ctx context.Context, r federation.Return) (out federation.Arrived, err error) {
	var a attempt
	if err := c.open(ctx, r.Kept, &a); err != nil {
		return out, err
	}
	now := c.Clock.Now()
	if a.Browser == "" || !ids.Equal(a.Browser, r.Browser) || a.Entity != c.Provider.EntityID || !now.Before(a.Begun.Add(federation.TripLife)) {
		return out, errState(nil)
	}
	handles := r.Query["answer"]
	if len(handles) != 1 {
		return out, errState(nil)
	}
	sealed, err := c.Answers.Take(ctx, handles[0])
	if errs.Is(err, errs.NotFound) {
		return out, errState(err)
	}
	var w waiting
	if err == nil {
		err = c.open(ctx, sealed, &w)
	}
	switch {
	case err != nil:
		return out, err
	case !ids.Equal(a.Request, w.Request):
		return out, errState(refuse("answer-request", nil))
	case a.Fresh && w.LogIn.Before(a.Begun.Add(-MaxSkew)):
		return out, errFailed(refuse("answer-old-login", nil))
	}
	return federation.Arrived{Said: w.Said, Trip: a.Trip, Answer: w.Answer, Until: now.Add(spent)}, nil
}

// open reads what was sealed here.
func (c *Client) open(ctx context.Context, sealed string, into any) error {
	raw, err := c.Sealer.Open(ctx, sealed)
	if errs.Is(err, errs.Unavailable) {
		return err
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return errState(err)
	}
	return nil
}
