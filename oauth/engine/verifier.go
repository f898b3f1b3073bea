package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// Claims is a verified access token with what it stands for, as of now.
type Claims struct {
	TokenID  string
	ClientID string
	// Subject is the person's id, or the client's for client_credentials.
	Subject string
	// Scope is the scope string told to the app.
	Scope   string
	Patient string
	Issued  time.Time
	Expires time.Time
	Client  oauth.Client
	// Grant is zero for client_credentials.
	Grant oauth.Grant
	// Act is who acts with a token that was handed on, nil for any other; then
	// Grant is that of another client.
	Act *oauth.Actor
	// Confirmation is the key that whoever presents the token must prove; zero
	// for a bearer token. Verifier.Presented asks for the proof.
	Confirmation oauth.Confirmation
	// B2B is in whose name and for what purpose a service asked; nil where it
	// need not say.
	B2B *oauth.B2B

	parents []Parent
	// standing is nil for client_credentials.
	standing *oauth.Standing
}

// Verifier checks access tokens: signature or seal, type, issuer, audience, end,
// then that the token, its client, its person and its grant still stand. It
// asks Reader each time: a revocation counts as soon as that knows
// it (SMART INT-11, TOK-12; D17).
type Verifier struct {
	Ring   *keys.Ring
	Sites  Sites
	Reader Reader
	Clock  clock.Clock
	// Acting tells of delegated tokens; nil refuses them.
	Acting Acting
	// Nonces asks every DPoP proof for a nonce of ours, and not only those of
	// the clients that are registered so.
	Nonces bool

	seen  constraint.Seen
	known verified
}

// VerifyAccessToken gives what a token stands for, whoever shows it: what
// confirms the right to use it is asked by Presented. Errors:
// errs.Unauthenticated with code token-invalid, token-expired or
// token-revoked; errs.Unavailable.
func (v *Verifier) VerifyAccessToken(ctx context.Context, tenant, raw string) (Claims, error) {
	site, err := v.Sites.Site(ctx, tenant)
	if err != nil {
		return Claims{}, err
	}
	c, err := v.parse(ctx, site, raw)
	if err != nil {
		return Claims{}, err
	}
	return v.live(ctx, tenant, c)
}

// parse checks everything that needs no row.
func (v *Verifier) parse(ctx context.Context, site Site, raw string) (accessClaims, error) {
	c, err := v.claims(ctx, site, raw)
	if err != nil {
		return accessClaims{}, err
	}
	if c.Issuer != site.Issuer || c.Audience != site.FHIRBase || c.ID == "" || c.ClientID == "" {
		return accessClaims{}, errs.New(errs.Unauthenticated, "token-invalid", "The token is not valid: it is for another server.")
	}
	if !v.Clock.Now().Before(time.Unix(c.Expires, 0)) {
		return accessClaims{}, errs.New(errs.Unauthenticated, "token-expired", "The token has expired.")
	}
	return c, nil
}

// claims gives what a token says whose signature or seal is ours.
func (v *Verifier) claims(ctx context.Context, site Site, raw string) (accessClaims, error) {
	// Asked before: keys that change meanwhile are not those that verified.
	round, err := v.Ring.Round(ctx, site.Tenant)
	if err != nil {
		return accessClaims{}, err
	}
	key := shownAs(site.Tenant, raw)
	if kept := v.known.get(key, round); kept != nil {
		return kept.claims, nil
	}
	payload, err := v.payload(ctx, site, raw)
	if err != nil {
		return accessClaims{}, err
	}
	fresh := &checked{round: round}
	if err := json.Unmarshal(payload, &fresh.claims); err != nil {
		return accessClaims{}, errs.Wrap(err, errs.Unauthenticated, "token-invalid", "The token is not valid: its claims cannot be read.")
	}
	v.known.put(key, fresh)
	return fresh.claims, nil
}

// payload gives the claims of a signed token or a handle: both say the same, so
// all that is judged of one is judged of the other.
func (v *Verifier) payload(ctx context.Context, site Site, raw string) ([]byte, error) {
	if keys.IsHandle(raw) {
		return v.Ring.OpenHandle(ctx, site.Tenant, bound(site), raw)
	}
	return v.Ring.Verify(ctx, site.Tenant, keys.UseAccessToken, typAccess, raw)
}

// live asks whether token, client, grant and person still stand.
func (v *Verifier) live(ctx context.Context, tenant string, c accessClaims) (Claims, error) {
	listed, st, err := v.Reader.TokenStanding(ctx, tenant, c.ref())
	client := st.Client
	if err == nil && c.Act != nil {
		client, err = v.acting(ctx, tenant, c, st)
	}
	switch {
	case errs.Is(err, errs.NotFound):
		return Claims{}, errRevoked("what it was given for is gone")
	case err != nil:
		return Claims{}, err
	case listed:
		return Claims{}, errRevoked("it was revoked")
	case client.ID != c.ClientID || client.Disabled || client.Epoch != c.Epoch:
		return Claims{}, errRevoked("its client may not act any more")
	}
	out := Claims{
		TokenID: c.ID, ClientID: c.ClientID, Subject: c.Subject, Scope: c.Scope, Patient: c.Patient,
		Issued: time.Unix(c.Issued, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(), Client: client,
		Act: c.Act, parents: c.Parents, B2B: c.B2B,
		Confirmation: c.Confirmation,
	}
	if c.Grant == "" {
		return out, nil
	}
	kept := st
	out.Grant, out.standing = st.Grant, &kept
	return out, stands(st, v.Clock.Now())
}

// stands tells why a grant gives nothing any more, nil when it does.
func stands(st oauth.Standing, now time.Time) error {
	switch {
	case !st.Live(now):
		return errRevoked("its grant has ended")
	case !st.PersonActive:
		return errRevoked("its person may not act any more")
	case st.Grant.Online && !st.Grant.Offline && !st.SignedIn(now):
		return errRevoked("its person has signed out")
	}
	return nil
}

func errRevoked(why string) error {
	return errs.New(errs.Unauthenticated, "token-revoked", "The token is not valid any more: "+why+".")
}
