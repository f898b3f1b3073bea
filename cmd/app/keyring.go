package app

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
)

// keysEvery is how often one node looks after keys.
const keysEvery = 10 * time.Second

// retryKeys is how long a node waits before it asks a silent store again for
// keys that changed.
const retryKeys = time.Second

// keyNews collects the tenants whose keys changed, until they were read again.
type keyNews struct {
	mu      sync.Mutex
	tenants map[string]bool
	all     bool
	wake    chan struct{}
}

// tell takes a change of the feed; it never waits.
func (n *keyNews) tell(c watch.Change) {
	if c.Kind != watch.SigningKeys && c.Kind != "" {
		return
	}
	n.mu.Lock()
	if c.Kind == "" {
		n.all = true
	} else {
		n.tenants[c.Tenant] = true
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take gives what was told, and forgets it.
func (n *keyNews) take(open []string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all {
		for _, t := range open {
			n.tenants[t] = true
		}
	}
	out := slices.Sorted(maps.Keys(n.tenants))
	n.all, n.tenants = false, map[string]bool{}
	return out
}

// followKeys reads keys again that changed, here or on another node, off the
// path of requests, until ctx ends.
func (a *App) followKeys(ctx context.Context) {
	retry := time.NewTimer(retryKeys)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.keyNews.wake:
		case <-retry.C:
		}
		for _, tenant := range a.keyNews.take(a.ring.Tenants()) {
			err := a.envelope.Reload(ctx, a.store, tenant)
			if err == nil {
				err = a.ring.Reload(ctx, tenant)
			}
			if err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "keys not read again", "tenant", tenant, "err", err)
				a.keyNews.tell(watch.Change{Tenant: tenant, Kind: watch.SigningKeys})
				retry.Reset(retryKeys)
				break
			}
		}
	}
}

// newCustodian gives what rotates the keys of the open store.
func (a *App) newCustodian() *keys.Custodian {
	return &keys.Custodian{Envelope: a.envelope, Vault: a.store, Resealer: a.store, Clock: a.clock}
}

// tendKeys does what is due for keys: signing keys by their schedule, and what
// rotations left to be done.
func (a *App) tendKeys(ctx context.Context, _ jobs.Turn) error {
	for _, tenant := range a.ring.Tenants() {
		made, removed, err := a.ring.Tend(ctx, tenant, keys.SigningEvery)
		for _, k := range made {
			a.recordKey(ctx, tenant, "C", "signing-key-scheduled", string(k.Use), k.KID)
		}
		for _, k := range removed {
			a.recordKey(ctx, tenant, "D", "signing-key-removed", string(k.Use), k.KID)
		}
		if err != nil {
			return err
		}
	}
	if err := a.encryptPlain(ctx); err != nil {
		return err
	}
	if err := a.newCustodian().Tend(ctx); err != nil {
		return err
	}
	_, err := a.store.Reseal(ctx)
	return err
}

// encryptPlain asks, once for each tenant of a development store, that what an
// older version left unencrypted is encrypted.
func (a *App) encryptPlain(ctx context.Context) error {
	if !a.cfg.Dev {
		return nil
	}
	tenants, err := a.store.KeyTenants(ctx)
	if err != nil {
		return err
	}
	asked, err := a.store.Reseals(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if !slices.ContainsFunc(asked, func(r keys.Reseal) bool { return r.Tenant == t }) {
			if err := a.store.StartReseal(ctx, t, a.clock.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyEvent is the audit event of a change of keys (AU-18).
func (a *App) keyEvent(tenant, action, reason, kind, id string) audit.Event {
	return audit.Event{
		Tenant: tenant, Time: a.clock.Now(), Kind: audit.KeyChanged, Action: action, Outcome: audit.Success, Reason: reason,
		Detail: map[string]string{"kind": kind, "key": id},
	}
}

// recordKey records what the schedule did; it did it in any case.
func (a *App) recordKey(ctx context.Context, tenant, action, reason, kind, id string) {
	if err := a.store.AppendAudit(ctx, a.keyEvent(tenant, action, reason, kind, id)); err != nil {
		a.log.ErrorContext(ctx, "change of keys not recorded", "tenant", tenant, "reason", reason, "key", id, "err", err)
	}
}
