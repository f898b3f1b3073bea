package tenant_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/tenant"
)

// D13: an id must be safe in a path, a cookie name and a log.
func TestWhatANewTenantNeeds(t *testing.T) {
	good := tenant.Tenant{ID: "acme-2", Name: "Acme", Upstream: "https://fhir.acme.example/r4"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for code, spoil := range map[string][]func(*tenant.Tenant){
		"tenant-id": {
			func(v *tenant.Tenant) { v.ID = "" },
			func(v *tenant.Tenant) { v.ID = "a" },
			func(v *tenant.Tenant) { v.ID = "Acme" },
			func(v *tenant.Tenant) { v.ID = "9acme" },
			func(v *tenant.Tenant) { v.ID = "acme-" },
			func(v *tenant.Tenant) { v.ID = "ac/me" },
			func(v *tenant.Tenant) { v.ID = "ac%2fme" },
			func(v *tenant.Tenant) { v.ID = "acme\n" },
			func(v *tenant.Tenant) { v.ID = strings.Repeat("a", 33) },
		},
		"tenant-name": {func(v *tenant.Tenant) { v.Name = "" }},
		"tenant-upstream": {
			func(v *tenant.Tenant) { v.Upstream = "" },
			func(v *tenant.Tenant) { v.Upstream = "fhir.acme.example" },
			func(v *tenant.Tenant) { v.Upstream = "ftp://fhir.acme.example" },
			func(v *tenant.Tenant) { v.Upstream = "https://u:p@fhir.acme.example" },
			func(v *tenant.Tenant) { v.Upstream = "https://fhir.acme.example?x=1" },
		},
	} {
		for i, f := range spoil {
			bad := good
			f(&bad)
			if err := bad.Validate(); !errs.Is(err, errs.Invalid) || errs.As(err).Code != code {
				t.Errorf("%s %d: %v", code, i, err)
			}
		}
	}
}
