package watch

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// DefaultStaleness is the bound of D17.
	DefaultStaleness = 5 * time.Second
	// interval is how often the store is asked without a hint.
	interval = 250 * time.Millisecond
	// overlap is how far each poll looks back behind the one before. A change
	// is dated when it is written and seen when it is committed, so this is
	// longer than a transaction may take, with its commit.
	overlap = 30 * time.Second
	// relisten is the pause before listening again on a new connection.
	relisten = time.Second
)

// Config is what a Feed is made of.
type Config struct {
	Store Store
	// Staleness bounds the age of what is served from memory; zero serves
	// nothing from memory.
	Staleness time.Duration
	// Clock must run steadily: the system's, never one that tests move.
	Clock clock.Clock
	Log   *slog.Logger
}

// Feed learns of changes and forgets what they name. It is safe for
// concurrent use.
type Feed struct {
	c     Config
	cache *cache
	hints chan struct{}
	// asked is when the last poll that succeeded began; nil before.
	asked atomic.Pointer[time.Time]
	// failed says that the newest poll did.
	failed atomic.Bool
	// seen belongs to Run's goroutine.
	seen map[string]bool
	told []func(Change)
}

// New gives a feed that serves nothing from memory until Run.
func New(c Config) *Feed {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f := &Feed{c: c, cache: newCache(), hints: make(chan struct{}, 1)}
	c.Store.OnCommit(func(all []Change) { f.apply(all) })
	return f
}

// Subscribe calls fn for every change, this node's own included; a change with
// an empty Kind means that everything may have changed. fn must be quick. It
// is called before Run.
func (f *Feed) Subscribe(fn func(Change)) { f.told = append(f.told, fn) }

// Age tells how old copies in memory may be; ok is false before the first
// successful poll.
func (f *Feed) Age() (age time.Duration, ok bool) {
	asked := f.asked.Load()
	if asked == nil {
		return 0, false
	}
	return f.c.Clock.Now().Sub(*asked), true
}

// Fresh reports whether copies in memory may be served: not when the newest
// poll failed, and not when none has succeeded for too long because the store
// does not answer at all.
func (f *Feed) Fresh() bool {
	age, ok := f.Age()
	return ok && !f.failed.Load() && age <= f.c.Staleness && f.c.Staleness > 0
}

// Run polls until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	if f.c.Staleness <= 0 {
		return
	}
	go f.listen(ctx)
	tick := time.NewTicker(min(interval, f.c.Staleness/4))
	defer tick.Stop()
	for {
		f.poll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.hints:
		}
	}
}

// listen turns notices of the database into hints.
func (f *Feed) listen(ctx context.Context) {
	heard := func() {
		select {
		case f.hints <- struct{}{}:
		default: // one is waiting already
		}
	}
	for {
		err := f.c.Store.Listen(ctx, heard)
		if ctx.Err() != nil || errs.Is(err, errs.NotSupported) {
			return
		}
		pause := time.NewTimer(relisten)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// poll asks the store once.
func (f *Feed) poll(ctx context.Context) {
	begun := f.c.Clock.Now()
	back := overlap
	if age, ok := f.Age(); ok {
		back += age
	}
	limited, cancel := context.WithTimeout(ctx, max(f.c.Staleness, time.Second))
	defer cancel()
	found, err := f.c.Store.Changes(limited, back)
	if err != nil {
		if !f.failed.Swap(true) && ctx.Err() == nil {
			f.c.Log.WarnContext(ctx, "changes of other nodes not read; every token is checked against the store", "err", err)
		}
		return
	}
	first := f.asked.Load() == nil
	if f.failed.Load() || len(found) > MaxEntries {
		// The database may be another one by now, with another clock.
		f.apply([]Change{{}})
	}
	seen := make(map[string]bool, len(found))
	var fresh []Change
	for _, e := range found {
		seen[e.ID] = true
		if !f.seen[e.ID] && !first {
			fresh = append(fresh, e.Change)
		}
	}
	f.apply(fresh)
	f.seen = seen
	f.asked.Store(&begun)
	f.failed.Store(false)
}

// apply forgets what the changes name and tells who asked to be told.
func (f *Feed) apply(all []Change) {
	if len(all) == 0 {
		return
	}
	f.cache.forget(all)
	for _, fn := range f.told {
		for _, c := range all {
			fn(c)
		}
	}
}
