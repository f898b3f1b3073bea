package app

import (
	"context"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/jobs"
)

const (
	// clockTolerance is by how much two clocks may differ before rows are no
	// longer deleted by either.
	clockTolerance = 5 * time.Minute
	// calm is how long nothing is deleted after the machine's clock jumped. It
	// is more than an assertion or an access token lives: what must not work
	// twice has ended by then, whichever way the clock jumps again.
	calm = 2 * time.Hour
)

// sweeper decides whether rows may be deleted now. A row that forbids a replay
// and is deleted by a clock that runs ahead opens the replay once the clock is
// put right.
type sweeper struct {
	mu   sync.Mutex
	last time.Time
	hold time.Time
}

// may reports whether it is safe at now, and by how much which clock is off
// when it is not. db is the clock of the store.
func (s *sweeper) may(now, db time.Time) (ok bool, off time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if jump := jumped(s.last, now); jump.Abs() > clockTolerance {
		s.hold, off = now.Add(calm), jump
	}
	s.last = now
	// Both have a monotonic reading, so this is time that really passed.
	if now.Before(s.hold) {
		return false, off
	}
	if skew := now.Sub(db); skew.Abs() > clockTolerance {
		return false, skew
	}
	return true, 0
}

// jumped gives by how much the wall clock moved more than time passed.
func jumped(before, now time.Time) time.Duration {
	if before.IsZero() {
		return 0
	}
	return now.Round(0).Sub(before.Round(0)) - now.Sub(before)
}

// housekeep removes rows past their end, outside any request.
func (a *App) housekeep(ctx context.Context, _ jobs.Turn) error {
	db, err := a.store.Now(ctx)
	if err != nil {
		return err
	}
	now := a.clock.Now()
	if ok, off := a.sweeper.may(now, db); !ok {
		if off != 0 {
			a.log.WarnContext(ctx, "the clock is wrong or jumped: nothing is deleted until it agrees with the database's again", "off", off)
		}
		return nil
	}
	_, err = a.store.Housekeep(ctx, now)
	return err
}
