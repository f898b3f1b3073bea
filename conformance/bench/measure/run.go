package measure

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// Op is one request, or one walk of several, by one worker. An Op is called by
// one goroutine at a time.
type Op func(context.Context) error

// ErrExhausted is returned by an Op that has nothing left to send, such as the
// last of the assertions that were signed ahead. It ends its worker and counts
// neither as a request nor as a failure.
var ErrExhausted = errors.New("nothing left to send")

// Limits bound a phase: it ends when one of them is reached. At least one must
// be set.
type Limits struct {
	Duration time.Duration
	// Ops is the number of requests; 0 sets no bound.
	Ops int
	// Every is how long a worker lets pass from the start of one request to the
	// start of the next; 0 goes on at once. What is late is not made up for.
	Every time.Duration
}

// Result is what a phase did.
type Result struct {
	// Ops counts the requests that were answered as wanted, Errors the others.
	Ops, Errors int
	// FirstError tells one of the failures, "" without any.
	FirstError string
	// Elapsed is from the start of the first request to the end of the last.
	Elapsed time.Duration
	// P50 and P99 are over the requests answered as wanted.
	P50, P99 time.Duration
}

// Rate gives requests per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Ops) / r.Elapsed.Seconds()
}

// worker is what one goroutine saw.
type worker struct {
	took   []time.Duration
	errors int
	first  error
}

// Run calls each Op again and again in a goroutine of its own until a limit is
// reached, all are exhausted or ctx ends. Requests on their way at the end of
// the time are waited for and counted.
func Run(ctx context.Context, clk clock.Clock, lim Limits, ops []Op) Result {
	var started atomic.Int64
	begin := clk.Now()
	more := func() bool {
		if ctx.Err() != nil || lim.Duration > 0 && clk.Now().Sub(begin) >= lim.Duration {
			return false
		}
		return lim.Ops <= 0 || started.Add(1) <= int64(lim.Ops)
	}
	workers := make([]worker, len(ops))
	var all sync.WaitGroup
	for i, op := range ops {
		all.Go(func() { workers[i].run(ctx, clk, op, lim.paced(ctx, more)) })
	}
	all.Wait()
	return sum(workers, clk.Now().Sub(begin))
}

// paced has a worker wait for its turn before it is told to go on.
func (lim Limits) paced(ctx context.Context, more func() bool) func() bool {
	if lim.Every <= 0 {
		return more
	}
	tick := time.NewTicker(lim.Every)
	return func() bool {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if more() {
			return true
		}
		tick.Stop()
		return false
	}
}

func (w *worker) run(ctx context.Context, clk clock.Clock, op Op, more func() bool) {
	for more() {
		from := clk.Now()
		err := op(ctx)
		switch {
		case errors.Is(err, ErrExhausted):
			return
		case err != nil:
			w.errors++
			if w.first == nil {
				w.first = err
			}
		default:
			w.took = append(w.took, clk.Now().Sub(from))
		}
	}
}

func sum(workers []worker, elapsed time.Duration) Result {
	r := Result{Elapsed: elapsed}
	var took []time.Duration
	for _, w := range workers {
		took = append(took, w.took...)
		r.Errors += w.errors
		if w.first != nil && r.FirstError == "" {
			r.FirstError = w.first.Error()
		}
	}
	r.Ops = len(took)
	r.P50, r.P99 = Percentile(took, 50), Percentile(took, 99)
	return r
}
