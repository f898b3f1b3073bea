package audit

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
)

// SourceStore is what a LedgerSource reads.
type SourceStore interface {
	LedgerReader
	Reader
}

// LedgerSource is the log of one tenant as the store holds it.
type LedgerSource struct {
	store  SourceStore
	tenant string
	keys   *LogKeys
	// present counts the events with a leaf by minute; known holds no more.
	present map[int64]int64
	// misfits are the first places of runs that are not dated like their events.
	misfits []int64
}

var _ Source = (*LedgerSource)(nil)

// NewLedgerSource gives the log of a tenant. The verifier key of its
// checkpoints is VerifierKey of the keys.
func NewLedgerSource(store SourceStore, keys *LogKeys) *LedgerSource {
	return &LedgerSource{store: store, tenant: keys.tenant, keys: keys, present: map[int64]int64{}}
}

// VerifyStore verifies the log of one tenant in a store, with its own key and
// against the checkpoints kept elsewhere, if any. Errors: errs.Unavailable,
// errs.Internal; faults of the log are in the report.
func VerifyStore(ctx context.Context, store SourceStore, keys *LogKeys, now time.Time, witnessed ...[]byte) (*Report, error) {
	src := NewLedgerSource(store, keys)
	r, err := Verify(ctx, src, VerifyOptions{VerifierKey: keys.VerifierKey, Witnessed: witnessed, Now: now})
	if err != nil {
		return nil, err
	}
	records, err := src.Records(ctx)
	for _, f := range keys.checkKeys(records) {
		r.add(f)
	}
	return r, err
}

// TenantStore is what VerifyTenant reads.
type TenantStore interface {
	SourceStore
	Secrets
}

// VerifyTenant opens the keys of a tenant's log and verifies it.
func VerifyTenant(ctx context.Context, store TenantStore, tenant string, now time.Time, witnessed ...[]byte) (*Report, error) {
	keys, err := OpenLogKeys(ctx, store, ids.Source{}, tenant)
	if err != nil {
		return nil, err
	}
	return VerifyStore(ctx, store, keys, now, witnessed...)
}

// Tenant implements Source.
func (s *LedgerSource) Tenant() string { return s.tenant }

// Checkpoints implements Source.
func (s *LedgerSource) Checkpoints(ctx context.Context) ([][]byte, error) {
	kept, err := s.store.LedgerCheckpoints(ctx, s.tenant)
	if err != nil {
		return nil, err
	}
	head, err := s.store.LedgerHead(ctx, s.tenant)
	if err != nil || head.Checkpoint == nil {
		return kept, err
	}
	return append(kept, head.Checkpoint), nil
}

// Records implements Source.
func (s *LedgerSource) Records(ctx context.Context) ([]Event, error) {
	var out []Event
	f := Filter{Tenant: s.tenant, Kinds: []Kind{AuditErased, KeyChanged}, Limit: 1000}
	for {
		page, err := s.store.Audits(ctx, f)
		for _, e := range page {
			if Recording(e) {
				out = append(out, s.keys.ended(e))
			}
		}
		if err != nil || len(page) < f.Limit {
			return out, err
		}
		f.Before, f.BeforeID = page[len(page)-1].Time, page[len(page)-1].ID
	}
}

// Items implements Source.
func (s *LedgerSource) Items(ctx context.Context, each func(Item) error) error {
	head, err := s.store.LedgerHead(ctx, s.tenant)
	if err != nil {
		return err
	}
	s.present, s.misfits = map[int64]int64{}, nil
	const step = 16 * blockSize
	for from := int64(0); from < head.Size; from += step {
		batches, err := s.store.LedgerBatches(ctx, s.tenant, from, from+step)
		if err != nil {
			return err
		}
		for _, b := range batches {
			if err := s.batch(ctx, b, each); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *LedgerSource) batch(ctx context.Context, b Batch, each func(Item) error) error {
	names := make([]string, len(b.Leaves))
	for i, l := range b.Leaves {
		names[i] = l.ID
	}
	stored, err := storedByID(ctx, s.store, s.tenant, names)
	if err != nil {
		return err
	}
	var oldest, newest time.Time
	for i, l := range b.Leaves {
		it := Item{Leaf: l}
		if e, found := stored[l.ID]; found {
			at := e.Event.Time
			s.present[Minute(at)]++
			if i == 0 || at.Before(oldest) {
				oldest = at
			}
			if i == 0 || at.After(newest) {
				newest = at
			}
			if it, err = itemOf(s.keys, l, e); err != nil {
				return err
			}
		}
		if err := each(it); err != nil {
			return err
		}
	}
	if len(b.Leaves) > 0 && (!oldest.Equal(b.From) || !newest.Equal(b.To)) {
		s.misfits = append(s.misfits, b.Leaves[0].Seq)
	}
	return nil
}

// itemOf joins a leaf with its event.
func itemOf(keys *LogKeys, l Leaf, e Stored) (it Item, err error) {
	e = keys.overlay(e)
	it = Item{Leaf: l, Salt: keys.Salt(e.Event.Time, l.ID), State: e.State, Commitment: e.Body}
	if it.Header, err = e.Event.header(); err != nil {
		return it, err
	}
	if e.State == Whole || e.State == Garbled {
		it.Body, err = e.Event.body()
	}
	return it, err
}

// Strays implements Source: where a minute holds more events than were met
// among the leaves, those without a leaf are given.
func (s *LedgerSource) Strays(ctx context.Context, each func(Stored) error) error {
	end := Minute(endOfTime())
	start := Minute(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	counts, err := s.store.AuditMinutes(ctx, s.tenant, start, end)
	if err != nil {
		return err
	}
	for _, m := range slices.Sorted(maps.Keys(counts)) {
		if counts[m] <= s.present[m] {
			continue
		}
		if err := s.straysOf(ctx, m, each); err != nil {
			return err
		}
	}
	return nil
}

// inFull gives the events of stamps; one that went meanwhile by its stamp alone.
func (s *LedgerSource) inFull(ctx context.Context, stamps []Stamp, each func(Stored) error) error {
	for some := range slices.Chunk(stamps, fullAtOnce) {
		names := make([]string, len(some))
		for i, p := range some {
			names[i] = p.ID
		}
		byID, err := storedByID(ctx, s.store, s.tenant, names)
		if err != nil {
			return err
		}
		for _, p := range some {
			e, found := byID[p.ID]
			if !found {
				e = Stored{Event: Event{Tenant: s.tenant, ID: p.ID, Time: p.Time}}
			}
			if err := each(s.keys.overlay(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fullAtOnce is how many events are read in full at a time.
const fullAtOnce = 256

func (s *LedgerSource) straysOf(ctx context.Context, minute int64, each func(Stored) error) error {
	from, until := minuteSpan(minute)
	known, err := sealedBetween(ctx, s.store, s.tenant, from.Add(-time.Second), until.Add(time.Second))
	if err != nil {
		return err
	}
	after := Stamp{Time: from.Add(-time.Microsecond), ID: "~"}
	for {
		page, err := s.store.AuditStamps(ctx, s.tenant, after, until)
		if err != nil {
			return err
		}
		unsealed := slices.DeleteFunc(slices.Clone(page), func(p Stamp) bool {
			_, sealed := known[p.ID]
			return sealed
		})
		if err := s.inFull(ctx, unsealed, each); err != nil {
			return err
		}
		if len(page) < MaxStamps {
			return nil
		}
		after = page[len(page)-1]
	}
}
