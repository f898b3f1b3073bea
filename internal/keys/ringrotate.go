package keys

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Announce is how long before its first use a key is stored: longer than any
// node takes to notice it, so that none meets what it cannot verify or open,
// and none goes on with the key before.
const Announce = 30 * time.Second

// Overlap is for how long a retired key still verifies at the least.
const Overlap = 26 * time.Hour

// overlapSlack is how much longer than what was made under it a key is kept, for
// clocks that disagree.
const overlapSlack = time.Hour

// overlap is for how long a retired key of a use still verifies: longer than the
// life of anything that was made under it (SE-03).
func (c *Custodian) overlap(use Use) time.Duration { return max(Overlap, c.Lives[use]+overlapSlack) }

// RotateSigning announces a new key of the use: it signs after the time
// announce, and the older ones then only verify. It gives the new key. Errors:
// errs.Invalid (announce-short) for less than Announce; errs.Unavailable,
// errs.Internal.
func (c *Custodian) RotateSigning(ctx context.Context, tenant string, use Use, announce time.Duration) (SigningKey, error) {
	if announce < Announce {
		return SigningKey{}, errs.New(errs.Invalid, "announce-short",
			"A key must be announced for at least "+Announce.String()+" before it signs, so that every node knows it.")
	}
	return c.succeed(ctx, tenant, use, announce, Act{Action: "U", Reason: "key-rotated"})
}

// succeed makes a key that signs after a time, and then the others of the use
// retire. Keys are made before the transaction: that of RSA takes long.
func (c *Custodian) succeed(ctx context.Context, tenant string, use Use, announce time.Duration, a Act) (SigningKey, error) {
	now := c.Clock.Now()
	fresh, err := c.Ring.makeKey(ctx, tenant, use, now)
	if err != nil {
		return fresh, err
	}
	fresh.Signs = now.Add(announce)
	err = c.Tx.InTx(ctx, func(tx Tx) error { return takeOver(ctx, tx, fresh, a) })
	if err != nil {
		return fresh, err
	}
	return fresh, c.Ring.Reload(ctx, tenant)
}

// takeOver stores a key, retires the others of its use when it signs, and
// records both.
func takeOver(ctx context.Context, tx Tx, fresh SigningKey, a Act) error {
	if err := tx.PutSigningKey(ctx, fresh); err != nil {
		return err
	}
	stored, err := tx.SigningKeys(ctx, fresh.Tenant)
	if err != nil {
		return err
	}
	for _, k := range stored {
		if k.Use != fresh.Use || k.KID == fresh.KID || !k.Retired.IsZero() && !k.Retired.After(fresh.Signs) {
			continue
		}
		k.Retired = fresh.Signs
		if err := tx.PutSigningKey(ctx, k); err != nil {
			return err
		}
	}
	a.Tenant, a.Kind, a.Key = fresh.Tenant, string(fresh.Use), fresh.KID
	return tx.Record(ctx, a)
}

// RevokeSigning removes a key that others may know: what it signed verifies no
// more. A new key takes over at once when it was the one that signs. Errors:
// errs.NotFound (signing-key-not-found), errs.Unavailable, errs.Internal.
func (c *Custodian) RevokeSigning(ctx context.Context, tenant, kid string) error {
	stored, err := c.Ring.store.SigningKeys(ctx, tenant)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(stored, func(k SigningKey) bool { return k.KID == kid })
	if at < 0 {
		return errs.New(errs.NotFound, "signing-key-not-found", "There is no signing key of this id.")
	}
	now, gone := c.Clock.Now(), stored[at]
	use := gone.Use
	spare, err := c.Ring.makeKey(ctx, tenant, use, now)
	if err != nil {
		return err
	}
	spareUsed := false
	err = c.Tx.InTx(ctx, func(tx Tx) error {
		spareUsed = false
		stored, err := tx.SigningKeys(ctx, tenant)
		if err != nil {
			return err
		}
		another := slices.ContainsFunc(stored, func(k SigningKey) bool {
			return k.KID != kid && k.Use == use && !k.Signs.After(now) && (k.Retired.IsZero() || k.Retired.After(now))
		})
		if !another {
			spareUsed = true
			if err := takeOver(ctx, tx, spare, Act{Action: "C", Reason: "key-rotated"}); err != nil {
				return err
			}
		}
		return removeSigning(ctx, tx, tenant, SigningKey{KID: kid, Use: use}, "signing-key-revoked")
	})
	if err != nil {
		// The spare stays in its module: the commit may have taken place.
		return err
	}
	err = errors.Join(c.Ring.Reload(ctx, tenant), c.Ring.forget(ctx, gone))
	if !spareUsed {
		err = errors.Join(err, c.Ring.forget(ctx, spare))
	}
	return err
}

// removeRetired removes a key under which nothing lives any more; a client secret
// lives until another is registered.
func (c *Custodian) removeRetired(ctx context.Context, tenant string, k SigningKey) (bool, error) {
	if k.Use == UseTokenHash && c.InUse != nil {
		if used, err := c.InUse(ctx, tenant, k.Mark()); err != nil || used {
			return false, err
		}
	}
	err := c.Tx.InTx(ctx, func(tx Tx) error {
		return removeSigning(ctx, tx, tenant, k, "signing-key-removed")
	})
	if err != nil {
		return false, err
	}
	return true, c.Ring.forget(ctx, k)
}

func removeSigning(ctx context.Context, tx Tx, tenant string, k SigningKey, reason string) error {
	if err := tx.RemoveSigningKey(ctx, tenant, k.KID); err != nil {
		return err
	}
	if k.Use == UseTokenHash && k.KID == HashSecret {
		// It was made from this secret, in which it would live on.
		if err := tx.RemoveSecret(ctx, tenant, HashSecret); err != nil {
			return err
		}
	}
	return tx.Record(ctx, Act{Tenant: tenant, Action: "D", Reason: reason, Kind: string(k.Use), Key: k.KID})
}

// TendSigning does what is due for a tenant's signing keys: it announces the
// successor of a key that has signed for as long as every, and removes what was
// retired for longer than anything lives that was made under it; of a key of records
// only the private half. One node at a time should call it, often.
// Errors: errs.Unavailable, errs.Internal.
func (c *Custodian) TendSigning(ctx context.Context, tenant string, every time.Duration) error {
	stored, err := c.Ring.store.SigningKeys(ctx, tenant)
	if err != nil {
		return err
	}
	now, removed := c.Clock.Now(), false
	newest := map[Use]SigningKey{}
	for _, k := range stored {
		switch {
		case k.Use == UseRecord && !k.Retired.IsZero():
			halved, err := c.halve(ctx, tenant, k, now)
			if err != nil {
				return err
			}
			removed = removed || halved
		case !k.Retired.IsZero() && now.Sub(k.Retired) > c.overlap(k.Use):
			gone, err := c.removeRetired(ctx, tenant, k)
			if err != nil {
				return err
			}
			removed = removed || gone
		case !newest[k.Use].Signs.After(k.Signs):
			newest[k.Use] = k
		}
	}
	for _, use := range Uses() {
		if k, ok := newest[use]; !ok || now.Sub(k.Signs) < every {
			continue
		}
		if _, err := c.succeed(ctx, tenant, use, Announce, Act{Action: "C", Reason: "signing-key-scheduled"}); err != nil {
			return err
		}
	}
	if removed {
		return c.Ring.Reload(ctx, tenant)
	}
	return nil
}
