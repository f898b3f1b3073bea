package app

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// A clock that disagrees with the database's, or that jumped, deletes nothing.
func TestSweeperMistrustsClocks(t *testing.T) {
	now := clock.System{}.Now()
	for name, c := range map[string]struct {
		now, db time.Time
		ok      bool
	}{
		"agree":          {now, now.Add(-time.Minute), true},
		"node is ahead":  {now.Add(24 * time.Hour), now, false},
		"node is behind": {now.Add(-24 * time.Hour), now, false},
	} {
		s := &sweeper{}
		if ok, off := s.may(c.now, c.db); ok != c.ok || ok != (off == 0) {
			t.Errorf("%s: %v, off %v", name, ok, off)
		}
	}
	// A machine whose clock jumps takes the embedded store's with it: only the
	// time that passed in between tells. Here a day in no time at all.
	day := 24 * time.Hour
	if got := jumped(now.Round(0), now.Round(0).Add(day)); got != 0 {
		t.Errorf("a day that passed is a jump of %v", got)
	}
	s := &sweeper{last: now}
	if ok, _ := s.may(now.Add(time.Minute), now.Add(time.Minute)); !ok {
		t.Error("a minute is no jump")
	}
	s.hold = now.Add(time.Hour)
	if ok, _ := s.may(now.Add(2*time.Minute), now.Add(2*time.Minute)); ok {
		t.Error("rows are deleted soon after a jump")
	}
	if ok, _ := s.may(now.Add(2*time.Hour), now.Add(2*time.Hour)); !ok {
		t.Error("rows are never deleted again")
	}
}
