package oauth

import (
	"cmp"
	"context"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// Withdrawer withdraws the Consent that records an approval.
type Withdrawer interface {
	WithdrawTx(ctx context.Context, tx consent.Tx, tenant, id string, origin audit.Event) (consent.Record, error)
}

// Connections is the list of connected apps and its one act: ending a grant
// (SMART REV-03, BP-04).
type Connections struct {
	Read interface {
		GrantStore
		DelegationStore
	}
	Tx       txn.Runner[Tx]
	Consents Withdrawer
	Clock    clock.Clock
}

// Of gives the grants that a person may see and end, newest first: those the
// person made, and those that anybody made on the person's own record
// (SC-20). Errors: errs.Unavailable.
func (c *Connections) Of(ctx context.Context, p identity.Person) ([]Grant, error) {
	out, err := c.Read.GrantsOfPerson(ctx, p.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	for _, patient := range ownRecords(p) {
		more, err := c.Read.GrantsOfPatient(ctx, p.Tenant, patient)
		if err != nil {
			return nil, err
		}
		for _, g := range more {
			if !slices.ContainsFunc(out, func(have Grant) bool { return have.ID == g.ID }) {
				out = append(out, g)
			}
		}
	}
	slices.SortFunc(out, func(a, b Grant) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// One gives a single grant that the person may see. Errors: errs.NotFound for
// absent grants and those of others alike.
func (c *Connections) One(ctx context.Context, p identity.Person, id string) (Grant, error) {
	g, err := c.Read.GrantByID(ctx, p.Tenant, id)
	if err != nil {
		return Grant{}, err
	}
	if g.PersonID != p.ID && !slices.Contains(ownRecords(p), g.Record()) {
		return Grant{}, errs.New(errs.NotFound, "grant-not-found", "There is no such grant.")
	}
	return g, nil
}

// End revokes a grant that the person may see. Errors: those of One,
// errs.Unavailable.
func (c *Connections) End(ctx context.Context, p identity.Person, id string, origin audit.Event) error {
	g, err := c.One(ctx, p, id)
	if err != nil {
		return err
	}
	origin.PersonID = p.ID
	return c.EndGrant(ctx, g, "ended-by-person", origin)
}

// EndGrant revokes a grant: with it die its refresh tokens, its access tokens
// and the Consent that recorded it, in one transaction with the audit events.
// An ended grant stays as it is. Whether the caller may is decided above.
// Errors: errs.Unavailable.
func (c *Connections) EndGrant(ctx context.Context, g Grant, reason string, origin audit.Event) error {
	return c.Tx.InTx(ctx, func(tx Tx) error { return c.EndTx(ctx, tx, g, reason, origin) })
}

// endAtOnce is how many grants EndAll ends in one transaction.
const endAtOnce = 50

// EndAll revokes all grants that people made to a client, those too that are made
// meanwhile, and says how many; agents that act with them stop too. Broken off
// between two transactions, it can be called again. Errors: errs.Unavailable.
func (c *Connections) EndAll(ctx context.Context, tenant, clientID, reason string, origin audit.Event) (ended int, err error) {
	for {
		page, err := c.Read.GrantsOfClient(ctx, tenant, clientID, GrantPage{LiveAt: c.Clock.Now(), Limit: endAtOnce})
		if err != nil || len(page) == 0 {
			return ended, err
		}
		err = c.Tx.InTx(ctx, func(tx Tx) error {
			for _, g := range page {
				if err := c.EndTx(ctx, tx, g, reason, origin); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return ended, err
		}
		ended += len(page)
	}
}

// EndTx is EndGrant in a transaction of the caller.
func (c *Connections) EndTx(ctx context.Context, tx Tx, g Grant, reason string, origin audit.Event) error {
	origin.ClientID, origin.GrantID = g.ClientID, g.ID
	ended, err := c.revoke(ctx, tx, g, reason, origin)
	if err != nil || !ended || g.ConsentID == "" {
		return err
	}
	_, err = c.Consents.WithdrawTx(ctx, tx, g.Tenant, g.ConsentID, origin)
	return err
}

// Withdraw makes a Consent inactive; when it records an approval, the grant
// ends with it, in one transaction with the audit events. Errors:
// errs.NotFound, errs.Unavailable.
func (c *Connections) Withdraw(ctx context.Context, tenant, consentID string, origin audit.Event) (consent.Record, error) {
	var out consent.Record
	err := c.Tx.InTx(ctx, func(tx Tx) error {
		var err error
		if out, err = c.Consents.WithdrawTx(ctx, tx, tenant, consentID, origin); err != nil || out.Kind != consent.KindAppApproval {
			return err
		}
		grants, err := tx.GrantsOfPatient(ctx, tenant, out.Patient)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.ConsentID != consentID {
				continue
			}
			if _, err := c.revoke(ctx, tx, g, "consent-withdrawn", origin); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// revoke marks the grant as ended with its event; ended is false when it was
// before.
func (c *Connections) revoke(ctx context.Context, tx Tx, g Grant, reason string, origin audit.Event) (ended bool, err error) {
	now := c.Clock.Now()
	if ended, err = tx.RevokeGrant(ctx, g.Tenant, g.ID, reason, now); err != nil || !ended {
		return false, err
	}
	e := origin
	e.Kind, e.Action, e.Outcome = audit.GrantRevoked, "U", audit.Success
	e.Tenant, e.Time, e.Reason = g.Tenant, now, reason
	e.ClientID, e.GrantID, e.Patient, e.Consents = g.ClientID, g.ID, g.Record(), g.Basis()
	return true, tx.AppendAudit(ctx, e)
}

// ownRecords lists the patients whose record is the person's own.
func ownRecords(p identity.Person) []string {
	var out []string
	for _, id := range p.Identities {
		if id.Verified && id.Resource.Type == "Patient" {
			out = append(out, id.Resource.ID)
		}
	}
	return out
}
