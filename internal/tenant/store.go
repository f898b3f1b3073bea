package tenant

import "context"

// Store is the port of the package.
type Store interface {
	// Tenants gives all tenants but the default one, by id.
	Tenants(ctx context.Context) ([]Tenant, error)
	// AddTenant stores a new tenant. Errors: errs.Conflict (tenant-exists).
	AddTenant(ctx context.Context, t Tenant) error
	// EditTenant changes name, organization and upstream of a tenant that is not
	// deleted. Errors: errs.NotFound.
	EditTenant(ctx context.Context, t Tenant) error
	// SetTenantState changes whether a tenant is served; a deleted one stays so.
	// Errors: errs.NotFound.
	SetTenantState(ctx context.Context, id string, state State) error
}
