package store

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// LogKeys implements audit.Secrets.
func (p *ports) LogKeys(ctx context.Context, tenant string) ([]audit.LogKey, error) {
	return list(ctx, p, func(r Row) (k audit.LogKey, err error) {
		var n int64
		err = r.Scan(&n, &k.VerifierKey, &k.Event, into(&k.Created), into(&k.Starts), &k.Signs)
		k.Generation = int(n)
		return k, err
	}, `SELECT generation, verifier_key, event, created, starts, signs FROM audit_key WHERE tenant = $1 ORDER BY generation`, tenant)
}

// AddLogKey implements audit.Secrets. One without a time was made when its
// secrets were, or is made now.
func (p *ports) AddLogKey(ctx context.Context, tenant string, k audit.LogKey) (bool, error) {
	if k.Created.IsZero() {
		us, err := one(ctx, p, "secret", scanInt, `SELECT created FROM named_secret WHERE tenant = $1 AND name = $2`, tenant, "audit-salt")
		if err != nil && !errs.Is(err, errs.NotFound) {
			return false, err
		}
		if k.Created = fromMicros(us); err != nil {
			k.Created = p.clock.Now()
		}
	}
	return p.won(ctx, `INSERT INTO audit_key (tenant, generation, verifier_key, event, created, starts, signs)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, generation) DO NOTHING`,
		tenant, int64(k.Generation), k.VerifierKey, k.Event, micros(k.Created), micros(k.Starts), k.Signs)
}

// LogEnd implements audit.Secrets.
func (p *ports) LogEnd(ctx context.Context, tenant string) (*audit.LogEnd, error) {
	e, err := one(ctx, p, "audit-end", func(r Row) (e audit.LogEnd, err error) {
		err = r.Scan(&e.Event, &e.Salt, &e.Body)
		return e, err
	}, `SELECT event, salt, body FROM audit_end WHERE tenant = $1`, tenant)
	if errs.Is(err, errs.NotFound) {
		return nil, nil //nolint:nilnil // the tenant lives
	}
	return &e, err
}

// PutLogEnd implements audit.Secrets.
func (p *ports) PutLogEnd(ctx context.Context, tenant string, e audit.LogEnd) error {
	return p.write(ctx, `INSERT INTO audit_end (tenant, event, salt, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant) DO UPDATE SET event = excluded.event, salt = excluded.salt, body = excluded.body`,
		tenant, e.Event, e.Salt, e.Body)
}
