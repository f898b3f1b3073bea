package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/store"
)

// tenantCommand manages tenants from the command line.
type tenantCommand struct {
	Add     tenantAdd     `cmd:"" help:"Serve another organization under its own addresses and keys."`
	List    tenantList    `cmd:"" help:"List the tenants."`
	Disable tenantDisable `cmd:"" help:"Stop serving a tenant. Nothing of it is deleted."`
	Enable  tenantEnable  `cmd:"" help:"Serve a disabled tenant again."`
	Edit    tenantEdit    `cmd:"" help:"Change the name, the organization or the upstream of a tenant."`
	Delete  tenantDelete  `cmd:"" help:"Erase a tenant for good by destroying its keys."`
}

type tenantAdd struct {
	storeFlags
	asFlag
	ID           string `arg:"" help:"Short name in the tenant's addresses, such as acme in /t/acme/fhir. It never changes."`
	Name         string `required:"" help:"Name of the organization, as people know it."`
	Upstream     string `required:"" help:"Base URL of the FHIR server to protect." placeholder:"URL"`
	Organization string `name:"organization-ref" aliases:"organization" help:"FHIR reference of the organization, named as custodian in consents." placeholder:"Organization/ID"`
}

type tenantEdit struct {
	storeFlags
	asFlag
	ID           string  `arg:"" help:"The tenant's id."`
	Name         *string `help:"New name of the organization." placeholder:"NAME"`
	Upstream     *string `help:"New base URL of the FHIR server to protect." placeholder:"URL"`
	Registration *string `help:"How clients register themselves here: off, token or approval; empty: as the server's configuration says." placeholder:"MODE"`
	Documents    *string `name:"client-document-hosts" help:"Hosts whose documents describe apps here, with spaces between, or off; empty: as the server's configuration says." placeholder:"HOSTS"`
	Organization *string `name:"organization-ref" help:"New FHIR reference of the organization; empty for none. Consents that exist keep theirs." placeholder:"Organization/ID"`
}

type tenantDelete struct {
	storeFlags
	asFlag
	ID    string `arg:"" help:"The tenant's id. It is not given to another one."`
	Yes   bool   `help:"Do it. It cannot be undone."`
	Force bool   `help:"Also while the tenant is served."`
}

type tenantList struct{ storeFlags }

type tenantDisable struct {
	storeFlags
	asFlag
	ID string `arg:"" help:"The tenant's id."`
}

type tenantEnable struct {
	storeFlags
	asFlag
	ID string `arg:"" help:"The tenant's id."`
}

// Run adds a tenant and records it.
func (c *tenantAdd) Run(s *streams) error {
	row := tenants.Tenant{
		ID: c.ID, Name: c.Name, Organization: c.Organization, Upstream: c.Upstream,
		State: tenants.Active, Created: clock.System{}.Now(),
	}
	if err := row.Validate(); err != nil {
		return explain(err)
	}
	if _, ok := fhir.ParseReference(c.Organization); c.Organization != "" && !ok {
		return fmt.Errorf("--organization-ref %q is not a reference such as Organization/1", c.Organization)
	}
	if row.ID == tenants.Default {
		return errDefaultTenant
	}
	return c.with(s, func(a *App) error { return a.addTenant(s, row, c.As) })
}

// addTenant stores a tenant that is valid, and records it.
func (a *App) addTenant(s *streams, row tenants.Tenant, as string) error {
	have, err := a.store.Tenants(s.ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(t tenants.Tenant) bool { return t.ID == row.ID }) {
		return errTenantExists
	}
	if err := a.store.OpenKeys(s.ctx, row.ID); err != nil {
		return err
	}
	err = a.changeTenant(s, tenantChange{row.ID, as, "C", "tenant-added"}, func(tx store.Tx) error { return tx.AddTenant(s.ctx, row) })
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "tenant %s added: FHIR base /t/%s/fhir below the public URL; running servers answer there within %d seconds\n", row.ID, row.ID, maxTenantDelay)
	return nil
}

var errDefaultTenant = errs.New(errs.Invalid, "tenant-default", "The default tenant is set up by the flags of serve; it is always there and cannot be changed here.")

var errTenantExists = errs.New(errs.Conflict, "tenant-exists", "There is a tenant with this id already; a deleted one's is not given again.")

// tenantChange is what the log says about a change of a tenant by the operator
// As.
type tenantChange struct{ id, as, action, reason string }

// changeTenant changes a tenant's row and records it, in one transaction. The
// operators of the default tenant are those of the process.
func (a *App) changeTenant(s *streams, c tenantChange, change func(store.Tx) error) error {
	if c.id == tenants.Default {
		return errDefaultTenant
	}
	by, err := a.requireOperator(s, operator.Need{
		Tenant: tenants.Default, As: c.as, Role: operator.Operator, Act: c.reason,
	})
	if err != nil {
		return err
	}
	return a.store.InTx(s.ctx, func(tx store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return tx.AppendAudit(s.ctx, audit.Event{
			Tenant: c.id, Time: a.clock.Now(), Kind: audit.TenantChanged, Action: c.action, Outcome: audit.Success,
			Reason: c.reason, PersonID: by,
		})
	})
}

// Run lists the tenants, the default one first.
func (c *tenantList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		rows, err := a.store.Tenants(s.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tSTATE\tFHIR BASE\tUPSTREAM\tNAME")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", tenants.Default, tenants.Active, "/fhir", "as configured", "as configured")
		for _, t := range rows {
			fmt.Fprintf(w, "%s\t%s\t/t/%s/fhir\t%s\t%s\n", t.ID, t.State, t.ID, t.Upstream, t.Name)
		}
		return w.Flush()
	})
}

// Run stops serving a tenant.
func (c *tenantDisable) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		return a.setTenantState(s, tenantChange{c.ID, c.As, "U", "tenant-disabled"}, tenants.Disabled, "running servers stop answering for it within %d seconds")
	})
}

// Run serves a tenant again.
func (c *tenantEnable) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		return a.setTenantState(s, tenantChange{c.ID, c.As, "U", "tenant-enabled"}, tenants.Active, "running servers answer for it within %d seconds")
	})
}

func (a *App) setTenantState(s *streams, c tenantChange, state tenants.State, effect string) error {
	err := a.changeTenant(s, c, func(tx store.Tx) error { return tx.SetTenantState(s.ctx, c.id, state) })
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "tenant %s is %s; "+effect+"\n", c.id, state, maxTenantDelay)
	return nil
}

// tenantRow gives a tenant that is not deleted.
func (a *App) tenantRow(s *streams, id string) (tenants.Tenant, error) {
	rows, err := a.store.Tenants(s.ctx)
	if err != nil {
		return tenants.Tenant{}, err
	}
	at := slices.IndexFunc(rows, func(t tenants.Tenant) bool { return t.ID == id })
	switch {
	case id == tenants.Default:
		return tenants.Tenant{}, errDefaultTenant
	case at < 0 || rows[at].State == tenants.Deleted:
		return tenants.Tenant{}, errTenantUnknown
	}
	return rows[at], nil
}

// Run changes what is given.
func (c *tenantEdit) Run(s *streams) error {
	if c.Name == nil && c.Upstream == nil && c.Organization == nil && c.Registration == nil && c.Documents == nil {
		return errors.New("nothing to change: give --name, --upstream, --registration, --client-document-hosts or --organization-ref")
	}
	if c.Registration != nil && *c.Registration != "" && !isMode(*c.Registration) {
		return fmt.Errorf("--registration %q is not off, token or approval", *c.Registration)
	}
	if c.Documents != nil && *c.Documents != noDocuments {
		if _, wrong := registration.ReadHosts(strings.Fields(*c.Documents)); wrong != "" {
			return fmt.Errorf("--client-document-hosts: %q is not a host such as app.example, *.example or *", wrong)
		}
	}
	return c.with(s, func(a *App) error {
		row, err := a.tenantRow(s, c.ID)
		if err != nil {
			return err
		}
		for to, from := range map[*string]*string{&row.Name: c.Name, &row.Upstream: c.Upstream, &row.Organization: c.Organization, &row.Registration: c.Registration, &row.ClientDocuments: c.Documents} {
			if from != nil {
				*to = *from
			}
		}
		if err := row.Validate(); err != nil {
			return err
		}
		if _, ok := fhir.ParseReference(row.Organization); row.Organization != "" && !ok {
			return fmt.Errorf("--organization-ref %q is not a reference such as Organization/1", row.Organization)
		}
		err = a.changeTenant(s, tenantChange{row.ID, c.As, "U", "tenant-edited"}, func(tx store.Tx) error { return tx.EditTenant(s.ctx, row) })
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "tenant %s changed; running servers use it within %d seconds\n", row.ID, maxTenantDelay)
		return nil
	})
}

// Run stops serving the tenant and destroys its keys: an act of an operator and of
// the key custodian.
func (c *tenantDelete) Run(s *streams) error {
	if !c.Yes {
		return fmt.Errorf("nothing was deleted: all of tenant %s could never be read again, in no backup either; say --yes to do it", c.ID)
	}
	return c.with(s, func(a *App) error {
		row, err := a.tenantRow(s, c.ID)
		if err != nil {
			return err
		}
		if row.State == tenants.Active && !c.Force {
			return fmt.Errorf("tenant %s is being served: disable it first (mandate tenant disable %s), or say --force", row.ID, row.ID)
		}
		if err := a.store.OpenKeys(s.ctx, row.ID); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: tenants.Default, As: c.As, Role: operator.KeyCustodian, Act: "tenant delete"})
		if err != nil {
			return err
		}
		err = a.changeTenant(s, tenantChange{row.ID, c.As, "D", "tenant-deleted"}, func(tx store.Tx) error {
			// Also where it can be read when the tenant's own log cannot.
			err := tx.AppendAudit(s.ctx, audit.Event{
				Tenant: tenants.Default, Time: a.clock.Now(), Kind: audit.TenantChanged, Action: "D", Outcome: audit.Success,
				Reason: "tenant-deleted", PersonID: person, Detail: map[string]string{"tenant": row.ID},
			})
			if err != nil {
				return err
			}
			return tx.SetTenantState(s.ctx, row.ID, tenants.Deleted)
		})
		if err != nil {
			return err
		}
		custodian := a.newCustodian(person)
		at, err := custodian.ShredTenant(s.ctx, row.ID)
		if err != nil {
			return err
		}
		return a.destroyed(s, custodian, at, "tenant "+row.ID)
	})
}
