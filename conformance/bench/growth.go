package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

const (
	// expiredFor is how many expired rows there are for each live one.
	expiredFor = 5
	// sweepEvery is how often the server looks for what to clean, sweepStart how
	// long it may take to begin and sweepRate how many rows a second it must at
	// least clean to be waited for.
	sweepEvery = time.Minute
	sweepStart = 2*sweepEvery + 15*time.Second
	sweepRate  = 3000
	// lookEvery is how often what was cleaned is looked at: less often than
	// PostgreSQL tells it.
	lookEvery = 2 * time.Second
)

// errGrowth says where the mode runs: the embedded store belongs to one process.
var errGrowth = errors.New("rows are loaded beside the server, so growth needs -engines postgres")

// growth measures the server on an empty store and on a large one: rows of real
// shapes are put into the store beside it.
func (r *rig) growth(ctx context.Context) ([]finding, error) {
	if r.pg == nil {
		return nil, nil // refused when no engine has it
	}
	l, err := r.pg.loader(ctx, subjectDB)
	if err != nil {
		return nil, err
	}
	defer l.close(context.WithoutCancel(ctx))
	g := &growing{rig: r, load: l}
	steps := []func(context.Context) error{g.prepare, g.empty, g.live, g.full, g.cleaning}
	if !r.short {
		steps = append(steps, g.cleaned)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return g.found, err
		}
	}
	return g.found, ctx.Err()
}

// growing is the state of one growth run.
type growing struct {
	rig   *rig
	load  *loader
	found []finding
	sides map[string]map[*side]maker
	// before are the ratios to the floor on the empty store.
	before map[string]number
}

// grownWorkloads are measured on both stores: they meet grants, tokens and
// guards.
func grownWorkloads() []workload {
	var out []workload
	for _, w := range workloads() {
		if slices.Contains([]string{"client_credentials RS384", "refresh with rotation", "introspection, JWT"}, w.name) {
			out = append(out, w)
		}
	}
	return out
}

// add keeps a finding, and tells it at once: a run that is broken off has told
// what it found.
func (g *growing) add(f finding) {
	g.found = append(g.found, f)
	g.rig.say("%s: %s", f.What, f.Value.text("%.4g"))
}

// prepare walks everything once, so that there is a row of each shape.
func (g *growing) prepare(context.Context) error {
	g.sides, g.before = map[string]map[*side]maker{}, map[string]number{}
	for _, w := range grownWorkloads() {
		makers, err := g.rig.prepare(w, g.rig.mandate, g.rig.floor)
		if err != nil {
			return err
		}
		g.sides[w.name] = makers
	}
	return g.rig.firstToken()
}

// ratio gives the median of the rates of the server over those of the floor, in
// turn, so that both meet the same machine.
func (g *growing) ratio(ctx context.Context, name string) (number, error) {
	var ratios []float64
	g.rig.say("%s, beside the floor", name)
	for range g.rig.rounds {
		var rates []number
		for _, s := range []*side{g.rig.mandate, g.rig.floor} {
			p, err := g.rig.measure(ctx, name, s, g.sides[name][s], gateConnections)
			if err == nil && p.Errors > 0 {
				err = fmt.Errorf("%s: %d requests failed: %s", name, p.Errors, p.FirstError)
			}
			if err != nil {
				return 0, err
			}
			rates = append(rates, p.Rate)
		}
		ratios = append(ratios, measure.Ratio(float64(rates[0]), float64(rates[1])))
	}
	slices.Sort(ratios)
	return number(ratios[len(ratios)/2]), nil
}

// empty measures before anything is loaded.
func (g *growing) empty(ctx context.Context) (err error) {
	for name := range g.sides {
		if g.before[name], err = g.ratio(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// live loads what is good for long and tells what it weighs.
func (g *growing) live(ctx context.Context) error {
	for _, t := range []struct {
		table, what string
		bound       float64
	}{
		{"app_grant", "bytes per live grant, with indexes", 0},
		{"refresh_chain", "bytes per live token, with indexes", 300},
		{"used_assertion", "bytes per replay guard, with indexes", 0},
	} {
		before, err := g.load.size(ctx, t.table)
		if err != nil {
			return err
		}
		begin := g.rig.clock.Now()
		g.rig.say("%d live rows into %s", g.rig.size, t.table)
		if err := g.load.rows(ctx, t.table, g.rig.size, 0); err != nil {
			return err
		}
		took := g.rig.clock.Now().Sub(begin)
		after, err := g.load.size(ctx, t.table)
		if err != nil {
			return err
		}
		f := finding{What: t.what, Value: per(after-before, g.rig.size)}
		if t.bound > 0 {
			f.Sign, f.Goal, f.Exact = atMost, t.bound, true
		}
		g.add(f)
		g.add(finding{What: fmt.Sprintf("%s: rows loaded per second", t.table), Value: number(measure.Ratio(float64(g.rig.size), took.Seconds()))})
	}
	return g.load.analyze(ctx)
}

// full measures again.
func (g *growing) full(ctx context.Context) error {
	for _, w := range grownWorkloads() {
		after, err := g.ratio(ctx, w.name)
		if err != nil {
			return err
		}
		g.add(finding{
			What:  fmt.Sprintf("%s: rate with %d live rows of each kind ÷ empty", w.name, g.rig.size),
			Value: number(measure.Ratio(float64(after), float64(g.before[w.name]))), Sign: atLeast, Goal: 0.9,
		})
	}
	return nil
}

// expired are rows that were loaded, and how many had been deleted before: the
// server cleans the first while the last are being loaded.
type expired struct {
	rows int
	from int64
}

// expire loads half of the expired rows.
func (g *growing) expire(ctx context.Context) (x expired, err error) {
	x.rows = g.rig.size * expiredFor / 2
	if x.from, err = g.load.deleted(ctx); err != nil {
		return x, err
	}
	for _, part := range []struct {
		table string
		rows  int
	}{{"used_assertion", x.rows / 2}, {"refresh_chain", x.rows - x.rows/2}} {
		g.rig.say("%d expired rows into %s", part.rows, part.table)
		if err := g.load.rows(ctx, part.table, part.rows, expiredAge); err != nil {
			return x, err
		}
	}
	return x, g.load.analyze(ctx)
}

// swept is what the server cleaned while it was watched, and for how long it
// was at it.
type swept struct {
	rows int64
	took time.Duration
}

// wait watches until what was loaded has been cleaned. busy is called again and
// again meanwhile.
func (g *growing) wait(ctx context.Context, x expired, busy func(context.Context) error) (s swept, err error) {
	limit := sweepStart + time.Duration(x.rows/sweepRate)*time.Second
	g.rig.say("waiting until the server has cleaned %d rows, at most %s", x.rows, limit)
	begin := g.rig.clock.Now()
	seen, err := g.load.deleted(ctx)
	for last := begin; err == nil; {
		if seen-x.from >= int64(x.rows) {
			return s, nil
		}
		if last.Sub(begin) > limit {
			return s, fmt.Errorf("after %s only %d of %d expired rows were cleaned", limit, seen-x.from, x.rows)
		}
		if err := busy(ctx); err != nil {
			return s, err
		}
		var at int64
		at, err = g.load.deleted(ctx)
		now := g.rig.clock.Now()
		if at > seen {
			s.rows, s.took = s.rows+at-seen, s.took+now.Sub(last)
		}
		seen, last = at, now
	}
	return s, err
}

// cleaned lets the server clean while nobody asks anything.
func (g *growing) cleaned(ctx context.Context) error {
	x, err := g.expire(ctx)
	if err != nil {
		return err
	}
	got, err := g.wait(ctx, x, func(ctx context.Context) error { return pause(ctx, lookEvery) })
	if err != nil {
		return err
	}
	g.add(finding{What: fmt.Sprintf("cleaning %d rows, rows per second", got.rows), Value: number(measure.Ratio(float64(got.rows), got.took.Seconds())), Sign: atLeast, Goal: 20_000})
	return nil
}

// cleaning lets the server clean while apps refresh at half of what it can do.
func (g *growing) cleaning(ctx context.Context) error {
	const name = "refresh with rotation"
	first, err := g.ratio(ctx, name)
	if err != nil {
		return err
	}
	quiet, err := g.paced(ctx, 0)
	if err != nil {
		return err
	}
	x, err := g.expire(ctx)
	if err != nil {
		return err
	}
	busy := []time.Duration{}
	seen := x.from
	if _, err := g.wait(ctx, x, func(ctx context.Context) error {
		load, err := g.paced(ctx, quiet.rate)
		if err != nil {
			return err
		}
		at, err := g.load.deleted(ctx)
		if at > seen {
			busy = append(busy, load.p99)
		}
		seen = at
		return err
	}); err != nil {
		return err
	}
	worst := number(math.NaN()) // nothing was cleaned while it was watched
	if len(busy) > 0 {
		slices.Sort(busy)
		worst = number(measure.Ratio(busy[len(busy)/2].Seconds(), quiet.p99.Seconds()))
	}
	g.add(finding{What: "p99 while cleaning ÷ before, at half load", Value: worst, Sign: atMost, Goal: 1.3})
	last, err := g.ratio(ctx, name)
	g.add(finding{What: "rate after expiries ÷ before", Value: number(measure.Ratio(float64(last), float64(first))), Sign: atLeast, Goal: 0.95})
	return err
}

// pace is a load at a steady rate and how long 99 of 100 requests took.
type pace struct {
	rate float64
	p99  time.Duration
}

// paced refreshes at a rate; 0 finds out what half of the full rate is first,
// and then takes the median of some rounds.
func (g *growing) paced(ctx context.Context, rate float64) (pace, error) {
	r := g.rig
	ops, err := g.sides["refresh with rotation"][r.mandate](gateConnections, 0)
	if err != nil {
		return pace{}, err
	}
	rounds := 1
	if rate == 0 {
		got := measure.Run(ctx, r.clock, measure.Limits{Duration: r.duration}, ops)
		rate, rounds = max(got.Rate()/2, 1), r.rounds
	}
	steady := measure.Limits{Duration: r.duration, Every: time.Duration(float64(len(ops)) / rate * float64(time.Second))}
	var took []time.Duration
	for range rounds {
		got := measure.Run(ctx, r.clock, steady, ops)
		if got.Errors > 0 {
			return pace{}, fmt.Errorf("%d requests failed: %s", got.Errors, got.FirstError)
		}
		took = append(took, got.P99)
	}
	slices.Sort(took)
	return pace{rate, took[len(took)/2]}, ctx.Err()
}
