package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/store"
)

// BRD-02, D13: one bundle of a tenant, changed by who saw it last.
func brandBundles(t *testing.T, s *store.Store) {
	ctx := t.Context()
	b := brand.Bundle{Tenant: tenant, Version: 1, JSON: []byte(`{"a":1}`), Primary: brand.Identifier{System: "urn:x", Value: "v"}, Updated: noon()}
	_, err := s.BrandBundle(ctx, tenant)
	fails(t, err, errs.NotFound)
	fails(t, s.PutBrandBundle(ctx, b, 1), errs.PreconditionFailed)
	must(t, s.PutBrandBundle(ctx, b, 0))
	fails(t, s.PutBrandBundle(ctx, b, 0), errs.PreconditionFailed)
	equal(t, got(s.BrandBundle(ctx, tenant))(t), b)
	_, err = s.BrandBundle(ctx, other)
	fails(t, err, errs.NotFound)
	b.Version, b.JSON, b.Primary.Value = 2, []byte(`{"a":2}`), "w"
	must(t, s.PutBrandBundle(ctx, b, 1))
	fails(t, s.PutBrandBundle(ctx, b, 1), errs.PreconditionFailed)
	equal(t, got(s.BrandBundle(ctx, tenant))(t), b)
	fails(t, s.DeleteBrandBundle(ctx, tenant, 1), errs.PreconditionFailed)
	must(t, s.DeleteBrandBundle(ctx, tenant, 2))
	_, err = s.BrandBundle(ctx, tenant)
	fails(t, err, errs.NotFound)
	told := 0
	for _, c := range got(s.Changes(ctx, time.Hour))(t) {
		if c.Kind == watch.Brand && c.Tenant == tenant {
			told++
		}
	}
	equal(t, told, 3)
}
