package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

const (
	// stepsLimit bounds them in time.
	stepsLimit = time.Minute
	// chainSteps is how far a chain goes on while it is measured.
	chainSteps = 60
)

// chains are families of refresh tokens, one for each worker.
type chains struct {
	rig    *rig
	side   *side
	basic  string
	tokens []string
}

// newChains lets a person allow an app so often, with access while away.
func (r *rig) newChains(s *side, n int) (*chains, error) {
	tokens, err := r.granted(s, appID, n, "refresh_token")
	return &chains{r, s, basicHeader(appID, r.clients.secret), tokens}, err
}

// ops gives a worker for each of the first n chains.
func (c *chains) ops(n int) []measure.Op {
	return each(n, func(i int) measure.Op {
		to := &conn{addr: c.side.addr, clock: c.rig.clock}
		return func(context.Context) error { return c.step(to, i) }
	})
}

// step refreshes one chain and wants its tokens rotated.
func (c *chains) step(to *conn, i int) error {
	got, err := to.wantToken(request{
		method: http.MethodPost, path: c.side.tokenPath, host: c.side.host, header: []string{c.basic},
		form: "grant_type=refresh_token&refresh_token=" + url.QueryEscape(c.tokens[i]),
	})
	if err != nil {
		return err
	}
	next := member(got.body, "refresh_token")
	if next == "" || next == c.tokens[i] {
		return fmt.Errorf("the refresh token was not rotated")
	}
	c.tokens[i] = next
	return nil
}

// chain measures what a refresh costs when its grant has just been made and
// when it was refreshed many times: young and old chains in turn, so that both
// meet the same machine (SMART REF-08).
func (r *rig) chain(ctx context.Context) ([]finding, error) {
	const n = gateConnections
	old, err := r.newChains(r.mandate, n)
	if err != nil {
		return nil, err
	}
	r.say("%d chains of %d refreshes", n, r.chainLength)
	grown := measure.Run(ctx, r.clock, measure.Limits{Ops: n * r.chainLength}, old.ops(n))
	if grown.Errors > 0 {
		return nil, fmt.Errorf("%d of the refreshes before failed: %s", grown.Errors, grown.FirstError)
	}
	var young, aged []phase
	for range r.rounds {
		fresh, err := r.newChains(r.mandate, n)
		if err != nil {
			return nil, err
		}
		for _, turn := range []struct {
			chains *chains
			into   *[]phase
		}{{fresh, &young}, {old, &aged}} {
			p, err := r.steps(ctx, turn.chains, n)
			if err != nil {
				return nil, err
			}
			*turn.into = append(*turn.into, p)
		}
	}
	ratio := func(of func(phase) number) number {
		return number(measure.Ratio(middle(aged, of), middle(young, of)))
	}
	cpu := ratio(func(p phase) number { return p.CPU })
	wal := ratio(func(p phase) number { return p.WAL })
	objects := ratio(func(p phase) number { return p.Objects })
	rate := ratio(func(p phase) number { return p.Rate })
	length := fmt.Sprintf("length %d ÷ 1", r.chainLength)
	most := 1.1
	if r.short {
		// So few refreshes do not outweigh what the server does beside them.
		most = 1.4
	}
	out := []finding{
		{What: "refresh, rate at " + length, Value: rate, Sign: atLeast, Goal: 0.9},
		{What: "refresh, processor time at " + length, Value: cpu, Sign: atMost, Goal: most},
		{What: "refresh, allocations at " + length, Value: objects, Sign: atMost, Goal: most, Exact: true},
	}
	if r.pg != nil {
		out = append(out, finding{What: "refresh, WAL bytes at " + length, Value: wal, Sign: atMost, Goal: most, Exact: true})
	}
	return out, nil
}

// steps measures a bounded number of refreshes with the sealing of their audit
// events, and without that of earlier ones.
func (r *rig) steps(ctx context.Context, c *chains, n int) (phase, error) {
	limited := *r
	limited.requests, limited.duration, limited.warm, limited.toSeals = n*chainSteps, stepsLimit, 0, true
	p, err := limited.measure(ctx, "refresh", r.mandate, func(n, _ int) ([]measure.Op, error) { return c.ops(n), nil }, n)
	if err == nil && p.Errors > 0 {
		err = fmt.Errorf("%d refreshes failed: %s", p.Errors, p.FirstError)
	}
	return p, err
}

// middle gives the median of a figure.
func middle(all []phase, of func(phase) number) float64 {
	var values []float64
	for _, p := range all {
		values = append(values, float64(of(p)))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
