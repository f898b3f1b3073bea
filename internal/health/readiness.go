package health

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

const (
	// keep is how long an answer is given again, so that strangers who ask
	// often cost nothing.
	keep = time.Second
	// probeTimeout bounds one look.
	probeTimeout = 2 * time.Second
)

// Probe is one part that a server needs.
type Probe struct {
	Name string
	// Look gives an error when the part cannot be used now.
	Look func(context.Context) error
	// Optional parts are told but do not make a server unready.
	Optional bool
}

// Part is what a probe found.
type Part struct {
	Name     string
	Fine     bool
	Optional bool
}

// Readiness tells whether a server may take requests. It is safe for concurrent
// use.
type Readiness struct {
	clock    clock.Clock
	probes   []Probe
	draining atomic.Bool

	mu    sync.Mutex
	asked time.Time
	parts []Part
}

// NewReadiness gives the readiness of a server with these parts.
func NewReadiness(c clock.Clock, probes ...Probe) *Readiness {
	return &Readiness{clock: c, probes: probes}
}

// Drain says that the server is about to end: from now on it is not ready.
func (r *Readiness) Drain() { r.draining.Store(true) }

// Draining reports whether Drain was called.
func (r *Readiness) Draining() bool { return r.draining.Load() }

// Ready tells whether the server may take requests, and what each part said at
// most a second ago.
func (r *Readiness) Ready(ctx context.Context) (bool, []Part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if age := now.Sub(r.asked); r.parts == nil || age >= keep || age < 0 {
		r.parts, r.asked = r.look(ctx), now
	}
	ready := !r.Draining()
	for _, p := range r.parts {
		ready = ready && (p.Fine || p.Optional)
	}
	return ready, r.parts
}

// look asks all parts at once. Who asked may have gone away meanwhile; the
// answer is for the next one too.
func (r *Readiness) look(ctx context.Context) []Part {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	parts := make([]Part, len(r.probes))
	var wg sync.WaitGroup
	for i, p := range r.probes {
		wg.Go(func() { parts[i] = Part{Name: p.Name, Fine: p.Look(ctx) == nil, Optional: p.Optional} })
	}
	wg.Wait()
	return parts
}
