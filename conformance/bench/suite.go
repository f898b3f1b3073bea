package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// number is a measured value. JSON has no NaN: what could not be measured is
// null.
type number float64

// MarshalJSON writes a number or null.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', 6, 64), nil
}

func millis(d time.Duration) number { return number(d.Seconds() * 1000) }

// startFigures are times from the start of a process, in milliseconds, and its
// memory without requests, in bytes.
type startFigures struct {
	Engine        string `json:"engine"`
	DevReady      number `json:"dev_ready_ms"`
	DevToken      number `json:"dev_first_token_ms"`
	DevIdle       int64  `json:"dev_idle_rss_bytes"`
	DevIdleAnon   int64  `json:"dev_idle_anon_bytes"`
	ServeReady    number `json:"serve_first_200_ms,omitempty"`
	ServeIdle     int64  `json:"serve_idle_rss_bytes,omitempty"`
	ServeIdleAnon int64  `json:"serve_idle_anon_bytes,omitempty"`
	// ServeBusy is the most it held while busyConnections asked.
	ServeBusy int64 `json:"serve_busy_peak_bytes,omitempty"`
}

// phase is one side under one number of connections.
type phase struct {
	Server     string `json:"server"`
	Ops        int    `json:"requests"`
	Errors     int    `json:"errors"`
	FirstError string `json:"first_error,omitempty"`
	Seconds    number `json:"seconds"`
	Rate       number `json:"requests_per_second"`
	P50        number `json:"p50_ms"`
	P99        number `json:"p99_ms"`
	// CPU is seconds of processor time of the server per 1,000 requests.
	CPU  number `json:"cpu_seconds_per_1000"`
	Peak int64  `json:"peak_rss_bytes"`
	// Commits are transactions that wrote, WAL bytes of PostgreSQL's log, both
	// per request.
	Commits number `json:"commits_per_request"`
	// Objects and Bytes are what the server allocated per request.
	Objects number `json:"allocations_per_request"`
	Bytes   number `json:"allocated_bytes_per_request"`
	WAL     number `json:"wal_bytes_per_request"`
	// Flush is how long half of the audit events waited until they were durable,
	// in milliseconds.
	Flush number `json:"audit_flush_p50_ms"`
	// total counts the warm-up too, and so does wrote.
	total int
	wrote int64
}

// row is one workload under one number of connections.
type row struct {
	Connections int    `json:"connections"`
	Subject     phase  `json:"mandate"`
	Against     phase  `json:"against"`
	Ratio       number `json:"rate_ratio"`
	CPURatio    number `json:"cpu_ratio"`
}

// outcome is one workload on one engine.
type outcome struct {
	Engine   string `json:"engine"`
	Workload string `json:"workload"`
	Floor    string `json:"floor_does"`
	Rows     []row  `json:"rows"`
	// Reads are transactions per request that wrote nothing, over all rows: the
	// rounds of reads.
	Reads      number `json:"reads_per_request"`
	FloorReads number `json:"floor_reads_per_request"`
	goal       goal
}

// measureAll runs one workload under each number of connections, server and
// floor in turn, so that both meet the same machine.
func (r *rig) measureAll(ctx context.Context, w workload) (outcome, error) {
	out := outcome{Engine: r.engine, Workload: w.name, Floor: w.work, goal: w.goal}
	against, err := r.against(ctx, w.side)
	if err != nil {
		return out, err
	}
	makers, err := r.prepare(w, r.mandate, against)
	if err != nil {
		return out, err
	}
	if err := r.calm(ctx); err != nil {
		return out, err
	}
	before, err := r.before(ctx)
	if err != nil {
		return out, err
	}
	var sent, sentFloor int
	var wrote, wroteFloor int64
	for _, n := range r.connections {
		x := row{Connections: n}
		if x.Subject, err = r.measure(ctx, w.name, r.mandate, makers[r.mandate], n); err != nil {
			return out, err
		}
		if x.Against, err = r.measure(ctx, w.name, against, makers[against], n); err != nil {
			return out, err
		}
		sent, sentFloor = sent+x.Subject.total, sentFloor+x.Against.total
		wrote, wroteFloor = wrote+x.Subject.wrote, wroteFloor+x.Against.wrote
		x.Ratio = number(measure.Ratio(float64(x.Subject.Rate), float64(x.Against.Rate)))
		x.CPURatio = number(measure.Ratio(float64(x.Subject.CPU), float64(x.Against.CPU)))
		if w.side == theUpstream {
			x.CPURatio = number(math.NaN()) // the gateway's own work stands in no relation to the upstream's
		}
		out.Rows = append(out.Rows, x)
	}
	after, err := r.settled(ctx)
	if err != nil {
		return out, err
	}
	out.Reads, out.FloorReads = per(after[0]-before[0]-wrote, sent), per(after[1]-before[1]-wroteFloor, sentFloor)
	if r.pg == nil {
		out.Reads, out.FloorReads = number(math.NaN()), number(math.NaN())
	}
	return out, nil
}

// prepare gets a workload ready for each side.
func (r *rig) prepare(w workload, sides ...*side) (map[*side]maker, error) {
	makers := map[*side]maker{}
	for _, s := range sides {
		m, err := w.prepare(r, s)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", w.name, s.name, err)
		}
		makers[s] = m
	}
	if w.touches {
		r.counted = nil
	}
	return makers, nil
}

// before gives the commits so far. Where nothing was sent since they were last
// counted, that count is good.
func (r *rig) before(ctx context.Context) ([2]int64, error) {
	if r.counted != nil {
		return *r.counted, nil
	}
	return r.settled(ctx)
}

func per(total int64, ops int) number { return number(measure.Per(float64(total), ops)) }

// settled gives the commits of both databases, once the idle server has told
// them all.
func (r *rig) settled(ctx context.Context) (n [2]int64, err error) {
	if r.pg == nil {
		return n, nil
	}
	if err := pause(ctx, r.settle); err != nil {
		return n, err
	}
	for i, database := range []string{subjectDB, floorDB} {
		if n[i], err = r.pg.commits(ctx, database); err != nil {
			return n, err
		}
	}
	r.counted = &n
	return n, nil
}

// reading is what a server has used so far, and what the store has written.
type reading struct {
	cpu         time.Duration
	wal, writes int64
	// place is where the log ends, when it is to be looked into.
	place     string
	allocated allocated
	flushes   waits
}

// read waits for what is done after the answers, and reads.
func (r *rig) read(ctx context.Context, s *side) (reading, error) {
	if err := pause(ctx, r.drain); err != nil {
		return reading{}, err
	}
	cpu, err := measure.CPU(s.pid)
	if err != nil {
		return reading{}, err
	}
	now := reading{cpu: cpu}
	if now.flushes, err = r.flushes(s); err != nil {
		return now, err
	}
	if s.counts {
		if now.allocated, err = r.counts(s); err != nil {
			return now, err
		}
	}
	if r.pg == nil {
		return now, nil
	}
	if now.wal, err = r.pg.wal(ctx); err != nil {
		return now, err
	}
	if now.writes, err = r.pg.writes(ctx); err != nil || !r.options.where {
		return now, err
	}
	now.place, err = r.pg.place(ctx)
	return now, err
}

// begun reads before a span, once the server has sealed what happened before it;
// the shortest look does not wait, because its times mean nothing.
func (r *rig) begun(ctx context.Context, s *side) (reading, error) {
	if s == r.mandate && (r.drain > 0 || r.toSeals) {
		if err := r.sealed(ctx); err != nil {
			return reading{}, err
		}
	}
	return r.read(ctx, s)
}

// ended reads behind a span, and behind the sealing of its events where that
// belongs to it.
func (r *rig) ended(ctx context.Context, s *side) (reading, error) {
	if r.toSeals {
		if err := r.sealed(ctx); err != nil {
			return reading{}, err
		}
	}
	return r.read(ctx, s)
}

// measure runs one phase: sign ahead, warm up, let what came before be sealed,
// measure.
func (r *rig) measure(ctx context.Context, name string, s *side, workers maker, n int) (phase, error) {
	ops, err := workers(n, r.requests)
	if err != nil {
		return phase{}, err
	}
	first, err := r.read(ctx, s)
	if err != nil {
		return phase{}, err
	}
	warm := measure.Run(ctx, r.clock, measure.Limits{Duration: r.warm, Ops: r.requests / 5}, ops)
	before, err := r.begun(ctx, s)
	if err != nil {
		return phase{}, err
	}
	if err := measure.ResetPeak(s.pid); err != nil {
		return phase{}, err
	}
	var got measure.Result
	err = r.profiled(s, fmt.Sprintf("%s-%d", name, n), func() {
		got = measure.Run(ctx, r.clock, measure.Limits{Duration: r.duration, Ops: r.requests}, ops)
	})
	if err != nil {
		return phase{}, err
	}
	after, err := r.ended(ctx, s)
	if err != nil {
		return phase{}, err
	}
	if r.options.where && s == r.mandate && r.pg != nil {
		if err := r.pg.where(ctx, r.log, before.place, after.place, got.Ops+got.Errors); err != nil {
			return phase{}, err
		}
	}
	memory, err := measure.ReadMemory(s.pid)
	if err != nil {
		return phase{}, err
	}
	all := got.Ops + got.Errors
	p := phase{
		Server: s.name, Ops: got.Ops, Errors: got.Errors + warm.Errors, FirstError: cmp.Or(got.FirstError, warm.FirstError),
		Seconds: number(got.Elapsed.Seconds()), Rate: number(got.Rate()), P50: millis(got.P50), P99: millis(got.P99),
		CPU: number(measure.Per((after.cpu-before.cpu).Seconds()*1000, all)), Peak: memory.Peak,
		Commits: per(after.writes-before.writes, all), WAL: per(after.wal-before.wal, all),
		Objects: per(int64(after.allocated.Objects-before.allocated.Objects), all),
		Bytes:   per(int64(after.allocated.Bytes-before.allocated.Bytes), all),
		Flush:   after.flushes.median(before.flushes),
		total:   all + warm.Ops + warm.Errors, wrote: after.writes - first.writes,
	}
	if !s.counts {
		p.Objects, p.Bytes = number(math.NaN()), number(math.NaN())
	}
	if r.pg == nil {
		p.Commits, p.WAL = number(math.NaN()), number(math.NaN())
	}
	return p, ctx.Err()
}
