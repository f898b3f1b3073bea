package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth/backchannel"
)

// jobsCommand looks after work that waits in queues.
type jobsCommand struct {
	Status jobsStatus `cmd:"" default:"withargs" help:"Tell how much work waits in each queue, and how much was given up."`
	Retry  jobsRetry  `cmd:"" help:"Do again what was given up, after its cause was mended."`
}

type jobsStatus struct{ storeFlags }

type jobsRetry struct {
	storeFlags
	asFlag
	Queue string `arg:"" help:"The queue, as mandate jobs names it."`
}

// queues lists the queues of work.
func queues() []string {
	return []string{outbox.Queue, identity.QueueEnded, identity.QueueContactCode, backchannel.Queue}
}

// Run prints a line for each queue, and why work of it was given up.
func (c *jobsStatus) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		for _, queue := range queues() {
			waiting, buried, err := a.store.CountJobs(s.ctx, queue)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s: %d waiting, %d given up\n", queue, waiting, buried)
			if buried == 0 {
				continue
			}
			reasons, err := a.store.BuriedReasons(s.ctx, queue)
			if err != nil {
				return err
			}
			for _, reason := range slices.Sorted(maps.Keys(reasons)) {
				fmt.Fprintf(s.out, "  %d because of %s\n", reasons[reason], reason)
			}
			fmt.Fprintf(s.out, "  When the cause is mended: mandate jobs retry %s\n", queue)
		}
		return nil
	})
}

// Run makes given up work due again, and records who asked for it.
func (c *jobsRetry) Run(s *streams) error {
	if !slices.Contains(queues(), c.Queue) {
		return fmt.Errorf("there is no queue %q; the queues are: %s", c.Queue, strings.Join(queues(), ", "))
	}
	return c.with(s, func(a *App) error {
		if _, err := a.requireOperator(s, operator.Need{
			Tenant: tenants.Default, As: c.As, Role: operator.Operator, Act: "jobs retry " + c.Queue,
		}); err != nil {
			return err
		}
		n, err := a.store.RetryBuried(s.ctx, c.Queue)
		if err == nil {
			fmt.Fprintf(s.out, "%s: %d to be done again by a running server\n", c.Queue, n)
		}
		return err
	})
}
