package app

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/clock"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
)

// operatorCommand manages who may do what to the server itself (SE-05).
type operatorCommand struct {
	Assign operatorAssign `cmd:"" help:"Give an account a role. Database administrator, key custodian and auditor exclude one another."`
	Revoke operatorRevoke `cmd:"" help:"Take a role away."`
	List   operatorList   `cmd:"" help:"List who holds which role."`
}

// asFlag names who runs a command that needs a role.
type asFlag struct {
	As string `name:"as" help:"Username of the operator who does this; needed as soon as operators are assigned. Proven where a running server does it and users of this machine are bound to operators (operator assign --os-user); else, as always with --database, only a name." placeholder:"USERNAME"`
}

// operatorTarget is one role of one account.
type operatorTarget struct {
	storeFlags
	asFlag
	Tenant   string        `default:"default" help:"Tenant of the account (default ${default})." placeholder:"ID"`
	Username string        `arg:"" help:"Account of the role admin."`
	Role     operator.Role `arg:"" help:"database-administrator, key-custodian, auditor or operator."`
}

func (c *operatorTarget) change(s *streams) operator.Change {
	return operator.Change{Tenant: c.Tenant, Username: c.Username, Role: c.Role, As: c.As, Peer: s.peer}
}

type operatorAssign struct {
	operatorTarget
	OSUser string `name:"os-user" help:"User of this machine who is this account: in a running server nobody else can act as it, and it acts as no other." placeholder:"NAME"`
}

// Run assigns the role and records it.
func (c *operatorAssign) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		change := c.change(s)
		change.OSUser = c.OSUser
		if err := operators(a.store, a.clock).Assign(s.ctx, change); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s is %s of tenant %s\n", c.Username, c.Role, c.Tenant)
		return nil
	})
}

type operatorRevoke struct{ operatorTarget }

// Run takes the role away and records it.
func (c *operatorRevoke) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		if err := operators(a.store, a.clock).Revoke(s.ctx, c.change(s)); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s is not %s of tenant %s any more\n", c.Username, c.Role, c.Tenant)
		return nil
	})
}

type operatorList struct {
	storeFlags
	Tenant string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
}

// Run lists the roles.
func (c *operatorList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		list, err := operators(a.store, a.clock).List(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintf(s.out, "tenant %s has no operators: whoever can run commands on this store may do everything\n", c.Tenant)
			return nil
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "USERNAME\tROLE\tOS USER\tSINCE")
		for _, h := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Username, h.Role, orDash(h.OSUser), h.Assigned.Format(time.RFC3339))
		}
		return w.Flush()
	})
}

// operators gives the use-cases of roles.
func operators(st *store.Store, c clock.Clock) *operator.Service {
	return &operator.Service{Tx: on(st, func(tx store.Tx) operator.Tx { return tx }), Clock: c}
}

// requireOperator asks whether the act may be done by who is named with --as,
// and by whom the operating system says it is, and records who does it. It gives
// the account's id, "" while the tenant has no operators. The tenant must exist.
// Errors: errs.Forbidden, recorded too.
func (a *App) requireOperator(s *streams, n operator.Need) (string, error) {
	if err := a.store.OpenKeys(s.ctx, n.Tenant); err != nil {
		return "", err
	}
	n.Peer = s.peer
	return operators(a.store, a.clock).Require(s.ctx, n)
}

// atTables reports whether the tables of a store are those of this program.
func atTables(ctx context.Context, st *store.Store) (bool, error) {
	all, err := st.Migrations(ctx)
	return !slices.ContainsFunc(all, func(m store.Migration) bool { return m.Applied.IsZero() || m.Unknown }), err
}

// requireAdministrator asks for the database administrator before the tables are
// changed, if there are operators; without them it needs no keys. In a store that is not at the tables of this program nobody can be
// looked up: there it only says so, because the way back must stay open.
func (f storeFlags) requireAdministrator(s *streams, as, act string) error {
	complete, assigned := true, false
	err := f.on(s, func(ctx context.Context, st *store.Store) (err error) {
		if complete, err = atTables(ctx, st); err != nil || !complete {
			return err
		}
		held, err := st.Operators(ctx, tenants.Default)
		assigned = len(held) > 0
		return err
	})
	if err != nil || complete && !assigned {
		return err
	}
	if !complete {
		fmt.Fprintln(s.err, "mandate: the tables are not those of this program, so the role of database administrator is not asked for")
		return nil
	}
	return f.with(s, func(a *App) error {
		_, err := a.requireOperator(s, operator.Need{
			Tenant: tenants.Default, As: as, Role: operator.DatabaseAdministrator, Act: act,
		})
		return err
	})
}
