package flight

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// Store keeps records for all nodes.
type Store interface {
	// AddRecords stores records.
	AddRecords(ctx context.Context, records []Record) error
	// Records gives a client's records, newest first, at most limit.
	Records(ctx context.Context, tenant, clientID string, limit int) ([]Record, error)
}

// Bounds of what one node takes in between two writes: a client that fails in a
// loop fills only its own share, and a stranger who makes up client ids no more
// than clients.
const (
	share   = 20
	clients = 500
	// every is how often records are written.
	every = time.Second
)

// Deps is what a Recorder is made of.
type Deps struct {
	Store Store
	// Known reports whether there is such a client: a refused request may name
	// any.
	Known func(ctx context.Context, tenant, clientID string) bool
	Log   *slog.Logger
}

// Recorder takes events in and writes their records a second later. It is safe
// for concurrent use.
type Recorder struct {
	d    Deps
	mu   sync.Mutex
	held map[holder]*latest
}

// latest are the last events of a client that make records. The records are made
// when they are written: most events of a busy client make none.
type latest struct {
	events []audit.Event
	seen   int
}

func (l *latest) add(e *audit.Event) {
	if l.seen < share {
		l.events = append(l.events, *e)
	} else {
		l.events[l.seen%share] = *e
	}
	l.seen++
}

// records gives them in the order in which they came.
func (l *latest) records() []Record {
	out := make([]Record, 0, min(l.seen, share))
	for i := max(0, l.seen-share); i < l.seen; i++ {
		if one, ok := Of(l.events[i%share]); ok {
			out = append(out, one)
		}
	}
	return out
}

type holder struct{ tenant, client string }

// New gives a recorder. Run must be running for records to be stored.
func New(d Deps) *Recorder { return &Recorder{d: d, held: map[holder]*latest{}} }

// Observe takes committed events in. It neither waits nor fails; of more than a
// client's share the latest are kept.
func (r *Recorder) Observe(events []audit.Event) {
	for i := range events {
		if e := &events[i]; e.ClientID != "" && told(e) {
			r.hold(e)
		}
	}
}

func (r *Recorder) hold(e *audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := holder{e.Tenant, e.ClientID}
	have := r.held[h]
	if have == nil {
		if len(r.held) >= clients {
			return
		}
		have = &latest{}
		r.held[h] = have
	}
	have.add(e)
}

// Run writes what was taken in, until ctx ends, and then once more.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.flush(ctx)
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), every)
			defer cancel()
			r.flush(late)
			return
		}
	}
}

// flush writes what is held. What cannot be written is lost: it is an aid, and
// must not fill the memory while the store is away.
func (r *Recorder) flush(ctx context.Context) {
	r.mu.Lock()
	held := r.held
	r.held = map[holder]*latest{}
	r.mu.Unlock()
	var all []Record
	for h, one := range held {
		if r.d.Known(ctx, h.tenant, h.client) {
			all = append(all, one.records()...)
		}
	}
	if len(all) == 0 {
		return
	}
	if err := r.d.Store.AddRecords(ctx, all); err != nil && ctx.Err() == nil {
		r.d.Log.WarnContext(ctx, "flight records not stored", "count", len(all), "err", err)
	}
}

// Recent gives a client's records, newest first, those included that this node
// has not written yet. Errors: errs.Unavailable.
func (r *Recorder) Recent(ctx context.Context, tenant, clientID string, limit int) ([]Record, error) {
	r.flush(ctx)
	return r.d.Store.Records(ctx, tenant, clientID, limit)
}
