package app

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// clientAt is what commands on registered clients have in common.
type clientAt struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant of the client (default ${default})." placeholder:"ID"`
}

// on runs an act on the clients of the tenant by an operator; the origin names
// who.
func (c clientAt) on(s *streams, act string, run func(a *App, r *registration.Service, by audit.Event) error) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "client " + act})
		if err != nil {
			return err
		}
		return run(a, a.registry(), audit.Event{Tenant: c.Tenant, PersonID: person})
	})
}

type clientOne struct {
	clientAt
	ID string `arg:"" name:"client" help:"The client_id."`
}

// one runs an act on one client and tells how it stands then.
func (c clientOne) one(s *streams, act string, run func(ctx context.Context, r *registration.Service, by audit.Event) (oauth.Client, error)) error {
	return c.on(s, act, func(_ *App, r *registration.Service, by audit.Event) error {
		client, err := run(s.ctx, r, by)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "client %s at tenant %s is %s\n", client.ID, c.Tenant, registration.StatusOf(client))
		return nil
	})
}

type clientInvite struct {
	clientAt
	Life time.Duration `default:"168h" help:"Time until which it can be used, at most 720h (default ${default})." placeholder:"TIME"`
}

// Run makes an initial access token and prints it, this once.
func (c *clientInvite) Run(s *streams) error {
	return c.on(s, "invite", func(_ *App, r *registration.Service, by audit.Event) error {
		token, ends, err := r.Invite(s.ctx, c.Tenant, c.Life, by)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "initial access token for one registration at tenant %s, good until %s; it is not shown again:\n", c.Tenant, ends.UTC().Format(time.RFC3339))
		fmt.Fprintln(s.out, token)
		return nil
	})
}

type clientList struct {
	clientAt
	Idle    bool `help:"Only those that nobody uses: marked, or disabled for it."`
	Waiting bool `help:"Only those that wait for approval, with their clocks (45 CFR 170.404(b)(1))."`
}

// Run lists the clients.
func (c *clientList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		if c.Waiting {
			list, err := a.registry().Waiting(s.ctx, c.Tenant)
			if err != nil {
				return err
			}
			// Settings are judged before a command runs.
			holidays, _ := registration.ReadHolidays(a.cfg.Registration.Holidays)
			return printWaiting(s.out, list, holidays, a.clock.Now())
		}
		list, err := a.registry().List(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		uses, err := a.store.Uses(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CLIENT\tKIND\tSTATE\tREGISTERED\tLAST USED\tIDLE SINCE\tNAME")
		for _, v := range list {
			if c.Idle && v.Registration.Idle.IsZero() && v.Registration.Why != registration.ReasonIdle {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Kind, registration.StatusOf(v), dateOrDash(v.Created),
				dateOrDash(uses[v.ID]), dateOrDash(v.Registration.Idle), orDash(v.Name))
		}
		return w.Flush()
	})
}

// printWaiting prints the queue of approvals with the clocks of REG-08.
func printWaiting(out io.Writer, list []oauth.Client, h registration.Holidays, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLIENT\tASKED\tVERIFY MAKER BY\tAPPROVE BY\tNAME")
	for _, v := range list {
		k := h.ClocksOf(v, now)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.ID, dateOrDash(v.Registration.Asked), clockText(k.Authenticity), clockText(k.Production), orDash(v.Name))
	}
	return w.Flush()
}

func clockText(d registration.Deadline) string {
	switch {
	case d.Due.IsZero():
		return "-"
	case !d.Done.IsZero():
		return "done " + d.Done.UTC().Format(time.DateOnly)
	case d.Late:
		return fmt.Sprintf("%s LATE by %d business days", d.LastDay().Format(time.DateOnly), -d.DaysLeft)
	}
	return fmt.Sprintf("%s (%d business days left)", d.LastDay().Format(time.DateOnly), d.DaysLeft)
}

func dateOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

type clientApprove struct {
	clientOne
	MakerOnly bool `name:"maker-only" help:"Only record that the maker's authenticity was verified; the client goes on waiting."`
}

// Run approves a client that waits.
func (c *clientApprove) Run(s *streams) error {
	return c.one(s, "approve", func(ctx context.Context, r *registration.Service, by audit.Event) (oauth.Client, error) {
		if c.MakerOnly {
			return r.VerifyMaker(ctx, c.Tenant, c.ID, by)
		}
		return r.Approve(ctx, c.Tenant, c.ID, by)
	})
}

type clientRefuse struct{ clientOne }

// Run refuses a client that waits, and deletes it.
func (c *clientRefuse) Run(s *streams) error {
	return c.on(s, "refuse", func(_ *App, r *registration.Service, by audit.Event) error {
		if err := r.Refuse(s.ctx, c.Tenant, c.ID, by); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "client %s at tenant %s was refused and is deleted\n", c.ID, c.Tenant)
		return nil
	})
}

type clientDisable struct{ clientOne }

// Run disables a client; its tokens are dead.
func (c *clientDisable) Run(s *streams) error {
	return c.one(s, "disable", func(ctx context.Context, r *registration.Service, by audit.Event) (oauth.Client, error) {
		return r.Disable(ctx, c.Tenant, c.ID, registration.ReasonDisabled, by)
	})
}

type clientEnable struct{ clientOne }

// Run enables a disabled client.
func (c *clientEnable) Run(s *streams) error {
	return c.one(s, "enable", func(ctx context.Context, r *registration.Service, by audit.Event) (oauth.Client, error) {
		return r.Enable(ctx, c.Tenant, c.ID, by)
	})
}

type clientDelete struct {
	clientOne
	Yes bool `help:"Do it. The id is not given to another one."`
}

// Run deletes a client.
func (c *clientDelete) Run(s *streams) error {
	if !c.Yes {
		return fmt.Errorf("nothing was deleted: all that client %s was granted would end for good; say --yes to do it", c.ID)
	}
	return c.on(s, "delete", func(_ *App, r *registration.Service, by audit.Event) error {
		if err := r.Delete(s.ctx, c.Tenant, c.ID, registration.ReasonDeleted, by); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "client %s at tenant %s is deleted; its tokens are dead\n", c.ID, c.Tenant)
		return nil
	})
}
