package app

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity/operator"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web/route"
)

// launchCommand works with launch contexts: what an EHR hands to the app that it
// opens.
type launchCommand struct {
	Register launchRegister `cmd:"" help:"Register a launch context as an EHR would, and print where to open the app."`
	List     launchList     `cmd:"" help:"List the launch contexts that have not run out, which they do within five minutes."`
	End      launchEnd      `cmd:"" help:"Make a launch context worthless before its app comes."`
}

type launchAt struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant of the launch (default ${default})." placeholder:"ID"`
}

// launches runs an act on the launch contexts of the tenant by an operator.
func (c launchAt) launches(s *streams, act string, run func(a *App, f *flow.Service, person string) error) error {
	return c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "launch " + act})
		if err != nil {
			return err
		}
		base := a.fhirBase(c.Tenant)
		if base == "" {
			return errors.New("the URL of the server is not known here: name its configuration with --config, or run the command where the server runs")
		}
		return run(a, flow.New(flow.Deps{
			Tx: on(a.store, func(tx store.Tx) flow.Tx { return tx }), Read: a.store, Clock: a.clock, IDs: a.ids, Hasher: hasher, Base: base,
		}), person)
	})
}

// fhirBase gives the FHIR base of a tenant, "" where the settings do not say
// under which URL the server is reached.
func (a *App) fhirBase(tenant string) string {
	if t := a.tenant(tenant); t != nil {
		return t.site.FHIRBase
	}
	if a.cfg.PublicURL == "" {
		return ""
	}
	root := strings.TrimSuffix(a.cfg.PublicURL, "/")
	if tenant != tenants.Default {
		root += string(route.BaseOf(tenant))
	}
	return root + fhirPath
}

type launchRegister struct {
	launchAt
	Patient   string `help:"Id of the patient." placeholder:"ID"`
	Encounter string `help:"Id of the encounter; wants --patient." placeholder:"ID"`
	User      string `help:"FHIR reference of the user in the EHR, such as Practitioner/7." placeholder:"TYPE/ID"`
	Intent    string `help:"What the app should do first." placeholder:"TEXT"`
	Client    string `arg:"" name:"client" help:"The client_id of the app that will be opened."`
}

// Run registers the context; the handle is printed this once.
func (c *launchRegister) Run(s *streams) error {
	user, ok := fhir.ParseReference(c.User)
	if c.User != "" && !ok {
		return fmt.Errorf("--user %q is no reference such as Practitioner/7", c.User)
	}
	return c.launches(s, "register", func(a *App, f *flow.Service, person string) error {
		t, err := f.RegisterLaunch(s.ctx, flow.LaunchRequest{
			// Who may run the command has the right that an EHR is given.
			Tenant: c.Tenant, EHR: oauth.Client{Tenant: c.Tenant, RegisterLaunch: true}, ClientID: c.Client, User: user, PersonID: person,
			Context: oauth.Context{Patient: c.Patient, Encounter: c.Encounter, Intent: c.Intent},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "launch context for %s, good once and until %s; it is not shown again:\n", c.Client, t.Expires.UTC().Format(time.RFC3339))
		if t.URL == "" {
			fmt.Fprintf(s.out, "iss=%s\nlaunch=%s\n", a.fhirBase(c.Tenant), t.Handle)
			return nil
		}
		fmt.Fprintln(s.out, t.URL)
		return nil
	})
}

type launchList struct {
	storeFlags
	Tenant string `default:"default" help:"Tenant of the launches (default ${default})." placeholder:"ID"`
}

// maxLaunches is how many are listed.
const maxLaunches = 200

// Run lists them. Handles are not kept, so none is shown.
func (c *launchList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		list, err := a.store.LaunchesUnder(s.ctx, c.Tenant, a.clock.Now(), maxLaunches)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(s.out, "no launch context waits; they run out five minutes after they were registered")
			return nil
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "LAUNCH\tAPP\tEHR\tUSER\tPATIENT\tUNTIL\tUSED")
		for _, l := range list {
			used := "-"
			if !l.Used.IsZero() {
				used = l.Used.UTC().Format(time.TimeOnly)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Hash, l.ClientID, orDash(l.EHRClient), orDash(l.User.String()), orDash(l.Context.Patient),
				l.Expires.UTC().Format(time.TimeOnly), used)
		}
		return w.Flush()
	})
}

type launchEnd struct {
	launchAt
	ID string `arg:"" name:"launch" help:"The launch, as launch list names it."`
}

// Run ends one.
func (c *launchEnd) Run(s *streams) error {
	return c.launches(s, "end", func(_ *App, f *flow.Service, person string) error {
		if err := f.EndLaunch(s.ctx, c.Tenant, c.ID, audit.Event{PersonID: person}); err != nil {
			return err
		}
		fmt.Fprintln(s.out, "the launch context is worth nothing any more")
		return nil
	})
}
