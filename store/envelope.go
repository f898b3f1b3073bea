package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
)

const (
	tenantKeyColumns = `tenant, version, kek, wrapped, created, active, destroy, destroyed`
	dataKeyColumns   = `tenant, subject, version, parent, wrapped, created, active, retired, destroy, destroyed`
)

func scanTenantKey(r Row) (k keys.TenantKey, err error) {
	err = r.Scan(&k.Tenant, &k.Version, &k.KEK, &k.Wrapped, into(&k.Created), into(&k.Active), into(&k.Destroy),
		into(&k.Destroyed))
	return k, err
}

func scanDataKey(r Row) (k keys.DataKey, err error) {
	err = r.Scan(&k.Tenant, &k.Subject, &k.Version, &k.Parent, &k.Wrapped, into(&k.Created), into(&k.Active),
		into(&k.Retired), into(&k.Destroy), into(&k.Destroyed))
	return k, err
}

// Kept implements keys.Source.
func (p *ports) Kept() *keys.Kept { return p.kept }

// TenantKeys implements keys.Source.
func (p *ports) TenantKeys(ctx context.Context, tenant string) ([]keys.TenantKey, error) {
	return list(ctx, p, scanTenantKey,
		`SELECT `+tenantKeyColumns+` FROM tenant_key WHERE tenant = $1 ORDER BY version`, tenant)
}

// AddTenantKey implements keys.Source.
func (p *ports) AddTenantKey(ctx context.Context, k keys.TenantKey) error {
	return p.write(ctx, `INSERT INTO tenant_key (`+tenantKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant, version) DO NOTHING`,
		k.Tenant, k.Version, k.KEK, k.Wrapped, micros(k.Created), micros(k.Active), micros(k.Destroy), micros(k.Destroyed))
}

// DataKeys implements keys.Source.
func (p *ports) DataKeys(ctx context.Context, tenant, subject string) ([]keys.DataKey, error) {
	return list(ctx, p, scanDataKey,
		`SELECT `+dataKeyColumns+` FROM data_key WHERE tenant = $1 AND subject = $2 ORDER BY version`, tenant, subject)
}

// AddDataKey implements keys.Source.
func (p *ports) AddDataKey(ctx context.Context, k keys.DataKey) error {
	return p.write(ctx, `INSERT INTO data_key (`+dataKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant, subject, version) DO NOTHING`,
		k.Tenant, k.Subject, k.Version, k.Parent, k.Wrapped, micros(k.Created), micros(k.Active), micros(k.Retired),
		micros(k.Destroy), micros(k.Destroyed))
}

// KeyTenants implements keys.Vault.
func (p *ports) KeyTenants(ctx context.Context) ([]string, error) {
	return list(ctx, p, scanText, `SELECT DISTINCT tenant FROM tenant_key ORDER BY tenant`)
}

// RewrapTenantKey implements keys.Vault.
func (p *ports) RewrapTenantKey(ctx context.Context, k keys.TenantKey, was string) (bool, error) {
	return p.won(ctx, `UPDATE tenant_key SET kek = $3, wrapped = $4
		WHERE tenant = $1 AND version = $2 AND kek = $5 AND destroyed = 0`, k.Tenant, k.Version, k.KEK, k.Wrapped, was)
}

// RewrapDataKey implements keys.Vault.
func (p *ports) RewrapDataKey(ctx context.Context, k keys.DataKey, was int) (bool, error) {
	return p.won(ctx, `UPDATE data_key SET parent = $4, wrapped = $5
		WHERE tenant = $1 AND subject = $2 AND version = $3 AND parent = $6 AND destroyed = 0`,
		k.Tenant, k.Subject, k.Version, k.Parent, k.Wrapped, was)
}

// DataKeysUnder implements keys.Vault.
func (p *ports) DataKeysUnder(ctx context.Context, tenant string, below, limit int) ([]keys.DataKey, error) {
	return list(ctx, p, scanDataKey, `SELECT `+dataKeyColumns+` FROM data_key
		WHERE tenant = $1 AND parent < $2 AND destroyed = 0 ORDER BY parent, subject, version LIMIT $3`,
		tenant, below, limit)
}

// DataKeySubjects implements keys.Vault.
func (p *ports) DataKeySubjects(ctx context.Context, tenant, after string, limit int) ([]string, error) {
	return list(ctx, p, scanText, `SELECT DISTINCT subject FROM data_key
		WHERE tenant = $1 AND subject > $2 AND destroyed = 0 ORDER BY subject LIMIT $3`, tenant, after, limit)
}

// EndDataKeys implements keys.Vault.
func (p *ports) EndDataKeys(ctx context.Context, tenant, subject string, below int, retired, destroy time.Time) error {
	return p.write(ctx, `UPDATE data_key SET
			retired = CASE WHEN retired = 0 OR retired > $4 THEN $4 ELSE retired END,
			destroy = CASE WHEN CAST($5 AS BIGINT) = 0 THEN destroy
				WHEN destroy = 0 OR destroy > CAST($5 AS BIGINT) THEN CAST($5 AS BIGINT) ELSE destroy END
		WHERE tenant = $1 AND subject = $2 AND version < $3 AND destroyed = 0`,
		tenant, subject, below, micros(retired), micros(destroy))
}

// EndTenantKeys implements keys.Vault.
func (p *ports) EndTenantKeys(ctx context.Context, tenant string, below int, destroy time.Time) error {
	return p.write(ctx, `UPDATE tenant_key SET destroy = $3 WHERE tenant = $1 AND version < $2 AND destroyed = 0
		AND (destroy = 0 OR destroy > $3)`, tenant, below, micros(destroy))
}

// DestroyKeys implements keys.Vault.
func (p *ports) DestroyKeys(ctx context.Context, now time.Time) (gone []keys.Destroyed, err error) {
	err = p.atomic(ctx, func(p *ports) error {
		gone = nil
		due := ` WHERE destroy <> 0 AND destroy <= $1 AND destroyed = 0`
		for _, table := range []string{"data_key", "tenant_key"} {
			if table == "tenant_key" {
				// Not while a data key would be lost with it that is to live.
				due += ` AND NOT EXISTS (SELECT 1 FROM data_key d WHERE d.tenant = tenant_key.tenant
					AND d.parent = tenant_key.version AND d.destroyed = 0)`
			}
			some, err := p.destroyKeys(ctx, table, due, now)
			if err != nil {
				return err
			}
			gone = append(gone, some...)
		}
		return nil
	})
	slices.SortStableFunc(gone, func(a, b keys.Destroyed) int { return strings.Compare(a.Tenant, b.Tenant) })
	return gone, err
}

// destroyKeys destroys what is due of one table and lets every node know.
func (p *ports) destroyKeys(ctx context.Context, table, due string, now time.Time) ([]keys.Destroyed, error) {
	subject := `subject`
	if table == "tenant_key" {
		subject = `''`
	}
	gone, err := list(ctx, p, func(r Row) (d keys.Destroyed, err error) {
		d.OfTenant = table == "tenant_key"
		err = r.Scan(&d.Tenant, &d.Subject, &d.Versions, &d.Last)
		return d, err
	}, `SELECT tenant, `+subject+` AS whose, COUNT(*), MAX(version) FROM `+table+due+` GROUP BY tenant, whose ORDER BY tenant, whose`, micros(now))
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	if _, err := p.exec(ctx, `UPDATE `+table+` SET wrapped = $2, destroyed = $1`+due, micros(now), []byte{}); err != nil {
		return nil, err
	}
	erased, err := p.noteErased(ctx, table, now)
	if err != nil {
		return nil, err
	}
	for i := range gone {
		d := &gone[i]
		d.Erased = slices.Contains(erased, journal.Entry{Tenant: d.Tenant, Subject: d.Subject, Kind: journal.Erasure})
		if i == 0 || gone[i-1].Tenant != d.Tenant {
			if err := p.KeysChanged(ctx, d.Tenant); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

// KeysChanged implements keys.Vault.
func (p *ports) KeysChanged(ctx context.Context, tenant string) error {
	return p.atomic(ctx, func(p *ports) error {
		return p.changed(ctx, watch.Change{Tenant: tenant, Kind: watch.SigningKeys})
	})
}

// OldestPatientKey implements keys.Vault.
func (p *ports) OldestPatientKey(ctx context.Context, tenant string) (t time.Time, err error) {
	us, err := one(ctx, p, "data-key", scanInt, `SELECT COALESCE(MIN(created), 0) FROM data_key
		WHERE tenant = $1 AND retired = 0 AND destroyed = 0 AND subject <> '' AND subject NOT LIKE '#%'`, tenant)
	return fromMicros(us), err
}

// StartReseal implements keys.Resealer.
func (p *ports) StartReseal(ctx context.Context, tenant string, now time.Time) error {
	return p.write(ctx, `INSERT INTO reseal_pass (tenant, started, began, position, seen, stale, finished)
		VALUES ($1, $2, $2, '', 0, 0, 0)
		ON CONFLICT (tenant) DO UPDATE SET started = excluded.started, began = excluded.began, position = '',
			seen = 0, stale = 0, finished = 0`, tenant, micros(now))
}

// Reseals implements keys.Resealer.
func (p *ports) Reseals(ctx context.Context) ([]keys.Reseal, error) {
	return list(ctx, p, func(r Row) (v keys.Reseal, err error) {
		err = r.Scan(&v.Tenant, into(&v.Started), into(&v.Began), &v.Position, &v.Seen, &v.Stale, into(&v.Finished))
		return v, err
	}, `SELECT tenant, started, began, position, seen, stale, finished FROM reseal_pass ORDER BY tenant`)
}
