package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/backchannel"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// logoutEvery is how often sessions that ended are looked for.
const logoutEvery = time.Second

// logoutJobs give the job that tells apps of the end of sessions.
func (a *App) logoutJobs(runner *jobs.Runner) []leaderJob {
	s := &backchannel.Service{
		Read: a.store, Client: clientauth.NewPublicClient(a.cfg.Dev, nil),
		Sign: func(ctx context.Context, tenant string, c oauth.Client, l backchannel.Leaving, id string) (string, error) {
			return a.engine.LogoutToken(ctx, tenant, c, l.Subject, l.SessionID, id)
		},
	}
	return []leaderJob{{"backchannel-logout", logoutEvery, func(ctx context.Context, _ jobs.Turn) error {
		if err := runner.Drain(ctx, identity.QueueEnded, s.Ended); err != nil {
			return err
		}
		return runner.Drain(ctx, backchannel.Queue, s.Tell)
	}}}
}
