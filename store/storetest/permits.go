package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/store"
)

// Permits come back so slowly that none does while the test runs.
func permits(t *testing.T, s *store.Store) {
	ctx, r := t.Context(), limit.Rule{Every: time.Hour, Burst: 5}
	take := func(tenant, key string, n int) (bool, time.Duration) {
		t.Helper()
		ok, wait, err := s.TakePermits(ctx, tenant, key, n, r)
		must(t, err)
		return ok, wait.Round(time.Hour)
	}
	type answer struct {
		ok   bool
		wait time.Duration
	}
	for i, step := range []struct {
		tenant, key string
		n           int
		want        answer
	}{
		{tenant, "a", 3, answer{true, 0}},
		{tenant, "a", 3, answer{false, time.Hour}},
		{tenant, "a", 2, answer{true, 0}},
		{tenant, "a", 1, answer{false, time.Hour}},
		{tenant, "a", 4, answer{false, 4 * time.Hour}},
		{tenant, "b", 5, answer{true, 0}},
		{other, "a", 5, answer{true, 0}},
		{other, "c", 6, answer{false, time.Hour}},
	} {
		ok, wait := take(step.tenant, step.key, step.n)
		if (answer{ok, wait}) != step.want {
			t.Errorf("step %d: %t, %s", i, ok, wait)
		}
	}
	// Cleaning takes only what is full again, whatever the caller's clock says.
	got(s.Housekeep(ctx, clock.System{}.Now().AddDate(1, 0, 0)))(t)
	if ok, _ := take(tenant, "a", 1); ok {
		t.Error("cleaning gave permits back")
	}
}

func permitRace(t *testing.T, s *store.Store) {
	r := limit.Rule{Every: time.Hour, Burst: 7}
	equal(t, race(t, 20, "", func(int) (bool, error) {
		ok, _, err := s.TakePermits(t.Context(), tenant, "a", 1, r)
		return ok, err
	}), 7)
}
