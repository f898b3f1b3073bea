package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/jobs"
)

// leaderJob is a job that one node of all does at a time.
type leaderJob struct {
	name  string
	every time.Duration
	do    func(ctx context.Context, t jobs.Turn) error
}

// leaderJobs lists them. The store's clock says when each is due.
func (a *App) leaderJobs() []leaderJob {
	all := append(a.auditJobs(), leaderJob{"housekeeping", time.Minute, a.housekeep}, leaderJob{"keys", keysEvery, a.tendKeys}, a.reminderJob(), a.lifecycleJob(), a.usesJob())
	if len(a.trust.Communities) > 0 {
		all = append(all, leaderJob{"certificates", a.cfg.UDAP.complete().CRLRefresh / 4, a.tendCertificates})
	}
	if a.cfg.Backup.To != "" {
		all = append(all, leaderJob{"backup", min(backupLook, a.cfg.Backup.Every/12), a.backup})
	}
	return all
}

// startJobs does this node's share of the leader-only jobs, and what each node
// does for itself, until ctx ends; who waits for the group waits until the
// leases are given back.
func (a *App) startJobs(ctx context.Context) *sync.WaitGroup {
	runner := jobs.New(jobs.Deps{Store: a.store, Node: a.ids.ID(), Log: a.log})
	group := &sync.WaitGroup{}
	group.Go(func() { a.feed.Run(ctx) })
	group.Go(func() { a.audit.watch(ctx) })
	group.Go(func() { a.flights.Run(ctx) })
	group.Go(func() { a.uses.Run(ctx) })
	for _, j := range slices.Concat(a.leaderJobs(), a.noticeJobs(ctx, runner), a.logoutJobs(runner), a.idleJobs(), []leaderJob{a.contactCodeJob(runner)}) {
		group.Go(func() { runner.Leader(ctx, j.name, j.every, j.do) })
	}
	group.Go(func() { a.followTenants(ctx) })
	group.Go(func() { a.followKeys(ctx) })
	return group
}
