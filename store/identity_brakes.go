package store

import (
	"context"
	"time"
)

// LastFailure implements identity.Brakes.
func (p *ports) LastFailure(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (time.Time, error) {
	us, err := one(ctx, p, "failure", scanInt,
		`SELECT COALESCE(MAX(at), 0) FROM login_failure WHERE tenant = $1 AND key = $2 AND at > $3 AND at <= $4`,
		tenant, key, micros(now.Add(-window)), micros(now))
	return fromMicros(us), err
}

// Consecutive implements identity.Brakes.
func (p *ports) Consecutive(ctx context.Context, tenant, key string) (int, error) {
	n, err := one(ctx, p, "failure", scanInt,
		`SELECT COALESCE(MAX(failures), 0) FROM login_consecutive WHERE tenant = $1 AND key = $2`, tenant, key)
	return int(n), err
}

// CountConsecutive implements identity.Brakes. The row is locked by its change, so
// that of parallel tries each sees the ones before it.
func (p *ports) CountConsecutive(ctx context.Context, tenant, key string, now time.Time) (int, error) {
	var n int
	err := p.atomic(ctx, func(p *ports) error {
		err := p.write(ctx, `INSERT INTO login_consecutive (tenant, key, failures, newest) VALUES ($1, $2, 1, $3)
			ON CONFLICT (tenant, key) DO UPDATE SET failures = login_consecutive.failures + 1, newest = excluded.newest`,
			tenant, key, micros(now))
		if err != nil {
			return err
		}
		n, err = p.Consecutive(ctx, tenant, key)
		return err
	})
	return n, err
}

// ClearConsecutive implements identity.Brakes.
func (p *ports) ClearConsecutive(ctx context.Context, tenant, key string) error {
	return p.write(ctx, `DELETE FROM login_consecutive WHERE tenant = $1 AND key = $2`, tenant, key)
}
