package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/audit"
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
	return append([]telemetry.Gauge{
		counter("mandate_store_transactions_total", "Transactions begun, tries included.", &s.counts.tries),
		counter("mandate_store_retries_total", "Transactions run again because they lost a race.", &s.counts.retries),
		counter("mandate_store_failures_total", "Transactions that ended with an error, refusals included.", &s.counts.failures),
		{Name: "mandate_signing_key_age_seconds", Help: "Age of the key that signs, by use; of several tenants the oldest.", Label: "use",
			Read: s.byLabel("SELECT key_use, MIN(newest) FROM (SELECT key_use, MAX(created) AS newest FROM signing_key WHERE retired = 0 GROUP BY tenant, key_use) AS k GROUP BY key_use", s.age)},
		{Name: "mandate_lease_turns_total", Help: "How often a leader-only job changed hands or began anew, by job.", Label: "job", Counter: true,
			Read: s.byLabel("SELECT name, turn FROM lease", plain)},
		{Name: "mandate_lease_held", Help: "1 while some node works at a leader-only job, by job.", Label: "job",
			Read: s.byLabel("SELECT name, CASE WHEN ends > "+s.present()+" THEN 1 ELSE 0 END FROM lease", plain)},
		{Name: "mandate_lease_overdue_seconds", Help: "For how long a leader-only job has been due without a node that does it, by job; 0 while one does.", Label: "job",
			Read: s.byLabel(s.overdue(), inSeconds)},
		{Name: "mandate_jobs_waiting", Help: "Work to be done later, by queue.", Label: "queue",
			Read: s.byLabel("SELECT queue, COUNT(*) FROM job WHERE buried = 0 GROUP BY queue", plain)},
		{Name: "mandate_jobs_buried", Help: "Work that failed for good, by queue.", Label: "queue",
			Read: s.byLabel("SELECT queue, COUNT(*) FROM job WHERE buried <> 0 GROUP BY queue", plain)},
		{Name: "mandate_audit_sealed_age_seconds", Help: "Time since the audit log was last sealed; of several tenants the longest. It grows while nothing happens.",
			Read: s.byLabel("SELECT '', MIN(sealed) FROM audit_tree HAVING COUNT(*) > 0", s.age)},
		{Name: "mandate_audit_seal_lag_seconds", Help: "Age of the oldest audit event that waits to be sealed; of several tenants the longest, 0 when none waits.",
			Read: func(ctx context.Context) (map[string]float64, error) {
				oldest, err := s.oldestUnsealed(ctx)
				return map[string]float64{"": s.lag(oldest)}, err
			}},
	}, s.poolGauges()...)
}

// oldestUnsealed gives the time of the oldest event after the newest seal of its
// tenant, in microseconds since 1970, 0 when there is none. Events lie in two
// tables, and in one of them their time is in their id.
func (s *Store) oldestUnsealed(ctx context.Context) (oldest int64, err error) {
	tenants, err := s.ports.AuditTenants(ctx)
	if err != nil {
		return 0, err
	}
	for _, tenant := range tenants {
		head, err := s.ports.LedgerHead(ctx, tenant)
		if err != nil {
			return 0, err
		}
		waiting, err := s.ports.AuditStamps(ctx, tenant, audit.Stamp{Time: head.Sealed.Add(time.Microsecond)}, s.clock.Now())
		if err != nil {
			return 0, err
		}
		if len(waiting) > 0 && (oldest == 0 || micros(waiting[0].Time) < oldest) {
			oldest = micros(waiting[0].Time)
		}
	}
	return oldest, nil
}

// present is the expression for the database's time, "" in a Store that only
// lists.
func (s *Store) present() string {
	if s.ports == nil {
		return ""
	}
	return s.dialect.Now
}

// overdue is a query for the microseconds since when each leader-only job could
// have been done by somebody.
func (s *Store) overdue() string {
	now := s.present()
	return "SELECT name, CASE WHEN ends > " + now + " OR due > " + now + " THEN 0 WHEN ends > due THEN " + now + " - ends ELSE " + now + " - due END AS late FROM lease"
}

// inSeconds turns microseconds into seconds.
func inSeconds(n int64) float64 { return time.Duration(n * int64(time.Microsecond)).Seconds() }

// lag gives the seconds since a moment, none for no moment.
func (s *Store) lag(at int64) float64 {
	if at == 0 {
		return 0
	}
	return max(0, s.age(at))
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
