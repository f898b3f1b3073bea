package keys

import (
	"context"
	"crypto/cipher"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// MissingError says inside a transaction that a tenant's first key has to be
// made, which is done outside of it.
type MissingError struct{ Tenant string }

// Error says so.
func (e *MissingError) Error() string { return "keys: no key of tenant " + e.Tenant }

// tenantKeys is all versions of one tenant's key, made ready. It never
// changes; a newer one takes its place.
type tenantKeys struct {
	versions []tenantKey // oldest first
}

type tenantKey struct {
	row  TenantKey
	aead cipher.AEAD // nil when it was destroyed
}

func (t *tenantKeys) byVersion(v int) *tenantKey {
	for i := range t.versions {
		if t.versions[i].row.Version == v {
			return &t.versions[i]
		}
	}
	return nil
}

// writer gives the newest version that wraps at now, or the first one when the
// clock was turned back; nil when the tenant was erased.
func (t *tenantKeys) writer(now time.Time) *tenantKey {
	var early *tenantKey
	for i := len(t.versions) - 1; i >= 0; i-- {
		k := &t.versions[i]
		switch {
		case k.aead == nil, !k.row.Destroy.IsZero():
		case !k.row.Active.After(now):
			return k
		default:
			early = k
		}
	}
	return early
}

// tenant gives a tenant's keys; fresh reads them again. Outside of a
// transaction the first one is made when there is none.
func (e *Envelope) tenant(ctx context.Context, src Source, tenant string, fresh bool) (*tenantKeys, error) {
	if !fresh {
		e.mu.RLock()
		t := e.tenants[tenant]
		e.mu.RUnlock()
		if t != nil {
			return t, nil
		}
	}
	inside := src.Kept() != nil
	rows, err := src.TenantKeys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		if inside {
			// The provider is not asked while a transaction is open.
			return nil, errs.Wrap(&MissingError{Tenant: tenant}, errs.Unavailable, "tenant-keys-missing", "This tenant has no keys yet.")
		}
		if rows, err = e.makeTenantKey(ctx, src, tenant); err != nil {
			return nil, err
		}
	}
	t, err := e.unwrapTenant(ctx, e.known(tenant), rows)
	if err != nil {
		return nil, err
	}
	if !inside {
		// What a transaction reads may be undone yet.
		e.mu.Lock()
		e.tenants[tenant] = t
		e.mu.Unlock()
	}
	return t, nil
}

func (e *Envelope) known(tenant string) *tenantKeys {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.tenants[tenant]
}

// unwrapTenant makes stored tenant keys ready, asking the provider only for
// those that are not known yet.
func (e *Envelope) unwrapTenant(ctx context.Context, known *tenantKeys, rows []TenantKey) (*tenantKeys, error) {
	t := &tenantKeys{}
	for _, row := range rows {
		k := tenantKey{row: row}
		if known != nil && row.Destroyed.IsZero() {
			if old := known.byVersion(row.Version); old != nil {
				k.aead = old.aead
			}
		}
		if k.aead == nil && row.Destroyed.IsZero() {
			plain, err := e.provider.Unwrap(ctx, Wrapped{KEK: row.KEK, Bytes: row.Wrapped}, row.context())
			if err != nil {
				return nil, err
			}
			if k.aead, err = newAEAD(plain); err != nil {
				return nil, err
			}
		}
		t.versions = append(t.versions, k)
	}
	return t, nil
}

// makeTenantKey makes a tenant's first key, unless another node is faster.
func (e *Envelope) makeTenantKey(ctx context.Context, src Source, tenant string) ([]TenantKey, error) {
	now := e.clock.Now()
	k, err := e.newTenantKey(ctx, TenantKey{Tenant: tenant, Version: 1, Created: now, Active: now})
	if err != nil {
		return nil, err
	}
	if err := src.AddTenantKey(ctx, k); err != nil {
		return nil, err
	}
	return src.TenantKeys(ctx, tenant)
}

// newTenantKey fills a version with a fresh key wrapped by the provider.
func (e *Envelope) newTenantKey(ctx context.Context, k TenantKey) (TenantKey, error) {
	w, err := e.provider.Wrap(ctx, Random(keySize), k.context())
	k.KEK, k.Wrapped = w.KEK, w.Bytes
	return k, err
}

// Reload forgets a tenant's data keys and reads its own keys again, after they
// changed. Errors: errs.Unavailable, and those of the provider.
func (e *Envelope) Reload(ctx context.Context, src Source, tenant string) error {
	if e.known(tenant) != nil {
		if _, err := e.tenant(ctx, src, tenant, true); err != nil {
			return err
		}
	}
	e.cache.drop(tenant)
	return nil
}

// Stale implements Sealer.
func (e *Envelope) Stale(ctx context.Context, src Source, place Place, s Sealed) (bool, error) {
	if len(s) == 0 {
		return false, nil
	}
	if s[0] == SchemeNull {
		return true, nil
	}
	version, _, err := s.version()
	if err != nil {
		return false, err
	}
	id := subjectID{place.Tenant, place.Subject}
	all, err := e.subject(ctx, src, id, false)
	if err != nil {
		return false, err
	}
	if k := all.byVersion(version); k != nil && k.aead == nil {
		return false, nil // erased: there is nothing to encrypt again
	}
	w := all.writer(e.clock.Now())
	return w != nil && w.row.Version != version, nil
}
