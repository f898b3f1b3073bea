package app

import (
	"fmt"

	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// jobsCommand looks after work that waits in queues.
type jobsCommand struct {
	Status jobsStatus `cmd:"" default:"withargs" help:"Tell how much work waits in each queue, and how much was given up."`
	Retry  jobsRetry  `cmd:"" help:"Do again what was given up, after its cause was mended."`
}

type jobsStatus struct{ storeFlags }

type jobsRetry struct {
	storeFlags
	Queue string `arg:"" help:"The queue, as mandate jobs names it."`
}

// queues lists the queues of work.
func queues() []string { return []string{outbox.Queue} }

// Run prints a line for each queue.
func (c *jobsStatus) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		for _, queue := range queues() {
			waiting, buried, err := a.store.CountJobs(s.ctx, queue)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s: %d waiting, %d given up\n", queue, waiting, buried)
			if buried > 0 {
				fmt.Fprintf(s.out, "  The log says why (\"job given up\"). When that is mended: mandate jobs retry %s\n", queue)
			}
		}
		return nil
	})
}

// Run makes given up work due again.
func (c *jobsRetry) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		n, err := a.store.RetryBuried(s.ctx, c.Queue)
		if err == nil {
			fmt.Fprintf(s.out, "%s: %d to be done again by a running server\n", c.Queue, n)
		}
		return err
	})
}
