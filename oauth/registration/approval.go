package registration

import (
	"cmp"
	"context"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Waiting gives the clients that wait for approval, those first that have waited
// longest.
func (s *Service) Waiting(ctx context.Context, tenant string) ([]oauth.Client, error) {
	all, err := s.List(ctx, tenant)
	all = slices.DeleteFunc(all, func(c oauth.Client) bool { return !c.Registration.Pending })
	slices.SortFunc(all, func(a, b oauth.Client) int {
		return cmp.Or(a.Registration.Asked.Compare(b.Registration.Asked), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// StatusOf gives how a client stands: pending, approved, disabled or deleted.
func StatusOf(c oauth.Client) string {
	switch {
	case !c.Deleted.IsZero():
		return "deleted"
	case c.Registration.Pending:
		return "pending"
	case c.Disabled:
		return "disabled"
	}
	return "approved"
}

// VerifyMaker records that an operator verified who makes the app, which ends the
// first clock of REG-08 and begins the second. Errors: errs.NotFound;
// errs.Conflict with code client-not-pending.
func (s *Service) VerifyMaker(ctx context.Context, tenant, id string, origin audit.Event) (oauth.Client, error) {
	return s.decide(ctx, tenant, id, ReasonVerified, origin, func(c *oauth.Client) {
		c.Verified, c.Registration.Authentic = s.Clock.Now(), s.Clock.Now()
	})
}

// Approve lets a client that waits work. Who approves vouches for its maker too,
// unless that was done before. Errors: as for VerifyMaker.
func (s *Service) Approve(ctx context.Context, tenant, id string, origin audit.Event) (oauth.Client, error) {
	return s.decide(ctx, tenant, id, ReasonApproved, origin, func(c *oauth.Client) {
		now := s.Clock.Now()
		if c.Registration.Authentic.IsZero() {
			c.Verified, c.Registration.Authentic = now, now
		}
		c.Registration.Approved, c.Registration.Pending, c.Registration.Why, c.Disabled = now, false, "", false
	})
}

// Refuse ends a registration that waits. Errors: as for VerifyMaker.
func (s *Service) Refuse(ctx context.Context, tenant, id string, origin audit.Event) error {
	c, err := s.One(ctx, tenant, id)
	if err != nil {
		return err
	}
	if !c.Registration.Pending {
		return errNotPending()
	}
	return s.Delete(ctx, tenant, id, ReasonRefused, origin)
}

func (s *Service) decide(ctx context.Context, tenant, id, reason string, origin audit.Event, change func(*oauth.Client)) (oauth.Client, error) {
	return s.Update(ctx, Change{Tenant: tenant, ID: id, Reason: reason, Origin: origin, Apply: func(c *oauth.Client) error {
		if !c.Registration.Pending {
			return errNotPending()
		}
		change(c)
		return nil
	}})
}

func errNotPending() error {
	return errs.New(errs.Conflict, "client-not-pending", "The client does not wait for approval.")
}
