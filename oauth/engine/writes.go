package engine

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// Writes is what an answer changes. It is data, so that it can be applied
// again after a serialization failure; zero fields change nothing.
type Writes struct {
	// Assertion is the client assertion to be recorded as used.
	Assertion *clientauth.Assertion
	// Renewal is a client secret to be stored in its newer form.
	Renewal *clientauth.Renewal
	// UseCode is a code to be marked as used.
	UseCode *oauth.Code
	Refresh *oauth.Rotation
	// Proof is the DPoP proof to be recorded as used; nil for none.
	Proof *constraint.Proof
	// ExtendGrant is the new end of the grant ExtendID.
	ExtendID    string
	ExtendGrant time.Time
	// RevokeGrant is the id of a grant to be ended for the reason Reason, with
	// all that rests on it.
	RevokeGrant string
	Reason      string
	RevokeToken *RevokedToken
	// Also is what a grant type writes of its own; it may be called again.
	Also func(ctx context.Context, tx oauth.Tx) error
}

// RevokedToken is the jti of an access token to be listed until it expires.
type RevokedToken struct {
	ID      string
	Expires time.Time
}

// Commit applies everything together with its audit event in one transaction:
// no event, no act (D8). Errors: those of Writes.apply.
func (e *Engine) Commit(ctx context.Context, w Writes, event audit.Event, now time.Time) error {
	return e.Runner.InTx(ctx, func(tx oauth.Tx) error {
		if err := w.apply(ctx, tx, event.Tenant, now); err != nil {
			return err
		}
		if err := e.end(ctx, tx, w, event); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, event)
	})
}

// end ends a grant as its person would end it: the Consent that records it is
// withdrawn and the log told of both.
func (e *Engine) end(ctx context.Context, tx oauth.Tx, w Writes, event audit.Event) error {
	if w.RevokeGrant == "" {
		return nil
	}
	g, err := tx.GrantByID(ctx, event.Tenant, w.RevokeGrant)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	origin := audit.Event{
		PersonID: event.PersonID, Capacity: event.Capacity, SessionID: event.SessionID,
		Network: event.Network, RequestID: event.RequestID,
	}
	return e.Ender.EndTx(ctx, tx, g, w.Reason, origin)
}

// apply writes everything but the end of a grant in the transaction. Errors: errs.InvalidClient with
// code assertion-replayed; errs.InvalidDPoPProof with code dpop-proof-replayed;
// errs.InvalidGrant with code code-replayed when another request redeemed the
// code first (SMART AZ-16), with code refresh-moved when the refresh token is not
// the newest; errs.Unavailable.
func (w Writes) apply(ctx context.Context, tx oauth.Tx, tenant string, now time.Time) error {
	if a := w.Assertion; a != nil {
		err := tx.UseAssertion(ctx, tenant, a.Issuer, a.JTI, a.Expires)
		if errs.Is(err, errs.Conflict) {
			return errs.Wrap(err, errs.InvalidClient, "assertion-replayed", "The client assertion was used before.")
		}
		if err != nil {
			return err
		}
		if err := remember(ctx, tx, tenant, a); err != nil {
			return err
		}
	}
	if r := w.Renewal; r != nil {
		// Not being first means that a parallel request did the same.
		if _, err := tx.RenewSecret(ctx, tenant, r.ClientID, r.Was, r.Fresh); err != nil {
			return err
		}
	}
	if p := w.Proof; p != nil {
		err := tx.UseAssertion(ctx, tenant, constraint.Issuer(p.Thumbprint), p.ID, p.Until)
		if errs.Is(err, errs.Conflict) {
			return constraint.Replayed()
		}
		if err != nil {
			return err
		}
	}
	if w.UseCode != nil {
		first, err := tx.UseCode(ctx, *w.UseCode, now)
		if err != nil {
			return err
		}
		if !first {
			return errReplayedCode()
		}
	}
	return w.applyRest(ctx, tx, tenant)
}

// remember notes a certificate that the client showed for the first time, so
// that its revocation ends what was given for it.
func remember(ctx context.Context, tx oauth.Tx, tenant string, a *clientauth.Assertion) error {
	if a.Chain == nil {
		return nil
	}
	c, err := tx.ClientByID(ctx, tenant, a.Issuer)
	if err != nil || c.UDAP == nil {
		return err
	}
	known := c.UDAP.Remember(a.Chain)
	c.UDAP = &known
	return tx.PutClient(ctx, c)
}

func (w Writes) applyRest(ctx context.Context, tx oauth.Tx, tenant string) error {
	if w.Also != nil {
		if err := w.Also(ctx, tx); err != nil {
			return err
		}
	}
	if w.Refresh != nil {
		newest, err := tx.RotateRefresh(ctx, *w.Refresh)
		if err != nil {
			return err
		}
		if !newest {
			return errRefreshMoved()
		}
	}
	if w.ExtendID != "" {
		if err := tx.ExtendGrant(ctx, tenant, w.ExtendID, w.ExtendGrant); err != nil {
			return err
		}
	}
	if t := w.RevokeToken; t != nil {
		return tx.RevokeToken(ctx, tenant, t.ID, t.Expires)
	}
	return nil
}
