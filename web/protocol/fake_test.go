package protocol_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// rows is the state of the fake store.
type rows struct {
	clients    map[string]oauth.Client
	grants     map[string]oauth.Grant
	codes      map[string]oauth.Code
	refresh    map[string]oauth.RefreshToken
	assertions map[string]time.Time
	revoked    map[string]time.Time
	events     []audit.Event
	withdrawn  []string
	delegated  map[string]oauth.Delegation
}

func (r rows) clone() rows {
	return rows{
		maps.Clone(r.clients), maps.Clone(r.grants), maps.Clone(r.codes), maps.Clone(r.refresh),
		maps.Clone(r.assertions), maps.Clone(r.revoked), slices.Clone(r.events), slices.Clone(r.withdrawn), maps.Clone(r.delegated),
	}
}

// fake is a store in memory whose transactions are serial and roll back. The
// embedded interface stands for the methods that no test calls.
type fake struct {
	oauth.Store
	mu   sync.Mutex
	rows rows
	keys []keys.SigningKey
	// listed counts how often all clients were read.
	listed int
	// fail, when set, is the error of every transaction.
	fail error
	// over, when set, is what the limit of a client answers.
	over error
}

func (f *fake) admit(context.Context, string, string) error { return f.over }

func newFake() *fake {
	return &fake{rows: rows{
		map[string]oauth.Client{}, map[string]oauth.Grant{}, map[string]oauth.Code{},
		map[string]oauth.RefreshToken{}, map[string]time.Time{}, map[string]time.Time{}, nil, nil, map[string]oauth.Delegation{},
	}}
}

func (f *fake) InTx(_ context.Context, fn func(tx oauth.Tx) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	before := f.rows.clone()
	// The first run is undone and repeated, as after a serialization failure:
	// whoever has an effect outside the transaction is found out.
	_ = fn(tx{fake: f})
	f.rows = before.clone()
	if err := fn(tx{fake: f}); err != nil {
		f.rows = before
		return err
	}
	return nil
}

func get[V any](f *fake, m func() map[string]V, key string) (V, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, found := m()[key]
	if !found {
		return v, errs.New(errs.NotFound, "row", "There is no such row.")
	}
	return v, nil
}

func (f *fake) ClientByID(_ context.Context, t, id string) (oauth.Client, error) {
	return get(f, func() map[string]oauth.Client { return f.rows.clients }, t+id)
}

func (f *fake) Registered(_ context.Context, _, origin string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed++
	return slices.ContainsFunc(slices.Collect(maps.Values(f.rows.clients)), func(c oauth.Client) bool { return c.RunsAt(origin) }), nil
}

func (f *fake) GrantByID(_ context.Context, t, id string) (oauth.Grant, error) {
	return get(f, func() map[string]oauth.Grant { return f.rows.grants }, t+id)
}

func (f *fake) CodeByHash(_ context.Context, t, hash string) (oauth.Code, error) {
	return get(f, func() map[string]oauth.Code { return f.rows.codes }, t+hash)
}

func (f *fake) refreshByHash(t, hash string) (oauth.RefreshToken, error) {
	return get(f, func() map[string]oauth.RefreshToken { return f.rows.refresh }, t+hash)
}

func (f *fake) TokenRevoked(_ context.Context, t, jti string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, found := f.rows.revoked[t+jti]
	return found, nil
}

// Record takes the events of introspections.
func (f *fake) Record(_ context.Context, e audit.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.rows.events = append(f.rows.events, e)
	return nil
}

func (f *fake) SigningKeys(context.Context, string) ([]keys.SigningKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys), nil
}

func (f *fake) RemoveSigningKey(_ context.Context, _, kid string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = slices.DeleteFunc(f.keys, func(k keys.SigningKey) bool { return k.KID == kid })
	return nil
}

func (f *fake) RemoveSecret(context.Context, string, string) error { return nil }

func (f *fake) PutSigningKey(_ context.Context, k keys.SigningKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, k)
	return nil
}

func (f *fake) Secret(context.Context, string, string, func() []byte) ([]byte, error) {
	return bytes.Repeat([]byte("k"), 32), nil
}

// tx is the view inside a transaction, which holds the lock.
type tx struct {
	*fake
	// No consent is read or written here but by WithdrawTx.
	consent.Store
	evidence.Keeper
}

// WithdrawTx notes which Consent dies with a grant.
func (f *fake) WithdrawTx(_ context.Context, _ consent.Tx, _, id string, _ audit.Event) (consent.Record, error) {
	f.rows.withdrawn = append(f.rows.withdrawn, id)
	return consent.Record{}, nil
}

// GrantByID reads without the lock that the transaction holds.
func (t tx) GrantByID(_ context.Context, tenant, id string) (oauth.Grant, error) {
	g, found := t.rows.grants[tenant+id]
	if !found {
		return oauth.Grant{}, errs.New(errs.NotFound, "grant-not-found", "There is no such grant.")
	}
	return g, nil
}

func (t tx) AppendAudit(_ context.Context, e audit.Event) error {
	t.rows.events = append(t.rows.events, e)
	return nil
}

func (t tx) RenewSecret(_ context.Context, tenant, id, was, fresh string) (bool, error) {
	c := t.rows.clients[tenant+id]
	i := slices.Index(c.SecretHashes, was)
	if i < 0 {
		return false, nil
	}
	c.SecretHashes = slices.Clone(c.SecretHashes)
	c.SecretHashes[i] = fresh
	t.rows.clients[tenant+id] = c
	return true, nil
}

func (t tx) UseCode(_ context.Context, c oauth.Code, at time.Time) (bool, error) {
	kept := t.rows.codes[c.Tenant+c.Hash]
	if !kept.Used.IsZero() {
		return false, nil
	}
	kept.Used = at
	t.rows.codes[c.Tenant+c.Hash] = kept
	return true, nil
}

func (t tx) RotateRefresh(_ context.Context, r oauth.Rotation) (bool, error) {
	if r.From != "" {
		before := t.rows.refresh[r.Tenant+r.From]
		if before.GrantID != r.GrantID || !before.Rotated.IsZero() || !t.rows.grants[r.Tenant+r.GrantID].Revoked.IsZero() {
			return false, nil
		}
		before.Rotated = r.At
		t.rows.refresh[r.Tenant+r.From] = before
	}
	t.rows.refresh[r.Tenant+r.To] = oauth.RefreshToken{
		Tenant: r.Tenant, Hash: r.To, GrantID: r.GrantID, ClientID: r.ClientID, Issued: r.At, Expires: r.Expires,
	}
	return true, nil
}

func (t tx) ExtendGrant(_ context.Context, tenant, id string, ends time.Time) error {
	g := t.rows.grants[tenant+id]
	g.Ends = ends
	t.rows.grants[tenant+id] = g
	return nil
}

func (t tx) RevokeGrant(_ context.Context, tenant, id, reason string, at time.Time) (bool, error) {
	g := t.rows.grants[tenant+id]
	if !g.Revoked.IsZero() {
		return false, nil
	}
	g.Revoked, g.Reason = at, reason
	t.rows.grants[tenant+id] = g
	return true, nil
}

func (t tx) UseAssertion(_ context.Context, tenant, issuer, jti string, expires time.Time) error {
	key := tenant + "\x00" + issuer + "\x00" + jti
	if _, found := t.rows.assertions[key]; found {
		return errs.New(errs.Conflict, "assertion", "It was used.")
	}
	t.rows.assertions[key] = expires
	return nil
}

func (t tx) RevokeToken(_ context.Context, tenant, jti string, expires time.Time) error {
	t.rows.revoked[tenant+jti] = expires
	return nil
}
