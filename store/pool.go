package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/telemetry"
)

// Pool is what the connections of an engine are doing.
type Pool struct {
	// Size is how many there may be, Busy how many are in use.
	Size, Busy int64
	// Waiting is how many wait for one now; Waits and Waited are how often
	// somebody had to, and for how long in all, since the engine was opened.
	Waiting, Waits int64
	Waited         time.Duration
}

// Pooled is an engine that tells of its connections.
type Pooled interface{ Pool() Pool }

// poolGauges are the metrics of the connections; an engine that tells nothing
// has none.
func (s *Store) poolGauges() []telemetry.Gauge {
	gauge := func(name, help string, counter bool, value func(Pool) float64) telemetry.Gauge {
		return telemetry.Gauge{Name: name, Help: help, Counter: counter, Read: func(context.Context) (map[string]float64, error) {
			e, ok := s.engine.(Pooled)
			if !ok {
				return map[string]float64{}, nil
			}
			return map[string]float64{"": value(e.Pool())}, nil
		}}
	}
	return []telemetry.Gauge{
		gauge("mandate_store_connections", "Connections to the store that this process may use at once.", false, func(p Pool) float64 { return float64(p.Size) }),
		gauge("mandate_store_connections_busy", "Connections to the store that are in use.", false, func(p Pool) float64 { return float64(p.Busy) }),
		gauge("mandate_store_waiting", "Requests and jobs that wait for a connection; in the embedded store, for the one that writes.", false,
			func(p Pool) float64 { return float64(p.Waiting) }),
		gauge("mandate_store_waits_total", "How often one had to be waited for.", true, func(p Pool) float64 { return float64(p.Waits) }),
		gauge("mandate_store_wait_seconds_total", "How long one was waited for, in all.", true, func(p Pool) float64 { return p.Waited.Seconds() }),
	}
}
