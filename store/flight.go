package store

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth/flight"
)

// keptRecords is how many flight records of a client stay.
const keptRecords = 200

// AddRecords implements flight.Store.
func (p *ports) AddRecords(ctx context.Context, records []flight.Record) error {
	rows := make([][]any, len(records))
	for i, r := range records {
		rows[i] = []any{r.Tenant, r.ClientID, micros(r.At), p.ids.ID(), doc(r)}
	}
	return p.atomic(ctx, func(p *ports) error {
		for len(rows) > 0 {
			n := min(len(rows), 100)
			if err := p.insertRows(ctx, `INSERT INTO flight (tenant, client_id, at, id, body) VALUES `, rows[:n]); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
}

// Records implements flight.Store.
func (p *ports) Records(ctx context.Context, tenant, clientID string, limit int) ([]flight.Record, error) {
	return list(ctx, p, func(r Row) (v flight.Record, err error) {
		err = r.Scan(&v.Tenant, &v.ClientID, doc(&v))
		return v, err
	}, `SELECT tenant, client_id, body FROM flight WHERE tenant = $1 AND client_id = $2 ORDER BY at DESC, id LIMIT $3`,
		tenant, clientID, limit)
}

// forgetRecords deletes what is more than a client's kept records.
func (s *Store) forgetRecords(ctx context.Context) (total int64, err error) {
	type holder struct{ tenant, client string }
	busy, err := list(ctx, s.ports, func(r Row) (h holder, err error) {
		err = r.Scan(&h.tenant, &h.client)
		return h, err
	}, `SELECT tenant, client_id FROM flight GROUP BY tenant, client_id HAVING COUNT(*) > $1`, keptRecords)
	if err != nil {
		return 0, err
	}
	for _, h := range busy {
		n, err := s.exec(ctx, `DELETE FROM flight WHERE tenant = $1 AND client_id = $2 AND at < (
			SELECT MIN(at) FROM (SELECT at FROM flight WHERE tenant = $1 AND client_id = $2 ORDER BY at DESC LIMIT $3) AS newest)`,
			h.tenant, h.client, keptRecords)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// OnAudit registers who wants the audit events that this process committed.
// told must not wait, and not keep the slice.
func (s *Store) OnAudit(told func([]audit.Event)) { s.heard.add(told) }
