package registration

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
)

// Service changes the registry. Each act is one transaction with its audit
// event; an origin says from where and by whom it came.
type Service struct {
	Read  Store
	Tx    txn.Runner[Tx]
	Clock clock.Clock
	IDs   ids.Source
	// Hasher gives the tenant's keyed hash.
	Hasher func(ctx context.Context, tenant string) (ids.Hasher, error)
	// Prepare makes ready what a tenant's opaque access tokens need.
	Prepare func(ctx context.Context, tenant string) error
}

// The reasons that audit events of the registry carry.
const (
	ReasonEdited   = "client-edited"
	ReasonSecret   = "client-secret-rotated"
	ReasonRetired  = "client-secret-retired"
	ReasonDisabled = "client-disabled"
	ReasonEnabled  = "client-enabled"
	ReasonApproved = "client-approved"
	ReasonVerified = "client-maker-verified"
	ReasonRefused  = "client-refused"
	ReasonDeleted  = "client-deleted"
	// ReasonPending is of a registration that waits for approval, ReasonInvited
	// of an initial access token that was made.
	ReasonPending        = "client-pending"
	ReasonInvited        = "initial-token-made"
	ReasonDeletedByMaker = "client-deleted-by-maker"
)

// Create stores a client that is new. A client without an id gets one. Errors:
// errs.Conflict with code client-exists, for a deleted one too; errs.Unavailable.
func (s *Service) Create(ctx context.Context, c oauth.Client, origin audit.Event) (oauth.Client, error) {
	return s.create(ctx, c, origin, "")
}

func (s *Service) create(ctx context.Context, c oauth.Client, origin audit.Event, reason string) (oauth.Client, error) {
	if c.ID == "" {
		c.ID = s.IDs.ID()
	}
	c.Created = s.Clock.Now()
	if err := s.prepare(ctx, c); err != nil {
		return oauth.Client{}, err
	}
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		_, err := tx.ClientByID(ctx, c.Tenant, c.ID)
		switch {
		case err == nil:
			return errs.New(errs.Conflict, "client-exists", "There is a client with this client_id, or there was one.")
		case !errs.Is(err, errs.NotFound):
			return err
		}
		return s.put(ctx, tx, c, event(origin, c, audit.ClientRegistered, "C", reason))
	})
	return c, err
}

// prepare makes ready what tokens of the client need.
func (s *Service) prepare(ctx context.Context, c oauth.Client) error {
	if c.AccessTokenFormat != oauth.FormatOpaque || s.Prepare == nil {
		return nil
	}
	return s.Prepare(ctx, c.Tenant)
}

func (s *Service) put(ctx context.Context, tx Tx, c oauth.Client, e audit.Event) error {
	e.Time = s.Clock.Now()
	if err := tx.PutClient(ctx, c); err != nil {
		return err
	}
	return tx.AppendAudit(ctx, e)
}

// event completes an origin.
func event(origin audit.Event, c oauth.Client, kind audit.Kind, action, reason string) audit.Event {
	origin.Tenant, origin.Kind, origin.Action, origin.Reason = c.Tenant, kind, action, reason
	origin.Outcome = audit.Success
	origin.ClientID = c.ID
	return origin
}

// Change is one act on a client that exists.
type Change struct {
	Tenant string
	ID     string
	// Reason is the stable name of the act.
	Reason string
	// Apply makes the change. It may run again after a conflict of
	// transactions. Errors are those of the act.
	Apply func(c *oauth.Client) error
	// Loosen lets it take away what the client is asked for its security.
	Loosen bool
	Origin audit.Event
}

// Update applies a change, which takes nothing away of what the client is asked
// for its security unless it says so. Errors: errs.NotFound with code client-not-found,
// also for a client that was deleted; those of Apply; errs.Unavailable.
func (s *Service) Update(ctx context.Context, ch Change) (oauth.Client, error) {
	var out oauth.Client
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := live(ctx, tx, ch.Tenant, ch.ID)
		if err != nil {
			return err
		}
		before := c
		if err := ch.Apply(&c); err != nil {
			return err
		}
		if c.Deleted.IsZero() && !ch.Loosen {
			before.Hold(&c)
			if err := kept(c); err != nil {
				return err
			}
		}
		action := "U"
		if !c.Deleted.IsZero() {
			action = "D"
		}
		out = c
		return s.put(ctx, tx, c, event(ch.Origin, c, audit.ClientChanged, action, ch.Reason))
	})
	if err != nil {
		return oauth.Client{}, err
	}
	return out, s.prepare(ctx, out)
}

// One gives a client that was not deleted. Errors: as for Update.
func (s *Service) One(ctx context.Context, tenant, id string) (oauth.Client, error) {
	return live(ctx, s.Read, tenant, id)
}

// List gives the clients that were not deleted, by id.
func (s *Service) List(ctx context.Context, tenant string) ([]oauth.Client, error) {
	all, err := s.Read.Clients(ctx, tenant)
	return slices.DeleteFunc(all, func(c oauth.Client) bool { return !c.Deleted.IsZero() }), err
}

func live(ctx context.Context, st Store, tenant, id string) (oauth.Client, error) {
	c, err := st.ClientByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && !c.Deleted.IsZero() {
		return oauth.Client{}, errs.New(errs.NotFound, "client-not-found", "There is no such client.")
	}
	return c, err
}

// Delete ends a client for good: its credentials and addresses go, its tokens
// die, its id is not given again. Errors: as for Update.
func (s *Service) Delete(ctx context.Context, tenant, id, reason string, origin audit.Event) error {
	_, err := s.Update(ctx, Change{Tenant: tenant, ID: id, Reason: reason, Origin: origin, Apply: func(c *oauth.Client) error {
		*c = oauth.Client{
			Tenant: c.Tenant, ID: c.ID, Kind: c.Kind, Name: c.Name, Publisher: c.Publisher, Created: c.Created,
			Disabled: true, Deleted: s.Clock.Now(), Epoch: c.Epoch + 1, Registration: oauth.Registration{By: c.Registration.By, Why: reason},
		}
		return nil
	}})
	return err
}

// Disable stops a client: from then on it gets nothing and its tokens are
// dead. Errors: as for Update.
func (s *Service) Disable(ctx context.Context, tenant, id, reason string, origin audit.Event) (oauth.Client, error) {
	return s.Update(ctx, Change{Tenant: tenant, ID: id, Reason: reason, Origin: origin, Apply: func(c *oauth.Client) error {
		if !c.Disabled {
			c.Disabled, c.Epoch = true, c.Epoch+1
		}
		c.Registration.Why, c.Registration.Idle = reason, time.Time{}
		return nil
	}})
}

// Enable lets a disabled client work again; its old access tokens stay dead.
// Errors: as for Update; errs.Conflict with code client-pending for one that
// nobody approved.
func (s *Service) Enable(ctx context.Context, tenant, id string, origin audit.Event) (oauth.Client, error) {
	return s.Update(ctx, Change{Tenant: tenant, ID: id, Reason: ReasonEnabled, Origin: origin, Apply: func(c *oauth.Client) error {
		if c.Registration.Pending {
			return errs.New(errs.Conflict, "client-pending", "The client waits for approval; approve it.")
		}
		c.Disabled, c.Registration.Why, c.Registration.Enabled = false, "", s.Clock.Now()
		return nil
	}})
}
