package audit

import (
	"context"
	"time"
)

// sweepPlan says how often how much is swept.
type sweepPlan struct{ every, back time.Duration }

// plans: what was just written is counted at once, and everything once a day.
func plans() []sweepPlan {
	return []sweepPlan{
		{24 * time.Hour, 0},
		{time.Hour, 48 * time.Hour},
		{30 * time.Second, 4 * time.Minute},
	}
}

// TickEvery is how often Tick should be called.
const TickEvery = 2 * time.Second

// Tick does what is due: a pass each time, and now and then a sweep. One node
// of all should call it. Errors: errs.Unavailable.
func (s *Sealer) Tick(ctx context.Context) error {
	if _, err := s.Pass(ctx); err != nil {
		return err
	}
	now := s.d.Clock.Now()
	s.mu.Lock()
	// The first pass of all has swept everything.
	first := s.swept == [3]time.Time{}
	due, since := false, time.Time{}
	for i, p := range plans() {
		// A clock that was turned back is no reason to wait.
		if age := now.Sub(s.swept[i]); age >= p.every || age < 0 {
			if !due && p.back > 0 {
				since = now.Add(-p.back)
			}
			due, s.swept[i] = true, now
		}
	}
	s.mu.Unlock()
	if !due || first {
		return nil
	}
	_, err := s.Sweep(ctx, since)
	return err
}
