package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

const (
	// recentLife is how long an answer about a patient serves again: the steps of
	// one authorization request follow each other within it.
	recentLife = 10 * time.Second
	// recentMost bounds the memory.
	recentMost = 1000
)

// Recent is a Client that gives what pages say about a patient a second time
// without asking, for ten seconds. Failures are not kept. It is safe for
// concurrent use.
type Recent struct {
	*Client
	clock clock.Clock

	mu    sync.Mutex
	kept  map[string]recent
	swept time.Time
}

type recent struct {
	told Demographics
	at   time.Time
}

// NewRecent gives a client with a short memory.
func NewRecent(c *Client, now clock.Clock) *Recent {
	return &Recent{Client: c, clock: now, kept: map[string]recent{}}
}

// Patient is Client.Patient, or its answer of at most ten seconds ago.
func (r *Recent) Patient(ctx context.Context, id string) (Demographics, error) {
	now := r.clock.Now()
	r.mu.Lock()
	have, ok := r.kept[id]
	r.mu.Unlock()
	if ok && have.serves(now) {
		return have.told, nil
	}
	told, err := r.Client.Patient(ctx, id)
	if err == nil {
		r.keep(id, recent{told, now})
	}
	return told, err
}

// serves also refuses what a clock that was set back would keep for longer.
func (one recent) serves(now time.Time) bool {
	age := now.Sub(one.at)
	return age >= 0 && age < recentLife
}

func (r *Recent) keep(id string, one recent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= recentMost {
		clear(r.kept)
	}
	if age := one.at.Sub(r.swept); age < 0 || age >= recentLife {
		for old, have := range r.kept {
			if !have.serves(one.at) {
				delete(r.kept, old)
			}
		}
		r.swept = one.at
	}
	r.kept[id] = one
}
