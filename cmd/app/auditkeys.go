package app

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/store"
)

// lastEvent says when and by whom a tenant is erased.
type lastEvent struct {
	tenant, person string
	until, now     time.Time
}

// endLog records, in the transaction in which all keys of a tenant are ended,
// what makes that lawful in the eyes of who verifies the log later without them.
func endLog(ctx context.Context, tx store.Tx, src ids.Source, l lastEvent) error {
	logKeys, err := audit.OpenLogKeys(ctx, tx, src, l.tenant)
	if err != nil {
		return err
	}
	e, end, err := logKeys.Ending(src.ID(), l.until, l.now)
	if err != nil {
		return err
	}
	e.PersonID = l.person
	if err := tx.AppendAudit(ctx, e); err != nil {
		return err
	}
	return tx.PutLogEnd(ctx, l.tenant, end)
}

// sealEnds seals the logs of tenants whose keys are about to be destroyed: it
// cannot be done afterwards.
func (a *App) sealEnds(ctx context.Context) error {
	all, err := a.store.KeyTenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		end, err := a.store.LogEnd(ctx, t)
		if err != nil {
			return err
		}
		rows, err := a.store.TenantKeys(ctx, t)
		if err != nil {
			return err
		}
		live := slices.ContainsFunc(rows, func(k keys.TenantKey) bool { return k.Destroyed.IsZero() })
		if end == nil || !live {
			continue
		}
		deps := audit.SealerDeps{Ledger: a.store, Secrets: a.store, Clock: a.clock, IDs: a.ids}
		// Another node may have destroyed them meanwhile, behind its own sealing.
		if err := audit.SealAll(ctx, deps, t); err != nil && !errs.Is(err, errs.Gone) {
			return err
		}
	}
	return nil
}

// logKeyItems lists the keys of a tenant's log for the inventory.
func logKeyItems(st *store.Store) func(ctx context.Context, tenant string) ([]keys.Item, error) {
	return func(ctx context.Context, tenant string) ([]keys.Item, error) {
		all, err := st.LogKeys(ctx, tenant)
		if err != nil {
			return nil, err
		}
		end, err := st.LogEnd(ctx, tenant)
		var out []keys.Item
		for i, k := range all {
			it := keys.Item{Tenant: tenant, Kind: keys.KindAuditLog, ID: "v" + strconv.Itoa(k.Generation), Where: keys.WhereStore, Created: k.Created, State: "active"}
			switch {
			case end != nil:
				it.State = "destroyed"
			case i > 0 && k.Signs == 0:
				it.State = "announced"
			case i+1 < len(all) && all[i+1].Signs > 0:
				it.State = "retired"
			default:
				it.Due = k.Created.Add(keys.StorageEvery)
			}
			out = append(out, it)
		}
		return out, err
	}
}

// rotateLogKeys makes the next keys of a tenant's audit log.
func (a *App) rotateLogKeys(ctx context.Context, tenant, person string) (k audit.LogKey, err error) {
	err = a.store.InTx(ctx, func(tx store.Tx) error {
		k, err = audit.RotateLogKeys(ctx, tx, audit.Rotation{Tenant: tenant, PersonID: person, Now: a.clock.Now(), IDs: a.ids})
		return err
	})
	return k, err
}
