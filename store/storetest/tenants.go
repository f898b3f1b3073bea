package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/store"
)

// D13: a tenant is added once, by whichever node comes first.
func tenantRows(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, len(got(s.Tenants(ctx))(t)), 0)
	zeta := tenants.Tenant{ID: "zeta", Name: "Zeta Clinic", Organization: "Organization/9", Upstream: "https://zeta.example/fhir", Registration: "token",
		State: tenants.Active, Created: noon()}
	acme := tenants.Tenant{ID: "acme", Name: "Acme", Upstream: "http://localhost:1", State: tenants.Active, Created: noon().Add(time.Second)}
	must(t, s.AddTenant(ctx, zeta))
	must(t, s.AddTenant(ctx, acme))
	again := acme
	again.Upstream = "http://elsewhere"
	fails(t, s.AddTenant(ctx, again), errs.Conflict)
	must(t, s.SetTenantState(ctx, "zeta", tenants.Disabled))
	fails(t, s.SetTenantState(ctx, "nobody", tenants.Active), errs.NotFound)
	zeta.State = tenants.Disabled
	equal(t, got(s.Tenants(ctx))(t), []tenants.Tenant{acme, zeta})
	zeta.Name, zeta.Organization, zeta.Upstream, zeta.Registration = "Zeta", "", "https://new.zeta.example", "approval"
	edited := zeta
	edited.State, edited.Created = tenants.Active, noon().Add(time.Hour) // neither is edited
	must(t, s.EditTenant(ctx, edited))
	edited.ID = "nobody"
	fails(t, s.EditTenant(ctx, edited), errs.NotFound)
	equal(t, got(s.Tenants(ctx))(t), []tenants.Tenant{acme, zeta})
	// Every change is told, and what was deleted is changed no more.
	told := 0
	for _, c := range got(s.Changes(ctx, time.Hour))(t) {
		if c.Kind == watch.Tenant {
			told++
		}
	}
	equal(t, told, 4)
	must(t, s.SetTenantState(ctx, "acme", tenants.Deleted))
	fails(t, s.SetTenantState(ctx, "acme", tenants.Active), errs.NotFound)
	fails(t, s.EditTenant(ctx, acme), errs.NotFound)
	fails(t, s.AddTenant(ctx, acme), errs.Conflict)
}
