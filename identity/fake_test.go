package identity_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
)

// memory is a store in memory: one transaction at a time, rolled back when
// its function fails.
type memory struct {
	mu sync.Mutex
	state
	down bool
}

type state struct {
	people   map[string]identity.Person
	factors  []identity.Factor
	sessions map[string]identity.Session
	failures map[string][]time.Time
	events   []audit.Event
	// ended are the jobs that were left.
	ended []string
}

func newMemory() *memory {
	return &memory{state: state{people: map[string]identity.Person{}, sessions: map[string]identity.Session{}, failures: map[string][]time.Time{}}}
}

func (s state) clone() state {
	c := state{people: map[string]identity.Person{}, sessions: map[string]identity.Session{}, failures: map[string][]time.Time{}}
	for k, v := range s.people {
		c.people[k] = v
	}
	for k, v := range s.sessions {
		c.sessions[k] = v
	}
	for k, v := range s.failures {
		c.failures[k] = slices.Clone(v)
	}
	c.factors, c.events, c.ended = slices.Clone(s.factors), slices.Clone(s.events), slices.Clone(s.ended)
	return c
}

// InTx runs fn twice, throwing the first run away, because a Runner may do so
// after a serialization failure.
func (m *memory) InTx(_ context.Context, fn func(identity.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errs.New(errs.Unavailable, "store-down", "down")
	}
	before := m.state.clone()
	_ = fn(memTx{&m.state})
	m.state = before.clone()
	if err := fn(memTx{&m.state}); err != nil {
		m.state = before
		return err
	}
	return nil
}

// reader locks each read, as a connection outside a transaction would.
type reader struct {
	identity.Store
	m *memory
}

func (m *memory) reader() reader { return reader{Store: memTx{&m.state}, m: m} }

func (r reader) PersonByUsername(ctx context.Context, tenant, name string) (identity.Person, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Store.PersonByUsername(ctx, tenant, name)
}

func (r reader) Factors(ctx context.Context, tenant, id string) ([]identity.Factor, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Store.Factors(ctx, tenant, id)
}

func (r reader) Failures(ctx context.Context, tenant, key string, now time.Time, w time.Duration) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Store.Failures(ctx, tenant, key, now, w)
}

func (r reader) SessionWithPerson(ctx context.Context, tenant, hash string) (identity.Session, identity.Person, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Store.SessionWithPerson(ctx, tenant, hash)
}

type memTx struct{ *state }

var missing = errs.New(errs.NotFound, "missing", "missing")

func (t memTx) AddJob(_ context.Context, j jobs.Job, _ time.Duration) error {
	t.ended = append(t.ended, j.Queue+" "+j.Body)
	return nil
}

func (t memTx) PersonByID(_ context.Context, tenant, id string) (identity.Person, error) {
	if p, ok := t.people[id]; ok && p.Tenant == tenant {
		return p, nil
	}
	return identity.Person{}, missing
}

func (t memTx) PersonByUsername(_ context.Context, tenant, name string) (identity.Person, error) {
	for _, p := range t.people {
		if p.Tenant == tenant && identity.FoldUsername(p.Username) == identity.FoldUsername(name) {
			return p, nil
		}
	}
	return identity.Person{}, missing
}

func (t memTx) PersonByIdentity(_ context.Context, tenant string, ref fhir.Reference) (identity.Person, error) {
	for _, p := range t.people {
		if p.Tenant == tenant && slices.ContainsFunc(p.Identities, func(id identity.Identity) bool { return id.Resource == ref }) {
			return p, nil
		}
	}
	return identity.Person{}, missing
}

func (t memTx) PutPerson(_ context.Context, p identity.Person) error {
	t.people[p.ID] = p
	return nil
}

func (t memTx) Factors(_ context.Context, tenant, id string) ([]identity.Factor, error) {
	var out []identity.Factor
	for _, f := range t.factors {
		if f.Tenant == tenant && f.PersonID == id {
			out = append(out, f)
		}
	}
	return out, nil
}

func (t memTx) PutFactor(_ context.Context, f identity.Factor) error {
	t.state.factors = append(t.state.factors, f)
	return nil
}

func (t memTx) AdvanceFactor(_ context.Context, tenant, id string, n int64) (bool, error) {
	for i, f := range t.factors {
		if f.ID == id && f.Tenant == tenant && n > f.Counter {
			t.factors[i].Counter = n
			return true, nil
		}
	}
	return false, nil
}

func (t memTx) CreateSession(_ context.Context, s identity.Session) error {
	t.sessions[s.Hash] = s
	return nil
}

func (t memTx) SessionByHash(_ context.Context, tenant, hash string) (identity.Session, error) {
	if s, ok := t.sessions[hash]; ok && s.Tenant == tenant {
		return s, nil
	}
	return identity.Session{}, missing
}

func (t memTx) SessionWithPerson(ctx context.Context, tenant, hash string) (identity.Session, identity.Person, error) {
	s, err := t.SessionByHash(ctx, tenant, hash)
	if err != nil {
		return s, identity.Person{}, err
	}
	p, err := t.PersonByID(ctx, tenant, s.PersonID)
	return s, p, err
}

func (t memTx) UpdateSession(_ context.Context, s identity.Session) error {
	t.sessions[s.Hash] = s
	return nil
}

func (t memTx) EndSession(_ context.Context, tenant, hash string, at time.Time) error {
	if s, ok := t.sessions[hash]; ok && s.Tenant == tenant && s.Ended.IsZero() {
		s.Ended = at
		t.sessions[hash] = s
	}
	return nil
}

func (t memTx) CountFailure(ctx context.Context, tenant, key string, now time.Time, w time.Duration) (int, error) {
	t.failures[tenant+key] = append(t.failures[tenant+key], now)
	return t.Failures(ctx, tenant, key, now, w)
}

func (t memTx) Failures(_ context.Context, tenant, key string, now time.Time, w time.Duration) (int, error) {
	n := 0
	for _, at := range t.failures[tenant+key] {
		if at.After(now.Add(-w)) {
			n++
		}
	}
	return n, nil
}

func (t memTx) ClearFailures(_ context.Context, tenant, key string) error {
	delete(t.failures, tenant+key)
	return nil
}

func (t memTx) AppendAudit(_ context.Context, e audit.Event) error {
	t.state.events = append(t.state.events, e)
	return nil
}
