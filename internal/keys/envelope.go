package keys

import (
	"context"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Envelope is the Sealer of a real store (SE-01, SE-02). A key-encryption key
// in the Provider wraps one key per tenant; that one wraps, here and without
// the provider, a data key per patient and the tenant's own; those encrypt
// columns. The provider is asked when a tenant's keys are first opened, made
// or rotated, never for a value. It is safe for concurrent use.
type Envelope struct {
	provider Provider
	clock    clock.Clock
	plain    bool

	mu      sync.RWMutex
	tenants map[string]*tenantKeys
	cache   cache
}

// EnvelopeConfig is what an Envelope needs.
type EnvelopeConfig struct {
	Provider Provider
	Clock    clock.Clock
	// AcceptPlain opens values that an older store holds unencrypted. New
	// values are always encrypted.
	AcceptPlain bool
}

// NewEnvelope gives the sealer; nothing is read yet.
func NewEnvelope(cfg EnvelopeConfig) *Envelope {
	return &Envelope{provider: cfg.Provider, clock: cfg.Clock, plain: cfg.AcceptPlain, tenants: map[string]*tenantKeys{}}
}

var _ Sealer = (*Envelope)(nil)

// Seal implements Sealer.
func (e *Envelope) Seal(ctx context.Context, src Source, place Place, plain []byte) (Sealed, error) {
	k, err := e.writer(ctx, src, subjectID{place.Tenant, place.Subject})
	if err != nil {
		return nil, err
	}
	return k.seal(place, plain), nil
}

// Open implements Sealer.
func (e *Envelope) Open(ctx context.Context, src Source, place Place, s Sealed) ([]byte, error) {
	if len(s) == 0 || s[0] == SchemeNull {
		if len(s) > 0 && !e.plain {
			return nil, errPlain()
		}
		return openNull(s)
	}
	version, body, err := s.version()
	if err != nil {
		return nil, err
	}
	id := subjectID{place.Tenant, place.Subject}
	found, err := e.subject(ctx, src, id, false)
	if err != nil {
		return nil, err
	}
	k := found.byVersion(version)
	if k == nil {
		// Another node has made it since.
		if found, err = e.subject(ctx, src, id, true); err != nil {
			return nil, err
		}
		k = found.byVersion(version)
	}
	switch {
	case k == nil:
		return nil, errSealed(nil)
	case k.aead == nil:
		return nil, errErased()
	}
	return k.open(place, body)
}

// Blind implements Sealer.
func (e *Envelope) Blind(ctx context.Context, src Source, place Place, value string) ([]string, error) {
	id := subjectID{place.Tenant, SubjectIndex}
	first, err := e.writer(ctx, src, id)
	if err != nil {
		return nil, err
	}
	out := []string{first.blind(place, value)}
	all, err := e.subject(ctx, src, id, false)
	if err != nil {
		return nil, err
	}
	for _, k := range all.versions {
		if k.aead != nil && k.row.Version != first.row.Version {
			out = append(out, k.blind(place, value))
		}
	}
	if e.plain {
		out = append(out, value)
	}
	return out, nil
}

// Committed implements Sealer.
func (e *Envelope) Committed(kept *Kept) {
	for id, s := range kept.subjects {
		e.cache.put(id, s, kept.generation)
	}
}

// writer gives the version of a data key that encrypts now, making it when
// there is none.
func (e *Envelope) writer(ctx context.Context, src Source, id subjectID) (*dataKey, error) {
	now := e.clock.Now()
	s, err := e.subject(ctx, src, id, false)
	if err != nil {
		return nil, err
	}
	if k := s.writer(now); k != nil {
		return k, nil
	}
	// A patient met for the first time, or erased before.
	if s, err = e.subject(ctx, src, id, true); err != nil {
		return nil, err
	}
	if k := s.writer(now); k != nil {
		return k, nil
	}
	if err := e.addDataKey(ctx, src, id, s, now); err != nil {
		return nil, err
	}
	if s, err = e.subject(ctx, src, id, true); err != nil {
		return nil, err
	}
	if k := s.writer(now); k != nil {
		return k, nil
	}
	return nil, errs.New(errs.Internal, "data-key-missing", "A data key could not be made.")
}

// writer gives the newest version that encrypts at now. A clock that was
// turned back still finds the first one.
func (s *subject) writer(now time.Time) *dataKey {
	var early *dataKey
	for i := len(s.versions) - 1; i >= 0; i-- {
		k := s.versions[i]
		switch {
		case k.aead == nil || !k.row.Retired.IsZero() && !now.Before(k.row.Retired):
		case !k.row.Active.After(now):
			return k
		default:
			early = k
		}
	}
	return early
}

// addDataKey makes the next version of a data key, unless another writer is
// faster: then that one's counts.
func (e *Envelope) addDataKey(ctx context.Context, src Source, id subjectID, s *subject, now time.Time) error {
	next := 1
	if n := len(s.versions); n > 0 {
		next = s.versions[n-1].row.Version + 1
	}
	k, err := e.newDataKey(ctx, src, DataKey{Tenant: id.tenant, Subject: id.subject, Version: next, Created: now, Active: now})
	if err != nil {
		return err
	}
	return src.AddDataKey(ctx, k)
}

// newDataKey fills a version with a fresh key wrapped by the tenant's.
func (e *Envelope) newDataKey(ctx context.Context, src Source, k DataKey) (DataKey, error) {
	t, err := e.tenant(ctx, src, k.Tenant, false)
	if err != nil {
		return k, err
	}
	parent := t.writer(e.clock.Now())
	if parent == nil {
		return k, errErased()
	}
	k.Parent = parent.row.Version
	k.Wrapped = wrapWith(parent.aead, k, Random(keySize))
	return k, nil
}

// subject gives the data key with all its versions: from this transaction, the
// cache, or the store, which fresh asks for in any case.
func (e *Envelope) subject(ctx context.Context, src Source, id subjectID, fresh bool) (*subject, error) {
	kept := src.Kept()
	if !fresh {
		if s := kept.get(id); s != nil {
			return s, nil
		}
		if s := e.cache.get(id); s != nil {
			return s, nil
		}
	}
	generation := e.cache.generation()
	rows, err := src.DataKeys(ctx, id.tenant, id.subject)
	if err != nil {
		return nil, err
	}
	s := &subject{}
	for _, row := range rows {
		k, err := e.unwrap(ctx, src, row)
		if err != nil {
			return nil, err
		}
		s.versions = append(s.versions, k)
	}
	if kept != nil {
		kept.put(id, s, generation)
	} else if len(rows) > 0 {
		e.cache.put(id, s, generation)
	}
	return s, nil
}

// unwrap makes a stored data key ready.
func (e *Envelope) unwrap(ctx context.Context, src Source, row DataKey) (*dataKey, error) {
	if !row.Destroyed.IsZero() {
		return &dataKey{row: row}, nil
	}
	t, err := e.tenant(ctx, src, row.Tenant, false)
	if err != nil {
		return nil, err
	}
	parent := t.byVersion(row.Parent)
	if parent == nil {
		if t, err = e.tenant(ctx, src, row.Tenant, true); err != nil {
			return nil, err
		}
		parent = t.byVersion(row.Parent)
	}
	switch {
	case parent == nil:
		return nil, errs.New(errs.Internal, "tenant-key-missing", "A data key is wrapped by a tenant key that the store does not hold.")
	case parent.aead == nil:
		return &dataKey{row: row}, nil
	}
	plain, err := unwrapWith(parent.aead, row)
	if err != nil {
		return nil, err
	}
	return row.ready(plain)
}
