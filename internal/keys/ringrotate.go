package keys

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Announce is how long before its first use a key is stored: longer than any
// node takes to notice it, so that none meets what it cannot verify or open,
// and none goes on with the key before.
const Announce = 30 * time.Second

// Overlap is for how long a retired signing key still verifies: longer than the
// life of anything that it signed.
const Overlap = 26 * time.Hour

// Rotate announces a new key of the use: it signs after the time announce, and
// the older ones then only verify. It gives the new key. Errors: errs.Invalid
// (announce-short) for less than Announce; errs.Unavailable, errs.Internal.
func (r *Ring) Rotate(ctx context.Context, tenant string, use Use, announce time.Duration) (SigningKey, error) {
	if announce < Announce {
		return SigningKey{}, errs.New(errs.Invalid, "announce-short",
			"A key must be announced for at least "+Announce.String()+" before it signs, so that every node knows it.")
	}
	return r.succeed(ctx, tenant, use, r.clock.Now().Add(announce))
}

// succeed makes a key that signs from a moment on, at which the others of the
// use retire.
func (r *Ring) succeed(ctx context.Context, tenant string, use Use, signs time.Time) (SigningKey, error) {
	fresh, err := makeKey(tenant, use, r.clock.Now())
	if err != nil {
		return fresh, err
	}
	fresh.Signs = signs
	if err := r.store.PutSigningKey(ctx, fresh); err != nil {
		return fresh, err
	}
	stored, err := r.store.SigningKeys(ctx, tenant)
	if err != nil {
		return fresh, err
	}
	for _, k := range stored {
		if k.Use != use || k.KID == fresh.KID || !k.Retired.IsZero() && !k.Retired.After(signs) {
			continue
		}
		k.Retired = signs
		if err := r.store.PutSigningKey(ctx, k); err != nil {
			return fresh, err
		}
	}
	return fresh, r.Reload(ctx, tenant)
}

// Revoke removes a key that others may know: what it signed verifies no more. A
// new key takes over at once when it was the one that signs. Errors:
// errs.NotFound (signing-key-not-found), errs.Unavailable, errs.Internal.
func (r *Ring) Revoke(ctx context.Context, tenant, kid string) error {
	stored, err := r.store.SigningKeys(ctx, tenant)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(stored, func(k SigningKey) bool { return k.KID == kid })
	if at < 0 {
		return errs.New(errs.NotFound, "signing-key-not-found", "There is no signing key of this id.")
	}
	now, use := r.clock.Now(), stored[at].Use
	another := slices.ContainsFunc(stored, func(k SigningKey) bool {
		return k.KID != kid && k.Use == use && !k.Signs.After(now) && (k.Retired.IsZero() || k.Retired.After(now))
	})
	if !another {
		if _, err := r.succeed(ctx, tenant, use, now); err != nil {
			return err
		}
	}
	if err := r.store.RemoveSigningKey(ctx, tenant, kid); err != nil {
		return err
	}
	return r.Reload(ctx, tenant)
}

// Tend does what is due for a tenant's signing keys: it announces the successor
// of a key that has signed for as long as every, and removes what was retired
// longer than Overlap ago. One node at a time should call it, often. It gives
// the keys it made and removed. Errors: errs.Unavailable, errs.Internal.
func (r *Ring) Tend(ctx context.Context, tenant string, every time.Duration) (made, removed []SigningKey, err error) {
	stored, err := r.store.SigningKeys(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	now := r.clock.Now()
	newest := map[Use]SigningKey{}
	for _, k := range stored {
		switch {
		case !k.Retired.IsZero() && now.Sub(k.Retired) > Overlap:
			if err := r.store.RemoveSigningKey(ctx, tenant, k.KID); err != nil {
				return made, removed, err
			}
			removed = append(removed, k)
		case !newest[k.Use].Signs.After(k.Signs):
			newest[k.Use] = k
		}
	}
	for _, use := range Uses() {
		if k, ok := newest[use]; !ok || now.Sub(k.Signs) < every {
			continue
		}
		fresh, err := r.succeed(ctx, tenant, use, now.Add(Announce))
		if err != nil {
			return made, removed, err
		}
		made = append(made, fresh)
	}
	if len(removed) > 0 {
		err = r.Reload(ctx, tenant)
	}
	return made, removed, err
}
