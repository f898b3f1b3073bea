package app

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/alert"
	"github.com/mandate-health/mandate/internal/telemetry"
)

// auditGauges lists what the watcher of the audit log knows. Of several nodes
// only the one that seals has values of sealing and of other nodes: sum over
// all, or take the greatest.
func (a *App) auditGauges() []telemetry.Gauge {
	type values = map[string]float64
	read := func(of func(alert.Values) values) func(context.Context) (values, error) {
		return func(context.Context) (values, error) { return of(a.audit.watcher.Values()), nil }
	}
	seals := func(of func(audit.SealStatus) float64) func(context.Context) (values, error) {
		return read(func(v alert.Values) values {
			if len(v.Seals) == 0 {
				return values{}
			}
			sum := 0.0
			for _, s := range v.Seals {
				sum += of(s)
			}
			return values{"": sum}
		})
	}
	return []telemetry.Gauge{
		{Name: "mandate_audit_alerts", Help: "Alerts that stand, by rule.", Label: "rule", Read: read(func(v alert.Values) values {
			out := values{}
			for rule, n := range v.Alerts {
				out[rule] = float64(n)
			}
			return out
		})},
		{Name: "mandate_audit_sealed_events", Help: "Events in the Merkle trees of all tenants; only on the node that seals, as the next four.",
			Read: seals(func(s audit.SealStatus) float64 { return float64(s.Size) })},
		{Name: "mandate_audit_missing_events", Help: "Sealed events whose rows are gone.",
			Read: seals(func(s audit.SealStatus) float64 { return float64(s.Lost) })},
		{Name: "mandate_audit_unreadable_events", Help: "Events that cannot be sealed because they do not open; at most ten of each tenant are counted.",
			Read: seals(func(s audit.SealStatus) float64 { return float64(len(s.Unreadable)) })},
		{Name: "mandate_audit_late_events_total", Help: "Events sealed by a sweep, after others of their time: committed late, or written past Mandate.", Counter: true,
			Read: seals(func(s audit.SealStatus) float64 { return float64(s.Late) })},
		{Name: "mandate_audit_backdated_events_total", Help: "Those of them that were over five minutes old: a forged row, or a wrong clock.", Counter: true,
			Read: seals(func(s audit.SealStatus) float64 { return float64(s.Backdated) })},
		{Name: "mandate_audit_stream_waiting_events", Help: "Sealed events that the syslog receiver has not got; absent where another node sends or none does.",
			Read: read(func(v alert.Values) values {
				if v.Stream == nil {
					return values{}
				}
				return values{"": float64(v.Stream.Waiting)}
			})},
		{Name: "mandate_node_clock_skew_seconds", Help: "By how much a node's clock is ahead of the database's, by node, as the node that seals saw it last.", Label: "node",
			Read: read(func(v alert.Values) values {
				out := values{}
				for node, skew := range v.Skews {
					out[node] = skew.Seconds()
				}
				return out
			})},
		{Name: "mandate_node_silence_seconds", Help: "How long ago a node was last heard of, by node; one that said good-bye is left out.", Label: "node",
			Read: read(func(v alert.Values) values {
				out := values{}
				for node, ago := range v.Silences {
					out[node] = ago.Seconds()
				}
				return out
			})},
	}
}
