package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// How the sealer looks for events.
const (
	// overlap is how far back a pass looks: events whose transaction took
	// longer are found by the sweep.
	overlap = 2 * time.Second
	// settled is how long after its end a minute is counted: longer than any
	// transaction may take.
	settled = 15 * time.Second
	// unswept is more than what a sweep leaves out at the end.
	unswept = settled + 2*time.Minute
	// ahead is how far in front of the clock a pass looks.
	ahead = 5 * time.Second
	// sealChunk is how many events one transaction seals.
	sealChunk = 1024
	// readChunk is how many events are read at once.
	readChunk = 256
	// slowest is the age from which on a late event was not merely committed
	// late: sweeps find that sooner.
	slowest = 5 * time.Minute
	// keepEvery is how often a checkpoint is kept for listing.
	keepEvery = time.Hour
)

// SealerDeps is what a Sealer works with.
type SealerDeps struct {
	Ledger  Ledger
	Secrets Secrets
	Clock   clock.Clock
	IDs     ids.Source
}

// Sealer appends events to the Merkle tree of their tenant, off the request
// path. Events are sealed in the order in which the sealer finds them: a
// database with several writers has no order of commits (D8). Several sealers
// do no harm, since the tree grows by compare-and-set: they only waste work.
// It is safe for concurrent use.
type Sealer struct {
	d SealerDeps

	// turn is held by the one pass or sweep under way.
	turn    sync.Mutex
	tenants map[string]*sealing

	mu     sync.Mutex
	status map[string]SealStatus
	// swept is when each plan was last carried out.
	swept [3]time.Time
	leads bool
}

// NewSealer gives a Sealer.
func NewSealer(d SealerDeps) *Sealer {
	return &Sealer{d: d, tenants: map[string]*sealing{}, status: map[string]SealStatus{}}
}

// sealing is what the sealer knows of one tenant.
type sealing struct {
	*Sealer
	tenant string
	keys   *LogKeys
	right  *frontier
	kept   time.Time
	// recent are the sealed events that a pass may meet again.
	recent map[string]time.Time
	// watched is up to when events had been sealed before the sweep under way.
	watched time.Time
	status  SealStatus
}

// SealStatus is how the sealing of one tenant stands.
type SealStatus struct {
	Tenant string
	Size   int64
	// Sealed is when the tree last grew.
	Sealed time.Time
	// Passed is when the last pass ended well.
	Passed time.Time
	// Swept is when the last sweep ended.
	Swept time.Time
	// Oldest is the time of the oldest event that the last sweep saw and could
	// not seal; zero when there was none.
	Oldest time.Time
	// Late is how many events the sweeps since start found behind the passes,
	// what was written while nobody sealed left out.
	Late int64
	// Backdated is how many of them are older than any slow transaction makes
	// them: somebody wrote them into the table, or a clock was wrong. BackdatedAt
	// is when the last one was sealed.
	Backdated   int64
	BackdatedAt time.Time
	// Lost is by how many the events are fewer than their leaves: rows were
	// removed.
	Lost int64
	// LostMinute is the first minute in which rows are missing.
	LostMinute time.Time
	// Unreadable lists at most ten events that cannot be sealed because they
	// cannot be read.
	Unreadable []string
}

// Status gives the state of each tenant as this node saw it in its last turn,
// by name; nothing when it is not this node's turn.
func (s *Sealer) Status() []SealStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leads {
		return nil
	}
	var out []SealStatus
	for _, name := range slices.Sorted(maps.Keys(s.status)) {
		out = append(out, s.status[name])
	}
	return out
}

// Finish seals what was written since the last pass, on a node that has sealed
// before and now ends. Errors: errs.Unavailable; the next start seals it.
func (s *Sealer) Finish(ctx context.Context) error {
	s.turn.Lock()
	sealed := len(s.tenants) > 0
	s.turn.Unlock()
	if !sealed {
		return nil
	}
	_, err := s.each(ctx, (*sealing).last)
	s.Rest()
	return err
}

// SealAll seals all that one tenant's log holds, at once, whoever's turn it is:
// before the keys are destroyed that it takes. Errors: errs.Unavailable,
// errs.Gone when they were.
func SealAll(ctx context.Context, d SealerDeps, tenant string) error {
	t := &sealing{Sealer: NewSealer(d), tenant: tenant, status: SealStatus{Tenant: tenant}}
	_, err := t.pass(ctx)
	return err
}

// Rest says that it is another node's turn.
func (s *Sealer) Rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leads = false
}

func (s *Sealer) publish(t SealStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Unreadable = slices.Clone(t.Unreadable)
	s.status[t.Tenant] = t
}

func (s *Sealer) forget(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.status, tenant)
}

// Pass seals what was written lately, for all tenants, and gives how many
// events it sealed. The first pass of a tenant sweeps everything. Errors:
// errs.Unavailable; what was sealed before stays.
func (s *Sealer) Pass(ctx context.Context) (int, error) {
	return s.each(ctx, (*sealing).pass)
}

// Sweep compares the number of events with the number of leaves, minute by
// minute, back to since, and seals what the passes missed: events committed
// late or with a wrong clock. It gives how many it sealed. Errors:
// errs.Unavailable.
func (s *Sealer) Sweep(ctx context.Context, since time.Time) (int, error) {
	return s.each(ctx, func(t *sealing, ctx context.Context) (int, error) { return t.sweep(ctx, since) })
}

func (s *Sealer) each(ctx context.Context, do func(*sealing, context.Context) (int, error)) (int, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.leads = true
	s.mu.Unlock()
	tenants, err := s.d.Ledger.AuditTenants(ctx)
	if err != nil {
		return 0, err
	}
	sum := 0
	var failed error
	for _, name := range tenants {
		t := s.tenants[name]
		if t == nil {
			t = &sealing{Sealer: s, tenant: name, status: SealStatus{Tenant: name}}
			s.tenants[name] = t
		}
		n, err := do(t, ctx)
		if errs.Is(err, errs.Gone) {
			// The tenant was erased with the keys of its log, which has ended.
			s.forget(name)
			continue
		}
		s.publish(t.status)
		sum += n
		if err != nil {
			// What the store holds is unknown: read it again next time. Other
			// tenants do not wait for this one.
			t.right = nil
			failed = errors.Join(failed, err)
		}
	}
	return sum, failed
}

// load reads the tree's head unless this node knows it to be current.
func (t *sealing) load(ctx context.Context) (fresh bool, err error) {
	if err := t.openKeys(ctx); err != nil {
		return false, err
	}
	head, err := t.d.Ledger.LedgerHead(ctx, t.tenant)
	if err != nil {
		return false, err
	}
	t.status.Size, t.status.Sealed = head.Size, head.Sealed
	if t.right != nil && t.right.size == head.Size {
		return false, nil
	}
	right, err := loadFrontier(treeReader{ctx, t.d.Ledger, t.tenant}, head.Size)
	if err != nil {
		return false, err
	}
	if err := t.trust(head, right); err != nil {
		return false, err
	}
	t.right = right
	t.recent, err = t.sealedSince(ctx, t.d.Clock.Now().Add(-overlap-settled))
	return true, err
}

// trust refuses to build on a tree that does not lead to its last checkpoint: to
// sign it would make good what somebody changed.
func (t *sealing) trust(head Head, right *frontier) error {
	if head.Size == 0 {
		return nil
	}
	c, err := ReadCheckpoint(head.Checkpoint, t.keys.VerifierKey)
	if err != nil || c.Size != head.Size || c.Root != right.root() {
		return errs.Wrap(err, errs.Internal, "audit-tree-differs",
			"The audit log's tree does not lead to its last checkpoint, and nothing more is sealed. Run mandate audit verify.")
	}
	return nil
}

// openKeys reads the keys of the log, anew when they were rotated.
func (t *sealing) openKeys(ctx context.Context) error {
	if t.keys != nil {
		now, err := t.d.Secrets.LogKeys(ctx, t.tenant)
		if err != nil || slices.Equal(now, t.keys.Generations()) {
			return err
		}
	}
	keys, err := OpenLogKeys(ctx, t.d.Secrets, t.d.IDs, t.tenant)
	if err == nil && keys.Erased() {
		err = errErasedKeys()
	}
	if err == nil {
		t.keys = keys
	}
	return err
}

// endOfTime is later than any event.
func endOfTime() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

func (t *sealing) sealedSince(ctx context.Context, from time.Time) (map[string]time.Time, error) {
	return sealedBetween(ctx, t.d.Ledger, t.tenant, from, endOfTime())
}

// sealedBetween gives the events with a leaf whose time may lie in the span.
func sealedBetween(ctx context.Context, l LedgerReader, tenant string, from, to time.Time) (map[string]time.Time, error) {
	batches, err := l.LedgerBatchesAt(ctx, tenant, from, to)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Time{}
	for _, b := range batches {
		for _, leaf := range b.Leaves {
			out[leaf.ID] = b.To
		}
	}
	return out, nil
}

// pass seals what lies around now.
//
// When the clock was set since the last pass, or the node stood still, events
// may be dated where no pass looks, and what is known to be sealed was told by
// another clock: everything is swept then.
func (t *sealing) pass(ctx context.Context) (int, error) {
	now := t.d.Clock.Now()
	passed := now.Sub(t.status.Passed)
	jumped := !t.status.Passed.IsZero() && (passed < 0 || passed > time.Minute)
	if jumped {
		t.right = nil
	}
	fresh, err := t.load(ctx)
	if err != nil {
		return 0, err
	}
	sum, back := 0, overlap
	if jumped || fresh && t.status.Swept.IsZero() {
		if sum, err = t.sweep(ctx, time.Time{}); err != nil || t.right == nil {
			return sum, err
		}
		// The sweep ends before the last minutes, in which other programs may
		// have written while nobody sealed.
		back = unswept
		if t.recent, err = t.sealedSince(ctx, now.Add(-unswept)); err != nil {
			return sum, err
		}
	}
	defer maps.DeleteFunc(t.recent, func(_ string, at time.Time) bool { return at.Before(now.Add(-overlap - settled)) })
	n, err := t.sealSpan(ctx, now.Add(-back), now.Add(ahead), t.recent)
	if err == nil {
		t.status.Passed = now
	}
	return sum + n, err
}

// last is a pass that looks back for as long as a transaction may take, since no
// sweep comes after it.
func (t *sealing) last(ctx context.Context) (int, error) {
	sum, err := t.pass(ctx)
	if err != nil || t.right == nil {
		return sum, err
	}
	now := t.d.Clock.Now()
	n, err := t.sealSpan(ctx, now.Add(-settled), now.Add(ahead), t.recent)
	return sum + n, err
}

// sealSpan seals the events of a span that are not in known, and adds them.
func (t *sealing) sealSpan(ctx context.Context, from, until time.Time, known map[string]time.Time) (int, error) {
	sum, after := 0, Stamp{Time: from.Add(-time.Microsecond), ID: "~"}
	for t.right != nil {
		page, err := t.d.Ledger.AuditStamps(ctx, t.tenant, after, until)
		if err != nil {
			return sum, err
		}
		var fresh []Stamp
		for _, s := range page {
			if _, sealed := known[s.ID]; !sealed {
				fresh = append(fresh, s)
			}
		}
		for len(fresh) > 0 && t.right != nil {
			done, rest, err := t.seal(ctx, fresh)
			if err != nil {
				return sum, err
			}
			fresh = rest
			for _, s := range done {
				known[s.ID], t.recent[s.ID] = s.Time, s.Time
				t.noteLate(s.Time)
			}
			sum += len(done)
		}
		if len(page) < MaxStamps {
			break
		}
		after = page[len(page)-1]
	}
	return sum, nil
}

func (t *sealing) read(ctx context.Context, stamps []Stamp) (map[string]Stored, error) {
	names := make([]string, len(stamps))
	for i, s := range stamps {
		names[i] = s.ID
	}
	return storedByID(ctx, t.d.Ledger, t.tenant, names)
}

func storedByID(ctx context.Context, l LedgerReader, tenant string, names []string) (map[string]Stored, error) {
	all, err := l.StoredAudits(ctx, tenant, names)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Stored, len(all))
	for _, s := range all {
		out[s.Event.ID] = s
	}
	return out, nil
}

// sealable notes an event that cannot be read: its body does not open, or it
// was erased before it was sealed, which Mandate does not do. It stays unsealed,
// which the counts of the sweep go on telling.
func (t *sealing) sealable(s Stored) bool {
	if s.State == Whole {
		return true
	}
	const most = 10
	if len(t.status.Unreadable) < most && !slices.Contains(t.status.Unreadable, s.Event.ID) {
		t.status.Unreadable = append(t.status.Unreadable, s.Event.ID)
	}
	return false
}

func (t *sealing) leaf(s Stored, seq int64) (Hash, error) {
	salt := t.keys.Salt(s.Event.Time, s.Event.ID)
	header, err := s.Event.header()
	if err != nil {
		return Hash{}, err
	}
	body := s.Body
	if s.State == Whole {
		text, err := s.Event.body()
		if err != nil {
			return Hash{}, err
		}
		body = bodyCommitment(salt, text)
	}
	return leafHash(seq, headerCommitment(salt, header), body), nil
}
