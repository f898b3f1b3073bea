package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit/alert"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/internal/errs"
)

// AuditCursor implements export.Cursors.
func (p *ports) AuditCursor(ctx context.Context, tenant, stream string) (int64, error) {
	n, err := one(ctx, p, "audit-cursor", scanInt, `SELECT delivered FROM audit_cursor WHERE tenant = $1 AND stream = $2`, tenant, stream)
	if errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	return n, err
}

// MoveAuditCursor implements export.Cursors.
func (p *ports) MoveAuditCursor(ctx context.Context, tenant, stream string, to int64) error {
	return p.write(ctx, `INSERT INTO audit_cursor (tenant, stream, delivered) VALUES ($1, $2, $3)
		ON CONFLICT (tenant, stream) DO UPDATE SET delivered = excluded.delivered
			WHERE audit_cursor.delivered < excluded.delivered`, tenant, stream, to)
}

// AuditRetentions implements retention.Store.
func (p *ports) AuditRetentions(ctx context.Context, tenant string) ([]retention.Rule, error) {
	return list(ctx, p, func(r Row) (v retention.Rule, err error) {
		var days int64
		err = r.Scan(&v.Class, &days, into(&v.Erased))
		v.Days = int(days)
		return v, err
	}, `SELECT class, days, erased FROM audit_retention WHERE tenant = $1 ORDER BY class`, tenant)
}

// PutAuditRetention implements retention.Store.
func (p *ports) PutAuditRetention(ctx context.Context, tenant string, v retention.Rule) error {
	return p.write(ctx, `INSERT INTO audit_retention (tenant, class, days, erased) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, class) DO UPDATE SET days = excluded.days, erased = excluded.erased`,
		tenant, string(v.Class), int64(v.Days), micros(v.Erased))
}

// AuditHolds implements retention.Store.
func (p *ports) AuditHolds(ctx context.Context, tenant string) ([]retention.Hold, error) {
	return list(ctx, p, func(r Row) (h retention.Hold, err error) {
		err = r.Scan(&h.ID, &h.Matter, &h.Patient, &h.PersonID, into(&h.Created), into(&h.Released))
		return h, err
	}, `SELECT id, matter, patient, person_id, created, released FROM audit_hold WHERE tenant = $1 ORDER BY created, id`, tenant)
}

// PutAuditHold implements retention.Store.
func (p *ports) PutAuditHold(ctx context.Context, tenant string, h retention.Hold) error {
	return p.write(ctx, `INSERT INTO audit_hold (tenant, id, matter, patient, person_id, created, released)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, tenant, h.ID, h.Matter, h.Patient, h.PersonID, micros(h.Created), micros(h.Released))
}

// ReleaseAuditHold implements retention.Store.
func (p *ports) ReleaseAuditHold(ctx context.Context, tenant, id string, now time.Time) (bool, error) {
	return p.won(ctx, `UPDATE audit_hold SET released = $3 WHERE tenant = $1 AND id = $2 AND released = 0`, tenant, id, micros(now))
}

// EraseAudits implements retention.Store. The hold is asked in the statement
// itself: one that is set while an erasure runs wins.
func (p *ports) EraseAudits(ctx context.Context, tenant string, bodies []retention.Erasing) (int64, error) {
	var sum int64
	for _, b := range bodies {
		var n int64
		var err error
		body := append([]byte{bodyErased}, b.Commitment[:]...)
		if key, ok := entryKey(b.ID); ok {
			n, err = p.exec(ctx, eraseFrom(entryTable), tenant, key, body)
		}
		if err == nil && n == 0 {
			n, err = p.exec(ctx, eraseFrom(auditTable), tenant, b.ID, body)
		}
		sum += n
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func eraseFrom(table string) string {
	return `UPDATE ` + table + ` SET body = $3 WHERE tenant = $1 AND id = $2
		AND NOT EXISTS (SELECT 1 FROM audit_hold h WHERE h.tenant = $1 AND h.released = 0
			AND (h.patient = '' OR h.patient = ` + table + `.patient)
			AND (h.person_id = '' OR h.person_id = ` + table + `.person_id))`
}

// Beat implements alert.Store. Both clocks are read in one statement, so that
// their difference is that of the clocks.
func (p *ports) Beat(ctx context.Context, node string, now time.Time) error {
	err := p.write(ctx, `INSERT INTO node_heartbeat (node, at_node, at_db, form) VALUES ($1, $2, `+p.dialect.Now+`, $3)
		ON CONFLICT (node) DO UPDATE SET at_node = excluded.at_node, at_db = excluded.at_db, form = excluded.form`, node, micros(now), int64(newestForm))
	if err != nil {
		return err
	}
	return p.meetNodes(ctx)
}

// Beats implements alert.Store.
func (p *ports) Beats(ctx context.Context) ([]alert.Beat, error) {
	return list(ctx, p, func(r Row) (b alert.Beat, err error) {
		var age int64
		var atDB time.Time
		err = r.Scan(&b.Node, into(&b.At), into(&atDB), &age)
		b.Ago, b.Skew = time.Duration(age)*time.Microsecond, b.At.Sub(atDB)
		return b, err
	}, `SELECT node, at_node, at_db, `+p.dialect.Now+` - at_db FROM node_heartbeat ORDER BY node`)
}

// Leave implements alert.Store.
func (p *ports) Leave(ctx context.Context, node string) error {
	return p.write(ctx, `DELETE FROM node_heartbeat WHERE node = $1`, node)
}
