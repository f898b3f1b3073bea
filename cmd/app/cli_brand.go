package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/brand"
)

// brandCommand manages the user-access brands from the command line.
type brandCommand struct {
	Make     brandMake     `cmd:"" help:"Print the bundle of one brand, to be edited and published."`
	Publish  brandPublish  `cmd:"" help:"Publish a bundle of brands in place of the one there is."`
	Show     brandShow     `cmd:"" help:"Print what is published."`
	Withdraw brandWithdraw `cmd:"" help:"Take the bundle off the net."`
}

type brandMake struct {
	Name        string   `required:"" help:"Name by which people know the organization."`
	Website     string   `required:"" help:"Its public site, an https URL." placeholder:"URL"`
	FHIRBase    string   `name:"fhir-base" required:"" help:"FHIR base URL under which apps reach this server, such as https://records.example.org/fhir." placeholder:"URL"`
	Developers  string   `required:"" help:"Site where developers register their apps, an https URL." placeholder:"URL"`
	Alias       []string `help:"Other name by which people may look; may be repeated." placeholder:"NAME"`
	Category    []string `help:"Kind of organization: prov, ins, laboratory, imaging, pharmacy, health-information-network or health-data-aggregator; may be repeated." placeholder:"CODE"`
	Logo        string   `help:"https URL of the logo." placeholder:"URL"`
	LogoLicense string   `help:"https URL of what its use is bound to." placeholder:"URL"`
	PortalName  string   `help:"Name of the place where people sign in." placeholder:"NAME"`
	PortalURL   string   `name:"portal-url" help:"https URL of it." placeholder:"URL"`
	PortalText  string   `name:"portal-description" help:"For whom it is." placeholder:"TEXT"`
	PostalCode  []string `help:"Where people find the organization; may be repeated." placeholder:"CODE"`
}

// Run prints the bundle.
func (c *brandMake) Run(s *streams) error {
	raw, err := brand.Make(brand.Simple{
		Name: c.Name, Website: c.Website, Aliases: c.Alias, Categories: c.Category, Logo: c.Logo, LogoLicense: c.LogoLicense,
		PortalName: c.PortalName, PortalURL: c.PortalURL, PortalDescription: c.PortalText,
		Base: strings.TrimSuffix(c.FHIRBase, "/"), Developers: c.Developers, PostalCodes: c.PostalCode,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n", raw)
	return nil
}

type brandPublish struct {
	storeFlags
	asFlag
	Tenant  string `default:"default" help:"Tenant that publishes (default ${default})." placeholder:"ID"`
	Version int    `help:"Only in place of this version." placeholder:"N"`
	File    string `arg:"" help:"FHIR Bundle of Organizations and Endpoints, as JSON." type:"existingfile"`
}

// files implements filing.
func (c *brandPublish) files() (reads []string, makes string) { return []string{c.File}, "" }

// Run validates and publishes, with the audit event in one transaction.
func (c *brandPublish) Run(s *streams) error {
	raw, err := s.ReadFile(s.ctx, c.File)
	if err != nil {
		return fmt.Errorf("the file %s cannot be read: %w", c.File, err)
	}
	return c.with(s, func(a *App) error {
		p := brand.Publication{Tenant: c.Tenant, IfVersion: c.Version, Raw: raw}
		if t := a.tenant(c.Tenant); s.served != nil && t != nil {
			p.Base = t.site.FHIRBase
		}
		service, origin, err := a.brandsBy(s, c.Tenant, c.As, "brand publish")
		if err != nil {
			return err
		}
		p.Origin = origin
		b, err := service.Publish(s.ctx, p)
		if err != nil {
			return brandFaults(err)
		}
		fmt.Fprintf(s.out, "version %d of the brands of tenant %s is published; apps find them by the identifier %s\n", b.Version, c.Tenant, b.Primary.Value)
		return nil
	})
}

// brandFaults puts each fault of a bundle on a line of its own.
func brandFaults(err error) error {
	var faults *brand.FaultError
	if !errors.As(err, &faults) {
		return explain(err)
	}
	var b strings.Builder
	fmt.Fprint(&b, "nothing was published; the bundle has these faults:")
	for _, f := range faults.Faults {
		fmt.Fprintf(&b, "\n  %s %s", f.Path, f.Text)
	}
	return errors.New(b.String())
}

// brandsBy gives the use-cases after asking whether the operator may use them.
func (a *App) brandsBy(s *streams, tenant, as, act string) (*brand.Service, audit.Event, error) {
	if err := a.openTenant(s.ctx, tenant); err != nil {
		return nil, audit.Event{}, err
	}
	by, err := a.requireOperator(s, operator.Need{Tenant: tenant, As: as, Role: operator.Operator, Act: act})
	if err != nil {
		return nil, audit.Event{}, err
	}
	service := a.brandService()
	if service.Validator, err = codec.New(); err != nil {
		return nil, audit.Event{}, err
	}
	return service, audit.Event{Tenant: tenant, Time: a.clock.Now(), PersonID: by}, nil
}

type brandShow struct {
	storeFlags
	Tenant string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
}

// Run prints the bundle; its version goes to the standard error.
func (c *brandShow) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		b, err := a.store.BrandBundle(s.ctx, c.Tenant)
		if errs.Is(err, errs.NotFound) {
			return fmt.Errorf("tenant %s publishes no brands; see: mandate brand make --help", c.Tenant)
		}
		if err != nil {
			return explain(err)
		}
		fmt.Fprintf(s.err, "version %d, changed %s\n", b.Version, b.Updated.Format("2006-01-02 15:04:05 MST"))
		fmt.Fprintf(s.out, "%s\n", b.JSON)
		return nil
	})
}

type brandWithdraw struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
}

// Run takes the bundle off the net.
func (c *brandWithdraw) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		service, origin, err := a.brandsBy(s, c.Tenant, c.As, "brand withdraw")
		if err != nil {
			return err
		}
		err = service.Withdraw(s.ctx, c.Tenant, 0, origin)
		if errs.Is(err, errs.NotFound) {
			return fmt.Errorf("tenant %s publishes no brands", c.Tenant)
		}
		if err != nil {
			return explain(err)
		}
		fmt.Fprintf(s.out, "tenant %s publishes no brands any more\n", c.Tenant)
		return nil
	})
}
