package identity_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
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
	devices  map[string]identity.Device
	inARow   map[string]int
	events   []audit.Event
	// ended are the jobs that were left.
	ended []string
	// spent are the challenges that were answered.
	spent   []string
	notices []outbox.Notice
	// recoveries are by id.
	recoveries map[string]identity.Recovery
	// upstream and matches are what is known of log-ins elsewhere.
	upstream []identity.UpstreamSession
	matches  map[string]identity.Match
	tickets  map[string]identity.Ticket
}

func newMemory() *memory {
	return &memory{state: state{people: map[string]identity.Person{}, sessions: map[string]identity.Session{}, devices: map[string]identity.Device{}, inARow: map[string]int{}, recoveries: map[string]identity.Recovery{}, tickets: map[string]identity.Ticket{}, matches: map[string]identity.Match{}, failures: map[string][]time.Time{}}}
}

func (s state) clone() state {
	c := state{people: map[string]identity.Person{}, sessions: map[string]identity.Session{}, devices: map[string]identity.Device{}, inARow: map[string]int{}, recoveries: map[string]identity.Recovery{}, tickets: map[string]identity.Ticket{}, matches: map[string]identity.Match{}, failures: map[string][]time.Time{}}
	for k, v := range s.people {
		c.people[k] = v
	}
	for k, v := range s.sessions {
		c.sessions[k] = v
	}
	for k, v := range s.failures {
		c.failures[k] = slices.Clone(v)
	}
	for k, v := range s.devices {
		c.devices[k] = v
	}
	for k, v := range s.inARow {
		c.inARow[k] = v
	}
	maps.Copy(c.tickets, s.tickets)
	for k, v := range s.recoveries {
		c.recoveries[k] = v
	}
	c.factors, c.events, c.ended = slices.Clone(s.factors), slices.Clone(s.events), slices.Clone(s.ended)
	for k, v := range s.matches {
		c.matches[k] = v
	}
	c.upstream = slices.Clone(s.upstream)
	c.spent, c.notices = slices.Clone(s.spent), slices.Clone(s.notices)
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
	identity.Ports
	m *memory
}

func (m *memory) reader() reader { return reader{Ports: memTx{&m.state}, m: m} }

func (r reader) PersonByUsername(ctx context.Context, tenant, name string) (identity.Person, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.PersonByUsername(ctx, tenant, name)
}

func (r reader) Factors(ctx context.Context, tenant, id string) ([]identity.Factor, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.Factors(ctx, tenant, id)
}

func (r reader) Failures(ctx context.Context, tenant, key string, now time.Time, w time.Duration) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.Failures(ctx, tenant, key, now, w)
}

func (r reader) SessionWithPerson(ctx context.Context, tenant, hash string) (identity.Session, identity.Person, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.SessionWithPerson(ctx, tenant, hash)
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

func (t memTx) FactorByID(_ context.Context, tenant, id string) (identity.Factor, error) {
	for _, f := range t.factors {
		if f.Tenant == tenant && f.ID == id {
			return f, nil
		}
	}
	return identity.Factor{}, missing
}

func (t memTx) AddFactor(ctx context.Context, f identity.Factor) error {
	if _, err := t.FactorByID(ctx, f.Tenant, f.ID); err == nil {
		return errs.New(errs.Conflict, "factor-exists", "exists")
	}
	return t.PutFactor(ctx, f)
}

func (t memTx) NoteFactor(_ context.Context, n identity.Factor) error {
	for i, f := range t.factors {
		if f.Tenant == n.Tenant && f.ID == n.ID {
			if f.Locked != "" {
				n.Locked = f.Locked
			}
			t.factors[i].Name, t.factors[i].Used, t.factors[i].BackedUp, t.factors[i].Locked = n.Name, n.Used, n.BackedUp, n.Locked
		}
	}
	return nil
}

func (t memTx) RemoveFactor(_ context.Context, tenant, id string) (bool, error) {
	before := len(t.factors)
	t.state.factors = slices.DeleteFunc(t.factors, func(f identity.Factor) bool { return f.Tenant == tenant && f.ID == id })
	return len(t.state.factors) < before, nil
}

func (t memTx) SpendChallenge(_ context.Context, tenant, hash string, _ time.Time) (bool, error) {
	if slices.Contains(t.spent, tenant+hash) {
		return false, nil
	}
	t.state.spent = append(t.state.spent, tenant+hash)
	return true, nil
}

func (t memTx) AddNotice(_ context.Context, n outbox.Notice) error {
	t.state.notices = append(t.state.notices, n)
	return nil
}

func (t memTx) PutFactor(_ context.Context, f identity.Factor) error {
	for i, have := range t.factors {
		if have.Tenant == f.Tenant && have.ID == f.ID {
			t.factors[i] = f
			return nil
		}
	}
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

func (t memTx) SessionsOfPerson(_ context.Context, tenant, personID string, now time.Time) (out []identity.Session, _ error) {
	for _, s := range t.sessions {
		if s.Tenant == tenant && s.PersonID == personID && s.Live(now) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b identity.Session) int { return b.Created.Compare(a.Created) })
	return out, nil
}

func (t memTx) ReplaceSession(_ context.Context, _, hash, family string, at time.Time) error {
	s := t.sessions[hash]
	s.Replaced, s.Family = at, family
	t.sessions[hash] = s
	return nil
}

func (t memTx) ReplacedSessions(_ context.Context, of identity.Session) (out []string, _ error) {
	for hash, s := range t.sessions {
		if s.Family == of.Family && !s.Replaced.IsZero() && s.Ended.IsZero() {
			out = append(out, hash)
		}
	}
	return out, nil
}

func (t memTx) LastFailure(_ context.Context, tenant, key string, _ time.Time, _ time.Duration) (last time.Time, _ error) {
	if all := t.failures[tenant+key]; len(all) > 0 {
		last = all[len(all)-1]
	}
	return last, nil
}

func (t memTx) CountConsecutive(_ context.Context, tenant, key string, _ time.Time) (int, error) {
	t.inARow[tenant+key]++
	return t.inARow[tenant+key], nil
}

func (t memTx) Consecutive(_ context.Context, tenant, key string) (int, error) {
	return t.inARow[tenant+key], nil
}

func (t memTx) ClearConsecutive(_ context.Context, tenant, key string) error {
	delete(t.inARow, tenant+key)
	return nil
}

func (t memTx) DeviceOf(_ context.Context, tenant, personID, hash string) (identity.Device, error) {
	if d, ok := t.devices[personID+hash]; ok && d.Tenant == tenant {
		return d, nil
	}
	return identity.Device{}, missing
}

func (t memTx) DevicesOfPerson(_ context.Context, tenant, personID string) (out []identity.Device, _ error) {
	for _, d := range t.devices {
		if d.Tenant == tenant && d.PersonID == personID {
			out = append(out, d)
		}
	}
	return out, nil
}

func (t memTx) PutDevice(_ context.Context, d identity.Device) error {
	if old, ok := t.devices[d.PersonID+d.Hash]; ok {
		d.Created = old.Created
	}
	t.devices[d.PersonID+d.Hash] = d
	return nil
}

func (t memTx) DropDevice(_ context.Context, _, personID, hash string) error {
	delete(t.devices, personID+hash)
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

func (r reader) DeviceOf(ctx context.Context, tenant, person, hash string) (identity.Device, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.DeviceOf(ctx, tenant, person, hash)
}

func (r reader) Consecutive(ctx context.Context, tenant, key string) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.Consecutive(ctx, tenant, key)
}

func (r reader) LastFailure(ctx context.Context, tenant, key string, now time.Time, w time.Duration) (time.Time, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.Ports.LastFailure(ctx, tenant, key, now, w)
}

func (t memTx) NoteUpstream(_ context.Context, v identity.UpstreamSession) error {
	t.state.upstream = append(t.state.upstream, v)
	return nil
}

func (t memTx) UpstreamOf(_ context.Context, tenant, hash string) (identity.UpstreamSession, error) {
	for _, v := range t.upstream {
		if v.Tenant == tenant && v.Hash == hash {
			return v, nil
		}
	}
	return identity.UpstreamSession{}, missing
}

func (t memTx) UpstreamSessions(_ context.Context, tenant, provider, subject, session string, _ time.Time) (out []identity.UpstreamSession, _ error) {
	for _, v := range t.upstream {
		if v.Tenant == tenant && v.Provider == provider && (subject == "" || v.Subject == subject) && (session == "" || v.Session == session) {
			out = append(out, v)
		}
	}
	return out, nil
}

func (t memTx) PutMatch(_ context.Context, m identity.Match) error {
	t.matches[m.Tenant+m.ID] = m
	return nil
}

func (t memTx) MatchByID(_ context.Context, tenant, id string) (identity.Match, error) {
	if m, ok := t.matches[tenant+id]; ok {
		return m, nil
	}
	return identity.Match{}, missing
}

func (t memTx) OpenMatches(_ context.Context, tenant string, _ int) (out []identity.Match, _ error) {
	for _, m := range t.matches {
		if m.Tenant == tenant && m.State == identity.MatchOpen {
			out = append(out, m)
		}
	}
	return out, nil
}
