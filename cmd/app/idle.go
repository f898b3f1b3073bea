package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/oauth/registration"
)

// How often idle clients are looked for. The clock of a development server moves
// faster than time.
const (
	idleEvery    = time.Hour
	idleEveryDev = time.Second
)

// idleJobs give the job that marks and disables clients that nobody uses.
func (a *App) idleJobs() []leaderJob {
	switch {
	case a.cfg.Registration.IdleAfter == 0:
		return nil
	case a.cfg.Dev:
		return []leaderJob{{"idle-clients", idleEveryDev, a.tendIdle}}
	}
	return []leaderJob{{"idle-clients", idleEvery, a.tendIdle}}
}

// tendIdle looks at the clients of every tenant once.
func (a *App) tendIdle(ctx context.Context, _ jobs.Turn) error {
	idle := registration.Idle{Service: a.registry(), Uses: a.store, After: a.cfg.Registration.IdleAfter, Grace: a.cfg.Registration.IdleGrace}
	for _, t := range append(a.served(), a.home) {
		changed, err := idle.Tend(ctx, t.id)
		for _, c := range changed {
			a.log.WarnContext(ctx, "idle client", "tenant", t.id, "client", c.ID, "disabled", c.Disabled, "marked", !c.Registration.Idle.IsZero())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
