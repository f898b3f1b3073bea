package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// AddNotice implements outbox.Store.
func (p *ports) AddNotice(ctx context.Context, n outbox.Notice) error {
	if n.ID == "" {
		n.ID = p.ids.ID()
	}
	args, err := p.sealDoc(ctx, noticeArgs(n), n.Args)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO notice (tenant, id, person_id, template, args, created)
		VALUES ($1, $2, $3, $4, $5, $6)`, n.Tenant, n.ID, n.PersonID, n.Template, args, micros(n.Created))
}

// Notices implements outbox.Store.
func (p *ports) Notices(ctx context.Context, tenant string, limit int) ([]outbox.Notice, error) {
	var sealed []string
	all, err := list(ctx, p, func(r Row) (n outbox.Notice, err error) {
		var args string
		err = r.Scan(&n.Tenant, &n.ID, &n.PersonID, &n.Template, &args, into(&n.Created))
		sealed = append(sealed, args)
		return n, err
	}, `SELECT tenant, id, person_id, template, args, created FROM notice
		WHERE tenant = $1 ORDER BY created DESC, id LIMIT $2`, tenant, limit)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openDoc(ctx, noticeArgs(all[i]), sealed[i], &all[i].Args); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func noticeArgs(n outbox.Notice) keys.Place {
	return keys.Place{Tenant: n.Tenant, Table: "notice", Column: "args", Row: n.ID}
}
