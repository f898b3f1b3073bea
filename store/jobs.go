package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
)

// LeaseOpen implements jobs.Leases.
func (p *ports) LeaseOpen(ctx context.Context, name string) (bool, error) {
	n, err := one(ctx, p, "lease", scanInt, `SELECT COUNT(*) FROM lease
		WHERE name = $1 AND (ends > `+p.dialect.Now+` OR due > `+p.dialect.Now+`)`, name)
	return n == 0, err
}

// TakeLease implements jobs.Leases.
func (p *ports) TakeLease(ctx context.Context, name, holder string, length time.Duration) (turn int64, err error) {
	err = p.atomic(ctx, func(tx *ports) error {
		turn, err = one(ctx, tx, "lease", scanInt, `INSERT INTO lease (name, holder, turn, ends, due)
			VALUES ($1, $2, 1, `+p.dialect.Now+` + $3, 0)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, turn = lease.turn + 1, ends = excluded.ends
				WHERE lease.ends <= `+p.dialect.Now+` AND lease.due <= `+p.dialect.Now+`
			RETURNING turn`, name, holder, length.Microseconds())
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		return err
	})
	return turn, err
}

// RenewLease implements jobs.Leases. A turn that ran out but that nobody took
// over is still the holder's.
func (p *ports) RenewLease(ctx context.Context, name string, turn int64, length time.Duration) (bool, error) {
	return p.won(ctx, `UPDATE lease SET ends = `+p.dialect.Now+` + $3 WHERE name = $1 AND turn = $2 AND holder <> ''`,
		name, turn, length.Microseconds())
}

// ReleaseLease implements jobs.Leases.
func (p *ports) ReleaseLease(ctx context.Context, name string, turn int64, rest time.Duration) error {
	return p.write(ctx, `UPDATE lease SET holder = '', ends = 0, due = `+p.dialect.Now+` + $3 WHERE name = $1 AND turn = $2`,
		name, turn, rest.Microseconds())
}

// AddJob implements jobs.Queue.
func (p *ports) AddJob(ctx context.Context, j jobs.Job, wait time.Duration) error {
	if j.ID == "" {
		j.ID = p.ids.ID()
	}
	return p.write(ctx, `INSERT INTO job (tenant, id, queue, body, attempts, due, buried, reason)
		VALUES ($1, $2, $3, $4, 0, `+p.dialect.Now+` + $5, 0, '')`, j.Tenant, j.ID, j.Queue, j.Body, wait.Microseconds())
}

// ClaimJobs implements jobs.Queue.
func (p *ports) ClaimJobs(ctx context.Context, queue string, limit int, length time.Duration) (taken []jobs.Job, err error) {
	waiting, err := one(ctx, p, "job", scanInt,
		`SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE queue = $1 AND buried = 0 AND due <= `+p.dialect.Now+` LIMIT 1) AS ready`, queue)
	if err != nil || waiting == 0 {
		return nil, err
	}
	err = p.atomic(ctx, func(tx *ports) error {
		taken, err = list(ctx, tx, func(r Row) (j jobs.Job, err error) {
			err = r.Scan(&j.Tenant, &j.ID, &j.Queue, &j.Body, &j.Attempts)
			return j, err
		}, `UPDATE job SET attempts = attempts + 1, due = `+p.dialect.Now+` + $3
			WHERE (tenant, id) IN (SELECT tenant, id FROM job WHERE queue = $1 AND buried = 0 AND due <= `+p.dialect.Now+`
				ORDER BY due LIMIT $2`+p.dialect.SkipLocked+`)
			RETURNING tenant, id, queue, body, attempts`, queue, limit, length.Microseconds())
		return err
	})
	return taken, err
}

// FinishJob implements jobs.Queue.
func (p *ports) FinishJob(ctx context.Context, j jobs.Job) (bool, error) {
	return p.won(ctx, `DELETE FROM job WHERE tenant = $1 AND id = $2 AND attempts = $3 AND buried = 0`, j.Tenant, j.ID, j.Attempts)
}

// PostponeJob implements jobs.Queue.
func (p *ports) PostponeJob(ctx context.Context, j jobs.Job, wait time.Duration, reason string) error {
	return p.write(ctx, `UPDATE job SET due = `+p.dialect.Now+` + $4, reason = $5
		WHERE tenant = $1 AND id = $2 AND attempts = $3 AND buried = 0`, j.Tenant, j.ID, j.Attempts, wait.Microseconds(), reason)
}

// BuryJob implements jobs.Queue.
func (p *ports) BuryJob(ctx context.Context, j jobs.Job, reason string) error {
	return p.write(ctx, `UPDATE job SET buried = `+p.dialect.Now+`, reason = $4
		WHERE tenant = $1 AND id = $2 AND attempts = $3 AND buried = 0`, j.Tenant, j.ID, j.Attempts, reason)
}

// RetryBuried implements jobs.Queue.
func (p *ports) RetryBuried(ctx context.Context, queue string) (int64, error) {
	return p.exec(ctx, `UPDATE job SET buried = 0, attempts = 0, due = 0 WHERE queue = $1 AND buried <> 0`, queue)
}

// BuriedReasons implements jobs.Queue.
func (p *ports) BuriedReasons(ctx context.Context, queue string) (map[string]int64, error) {
	out := map[string]int64{}
	_, err := list(ctx, p, func(r Row) (reason string, err error) {
		var n int64
		err = r.Scan(&reason, &n)
		out[reason] = n
		return reason, err
	}, `SELECT reason, COUNT(*) FROM job WHERE queue = $1 AND buried <> 0 GROUP BY reason`, queue)
	return out, err
}

// CountJobs implements jobs.Queue.
func (p *ports) CountJobs(ctx context.Context, queue string) (waiting, buried int64, err error) {
	counts, err := one(ctx, p, "queue", func(r Row) (n [2]int64, err error) {
		err = r.Scan(&n[0], &n[1])
		return n, err
	}, `SELECT COUNT(CASE WHEN buried = 0 THEN 1 END), COUNT(CASE WHEN buried <> 0 THEN 1 END) FROM job WHERE queue = $1`, queue)
	return counts[0], counts[1], err
}
