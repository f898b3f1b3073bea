package upstream

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

const (
	// recentLife is how long an answer about a patient serves again: the steps of
	// one authorization request follow each other within it.
	recentLife = 10 * time.Second
	// recentMost bounds the memory, with recentBytes: a longer resource, such as one
	// with a photo, is asked for again.
	recentMost  = 1000
	recentBytes = 16 << 10
)

// Recent is a Client that gives what pages say about a patient, and the Patient
// resource itself, a second time without asking, for ten seconds. Failures are not
// kept. It is safe for concurrent use.
type Recent struct {
	*Client
	clock clock.Clock

	mu    sync.Mutex
	kept  map[string]recent
	swept time.Time
}

type recent struct {
	told Demographics
	// raw is the resource, nil for a long one.
	raw []byte
	at  time.Time
}

// NewRecent gives a client with a short memory.
func NewRecent(c *Client, now clock.Clock) *Recent {
	return &Recent{Client: c, clock: now, kept: map[string]recent{}}
}

// Patient is Client.Patient, or its answer of at most ten seconds ago.
func (r *Recent) Patient(ctx context.Context, id string) (Demographics, error) {
	now := r.clock.Now()
	if have, ok := r.have(id, now); ok {
		return have.told, nil
	}
	told, raw, err := r.patient(ctx, id)
	if err == nil {
		if len(raw) > recentBytes {
			raw = nil
		}
		r.keep(id, recent{told, raw, now})
	}
	return told, err
}

// Search is Client.Search. The one match for the id of a patient of whom Patient
// told is the resource of which it told.
func (r *Recent) Search(ctx context.Context, typ string, params url.Values, each func(raw []byte) error) error {
	if typ == "Patient" && len(params["_id"]) == 1 {
		if have, ok := r.have(params.Get("_id"), r.clock.Now()); ok && have.raw != nil {
			return each(have.raw)
		}
	}
	return r.Client.Search(ctx, typ, params, each)
}

func (r *Recent) have(id string, now time.Time) (recent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.kept[id]
	return one, ok && one.serves(now)
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
