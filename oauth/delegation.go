package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// MaxActors is how many clients may act one for another under one grant: the
// chain of act in a token is never longer (RFC 8693 §4.1).
const MaxActors = 3

// Actor is the act claim of a token (RFC 8693 §4.1): who acts now, and for whom
// the one before acted.
type Actor struct {
	// Subject is a client_id.
	Subject string `json:"sub"`
	Act     *Actor `json:"act,omitempty"`
}

// Chain lists the actors, the newest first; none for nil.
func (a *Actor) Chain() []string {
	var out []string
	for ; a != nil; a = a.Act {
		out = append(out, a.Subject)
	}
	return out
}

// Delegation says that a client acts under a grant that a person gave to
// another one.
type Delegation struct {
	Tenant  string
	GrantID string
	// ClientID is who acts, Via who handed its token on.
	ClientID string
	Via      string
	Since    time.Time
	// Last is when it last took a token.
	Last time.Time
	// Ended is when the person ended it, zero while it stands. It does not come
	// back under the same grant.
	Ended time.Time
}

// DelegationStore keeps who acts under which grant.
type DelegationStore interface {
	// Delegations gives those of a grant, ended or not, the oldest first.
	Delegations(ctx context.Context, tenant, grantID string) ([]Delegation, error)
	// Delegate notes that a client took a token under a grant; of one that is
	// known only Last moves. Errors: errs.Conflict when it was ended.
	Delegate(ctx context.Context, d Delegation) error
	// EndDelegation ends one at t if it stands, or forbids one that never was,
	// and reports whether this call did so.
	EndDelegation(ctx context.Context, tenant, grantID, clientID string, t time.Time) (bool, error)
}

// MayActFor reports whether the registration of holder, whose token is handed
// on, lets a client act with it.
func (c Client) MayActFor(holder Client) bool {
	return slices.Contains(holder.MayAct, c.ID)
}

// ActorsOf gives who acts through a grant and was not ended.
// Errors: errs.Unavailable.
func (c *Connections) ActorsOf(ctx context.Context, g Grant) ([]Delegation, error) {
	all, err := c.Read.Delegations(ctx, g.Tenant, g.ID)
	return slices.DeleteFunc(all, func(d Delegation) bool { return !d.Ended.IsZero() }), err
}

// EndActor ends that a client acts under a grant that the person may see: its
// tokens and those handed on from it die, the app's own stay. One that was
// ended stays as it is. Errors: errs.NotFound for absent grants, those of others
// and clients that never acted; errs.Unavailable.
func (c *Connections) EndActor(ctx context.Context, p identity.Person, id, actor string, origin audit.Event) error {
	g, err := c.One(ctx, p, id)
	if err != nil {
		return err
	}
	all, err := c.Read.Delegations(ctx, g.Tenant, g.ID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(d Delegation) bool { return d.ClientID == actor }) {
		return errs.New(errs.NotFound, "actor-not-found", "No such client acts under this grant.")
	}
	return c.Tx.InTx(ctx, func(tx Tx) error {
		now := c.Clock.Now()
		ended, err := tx.EndDelegation(ctx, g.Tenant, g.ID, actor, now)
		if err != nil || !ended {
			return err
		}
		e := origin
		e.Kind, e.Action, e.Outcome = audit.GrantRevoked, "U", audit.Success
		e.Tenant, e.Time, e.Reason = g.Tenant, now, "actor-ended-by-person"
		e.PersonID, e.ClientID, e.GrantID, e.Patient, e.Consents = p.ID, actor, g.ID, g.Record(), g.Basis()
		e.Detail = map[string]string{"act": actor, "app": g.ClientID}
		return tx.AppendAudit(ctx, e)
	})
}
