package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
)

func signingPlace(v keys.SigningKey) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "signing_key", Column: "private_key", Row: v.KID}
}

// SigningKeys implements keys.Store.
func (p *ports) SigningKeys(ctx context.Context, tenant string) ([]keys.SigningKey, error) {
	all, err := list(ctx, p, func(r Row) (v keys.SigningKey, err error) {
		err = r.Scan(&v.Tenant, &v.KID, &v.Use, &v.Alg, &v.Private, into(&v.Created), into(&v.Signs), into(&v.Retired))
		return v, err
	}, `SELECT tenant, kid, key_use, alg, private_key, created, signs, retired FROM signing_key
		WHERE tenant = $1 ORDER BY created, kid`, tenant)
	if err != nil {
		return nil, err
	}
	for i := range all {
		k := &all[i]
		if k.Private, err = p.open(ctx, signingPlace(*k), k.Private); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// PutSigningKey implements keys.Store.
func (p *ports) PutSigningKey(ctx context.Context, v keys.SigningKey) error {
	private, err := p.seal(ctx, signingPlace(v), v.Private)
	if err != nil {
		return err
	}
	return p.atomic(ctx, func(p *ports) error {
		// A hash key that is retired goes on finding what was made under it.
		if !v.Retired.IsZero() && v.Use != keys.UseTokenHash {
			err := p.noteRevoked(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.SigningKey, Subject: v.KID})
			if err != nil {
				return err
			}
		}
		_, err = p.alter(ctx, watch.Change{Tenant: v.Tenant, Kind: watch.SigningKeys}, `INSERT INTO signing_key (tenant, kid, key_use, alg, private_key, created, signs, retired)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (tenant, kid) DO UPDATE SET key_use = excluded.key_use, alg = excluded.alg,
				private_key = excluded.private_key, created = excluded.created, signs = excluded.signs,
				retired = excluded.retired`,
			v.Tenant, v.KID, string(v.Use), v.Alg, private, micros(v.Created), micros(v.Signs), micros(v.Retired))
		return err
	})
}

// RemoveSigningKey implements keys.Store.
func (p *ports) RemoveSigningKey(ctx context.Context, tenant, kid string) error {
	e := journal.Entry{Tenant: tenant, Kind: journal.SigningKey, Subject: kid, Status: journal.Removed}
	_, err := p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.SigningKeys},
			`DELETE FROM signing_key WHERE tenant = $1 AND kid = $2`, tenant, kid)
	})
	return err
}

// Secret implements keys.Store.
func (p *ports) Secret(ctx context.Context, tenant, name string, fresh func() []byte) ([]byte, error) {
	value, err := p.secret(ctx, tenant, name)
	if !errs.Is(err, errs.NotFound) {
		return value, err
	}
	sealed, err := p.seal(ctx, secretPlace(tenant, name), fresh())
	if err != nil {
		return nil, err
	}
	err = p.write(ctx, `INSERT INTO named_secret (tenant, name, value, created) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, name) DO NOTHING`, tenant, name, sealed, micros(p.clock.Now()))
	if err != nil {
		return nil, err
	}
	return p.secret(ctx, tenant, name)
}

// RemoveSecret implements keys.Store.
func (p *ports) RemoveSecret(ctx context.Context, tenant, name string) error {
	return p.write(ctx, `DELETE FROM named_secret WHERE tenant = $1 AND name = $2`, tenant, name)
}

func (p *ports) secret(ctx context.Context, tenant, name string) ([]byte, error) {
	sealed, err := one(ctx, p, "secret", func(r Row) (b []byte, err error) {
		err = r.Scan(&b)
		return b, err
	}, `SELECT value FROM named_secret WHERE tenant = $1 AND name = $2`, tenant, name)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, secretPlace(tenant, name), sealed)
}

func secretPlace(tenant, name string) keys.Place {
	return keys.Place{Tenant: tenant, Table: "named_secret", Column: "value", Row: name}
}
