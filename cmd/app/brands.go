package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/store"
)

// brandPath is where a tenant's user-access brands are, below its issuer.
const brandPath = "/user-access-brands"

// brandBundle gives what the tenant publishes, from memory.
func (t *tenant) brandBundle(ctx context.Context) (brand.Bundle, error) {
	return t.memory.BrandBundle(ctx, t.id)
}

// brandService gives the use-cases of brands.
func (a *App) brandService() *brand.Service {
	return &brand.Service{Tx: on(a.store, func(tx store.Tx) brand.Tx { return tx }), Validator: a.codec, Clock: a.clock}
}

// seedBrand publishes a brand of the development server, unless there is one.
func (t *tenant) seedBrand(ctx context.Context) error {
	switch have, err := t.store.BrandBundle(ctx, t.id); {
	case err != nil && !errs.Is(err, errs.NotFound):
		return err
	case have.Version > 0:
		return nil
	}
	raw, err := brand.Make(brand.Simple{
		Name: cmp.Or(t.cfg.Organization, "Lakeside"), Website: "https://www.lakeside.example", Aliases: []string{"Lakeside Hospice"},
		Categories: []string{"prov"}, Logo: "https://www.lakeside.example/logo.svg",
		PortalName: "Lakeside at home", PortalURL: "https://home.lakeside.example",
		PortalDescription: "For people in the care of Lakeside, and for those who act for them.",
		Base:              t.site.FHIRBase, Developers: t.site.Issuer + "/help", PostalCodes: []string{"02111"},
	})
	if err != nil {
		return err
	}
	_, err = t.brandService().Publish(ctx, brand.Publication{
		Tenant: t.id, Base: t.site.FHIRBase, Raw: raw, Origin: audit.Event{Tenant: t.id, Time: t.clock.Now()},
	})
	// Another node on the same database may be publishing at this moment.
	if err != nil && !errs.Is(err, errs.PreconditionFailed) {
		return fmt.Errorf("demo brand: %w", err)
	}
	return nil
}

// brandDesk is where operators publish the brands of a tenant.
type brandDesk struct{ t *tenant }

// Published implements adminapi.Brands.
func (d brandDesk) Published(ctx context.Context) ([]byte, int, error) {
	b, err := d.t.store.BrandBundle(ctx, d.t.id)
	return b.JSON, b.Version, err
}

// Publish implements adminapi.Brands. This server must be among the endpoints.
func (d brandDesk) Publish(ctx context.Context, raw []byte, version int, origin audit.Event) ([]byte, int, error) {
	b, err := d.t.brandService().Publish(ctx, brand.Publication{
		Tenant: d.t.id, Base: d.t.site.FHIRBase, IfVersion: version, Raw: raw, Origin: origin,
	})
	return b.JSON, b.Version, err
}

// Withdraw implements adminapi.Brands.
func (d brandDesk) Withdraw(ctx context.Context, version int, origin audit.Event) error {
	return d.t.brandService().Withdraw(ctx, d.t.id, version, origin)
}
