package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/limit"
)

// TakePermits implements limit.Store.
func (p *ports) TakePermits(ctx context.Context, tenant, key string, n int, r limit.Rule) (ok bool, wait time.Duration, err error) {
	cost := r.Every.Microseconds() * int64(n)
	depth := r.Every.Microseconds() * int64(r.Burst)
	if cost > depth {
		return false, r.Every, nil
	}
	missing := `CASE WHEN permit.refilled > ` + p.dialect.Now + ` THEN permit.refilled - ` + p.dialect.Now + ` ELSE 0 END`
	err = p.atomic(ctx, func(tx *ports) error {
		_, err := one(ctx, tx, "permit", scanInt, `INSERT INTO permit (tenant, key, refilled) VALUES ($1, $2, `+p.dialect.Now+` + $3)
			ON CONFLICT (tenant, key) DO UPDATE SET refilled = `+p.dialect.Now+` + $3 + `+missing+`
				WHERE `+missing+` + $3 <= $4 RETURNING refilled`, tenant, key, cost, depth)
		ok = err == nil
		if !errs.Is(err, errs.NotFound) {
			return err
		}
		short, err := one(ctx, tx, "permit", scanInt, `SELECT `+missing+` + $3 - $4 FROM permit WHERE tenant = $1 AND key = $2`,
			tenant, key, cost, depth)
		wait = time.Duration(max(short, 1)) * time.Microsecond
		return err
	})
	return ok, wait, err
}

// forgetPermits deletes buckets that are full, by the database's clock.
func (s *Store) forgetPermits(ctx context.Context) (int64, error) {
	return s.exec(ctx, `DELETE FROM permit WHERE refilled < `+s.dialect.Now+` - $1`, int64(time.Minute/time.Microsecond))
}
