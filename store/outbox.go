package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/jobs"
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
	return p.atomic(ctx, func(p *ports) error {
		if err := p.write(ctx, `INSERT INTO notice (tenant, id, person_id, template, args, created)
			VALUES ($1, $2, $3, $4, $5, $6)`, n.Tenant, n.ID, n.PersonID, n.Template, args, micros(n.Created)); err != nil {
			return err
		}
		return p.AddJob(ctx, jobs.Job{Tenant: n.Tenant, Queue: outbox.Queue, Body: n.ID}, 0)
	})
}

// NoticesOf implements outbox.Inbox.
func (p *ports) NoticesOf(ctx context.Context, tenant, person string, limit int) ([]outbox.Notice, error) {
	if person == "" {
		return nil, nil
	}
	return p.notices(ctx, `SELECT `+noticeColumns+` FROM notice
		WHERE tenant = $1 AND person_id <> '' AND person_id = $2 ORDER BY created DESC, id LIMIT $3`, tenant, person, limit)
}

// NoticesSeen implements outbox.Inbox.
func (p *ports) NoticesSeen(ctx context.Context, tenant, person string, until, t time.Time) error {
	return p.write(ctx, `UPDATE notice SET seen = $4 WHERE tenant = $1 AND person_id <> '' AND person_id = $2 AND created <= $3 AND seen = 0`,
		tenant, person, micros(until), micros(t))
}

const noticeColumns = `tenant, id, person_id, template, args, created, delivered, channel, seen`

// Notices implements outbox.Store.
func (p *ports) Notices(ctx context.Context, tenant string, limit int) ([]outbox.Notice, error) {
	return p.notices(ctx, `SELECT `+noticeColumns+` FROM notice WHERE tenant = $1 ORDER BY created DESC, id LIMIT $2`, tenant, limit)
}

// NoticeByID implements outbox.Store.
func (p *ports) NoticeByID(ctx context.Context, tenant, id string) (outbox.Notice, error) {
	all, err := p.notices(ctx, `SELECT `+noticeColumns+` FROM notice WHERE tenant = $1 AND id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("notice")
	}
	if err != nil {
		return outbox.Notice{}, err
	}
	return all[0], nil
}

// NoticeDelivered implements outbox.Store.
func (p *ports) NoticeDelivered(ctx context.Context, tenant, id, channel string, t time.Time) error {
	return p.write(ctx, `UPDATE notice SET delivered = $3, channel = $4 WHERE tenant = $1 AND id = $2`,
		tenant, id, micros(t), channel)
}

func (p *ports) notices(ctx context.Context, sql string, params ...any) ([]outbox.Notice, error) {
	var sealed []string
	all, err := list(ctx, p, func(r Row) (n outbox.Notice, err error) {
		var args string
		err = r.Scan(&n.Tenant, &n.ID, &n.PersonID, &n.Template, &args, into(&n.Created), into(&n.Delivered), &n.Channel, into(&n.Seen))
		sealed = append(sealed, args)
		return n, err
	}, sql, params...)
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
