package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/oauth/reminder"
)

// ReminderConfig says how often people are told that apps keep access.
type ReminderConfig struct {
	Every time.Duration `name:"remind-apps-every" key:"remind_apps_every" default:"2160h" help:"How often somebody who let apps keep access is told to look at them (default ${default}, 90 days); 0s never." placeholder:"TIME"`
}

// minReminder is the shortest time between two reminders.
const minReminder = 24 * time.Hour

func (c *ReminderConfig) validate(f *config.Faults) {
	if c.Every < 0 || c.Every > 0 && c.Every < minReminder {
		f.Add("notify.remind_apps_every", "%s is neither 0s nor at least %s", c.Every, minReminder)
	}
}

// How often one node looks whom to remind: soon after the clock was moved in
// development.
const (
	remindEvery    = 6 * time.Hour
	remindEveryDev = 2 * time.Second
)

// reminderJob tells people of the apps that keep access (SMART BP-01).
func (a *App) reminderJob() leaderJob {
	s := &reminder.Service{Store: a.store, Clock: a.clock, Every: a.cfg.Reminders.Every, Hasher: a.ring.Hasher}
	every := remindEvery
	if a.cfg.Dev {
		every = remindEveryDev
	}
	return leaderJob{"reminders", every, func(ctx context.Context, _ jobs.Turn) error {
		for _, tenant := range a.ring.Tenants() {
			if err := s.Remind(ctx, tenant); err != nil {
				return err
			}
		}
		return nil
	}}
}
