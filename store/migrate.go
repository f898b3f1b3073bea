package store

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Migration is one numbered change of the tables.
type Migration struct {
	Version int64
	Name    string
	// Applied is when it was run on this store, zero when it was not.
	Applied time.Time
	// Unknown is true for one that a newer program applied.
	Unknown  bool
	up, down string
}

var migrationFile = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.(up|down)\.sql$`)

// readMigrations gives the migrations of the program, in order.
func readMigrations(files fs.FS) ([]Migration, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	found := map[int64]*Migration{}
	for _, e := range entries {
		m := migrationFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, err
		}
		version, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, err
		}
		step := found[version]
		if step == nil {
			step = &Migration{Version: version, Name: m[2]}
			found[version] = step
		}
		if m[3] == "up" {
			step.up = string(text)
		} else {
			step.down = string(text)
		}
	}
	var all []Migration
	for _, m := range found {
		if m.up == "" || m.down == "" {
			return nil, fmt.Errorf("store: migration %04d lacks its up or down file", m.Version)
		}
		all = append(all, *m)
	}
	slices.SortFunc(all, byVersion)
	return all, nil
}

// statements splits a file at semicolons that end a line.
func statements(text string) []string {
	var out []string
	for _, part := range strings.Split(text+"\n", ";\n") {
		if strings.TrimSpace(part) != "" {
			out = append(out, part)
		}
	}
	return out
}

// Migrate brings the tables to the newest version, one transaction each, so
// that a killed run is taken up where it stopped and several nodes may start
// at once. On a store that is up to date it only reads. Errors:
// errs.Unavailable; errs.Conflict (store-newer) when a newer program has
// migrated the store already.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.MigrateUp(ctx, 0, nil); err != nil {
		return err
	}
	return s.MeetNodes(ctx)
}

// MigrateUp applies what was not applied yet up to a version, 0 for all, and
// tells of each one, when tell is given, once it is durable. Errors: as Migrate.
func (s *Store) MigrateUp(ctx context.Context, version int64, tell func(Migration)) error {
	next := func(all []Migration) (Migration, string, bool) {
		for _, m := range all {
			if m.Applied.IsZero() && (version == 0 || m.Version <= version) {
				return m, m.up, true
			}
		}
		return Migration{}, "", false
	}
	all, err := s.Migrations(ctx)
	if err != nil {
		return err
	}
	if err := known(all); err != nil {
		return err
	}
	if _, _, found := next(all); !found {
		return nil
	}
	return s.migrate(ctx, next, tell)
}

// MigrateDown undoes every migration above the version, newest first, and
// tells of each; 0 undoes all. All data in the tables it drops is lost. Errors:
// as Migrate.
func (s *Store) MigrateDown(ctx context.Context, version int64, tell func(Migration)) error {
	return s.migrate(ctx, func(all []Migration) (Migration, string, bool) {
		for _, m := range slices.Backward(all) {
			if !m.Applied.IsZero() && m.Version > version {
				return m, m.down, true
			}
		}
		return Migration{}, "", false
	}, tell)
}

// Migrations lists the migrations of the program and those that a newer one
// applied, in order. It only reads. Errors: errs.Unavailable.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	all, err := readMigrations(s.migrations)
	if err != nil {
		return nil, err
	}
	has, err := one(ctx, s.ports, "table", scanInt, s.engine.Dialect().HasTable, "schema_migration")
	if err != nil || has == 0 {
		return all, err
	}
	return s.merge(ctx, s.ports, all)
}

// Integrity gives what is wrong with the files of the store, a line each, and
// whether the engine can tell. Errors: errs.Unavailable.
func (s *Store) Integrity(ctx context.Context) (faults []string, told bool, err error) {
	query := s.engine.Dialect().Integrity
	if query == "" {
		return nil, false, nil
	}
	faults, err = list(ctx, s.ports, scanText, query)
	if len(faults) == 1 && faults[0] == "ok" {
		faults = nil
	}
	return faults, true, err
}

// merge adds what the store says about them to the program's migrations.
func (s *Store) merge(ctx context.Context, p *ports, all []Migration) ([]Migration, error) {
	applied, err := list(ctx, p, func(r Row) (m Migration, err error) {
		err = r.Scan(&m.Version, &m.Name, into(&m.Applied))
		return m, err
	}, `SELECT version, name, applied FROM schema_migration ORDER BY version`)
	if err != nil {
		return nil, err
	}
	for _, a := range applied {
		i := slices.IndexFunc(all, func(m Migration) bool { return m.Version == a.Version })
		if i >= 0 {
			all[i].Applied = a.Applied
			continue
		}
		a.Unknown = true
		all = append(all, a)
	}
	slices.SortFunc(all, byVersion)
	return all, nil
}

func byVersion(a, b Migration) int { return cmp.Compare(a.Version, b.Version) }

// known refuses a store that a newer program has changed: what its tables mean
// is not known here.
func known(all []Migration) error {
	for _, m := range all {
		if m.Unknown {
			return errs.New(errs.Conflict, "store-newer", fmt.Sprintf(
				"The store has migration %04d %s, which this program does not know. Start a newer version.", m.Version, m.Name))
		}
	}
	return nil
}

// migrate runs what choose picks, each in one transaction, until it picks
// nothing.
func (s *Store) migrate(ctx context.Context, choose func([]Migration) (Migration, string, bool), tell func(Migration)) error {
	for {
		var m Migration
		found := false
		err := s.inTx(ctx, func(p *ports) error {
			all, err := s.lockedMigrations(ctx, p)
			if err != nil {
				return err
			}
			var text string
			if m, text, found = choose(all); !found {
				return nil
			}
			return s.run(ctx, p, m, text)
		})
		if err != nil || !found {
			return err
		}
		if tell != nil {
			tell(m)
		}
	}
}

// run runs the statements of one migration and notes that it did.
func (s *Store) run(ctx context.Context, p *ports, m Migration, text string) error {
	for _, statement := range statements(text) {
		if err := p.write(ctx, statement); err != nil {
			return fmt.Errorf("store: migration %04d %s: %w", m.Version, m.Name, err)
		}
	}
	if m.Applied.IsZero() {
		return p.write(ctx, `INSERT INTO schema_migration (version, name, applied) VALUES ($1, $2, $3)`,
			m.Version, m.Name, micros(s.clock.Now()))
	}
	return p.write(ctx, `DELETE FROM schema_migration WHERE version = $1`, m.Version)
}

// lockedMigrations keeps other nodes out until the transaction ends and gives
// the state.
func (s *Store) lockedMigrations(ctx context.Context, p *ports) ([]Migration, error) {
	all, err := readMigrations(s.migrations)
	if err != nil {
		return nil, err
	}
	// A statement is read by the database only once the table it names is there.
	p.eager = true
	err = p.write(ctx, `CREATE TABLE IF NOT EXISTS schema_migration (
		version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied BIGINT NOT NULL)`)
	if errs.Is(err, errs.Conflict) {
		// Two nodes created the table at once; the second try finds it.
		p.failed = Contended(err)
	}
	if err != nil {
		return nil, err
	}
	for _, statement := range s.engine.Dialect().BeforeMigration {
		if err := p.write(ctx, statement); err != nil {
			return nil, err
		}
	}
	if all, err = s.merge(ctx, p, all); err != nil {
		return nil, err
	}
	return all, known(all)
}
