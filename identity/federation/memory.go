package federation

import (
	"context"
	"sync"
	"time"
)

// How long what a provider says of itself counts, how long after a failure nobody
// asks again, and how long the last good answer stands in while it does not answer.
const (
	keepGood  = 10 * time.Minute
	keepBad   = 10 * time.Second
	keepStale = 24 * time.Hour
)

// Memory remembers what a provider says of itself. The zero value is ready; it is
// safe for concurrent use.
type Memory[T any] struct {
	mu   sync.Mutex
	have T
	// good is until when have counts, stale until when it stands in, again when the
	// provider is asked next after a failure.
	good, stale, again time.Time
	failed             error
}

// Get gives what is remembered at now, or asks. Errors: those of ask.
func (m *Memory[T]) Get(ctx context.Context, now time.Time, ask func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	have, good, stale, again, failed := m.have, m.good, m.stale, m.again, m.failed
	m.mu.Unlock()
	var none T
	switch {
	case now.Before(good):
		return have, nil
	case now.Before(again) && now.Before(stale):
		return have, nil
	case now.Before(again):
		return none, failed
	}
	fresh, err := ask(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.have, m.good, m.stale = fresh, now.Add(keepGood), now.Add(keepStale)
		return fresh, nil
	}
	m.failed = err
	if ctx.Err() == nil {
		m.again = now.Add(keepBad)
	}
	if now.Before(m.stale) {
		return m.have, nil
	}
	return none, err
}
