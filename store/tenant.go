package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/watch"
)

// Tenants implements tenant.Store.
func (p *ports) Tenants(ctx context.Context) ([]tenant.Tenant, error) {
	return list(ctx, p, func(r Row) (v tenant.Tenant, err error) {
		err = r.Scan(&v.ID, &v.Name, &v.Organization, &v.Upstream, &v.Registration, &v.ClientDocuments, &v.State, into(&v.Created))
		return v, err
	}, `SELECT id, name, organization, upstream, registration, client_documents, state, created FROM tenant ORDER BY id`)
}

// AddTenant implements tenant.Store.
func (p *ports) AddTenant(ctx context.Context, v tenant.Tenant) error {
	won, err := p.alter(ctx, tenantChange(v.ID), `INSERT INTO tenant (id, name, organization, upstream, registration, client_documents, state, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
		v.ID, v.Name, v.Organization, v.Upstream, v.Registration, v.ClientDocuments, string(v.State), micros(v.Created))
	if err == nil && !won {
		return errs.New(errs.Conflict, "tenant-exists", "There is a tenant with this id already.")
	}
	return err
}

func tenantChange(id string) watch.Change {
	return watch.Change{Tenant: id, Kind: watch.Tenant, Key: id}
}

// EditTenant implements tenant.Store.
func (p *ports) EditTenant(ctx context.Context, v tenant.Tenant) error {
	won, err := p.alter(ctx, tenantChange(v.ID), `UPDATE tenant SET name = $2, organization = $3, upstream = $4, registration = $5, client_documents = $6
		WHERE id = $1 AND state <> $7`, v.ID, v.Name, v.Organization, v.Upstream, v.Registration, v.ClientDocuments, string(tenant.Deleted))
	if err == nil && !won {
		return notFound("tenant")
	}
	return err
}

// SetTenantState implements tenant.Store.
func (p *ports) SetTenantState(ctx context.Context, id string, state tenant.State) error {
	return p.atomic(ctx, func(p *ports) error {
		won, err := p.alter(ctx, tenantChange(id), `UPDATE tenant SET state = $2 WHERE id = $1 AND state <> $3`, id, string(state), string(tenant.Deleted))
		switch {
		case err != nil:
			return err
		case !won:
			return notFound("tenant")
		case state == tenant.Active:
			return nil
		}
		return p.noteRevoked(ctx, journal.Entry{Tenant: id, Kind: journal.Tenant, Subject: id})
	})
}
