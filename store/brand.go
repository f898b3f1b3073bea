package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth/brand"
)

// BrandBundle implements brand.Store.
func (p *ports) BrandBundle(ctx context.Context, tenant string) (brand.Bundle, error) {
	return one(ctx, p, "brand", func(r Row) (v brand.Bundle, err error) {
		err = r.Scan(&v.Tenant, &v.Version, &v.JSON, &v.Primary.System, &v.Primary.Value, into(&v.Updated))
		return v, err
	}, `SELECT tenant, version, json, primary_system, primary_value, updated FROM brand_bundle WHERE tenant = $1`, tenant)
}

// PutBrandBundle implements brand.Store.
func (p *ports) PutBrandBundle(ctx context.Context, v brand.Bundle, ifVersion int) error {
	sql, args := `INSERT INTO brand_bundle (tenant, version, json, primary_system, primary_value, updated)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant) DO NOTHING`,
		[]any{v.Tenant, v.Version, v.JSON, v.Primary.System, v.Primary.Value, micros(v.Updated)}
	if ifVersion != 0 {
		sql = `UPDATE brand_bundle SET version = $2, json = $3, primary_system = $4, primary_value = $5, updated = $6
			WHERE tenant = $1 AND version = $7`
		args = append(args, ifVersion)
	}
	return brandWon(p.alter(ctx, brandChange(v.Tenant), sql, args...))
}

// DeleteBrandBundle implements brand.Store.
func (p *ports) DeleteBrandBundle(ctx context.Context, tenant string, version int) error {
	return brandWon(p.alter(ctx, brandChange(tenant), `DELETE FROM brand_bundle WHERE tenant = $1 AND version = $2`, tenant, version))
}

func brandWon(won bool, err error) error {
	if err == nil && !won {
		return errs.New(errs.PreconditionFailed, "brand-changed", "The brand bundle was changed in the meantime.")
	}
	return err
}

func brandChange(tenant string) watch.Change { return watch.Change{Tenant: tenant, Kind: watch.Brand} }

// BrandBundle implements brand.Store. That there is none is remembered too.
func (m *Memory) BrandBundle(ctx context.Context, tenant string) (brand.Bundle, error) {
	v, err := watch.Load(ctx, m.feed, brandChange(tenant), nil, func(ctx context.Context) (brand.Bundle, error) {
		v, err := m.Store.BrandBundle(ctx, tenant)
		if errs.Is(err, errs.NotFound) {
			return brand.Bundle{}, nil
		}
		return v, err
	})
	if err == nil && v.Version == 0 {
		return v, notFound("brand")
	}
	return v, err
}
