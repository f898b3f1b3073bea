package app

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
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

// newCustodian gives what changes the keys of the open store for a person, or
// for nobody by the schedule.
func (a *App) newCustodian(person string) *keys.Custodian {
	return a.custodianOf(audit.Event{PersonID: person})
}

// custodianOf is newCustodian for an act of which by says more than the person:
// the log-in session, from where, and the request.
func (a *App) custodianOf(by audit.Event) *keys.Custodian {
	return &keys.Custodian{
		Envelope: a.envelope, Ring: a.ring, Vault: a.store, Clock: a.clock,
		Tx:    on(a.store, func(tx store.Tx) keys.Tx { return keyTx{Tx: tx, clock: a.clock, ids: a.ids, by: by} }),
		Lives: keyLives(), InUse: a.hashesSecrets, Home: tenants.Default,
	}
}

// keyLives says for how long what is made under a key is good at most: a longer
// life makes the keys stay longer.
func keyLives() map[keys.Use]time.Duration {
	return map[keys.Use]time.Duration{
		keys.UseAccessToken: oauth.MaxTokenLife, keys.UseIDToken: oauth.MaxTokenLife, keys.UseIDTokenES256: oauth.MaxTokenLife,
		keys.UseAccessHandle: oauth.MaxTokenLife, keys.UseTokenHash: oauth.MaxGrantLife,
	}
}

// hashesSecrets reports whether a registered client secret is hashed under the
// key of a mark: it has no end of its own.
func (a *App) hashesSecrets(ctx context.Context, tenant, mark string) (bool, error) {
	all, err := a.store.Clients(ctx, tenant)
	return slices.ContainsFunc(all, func(c oauth.Client) bool {
		if token := c.Registration.TokenHash; token != "" && ids.Mark(token) == mark {
			return true
		}
		return slices.ContainsFunc(c.SecretHashes, func(stored string) bool { return ids.Mark(stored) == mark })
	}), err
}

// keyTx is a transaction that records acts on keys.
type keyTx struct {
	store.Tx
	clock clock.Clock
	ids   ids.Source
	// by is what every event of the transaction says of who acts.
	by audit.Event
}

// Record implements keys.Tx (AU-18). An act that is only begun has no outcome
// yet.
func (k keyTx) Record(ctx context.Context, act keys.Act) error {
	e := audit.Event{
		Tenant: act.Tenant, Time: k.clock.Now(), Kind: audit.KeyChanged, Action: act.Action, Reason: act.Reason,
		PersonID: k.by.PersonID, SessionID: k.by.SessionID, Network: k.by.Network, RequestID: k.by.RequestID,
		Detail: map[string]string{"kind": act.Kind, "key": act.Key},
	}
	switch act.Stage {
	case keys.Begun:
		e.Detail["stage"] = "begun"
	case keys.Failed:
		e.Outcome = audit.SeriousFailure
	default:
		e.Outcome = audit.Success
	}
	if err := k.AppendAudit(ctx, e); err != nil {
		return err
	}
	// Without these, verifying the audit log would call the loss unlawful.
	switch {
	case act.AllTenant:
		return endLog(ctx, k.Tx, k.ids, lastEvent{tenant: act.Tenant, person: k.by.PersonID, until: act.Until, now: k.clock.Now()})
	case act.Patient != "":
		return k.AppendAudit(ctx, audit.Shredding(act.Tenant, act.Patient, act.Until, k.clock.Now()))
	}
	return nil
}

// tendKeys does what is due for keys: signing keys by their schedule, and what
// rotations left to be done.
func (a *App) tendKeys(ctx context.Context, _ jobs.Turn) error {
	custodian := a.newCustodian("")
	for _, tenant := range a.ring.Tenants() {
		if err := custodian.TendSigning(ctx, tenant, keys.SigningEvery); err != nil {
			return err
		}
	}
	if err := a.encryptPlain(ctx); err != nil {
		return err
	}
	if err := a.sealEnds(ctx); err != nil {
		return err
	}
	if err := custodian.Tend(ctx); err != nil {
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
