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
	held map[holder][]Record
}

type holder struct{ tenant, client string }

// New gives a recorder. Run must be running for records to be stored.
func New(d Deps) *Recorder { return &Recorder{d: d, held: map[holder][]Record{}} }

// Observe takes committed events in. It neither waits nor fails; of more than a
// client's share the latest are kept.
func (r *Recorder) Observe(events []audit.Event) {
	for _, e := range events {
		if one, ok := Of(e); ok {
			r.hold(one)
		}
	}
}

func (r *Recorder) hold(one Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := holder{one.Tenant, one.ClientID}
	have, known := r.held[h]
	switch {
	case len(have) == share:
		copy(have, have[1:])
		have[share-1] = one
	case known || len(r.held) < clients:
		r.held[h] = append(have, one)
	}
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
	r.held = map[holder][]Record{}
	r.mu.Unlock()
	var all []Record
	for h, records := range held {
		if r.d.Known(ctx, h.tenant, h.client) {
			all = append(all, records...)
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
