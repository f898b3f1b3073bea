package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// ReportLedger reads the audit log for one report. A reading that the replica
// refuses comes from the primary, which has all that the replica has and more:
// a replica ends queries that stand in the way of what it replays.
type ReportLedger struct{ from, primary *Store }

var _ audit.SourceStore = (*ReportLedger)(nil)

func reported[T any](l *ReportLedger, read func(*Store) (T, error)) (T, error) {
	v, err := read(l.from)
	if err != nil && l.from != l.primary {
		return read(l.primary)
	}
	return v, err
}

// Audits implements audit.Reader.
func (l *ReportLedger) Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	return reported(l, func(s *Store) ([]audit.Event, error) { return s.Audits(ctx, f) })
}

// AuditTenants implements audit.LedgerReader.
func (l *ReportLedger) AuditTenants(ctx context.Context) ([]string, error) {
	return reported(l, func(s *Store) ([]string, error) { return s.AuditTenants(ctx) })
}

// LedgerHead implements audit.LedgerReader.
func (l *ReportLedger) LedgerHead(ctx context.Context, tenant string) (audit.Head, error) {
	return reported(l, func(s *Store) (audit.Head, error) { return s.LedgerHead(ctx, tenant) })
}

// LedgerBatches implements audit.LedgerReader.
func (l *ReportLedger) LedgerBatches(ctx context.Context, tenant string, from, to int64) ([]audit.Batch, error) {
	return reported(l, func(s *Store) ([]audit.Batch, error) { return s.LedgerBatches(ctx, tenant, from, to) })
}

// LedgerBatchesAt implements audit.LedgerReader.
func (l *ReportLedger) LedgerBatchesAt(ctx context.Context, tenant string, from, to time.Time) ([]audit.Batch, error) {
	return reported(l, func(s *Store) ([]audit.Batch, error) { return s.LedgerBatchesAt(ctx, tenant, from, to) })
}

// LedgerNodes implements audit.LedgerReader.
func (l *ReportLedger) LedgerNodes(ctx context.Context, tenant string, level int, from, to int64) ([]audit.Node, error) {
	return reported(l, func(s *Store) ([]audit.Node, error) { return s.LedgerNodes(ctx, tenant, level, from, to) })
}

// LedgerCheckpoints implements audit.LedgerReader.
func (l *ReportLedger) LedgerCheckpoints(ctx context.Context, tenant string) ([][]byte, error) {
	return reported(l, func(s *Store) ([][]byte, error) { return s.LedgerCheckpoints(ctx, tenant) })
}

// LedgerMinutes implements audit.LedgerReader.
func (l *ReportLedger) LedgerMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error) {
	return reported(l, func(s *Store) (map[int64]int64, error) { return s.LedgerMinutes(ctx, tenant, from, to) })
}

// AuditMinutes implements audit.LedgerReader.
func (l *ReportLedger) AuditMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error) {
	return reported(l, func(s *Store) (map[int64]int64, error) { return s.AuditMinutes(ctx, tenant, from, to) })
}

// AuditStamps implements audit.LedgerReader.
func (l *ReportLedger) AuditStamps(ctx context.Context, tenant string, after audit.Stamp, until time.Time) ([]audit.Stamp, error) {
	return reported(l, func(s *Store) ([]audit.Stamp, error) { return s.AuditStamps(ctx, tenant, after, until) })
}

// StoredAudits implements audit.LedgerReader.
func (l *ReportLedger) StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error) {
	return reported(l, func(s *Store) ([]audit.Stored, error) { return s.StoredAudits(ctx, tenant, ids) })
}
