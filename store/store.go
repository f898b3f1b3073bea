package store

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/alert"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/migrations"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/appstate"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/proxy"
)

// Tx is the ports of all rooms together.
type Tx interface {
	audit.Store
	audit.Ledger
	audit.Secrets
	export.Cursors
	retention.Tx
	alert.Beats
	identity.Ports
	identity.Answers
	operator.Store
	directory.Store
	proxy.Store
	proxy.Requests
	lifecycle.Ends
	matter.Store
	consent.Store
	consent.Campaigns
	consent.Versions
	evidence.Store
	oauth.Store
	keys.Store
	keys.Vault
	keys.Resealer
	outbox.Store
	flight.Store
	jobs.Store
	limit.Store
	tenant.Store
	brand.Store
	appstate.Store
}

// Options are what a Store needs beside its engine.
type Options struct {
	// Sealer encrypts columns; nil means keys.Null, which does not.
	Sealer keys.Sealer
	// IDs makes the ids of audit events and notices that have none.
	IDs ids.Source
	// Clock dates named secrets and migrations; nil means clock.System.
	Clock clock.Clock
	// Journal has each revocation before the caller is told of it; nil means
	// that nothing outside of the store knows of them.
	Journal Journal
}

// Store implements the ports of all rooms on one engine. Used directly, a read
// is a read of its own and a write a transaction of its own; InTx joins them.
// It is safe for concurrent use.
type Store struct {
	*ports
	engine     Engine
	migrations fs.FS
	told       tellers[watch.Change]
	heard      tellers[audit.Event]
	journal    Journal
	counts     counts

	// tending guards what the journal has and the store does not note yet.
	tending sync.Mutex
	brought []journal.Entry
	heads   map[string]journal.Head
	noted   map[string]journal.Head
	// unjournaled counts what no journal of this process took.
	unjournaled atomic.Int64
}

var (
	_ Tx = (*Store)(nil)
	_ Tx = (*ports)(nil)

	// Each room's own view of a transaction.
	_ identity.Tx      = Tx(nil)
	_ operator.Tx      = Tx(nil)
	_ proxy.Tx         = Tx(nil)
	_ consent.FilingTx = Tx(nil)
	_ oauth.Tx         = Tx(nil)
	_ brand.Tx         = Tx(nil)
	_ appstate.Tx      = Tx(nil)
	_ lifecycle.Tx     = Tx(nil)

	_ watch.Store = (*Store)(nil)
)

// New puts the ports on an engine. Call Migrate before the first use.
func New(engine Engine, o Options) *Store {
	if o.Sealer == nil {
		o.Sealer = keys.Null{}
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	s := &Store{engine: engine, migrations: migrations.FS, journal: o.Journal, heads: map[string]journal.Head{}}
	s.ports = &ports{
		conn: engine.Read(), begin: s.inTx, sealer: o.Sealer, ids: o.IDs, clock: o.Clock, dialect: engine.Dialect(),
		memo: &clientMemo{}, packer: &packer{}, texts: &texts{}, newest: &atomic.Bool{}, journals: o.Journal != nil,
	}
	return s
}

// InTx runs fn in one transaction and commits when it returns nil. It runs fn
// again, at most 10 times in all, when the database asks for it, so fn must
// have no effect outside of tx. A writing method may tell its failure at the
// commit only. Errors: those of fn; errs.Unavailable when the
// store cannot be reached, is too contended, or did not confirm the commit.
func (s *Store) InTx(ctx context.Context, fn func(tx Tx) error) error {
	return s.inTx(ctx, func(p *ports) error { return fn(p) })
}

// Ping reports whether the store answers. Errors: errs.Unavailable.
func (s *Store) Ping(ctx context.Context) error { return s.engine.Ping(ctx) }

// Close closes the engine.
func (s *Store) Close() error { return s.engine.Close() }

const (
	// maxTries bounds how often one transaction is run.
	maxTries = 10
	// firstPause is the mean wait before the second try; it doubles.
	firstPause = 2 * time.Millisecond
	maxPause   = 200 * time.Millisecond
)

func (s *Store) inTx(ctx context.Context, fn func(*ports) error) error {
	eager := false
	for try := 1; ; try++ {
		s.counts.tries.Add(1)
		err := s.attempt(ctx, eager, fn)
		if unanswered(err) && !eager {
			eager = true
			continue
		}
		var missing *keys.MissingError
		if errors.As(err, &missing) && try < maxTries {
			if err := s.OpenKeys(ctx, missing.Tenant); err != nil {
				return err
			}
			continue
		}
		if try == maxTries || !retryable(err) || !pause(ctx, try) {
			if err != nil {
				s.counts.failures.Add(1)
			}
			return err
		}
		s.counts.retries.Add(1)
	}
}

// attempt runs fn once. Unless eager, its writes are queued and answered
// together; see Conn.Later.
func (s *Store) attempt(ctx context.Context, eager bool, fn func(*ports) error) error {
	var tx *ports
	err := s.engine.InTx(ctx, func(c Conn) error {
		tx = &ports{conn: c, eager: eager, sealer: s.sealer, ids: s.ids, clock: s.clock, dialect: s.dialect,
			kept: &keys.Kept{}, memo: s.memo, packer: s.packer, texts: s.texts, newest: s.newest, journals: s.journals}
		err := fn(tx)
		if tx.failed != nil && (err == nil || retryable(tx.failed) || unanswered(tx.failed)) {
			return tx.failed
		}
		return err
	})
	if err == nil {
		s.sealer.Committed(tx.kept)
	}
	if tx != nil && !retryable(err) && !unanswered(err) {
		// After an error too: the commit may have happened all the same.
		s.told.tell(tx.changes)
	}
	if err != nil {
		return err
	}
	s.heard.tell(tx.events)
	return s.bring(ctx, tx.revocations)
}

// pause waits a random time, longer with each try. It gives false when the
// context ended.
func pause(ctx context.Context, try int) bool {
	mean := min(firstPause<<(try-1), maxPause)
	t := time.NewTimer(mean/2 + rand.N(mean))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
