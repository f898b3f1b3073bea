package store

import (
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
	Applied  time.Time
	up, down string
}

var migrationFile = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.(up|down)\.sql$`)

// readMigrations gives the migrations of the program, in order.
func readMigrations(files fs.FS) ([]Migration, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	byVersion := map[int64]*Migration{}
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
		known := byVersion[version]
		if known == nil {
			known = &Migration{Version: version, Name: m[2]}
			byVersion[version] = known
		}
		if m[3] == "up" {
			known.up = string(text)
		} else {
			known.down = string(text)
		}
	}
	var all []Migration
	for _, m := range byVersion {
		if m.up == "" || m.down == "" {
			return nil, fmt.Errorf("store: migration %04d lacks its up or down file", m.Version)
		}
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Migration) int { return int(a.Version - b.Version) })
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
// at once. Errors: errs.Unavailable; errs.Conflict (store-newer) when a newer
// program has migrated the store already.
func (s *Store) Migrate(ctx context.Context) error {
	for {
		done, err := s.migrateOne(ctx, func(all []Migration) (Migration, string, bool) {
			for _, m := range all {
				if m.Applied.IsZero() {
					return m, m.up, true
				}
			}
			return Migration{}, "", false
		})
		if err != nil || done {
			return err
		}
	}
}

// MigrateDown undoes every migration above the version, newest first; 0 undoes
// all. All data in the tables it drops is lost. Errors: errs.Unavailable.
func (s *Store) MigrateDown(ctx context.Context, version int64) error {
	for {
		done, err := s.migrateOne(ctx, func(all []Migration) (Migration, string, bool) {
			for _, m := range slices.Backward(all) {
				if !m.Applied.IsZero() && m.Version > version {
					return m, m.down, true
				}
			}
			return Migration{}, "", false
		})
		if err != nil || done {
			return err
		}
	}
}

// Migrations lists the migrations of the program and when each was applied.
// Errors: errs.Unavailable; errs.Conflict (store-newer).
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	var all []Migration
	err := s.inTx(ctx, func(p *ports) (err error) {
		all, err = s.lockedMigrations(ctx, p)
		return err
	})
	return all, err
}

// migrateOne runs what choose picks, in one transaction. done is true when
// there was nothing to do.
func (s *Store) migrateOne(ctx context.Context, choose func([]Migration) (Migration, string, bool)) (done bool, err error) {
	err = s.inTx(ctx, func(p *ports) error {
		all, err := s.lockedMigrations(ctx, p)
		if err != nil {
			return err
		}
		m, text, found := choose(all)
		if done = !found; done {
			return nil
		}
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
	})
	return done, err
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
	if lock := s.engine.Dialect().LockMigrations; lock != "" {
		if err := p.write(ctx, lock); err != nil {
			return nil, err
		}
	}
	applied, err := list(ctx, p, func(r Row) (m Migration, err error) {
		err = r.Scan(&m.Version, &m.Name, into(&m.Applied))
		return m, err
	}, `SELECT version, name, applied FROM schema_migration ORDER BY version`)
	if err != nil {
		return nil, err
	}
	for _, a := range applied {
		i := slices.IndexFunc(all, func(m Migration) bool { return m.Version == a.Version })
		if i < 0 {
			return nil, errs.New(errs.Conflict, "store-newer", fmt.Sprintf(
				"The store has migration %04d %s, which this program does not know. Start a newer version.", a.Version, a.Name))
		}
		all[i].Applied = a.Applied
	}
	return all, nil
}
