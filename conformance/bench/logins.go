package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// What the design asks of log-ins that come at once.
const (
	manyLogIns = 500
	// goalLogInMemory is in MB, goalLogIn in milliseconds.
	goalLogInMemory = 400
	goalLogIn       = 3000
)

// crowdFromOne is how many log-ins a second the server takes from one address: all of
// the driver come from one, and stand for people at many.
const crowdFromOne = "1000"

// logins lets 500 browsers that nobody knows send a right password at once, and then
// somebody on a device of theirs: passwords are checked a few at a time, so that
// memory is bounded, and those who are known do not wait behind the others.
func (r *rig) logins(ctx context.Context) ([]finding, error) {
	s := r.mandate
	many := r.rush()
	known := newAgent(s, r.clock)
	defer known.conn.close()
	if err := known.signIn(s, s.people[0]); err != nil {
		return nil, err
	}
	// The log-in ends as when a browser is closed, and the device stays known.
	maps.DeleteFunc(known.cookies, func(name, _ string) bool { return !strings.HasSuffix(name, "mandate_device") })
	path, form, err := known.signInForm(s, s.people[0])
	if err != nil {
		return nil, err
	}
	ops, err := r.strangers(ctx, many)
	if err != nil {
		return nil, err
	}
	if err := measure.ResetPeak(s.pid); err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	var crowd measure.Result
	started := make(chan struct{})
	all.Go(func() {
		close(started)
		crowd = measure.Run(ctx, r.clock, measure.Limits{Ops: many}, ops)
	})
	<-started
	took, err := r.amid(ctx, func() error {
		got, err := known.send(http.MethodPost, path, form)
		if err == nil && got.status != http.StatusSeeOther {
			err = refused("not signed in on a known device", got)
		}
		return err
	})
	all.Wait()
	if err != nil {
		return nil, err
	}
	memory, err := measure.ReadMemory(s.pid)
	if err != nil {
		return nil, err
	}
	return []finding{
		{What: fmt.Sprintf("%d log-ins at once, failed (%s)", many, crowd.FirstError), Value: number(crowd.Errors), Sign: atMost},
		{What: "peak memory, MB", Value: number(memory.Peak >> 20), Sign: atMost, Goal: goalLogInMemory, Exact: true},
		{What: "a log-in on a known device amid them, ms", Value: millis(took), Sign: atMost, Goal: goalLogIn},
		{What: "a log-in of the crowd, p50 ms", Value: millis(crowd.P50)},
		{What: "a log-in of the crowd, p99 ms", Value: millis(crowd.P99)},
	}, ctx.Err()
}

// strangers prepares the log-ins of so many people, each in a browser of their own.
func (r *rig) strangers(ctx context.Context, many int) ([]measure.Op, error) {
	wide, crowded := *r, *r.mandate
	wide.connections = []int{many}
	var err error
	if crowded.people, err = r.accounts(ctx, many); err != nil {
		return nil, err
	}
	prepare, err := signIn(&wide, &crowded)
	if err != nil {
		return nil, err
	}
	return prepare(many, 0)
}

// rush gives how many sign in at once.
func (r *rig) rush() int {
	if r.short {
		return manyLogIns / 10
	}
	return manyLogIns
}

// amid waits until the crowd has filled every slot, and times one request.
func (r *rig) amid(ctx context.Context, send func() error) (time.Duration, error) {
	if err := pause(ctx, crowdGathers); err != nil {
		return 0, err
	}
	begin := r.clock.Now()
	err := send()
	return r.clock.Now().Sub(begin), err
}

// crowdGathers is how long 500 requests take to arrive.
const crowdGathers = 300 * time.Millisecond
