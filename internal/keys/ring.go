package keys

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// HashSecret is the name of the tenant's secret that is its first key of
// UseTokenHash, and the id of that key, which has no mark.
const HashSecret = "token-hash"

// reloadAfter is how often an unknown kid may ask the store. Changes of keys
// reach the ring by Reload, off the path of requests.
const reloadAfter = 5 * time.Second

// Ring signs with the newest active key of a tenant and verifies with any of
// its keys, retired ones included, so that rotation ends no token early
// (SMART OID-13). Each key has exactly one algorithm. It is safe for
// concurrent use.
type Ring struct {
	store Store
	clock clock.Clock
	ids   ids.Source
	// module holds keys, and new ones are made in it where makesInModule is set.
	module        Module
	makesInModule bool

	mu      sync.Mutex
	tenants map[string]*tenantRing
}

// tenantRing is the cached ring of one tenant. making holds a channel per use
// whose first key is being made; it is closed when that ended.
type tenantRing struct {
	clock clock.Clock
	load  sync.Mutex

	mu     sync.RWMutex
	loaded time.Time
	// round grows whenever the keys were read.
	round  uint64
	keys   []*ringKey
	jwks   []byte
	making map[Use]chan struct{}
	failed map[Use]error
}

// NewRing gives a ring over the store; nothing is read yet.
func NewRing(store Store, c clock.Clock) *Ring {
	return &Ring{store: store, clock: c, tenants: map[string]*tenantRing{}}
}

// Open loads the keys of a tenant and makes the missing ones: the EC keys at
// once, the slow RSA key in the background. It need not be called, but a
// server that calls it at start never makes a key while a request waits.
// Errors: errs.Unavailable of the store, errs.Internal.
func (r *Ring) Open(ctx context.Context, tenant string) error {
	_, err := r.open(ctx, tenant)
	return err
}

func (r *Ring) open(ctx context.Context, tenant string) (*tenantRing, error) {
	r.mu.Lock()
	t := r.tenants[tenant]
	if t == nil {
		t = &tenantRing{clock: r.clock, making: map[Use]chan struct{}{}, failed: map[Use]error{}}
		r.tenants[tenant] = t
	}
	r.mu.Unlock()
	if t.known() {
		return t, nil
	}
	t.load.Lock()
	defer t.load.Unlock()
	if t.known() {
		return t, nil
	}
	if err := r.read(ctx, tenant, t); err != nil {
		return nil, err
	}
	if err := r.firstHashKey(ctx, tenant, t); err != nil {
		return nil, err
	}
	for _, use := range []Use{UseAccessToken, UseIDTokenES256, UseRecord} {
		if t.newest(use, r.clock.Now()) == nil {
			if err := r.add(ctx, tenant, t, use); err != nil {
				return nil, err
			}
		}
	}
	r.makeInBackground(ctx, tenant, t)
	return t, nil
}

// makeInBackground starts making the RSA key when there is none and nobody is
// at it.
func (r *Ring) makeInBackground(ctx context.Context, tenant string, t *tenantRing) {
	if t.newest(UseIDToken, r.clock.Now()) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.making[UseIDToken] != nil {
		return
	}
	done := make(chan struct{})
	t.making[UseIDToken] = done
	go func() {
		err := r.addAlone(context.WithoutCancel(ctx), tenant, t, UseIDToken)
		t.mu.Lock()
		t.failed[UseIDToken] = err
		delete(t.making, UseIDToken)
		t.mu.Unlock()
		close(done)
	}()
}

// add makes one key, stores it and reads the ring again, so that a key which
// another node made at the same moment is known here too. The caller holds t.load.
func (r *Ring) add(ctx context.Context, tenant string, t *tenantRing, use Use) error {
	if err := r.put(ctx, tenant, use); err != nil {
		return err
	}
	return r.read(ctx, tenant, t)
}

// addAlone is add for who does not hold t.load: while the key is made others may read
// the ring, and what they read is not replaced by what is older.
func (r *Ring) addAlone(ctx context.Context, tenant string, t *tenantRing, use Use) error {
	if err := r.put(ctx, tenant, use); err != nil {
		return err
	}
	t.load.Lock()
	defer t.load.Unlock()
	return r.read(ctx, tenant, t)
}

func (r *Ring) put(ctx context.Context, tenant string, use Use) error {
	k, err := r.makeKey(ctx, tenant, use, r.clock.Now())
	if err != nil {
		return err
	}
	return r.store.PutSigningKey(ctx, k)
}

// read replaces the cached keys by those of the store. The caller holds t.load.
func (r *Ring) read(ctx context.Context, tenant string, t *tenantRing) error {
	stored, err := r.store.SigningKeys(ctx, tenant)
	if err != nil {
		return err
	}
	all := make([]*ringKey, 0, len(stored))
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, s := range stored {
		if !slices.Contains(Uses(), s.Use) {
			continue // a newer version's, beside which this one still runs
		}
		k, err := r.openKey(s)
		if err != nil {
			return err
		}
		all = append(all, k)
		// What is a secret as a whole has no public part, and no app is given what a
		// key of records signed.
		if k.secret == nil && s.Use != UseRecord {
			set.Keys = append(set.Keys, k.public)
		}
	}
	bytes, err := json.Marshal(set)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "jwks-encoding", "The key set could not be written.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys, t.jwks, t.loaded = all, bytes, r.clock.Now()
	t.round++
	return nil
}

// Tenants gives the tenants whose keys are open.
func (r *Ring) Tenants() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.tenants))
}

// Reload reads a tenant's keys again, after they changed; what is not open stays
// so. Errors: errs.Unavailable.
func (r *Ring) Reload(ctx context.Context, tenant string) error {
	r.mu.Lock()
	t := r.tenants[tenant]
	r.mu.Unlock()
	if t == nil || !t.known() {
		return nil
	}
	t.load.Lock()
	defer t.load.Unlock()
	return r.read(ctx, tenant, t)
}

// refresh reads the ring again when it is stale.
func (r *Ring) refresh(ctx context.Context, tenant string, t *tenantRing) error {
	now := r.clock.Now()
	if !t.stale(now) {
		return nil
	}
	t.load.Lock()
	defer t.load.Unlock()
	if !t.stale(now) {
		return nil
	}
	return r.read(ctx, tenant, t)
}

// known reports whether the keys were read once.
func (t *tenantRing) known() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return !t.loaded.IsZero()
}

// stale reports whether the keys were read too long ago, or the clock was
// turned back since.
func (t *tenantRing) stale(now time.Time) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	age := now.Sub(t.loaded)
	return age >= reloadAfter || age < 0
}

// newest gives the key that signs at now, nil when there is none for the use.
func (t *tenantRing) newest(use Use, now time.Time) *ringKey {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var best, early *ringKey
	for _, k := range t.keys {
		switch {
		case k.stored.Use != use || !k.stored.Retired.IsZero() && !now.Before(k.stored.Retired):
		case k.stored.Signs.After(now):
			if early == nil {
				early = k
			}
		case best == nil || !k.stored.Signs.Before(best.stored.Signs):
			best = k
		}
	}
	if best == nil {
		// A clock turned back before the first key's start still has to sign.
		return early
	}
	return best
}

func (t *tenantRing) byID(kid string) *ringKey {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, k := range t.keys {
		if k.stored.KID == kid {
			return k
		}
	}
	return nil
}

// signer gives the signing key of a use, waiting for one that is being made.
func (r *Ring) signer(ctx context.Context, tenant string, use Use) (*ringKey, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return nil, err
	}
	for range 2 {
		if k := t.newest(use, r.clock.Now()); k != nil {
			return k, nil
		}
		t.mu.RLock()
		made := t.making[use]
		t.mu.RUnlock()
		if made == nil {
			r.makeInBackground(ctx, tenant, t)
			continue
		}
		select {
		case <-made:
		case <-ctx.Done():
			return nil, errs.Wrap(ctx.Err(), errs.Unavailable, "signing-key-pending", "The signing key is still being made.")
		}
	}
	if k := t.newest(use, r.clock.Now()); k != nil {
		return k, nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return nil, errs.Wrap(errors.Join(t.failed[use]), errs.Unavailable, "signing-key-missing", "There is no signing key.")
}

// Sign gives a compact JWS over the claims with the newest key of the use and
// the header type typ, such as "at+jwt" (RFC 9068 §2.1). Errors:
// errs.Unavailable while no key exists; errs.Internal.
func (r *Ring) Sign(ctx context.Context, tenant string, use Use, typ string, claims any) (string, error) {
	k, err := r.signer(ctx, tenant, use)
	if err != nil {
		return "", err
	}
	return k.sign(typ, claims)
}

// Verify checks a compact JWS by the key that its kid names, active or
// retired, and gives the payload. The key must be of the use and the header
// must name the key's own algorithm and the type typ. Errors:
// errs.Unauthenticated with code token-invalid; errs.Unavailable.
func (r *Ring) Verify(ctx context.Context, tenant string, use Use, typ, token string) ([]byte, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return nil, err
	}
	jws, kid, err := parse(token, use, typ)
	if err != nil {
		return nil, err
	}
	k, err := r.find(ctx, tenant, t, use, kid)
	if err != nil {
		return nil, err
	}
	return k.verify(jws)
}

// Round tells the keys of a tenant that are in use from those that were before:
// what was verified in one round need not be in the next, where its key may have
// gone. Errors: errs.Unavailable.
func (r *Ring) Round(ctx context.Context, tenant string) (uint64, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return 0, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.round, nil
}

// find gives the key of an id and a use. An unknown id has the ring read again
// when it is stale.
func (r *Ring) find(ctx context.Context, tenant string, t *tenantRing, use Use, kid string) (*ringKey, error) {
	k := t.byID(kid)
	if k == nil {
		if err := r.refresh(ctx, tenant, t); err != nil {
			return nil, err
		}
		k = t.byID(kid)
	}
	if k == nil || k.stored.Use != use {
		return nil, errToken("the key is unknown")
	}
	return k, nil
}

// JWKS gives the tenant's public key set as JSON: bare JWKs with kid, alg and
// use, retired keys included (SMART OID-03). The bytes must not be changed.
// Errors: errs.Unavailable.
func (r *Ring) JWKS(ctx context.Context, tenant string) ([]byte, error) {
	if _, err := r.signer(ctx, tenant, UseIDToken); err != nil {
		return nil, err
	}
	t, err := r.open(ctx, tenant)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.jwks, nil
}
