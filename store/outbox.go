package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// AddNotice implements outbox.Store.
func (p *ports) AddNotice(ctx context.Context, n outbox.Notice) error {
	if n.ID == "" {
		n.ID = p.ids.ID()
	}
	return p.write(ctx, `INSERT INTO notice (tenant, id, person_id, template, args, created)
		VALUES ($1, $2, $3, $4, $5, $6)`, n.Tenant, n.ID, n.PersonID, n.Template, doc(n.Args), micros(n.Created))
}

// Notices implements outbox.Store.
func (p *ports) Notices(ctx context.Context, tenant string, limit int) ([]outbox.Notice, error) {
	return list(ctx, p, func(r Row) (n outbox.Notice, err error) {
		err = r.Scan(&n.Tenant, &n.ID, &n.PersonID, &n.Template, doc(&n.Args), into(&n.Created))
		return n, err
	}, `SELECT tenant, id, person_id, template, args, created FROM notice
		WHERE tenant = $1 ORDER BY created DESC, id LIMIT $2`, tenant, limit)
}
