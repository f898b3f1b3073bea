package engine

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// RevokeInput is a revocation request of an authenticated client.
type RevokeInput struct {
	Site   Site
	Caller oauth.Client
	Token  string
	// Assertion is spent, and Renewal stored, in the same transaction.
	Assertion *clientauth.Assertion
	Renewal   *clientauth.Renewal
	Network   string
	RequestID string
}

// Revoke ends a token of the caller (RFC 7009): a refresh token with its
// grant, an access token alone. Both kinds are tried whatever token_type_hint
// says. A token that is unknown or dead already is no
// error (SMART REV-01). Errors: errs.UnauthorizedClient for a token of
// another client, errs.InvalidClient for a used assertion, errs.Unavailable.
func (e *Engine) Revoke(ctx context.Context, in RevokeInput) error {
	// Whose token it is must be known before it can be refused.
	seeing := in.Caller
	seeing.Introspect = true
	u, err := e.load(ctx, in.Site, seeing, in.Token, true)
	if err != nil {
		return err
	}
	w, refused := Writes{}, error(nil)
	switch {
	case u.access != nil && u.access.ClientID != in.Caller.ID, u.refresh.Hash != "" && u.refresh.ClientID != in.Caller.ID:
		refused = errs.New(errs.UnauthorizedClient, "token-of-another-client", "The token was given to another client.")
	case u.access != nil:
		w.RevokeToken = &RevokedToken{ID: u.access.TokenID, Expires: u.access.Expires}
	case u.refresh.Hash != "":
		w.RevokeGrant, w.Reason = u.grant.ID, "revoked-by-client"
	}
	w.Assertion, w.Renewal = in.Assertion, in.Renewal
	event := u.event(audit.TokenRevoked, in.Caller.ID, in.Network, in.RequestID)
	if refused != nil {
		event.Outcome, event.Reason = audit.MinorFailure, errs.As(refused).Code
	}
	if err := e.Commit(ctx, w, event, u.now); err != nil {
		return err
	}
	return refused
}

// Spend records the client assertion that authenticated a request which writes
// nothing else, and stores a secret that was hashed anew; mostly there is neither. Errors: errs.InvalidClient with code assertion-replayed;
// errs.Unavailable.
func (e *Engine) Spend(ctx context.Context, tenant string, who clientauth.Result) error {
	if who.Assertion == nil && who.Renewal == nil {
		return nil
	}
	return e.Apply(ctx, tenant, Writes{Assertion: who.Assertion, Renewal: who.Renewal}, e.Clock.Now())
}

// Apply writes what needs no event, in one transaction. It ends no grant.
// Errors: as Commit.
func (e *Engine) Apply(ctx context.Context, tenant string, w Writes, now time.Time) error {
	return e.Runner.InTx(ctx, func(tx oauth.Tx) error { return w.apply(ctx, tx, tenant, now) })
}
