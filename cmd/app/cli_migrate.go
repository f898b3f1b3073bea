package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
)

// migrateCommand changes the tables of a store.
type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"List the migrations and which were applied."`
	Plan   migratePlan   `cmd:"" help:"Print the SQL that up or down would run, and whether each statement is safe beside running servers."`
	Up     migrateUp     `cmd:"" help:"Apply the migrations that are missing. Servers may go on."`
	Check  migrateCheck  `cmd:"" help:"Check the files of the embedded store; PostgreSQL has pg_amcheck."`
	Down   migrateDown   `cmd:"" help:"Undo migrations, newest first. What their tables and columns hold is lost."`
}

type migrateStatus struct{ storeFlags }

type migratePlan struct {
	storeFlags
	To   int64 `default:"-1" help:"Plan up to this migration, or down to it with --down; left out: all the way up." placeholder:"N"`
	Down bool  `help:"Plan the way down to --to."`
}

type migrateUp struct {
	storeFlags
	To int64 `help:"Stop after this migration; left out: apply all." placeholder:"N"`
}

type migrateDown struct {
	storeFlags
	asFlag
	To  int64 `required:"" help:"Undo every migration above this one; 0 undoes all." placeholder:"N"`
	Yes bool  `help:"Do it. Without this the command only says what would be undone."`
}

type migrateCheck struct{ storeFlags }

// on runs fn on the store as it is, without migrating it first.
func (f storeFlags) on(s *streams, fn func(context.Context, *store.Store) error) error {
	cfg, err := f.load(s)
	if err != nil {
		return err
	}
	engine, err := openEngine(s.ctx, cfg, migrationLimit)
	if err != nil {
		return explain(err)
	}
	st := store.New(engine, store.Options{IDs: ids.Source{}, Clock: clock.System{}})
	defer closing(s.ctx, st, slog.New(slog.NewTextHandler(s.err, nil)))
	return explained(fn(s.ctx, st))
}

func explained(err error) error {
	if err == nil {
		return nil
	}
	return explain(err)
}

// Run lists the migrations.
func (c *migrateStatus) Run(s *streams) error {
	return c.on(s, func(ctx context.Context, st *store.Store) error {
		all, err := st.Migrations(ctx)
		if err != nil {
			return err
		}
		missing, unknown := 0, 0
		for _, m := range all {
			state := "applied " + m.Applied.Format(time.RFC3339)
			switch {
			case m.Applied.IsZero():
				missing++
				state = "missing"
			case m.Unknown:
				unknown++
				state += " by a newer program"
			}
			fmt.Fprintf(s.out, "%04d  %-24s %s\n", m.Version, m.Name, state)
		}
		switch {
		case unknown > 0:
			fmt.Fprintf(s.out, "%d unknown: this program is older than the store and does not start on it\n", unknown)
		case missing > 0:
			fmt.Fprintf(s.out, "%d missing: run mandate migrate up\n", missing)
		default:
			fmt.Fprintln(s.out, "up to date")
		}
		return nil
	})
}

// Run prints the plan.
func (c *migratePlan) Run(s *streams) error {
	if c.Down && c.To < 0 {
		return errors.New("--down needs --to: the migration to go back to")
	}
	return c.on(s, func(ctx context.Context, st *store.Store) error {
		plan := st.Plan
		if c.Down {
			plan = st.PlanDown
		}
		all, err := plan(ctx, max(c.To, 0))
		if err != nil {
			return err
		}
		if len(all) == 0 {
			fmt.Fprintln(s.out, "-- nothing to do")
		}
		for _, m := range all {
			printPlan(s.out, m)
		}
		return nil
	})
}

// printPlan writes SQL in which what is said about it are comments.
func printPlan(out io.Writer, m store.PlannedMigration) {
	fmt.Fprintf(out, "-- migration %04d %s\n", m.Version, m.Name)
	for _, p := range m.Statements {
		fmt.Fprintf(out, "-- %s: %s\n%s;\n", p.Safety, p.Why, strings.TrimSuffix(p.SQL, ";"))
	}
	fmt.Fprintln(out)
}

// Run applies what is missing.
func (c *migrateUp) Run(s *streams) error {
	return c.on(s, func(ctx context.Context, st *store.Store) error {
		n := 0
		err := st.MigrateUp(ctx, c.To, func(m store.Migration) {
			n++
			fmt.Fprintf(s.out, "applied %04d %s\n", m.Version, m.Name)
		})
		if err == nil && n == 0 {
			fmt.Fprintln(s.out, "nothing to do")
		}
		return err
	})
}

// Run undoes migrations.
func (c *migrateDown) Run(s *streams) error {
	if c.To < 0 {
		return fmt.Errorf("--to %d is not the number of a migration; 0 undoes all", c.To)
	}
	if c.Yes {
		if err := c.requireAdministrator(s, c.As, "migrate down"); err != nil {
			return err
		}
	}
	return c.on(s, func(ctx context.Context, st *store.Store) error {
		all, err := st.PlanDown(ctx, c.To)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			fmt.Fprintln(s.out, "nothing to do")
			return nil
		}
		if !c.Yes {
			for _, m := range all {
				fmt.Fprintf(s.out, "would undo %04d %s\n", m.Version, m.Name)
			}
			return errors.New("nothing was undone: what these migrations hold would be lost; take a backup, then say --yes")
		}
		return st.MigrateDown(ctx, c.To, func(m store.Migration) {
			fmt.Fprintf(s.out, "undone %04d %s\n", m.Version, m.Name)
		})
	})
}

// Run checks the files.
func (c *migrateCheck) Run(s *streams) error {
	return c.on(s, func(ctx context.Context, st *store.Store) error {
		faults, told, err := st.Integrity(ctx)
		switch {
		case err != nil:
			return err
		case !told:
			return errors.New("PostgreSQL checks its own files: run pg_amcheck --install-missing --heapallindexed on the database")
		case len(faults) > 0:
			return fmt.Errorf("the store is damaged: restore a backup\n%s", strings.Join(faults, "\n"))
		}
		fmt.Fprintln(s.out, "no damage found")
		return nil
	})
}
