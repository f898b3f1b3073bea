package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mandate-health/mandate/conformance/bench/measure"
	"github.com/mandate-health/mandate/internal/freeport"
)

// serveStart measures `mandate serve` on the store that was just used: from the
// start of the process to the first 200 on the discovery document.
func (r *rig) serveStart(ctx context.Context, figures *startFigures) error {
	for _, c := range r.children {
		if err := c.stop(); err != nil {
			return err
		}
	}
	r.children = nil
	addr, err := freeport.Take()
	if err != nil {
		return err
	}
	flags, err := r.storeFlags(subjectDB)
	if err != nil {
		return err
	}
	begin := r.clock.Now()
	c, err := startChild(ctx, r.binary, append([]string{
		"serve", "--accept-file-keys", "--unsafe-demo-accounts", "--listen", addr, "--public-url", "https://bench.example", "--upstream", "http://" + r.upstream.host + r.upstream.fhir,
	}, flags...)...)
	if err != nil {
		return err
	}
	r.children = append(r.children, c)
	ask := request{method: http.MethodGet, path: r.mandate.documents[0], host: "bench.example"}.bytes()
	answers := &conn{addr: addr, clock: r.clock}
	defer answers.close()
	if err := c.until(ctx, func() bool { return answers.wantOK(ask) == nil }); err != nil {
		return err
	}
	figures.ServeReady = millis(r.clock.Now().Sub(begin))
	if err := pause(ctx, r.idle); err != nil {
		return err
	}
	m, err := measure.ReadMemory(c.pid())
	if err != nil {
		return err
	}
	figures.ServeIdle, figures.ServeIdleAnon = m.Resident, m.Anonymous
	figures.ServeBusy, err = r.serveBusy(ctx, addr, c.pid())
	return err
}

// busyConnections is how many ask at once when the memory of serve is read.
const busyConnections = 64

// serveBusy lets apps, people and resource servers ask `mandate serve` and gives
// the most memory it held.
func (r *rig) serveBusy(ctx context.Context, addr string, pid int) (int64, error) {
	s := *r.mandate
	s.addr, s.host, s.scheme, s.pid = addr, "bench.example", "https", pid
	wide := *r
	wide.connections = []int{busyConnections / 4}
	var ops []measure.Op
	for name, prepare := range map[string]func(*rig, *side) (maker, error){
		"tokens": clientSecret, "documents": documents, "introspection": introspectNothing, "log-ins": signIn,
	} {
		m, err := prepare(&wide, &s)
		if err != nil {
			return 0, fmt.Errorf("serve, %s: %w", name, err)
		}
		some, err := m(busyConnections/4, r.requests)
		if err != nil {
			return 0, fmt.Errorf("serve, %s: %w", name, err)
		}
		ops = append(ops, some...)
	}
	if err := measure.ResetPeak(pid); err != nil {
		return 0, err
	}
	got := measure.Run(ctx, r.clock, measure.Limits{Duration: r.duration, Ops: r.requests}, ops)
	if got.Errors > 0 {
		return 0, fmt.Errorf("serve: %d requests failed: %s", got.Errors, got.FirstError)
	}
	m, err := measure.ReadMemory(pid)
	return m.Peak, err
}
