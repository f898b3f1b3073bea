package keys

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// algHash is the algorithm of UseTokenHash keys: HMAC-SHA-256.
const algHash = "HS256"

// Hasher gives the tenant's keyed hash, which follows its keys as they are
// replaced: the same on all nodes that know the same keys. After the first call
// it reads nothing. Errors: errs.Unavailable.
func (r *Ring) Hasher(ctx context.Context, tenant string) (ids.Hasher, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return ids.Hasher{}, err
	}
	if t.youngest(UseTokenHash) == nil {
		// Whoever opened the ring is just making it.
		t.load.Lock()
		defer t.load.Unlock()
		if err := r.firstHashKey(ctx, tenant, t); err != nil {
			return ids.Hasher{}, err
		}
	}
	return ids.Hasher{Keys: t}, nil
}

// firstHashKey makes the first key of a tenant from its secret of that name,
// under which an older version hashed. All nodes make the same one.
func (r *Ring) firstHashKey(ctx context.Context, tenant string, t *tenantRing) error {
	now := r.clock.Now()
	if t.newest(UseTokenHash, now) != nil {
		return nil
	}
	secret, err := r.store.Secret(ctx, tenant, HashSecret, func() []byte { return r.ids.Bytes(keySize) })
	if err != nil {
		return err
	}
	k := SigningKey{Tenant: tenant, KID: HashSecret, Use: UseTokenHash, Alg: algHash, Private: secret, Created: now, Signs: now}
	if err := r.store.PutSigningKey(ctx, k); err != nil {
		return err
	}
	if err := r.read(ctx, tenant, t); err != nil || t.youngest(UseTokenHash) != nil {
		return err
	}
	return errs.New(errs.Unavailable, "signing-key-missing", "There is no signing key.")
}

// Mark is what stands before the secrets that were made under a UseTokenHash key.
func (k SigningKey) Mark() string {
	if k.KID == HashSecret {
		return ""
	}
	return k.KID + ids.MarkEnd
}

var _ ids.HashKeys = (*tenantRing)(nil)

// HashKey implements ids.HashKeys.
func (t *tenantRing) HashKey(mark string) *ids.HashKey {
	kid := HashSecret
	if mark != "" {
		kid = strings.TrimSuffix(mark, ids.MarkEnd)
	}
	if k := t.byID(kid); k != nil && k.stored.Use == UseTokenHash {
		return k.hashes
	}
	_, key := t.NewestHashKey(time.Time{})
	return key
}

// NewestHashKey implements ids.HashKeys.
func (t *tenantRing) NewestHashKey(at time.Time) (mark string, key *ids.HashKey) {
	if at.IsZero() {
		at = t.clock.Now()
	}
	k := t.newest(UseTokenHash, at)
	if k == nil {
		k = t.youngest(UseTokenHash)
	}
	return k.stored.Mark(), k.hashes
}

// youngest gives the key of a use that was made last, retired or not. An open
// ring has one of UseTokenHash.
func (t *tenantRing) youngest(use Use) (last *ringKey) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, k := range t.keys {
		if k.stored.Use == use && (last == nil || k.stored.Signs.After(last.stored.Signs)) {
			last = k
		}
	}
	return last
}
