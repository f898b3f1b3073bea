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

// ConnectionsTx is what ending a connection needs inside one transaction.
type ConnectionsTx interface {
	Tx
	consent.Store
}

// Withdrawer withdraws the Consent that records an approval.
type Withdrawer interface {
	WithdrawTx(ctx context.Context, tx consent.Tx, tenant, id string, origin audit.Event) (consent.Record, error)
}

// Connections is the list of connected apps and its one act: ending a grant
// (SMART REV-03, BP-04).
type Connections struct {
	Read     GrantStore
	Tx       txn.Runner[ConnectionsTx]
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

// End revokes a grant: with it die its refresh tokens, its access tokens and
// the Consent that recorded it, in one transaction with the audit events. An
// ended grant stays as it is. Errors: those of One, errs.Unavailable.
func (c *Connections) End(ctx context.Context, p identity.Person, id string, origin audit.Event) error {
	g, err := c.One(ctx, p, id)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	origin.Tenant, origin.Time, origin.PersonID = p.Tenant, now, p.ID
	origin.ClientID, origin.GrantID, origin.Patient = g.ClientID, g.ID, g.Record()
	return c.Tx.InTx(ctx, func(tx ConnectionsTx) error {
		ended, err := tx.RevokeGrant(ctx, g.Tenant, g.ID, "ended-by-person", now)
		if err != nil || !ended {
			return err
		}
		if g.ConsentID != "" {
			if _, err := c.Consents.WithdrawTx(ctx, tx, g.Tenant, g.ConsentID, origin); err != nil {
				return err
			}
		}
		e := origin
		e.Kind, e.Action, e.Outcome = audit.GrantRevoked, "U", audit.Success
		e.Consents = g.Consents
		return tx.AppendAudit(ctx, e)
	})
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
