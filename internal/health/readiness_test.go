package health_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
)

// A server is ready while every part that it needs can be used; it asks at most
// once a second, and is never ready again once it drains.
func TestReadiness(t *testing.T) {
	var c clock.Movable
	asked, broken := 0, error(nil)
	r := health.NewReadiness(&c,
		health.Probe{Name: "store", Look: func(context.Context) error { asked++; return broken }},
		health.Probe{Name: "upstream", Optional: true, Look: func(context.Context) error { return errors.New("down") }})
	ready := func(want bool) {
		t.Helper()
		ok, parts := r.Ready(t.Context())
		if ok != want || len(parts) != 2 || parts[1].Fine || parts[0].Fine != (want || r.Draining()) {
			t.Errorf("%v %+v", ok, parts)
		}
	}
	ready(true)
	ready(true)
	if asked != 1 {
		t.Errorf("asked %d times within a second", asked)
	}
	broken = errors.New("gone")
	c.Advance(time.Second)
	ready(false)
	broken = nil
	c.Advance(time.Second)
	ready(true)
	r.Drain()
	ready(false)
}
