package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// How the crowd is made up: so many connections of a kind, 256 together. Log-ins
// and refreshes are all of one person.
const (
	crowdLogIns    = 64
	crowdRefreshes = 64
	crowdTokens    = 64
	crowdAsks      = 32
	crowdDocuments = 32
)

// errAway is an answer that tells the client to come again: 503 with
// Retry-After.
var errAway = errors.New("503 with Retry-After")

// tally counts the answers of one kind of visitor.
type tally struct{ fine, away, failed atomic.Int64 }

// counted wraps a visitor: an answer that asks to come again is no failure.
func (t *tally) counted(op measure.Op) measure.Op {
	return func(ctx context.Context) error {
		err := op(ctx)
		switch {
		case errors.Is(err, errAway):
			t.away.Add(1)
			return nil
		case err != nil:
			t.failed.Add(1)
		default:
			t.fine.Add(1)
		}
		return err
	}
}

// crowd lets 256 connections come at once, 64 of which sign the same person in
// and 64 refresh that person's tokens. No request may fail, but for being asked
// to come again.
func (r *rig) crowd(ctx context.Context) ([]finding, error) {
	kinds, err := r.visitors(ctx)
	if err != nil {
		return nil, err
	}
	var ops []measure.Op
	tallies := map[string]*tally{}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t := &tally{}
		tallies[kind] = t
		for _, op := range kinds[kind] {
			ops = append(ops, t.counted(op))
		}
	}
	if err := measure.ResetPeak(r.mandate.pid); err != nil {
		return nil, err
	}
	got := measure.Run(ctx, r.clock, measure.Limits{Duration: r.duration}, ops)
	memory, err := measure.ReadMemory(r.mandate.pid)
	if err != nil {
		return nil, err
	}
	out := []finding{
		{What: fmt.Sprintf("%d connections, failed requests (%s)", len(ops), got.FirstError), Value: number(got.Errors), Sign: atMost, Exact: true},
		{What: "requests per second", Value: number(got.Rate())},
		{What: "p50 ms", Value: millis(got.P50)},
		{What: "p99 ms", Value: millis(got.P99)},
		{What: "peak memory, MB", Value: number(memory.Peak >> 20)},
	}
	for _, kind := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[kind]
		out = append(out,
			finding{What: kind + ", answered", Value: number(t.fine.Load()), Sign: atLeast, Goal: 1, Exact: true},
			finding{What: kind + ", asked to come again", Value: number(t.away.Load())})
	}
	return out, ctx.Err()
}

// visitors gives the workers of the crowd by kind.
func (r *rig) visitors(ctx context.Context) (map[string][]measure.Op, error) {
	one := *r.mandate
	one.people = one.people[:1]
	family, err := r.newChains(&one, crowdRefreshes)
	if err != nil {
		return nil, err
	}
	kinds := map[string][]measure.Op{"refresh of one person": each(crowdRefreshes, func(i int) measure.Op {
		to := &conn{addr: one.addr, clock: r.clock}
		return func(context.Context) error { return family.step(to, i) }
	})}
	for kind, w := range map[string]struct {
		n       int
		prepare func(*rig, *side) (maker, error)
	}{
		"log-in of one person": {crowdLogIns, signIn},
		"client_credentials":   {crowdTokens, clientSecret},
		"introspection":        {crowdAsks, introspect(appID)},
		"discovery":            {crowdDocuments, documents},
	} {
		wide := *r
		wide.connections = []int{w.n}
		m, err := w.prepare(&wide, &one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		if kinds[kind], err = m(w.n, r.requests); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return kinds, ctx.Err()
}
