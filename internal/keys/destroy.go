package keys

import (
	"context"
	"slices"
	"strconv"
)

// Destroyed says which versions of one subject's key were destroyed, or of a
// tenant's.
type Destroyed struct {
	Tenant string
	// OfTenant is set for versions of the tenant key; Subject is then empty.
	OfTenant bool
	Subject  string
	// Versions is their number, Last the newest of them.
	Versions, Last int
	// Erased tells that no version is left: what was encrypted is gone.
	Erased bool
}

// destroy destroys what is due and records it in the same transaction (AU-18): an
// event for each patient who is erased and for each key of a tenant, and one for
// all older versions of patients' keys, of which a rotation leaves many.
func (c *Custodian) destroy(ctx context.Context) error {
	return c.Tx.InTx(ctx, func(tx Tx) error {
		gone, err := tx.DestroyKeys(ctx, c.Clock.Now())
		if err != nil {
			return err
		}
		for len(gone) > 0 {
			n := slices.IndexFunc(gone, func(d Destroyed) bool { return d.Tenant != gone[0].Tenant })
			if n < 0 {
				n = len(gone)
			}
			if err := c.recordDestroyed(ctx, tx, gone[:n]); err != nil {
				return err
			}
			gone = gone[n:]
		}
		return nil
	})
}

// recordDestroyed records what of one tenant was destroyed. A tenant whose own
// key ends takes no writes: the Home tenant's log then tells of it, once.
func (c *Custodian) recordDestroyed(ctx context.Context, tx Tx, gone []Destroyed) error {
	tenant := gone[0].Tenant
	writes, err := takesWrites(ctx, tx, tenant)
	if err != nil {
		return err
	}
	if !writes {
		if home, err := takesWrites(ctx, tx, c.Home); err != nil || !home {
			return err
		}
		return tx.Record(ctx, destroyedAct(c.Home, "tenant", "all of tenant "+tenant))
	}
	older := 0
	for _, d := range gone {
		act := destroyedAct(tenant, "data", version(d.Last))
		switch {
		case d.OfTenant:
			act.Kind = "tenant"
		case d.Subject == SubjectIndex:
			act.Kind = "index"
		case d.Subject == "" || reserved(d.Subject):
		case d.Erased:
			act.Key = "patient " + d.Subject
		default:
			older += d.Versions
			continue
		}
		if err := tx.Record(ctx, act); err != nil {
			return err
		}
	}
	if older == 0 {
		return nil
	}
	return tx.Record(ctx, destroyedAct(tenant, "patients", strconv.Itoa(older)+" older versions"))
}

func destroyedAct(tenant, kind, key string) Act {
	return Act{Tenant: tenant, Action: "D", Reason: "keys-destroyed", Kind: kind, Key: key}
}

// takesWrites tells whether a version of a tenant's key is to stay.
func takesWrites(ctx context.Context, tx Tx, tenant string) (bool, error) {
	rows, err := tx.TenantKeys(ctx, tenant)
	return slices.ContainsFunc(rows, func(k TenantKey) bool { return k.Destroy.IsZero() && k.Destroyed.IsZero() }), err
}
