package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

const (
	// sealLimit bounds the wait for what is sealed after the answers, sealLook is
	// how often it is looked for.
	sealLimit = 2 * time.Minute
	sealLook  = 50 * time.Millisecond
)

// unsealed gives how many audit events are in no Merkle tree yet.
func (p *postgres) unsealed(ctx context.Context) (n int64, err error) {
	err = p.subject.QueryRow(ctx, `SELECT (SELECT count(*) FROM audit_event) + (SELECT count(*) FROM audit_entry) -
		(SELECT coalesce(sum(size), 0)::bigint FROM audit_tree)`).Scan(&n)
	return n, err
}

// sealed waits until no audit event waits to be sealed, which happens every two
// seconds and costs a fifth of a refresh: so a span does not pay for the events of
// the one before. The embedded store cannot be looked into from outside.
func (r *rig) sealed(ctx context.Context) error {
	if r.pg == nil {
		return nil
	}
	for begin := r.clock.Now(); ; {
		n, err := r.pg.unsealed(ctx)
		if err != nil || n <= 0 {
			return err
		}
		if r.clock.Now().Sub(begin) > sealLimit {
			return fmt.Errorf("%d audit events were not sealed within %s", n, sealLimit)
		}
		if err := pause(ctx, sealLook); err != nil {
			return err
		}
	}
}

// sealing measures what the sealing of audit events costs, which the spans of the
// workloads leave out as far as they can: some refreshes, and then nothing but
// their sealing.
func (r *rig) sealing(ctx context.Context) ([]finding, error) {
	if r.pg == nil {
		return nil, nil
	}
	c, err := r.newChains(r.mandate, gateConnections)
	if err != nil {
		return nil, err
	}
	if err := r.sealed(ctx); err != nil {
		return nil, err
	}
	// A turn of the sealer may fall into the refreshes: what it sealed is in none of
	// the counts.
	if got := measure.Run(ctx, r.clock, measure.Limits{Ops: gateConnections * chainSteps}, c.ops(gateConnections)); got.Errors > 0 {
		return nil, fmt.Errorf("%d refreshes failed: %s", got.Errors, got.FirstError)
	}
	before, err := r.read(ctx, r.mandate)
	if err != nil {
		return nil, err
	}
	events, err := r.pg.unsealed(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.sealed(ctx); err != nil {
		return nil, err
	}
	after, err := r.read(ctx, r.mandate)
	if err != nil {
		return nil, err
	}
	n := int(events)
	return []finding{
		{What: "audit events that were waited for", Value: number(events)},
		{What: "processor time per 1,000 events, ms", Value: number(measure.Per(millisOf(after.cpu-before.cpu)*1000, n))},
		{What: "allocations per event", Value: per(int64(after.allocated.Objects-before.allocated.Objects), n)},
		{What: "WAL bytes per event", Value: per(after.wal-before.wal, n)},
	}, nil
}

func millisOf(d time.Duration) float64 { return d.Seconds() * 1000 }
