package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/telemetry"
)

// counts are what the transactions of a Store came to.
type counts struct{ tries, retries, failures atomic.Int64 }

// Gauges lists what can be read about the store for the metrics.
func (s *Store) Gauges() []telemetry.Gauge {
	counter := func(name, help string, n *atomic.Int64) telemetry.Gauge {
		return telemetry.Gauge{Name: name, Help: help, Counter: true, Read: func(context.Context) (map[string]float64, error) {
			return map[string]float64{"": float64(n.Load())}, nil
		}}
	}
	return []telemetry.Gauge{
		counter("mandate_store_transactions_total", "Transactions begun, tries included.", &s.counts.tries),
		counter("mandate_store_retries_total", "Transactions run again because they lost a race.", &s.counts.retries),
		counter("mandate_store_failures_total", "Transactions that ended with an error, refusals included.", &s.counts.failures),
		{Name: "mandate_signing_key_age_seconds", Help: "Age of the key that signs, by use; of several tenants the oldest.", Label: "use",
			Read: s.byLabel("SELECT key_use, MIN(newest) FROM (SELECT key_use, MAX(created) AS newest FROM signing_key WHERE retired = 0 GROUP BY tenant, key_use) AS k GROUP BY key_use", s.age)},
		{Name: "mandate_lease_turns_total", Help: "How often a leader-only job changed hands or began anew, by job.", Label: "job", Counter: true,
			Read: s.byLabel("SELECT name, turn FROM lease", plain)},
		{Name: "mandate_lease_held", Help: "1 while some node works at a leader-only job, by job.", Label: "job",
			Read: s.byLabel("SELECT name, CASE WHEN ends > 0 THEN 1 ELSE 0 END FROM lease", plain)},
		{Name: "mandate_jobs_waiting", Help: "Work to be done later, by queue.", Label: "queue",
			Read: s.byLabel("SELECT queue, COUNT(*) FROM job WHERE buried = 0 GROUP BY queue", plain)},
		{Name: "mandate_jobs_buried", Help: "Work that failed for good, by queue.", Label: "queue",
			Read: s.byLabel("SELECT queue, COUNT(*) FROM job WHERE buried <> 0 GROUP BY queue", plain)},
		{Name: "mandate_audit_sealed_age_seconds", Help: "Time since the audit log was last sealed; of several tenants the longest. It grows while nothing happens.",
			Read: s.byLabel("SELECT '', MIN(sealed) FROM audit_tree HAVING COUNT(*) > 0", s.age)},
	}
}

func plain(n int64) float64 { return float64(n) }

// age gives the seconds since a moment.
func (s *Store) age(at int64) float64 { return s.clock.Now().Sub(time.UnixMicro(at)).Seconds() }

// byLabel reads rows of a label and a number.
func (s *Store) byLabel(sql string, as func(int64) float64) func(context.Context) (map[string]float64, error) {
	return func(ctx context.Context) (map[string]float64, error) {
		rows, err := s.engine.Read().Query(ctx, sql)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		out := map[string]float64{}
		for rows.Next() {
			var label string
			var n int64
			if err := rows.Scan(&label, &n); err != nil {
				return nil, err
			}
			out[label] = as(n)
		}
		return out, rows.Err()
	}
}
