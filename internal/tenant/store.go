package tenant

import "context"

// Store is the port of the package.
type Store interface {
	// Tenants gives all tenants but the default one, by id.
	Tenants(ctx context.Context) ([]Tenant, error)
	// AddTenant stores a new tenant. Errors: errs.Conflict (tenant-exists).
	AddTenant(ctx context.Context, t Tenant) error
	// SetTenantState changes whether a tenant is served. Errors:
	// errs.NotFound.
	SetTenantState(ctx context.Context, id string, state State) error
}
