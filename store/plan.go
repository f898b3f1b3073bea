package store

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Safety says what a statement does to a server that runs meanwhile, with this
// version of the program or the one before.
type Safety string

// The classes, from harmless to not.
const (
	// Safe needs at most a brief lock, and old and new code go on.
	Safe Safety = "safe"
	// Blocks keeps writers of a table waiting for as long as it runs.
	Blocks Safety = "blocks"
	// Breaks fails code that does not know the change, or loses data.
	Breaks Safety = "breaks"
	// Unclear is not understood by the classification.
	Unclear Safety = "unclear"
)

// PlannedStatement is one statement and what it does to others.
type PlannedStatement struct {
	SQL    string
	Safety Safety
	Why    string
}

// PlannedMigration is what a migration would run.
type PlannedMigration struct {
	Migration
	Statements []PlannedStatement
}

// Plan gives what MigrateUp to a version, 0 for all, would run. It only reads.
// Errors: errs.Unavailable; errs.Conflict (store-newer).
func (s *Store) Plan(ctx context.Context, version int64) ([]PlannedMigration, error) {
	all, err := s.knownMigrations(ctx)
	if err != nil {
		return nil, err
	}
	var out []PlannedMigration
	for _, m := range all {
		if m.Applied.IsZero() && (version == 0 || m.Version <= version) {
			out = append(out, PlannedMigration{m, classify(m.up)})
		}
	}
	return out, nil
}

// knownMigrations gives all migrations. Errors: errs.Conflict (store-newer) when
// the store has some that this program does not know.
func (s *Store) knownMigrations(ctx context.Context) ([]Migration, error) {
	all, err := s.Migrations(ctx)
	if err == nil {
		err = known(all)
	}
	return all, err
}

// PlanDown gives what MigrateDown to a version would run.
func (s *Store) PlanDown(ctx context.Context, version int64) ([]PlannedMigration, error) {
	all, err := s.knownMigrations(ctx)
	if err != nil {
		return nil, err
	}
	var out []PlannedMigration
	for _, m := range slices.Backward(all) {
		if !m.Applied.IsZero() && m.Version > version {
			out = append(out, PlannedMigration{m, classify(m.down)})
		}
	}
	return out, nil
}

// rule classifies the statements that match. on is the number of the group
// with the table's name: on a table made by the same migration nothing waits.
type rule struct {
	match  *regexp.Regexp
	on     int
	safety Safety
	why    string
}

// rules are tried in order.
func rules() []rule {
	row := func(pattern string, on int, safety Safety, why string) rule {
		return rule{regexp.MustCompile(`^(?is)` + strings.ReplaceAll(pattern, " ", `\s+`)), on, safety, why}
	}
	const table = `(\w+)`
	return []rule{
		row(`CREATE TABLE (?:IF NOT EXISTS )?`+table, 0, Safe, "a table that no running code knows"),
		row(`CREATE UNIQUE INDEX .*? ON `+table, 1, Breaks, "code of the version before may write what it refuses, and writers wait while it is built"),
		row(`CREATE INDEX .*? ON `+table, 1, Blocks, "writers of the table wait while it is built"),
		row(`DROP INDEX `, 0, Safe, "a brief lock; queries that used it get slower"),
		row(`ALTER TABLE `+table+` ADD (?:COLUMN )?\w+ [^,]*NOT NULL[^,]*DEFAULT [^,]*\(`, 1, Blocks, "the table is written anew"),
		row(`ALTER TABLE `+table+` ADD (?:COLUMN )?\w+ [^,]*DEFAULT [^,]*\(`, 1, Blocks, "the table is written anew"),
		row(`ALTER TABLE `+table+` ADD CONSTRAINT .*NOT VALID$`, 1, Safe, "a brief lock; rows are checked later"),
		row(`ALTER TABLE `+table+` ADD (?:CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)\b`, 1, Breaks, "code of the version before may write what it refuses"),
		row(`ALTER TABLE `+table+` ADD (?:COLUMN )?\w+ [^,]*DEFAULT [^,]*$`, 1, Safe, "a brief lock; code of the version before leaves the default"),
		row(`ALTER TABLE `+table+` ADD (?:COLUMN )?\w+ [^,]*NOT NULL`, 1, Breaks, "code of the version before does not fill it: give it a DEFAULT"),
		row(`ALTER TABLE `+table+` ADD (?:COLUMN )?\w+ [^,]*$`, 1, Safe, "a brief lock; code of the version before leaves it empty"),
		row(`ALTER TABLE `+table+` ALTER (?:COLUMN )?\w+ (?:SET DEFAULT|DROP NOT NULL)`, 1, Safe, "a brief lock"),
		row(`ALTER TABLE `+table+` `, 1, Breaks, "code of the version before does not know the changed table"),
		row(`DROP TABLE (?:IF EXISTS )?`+table, 1, Breaks, "its rows are lost, and code that uses it fails"),
		row(`INSERT INTO `+table+` .*VALUES`, 1, Safe, "a few new rows"),
		row(`(?:UPDATE|DELETE FROM|INSERT INTO) `+table, 1, Blocks, "writers of the rows wait until all are done"),
	}
}

var (
	comment = regexp.MustCompile(`(?m)--.*$`)
	created = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)`)
)

// classify judges the statements of one migration.
func classify(text string) []PlannedStatement {
	var out []PlannedStatement
	fresh := map[string]bool{}
	for _, sql := range statements(text) {
		bare := strings.TrimSpace(comment.ReplaceAllString(sql, ""))
		if m := created.FindStringSubmatch(bare); m != nil {
			fresh[m[1]] = true
		}
		p := PlannedStatement{strings.TrimSpace(sql), Unclear, "read it before running it beside a server"}
		for _, r := range rules() {
			m := r.match.FindStringSubmatch(bare)
			if m == nil {
				continue
			}
			p.Safety, p.Why = r.safety, r.why
			if r.on > 0 && fresh[m[r.on]] {
				p.Safety, p.Why = Safe, "a table of this migration"
			}
			break
		}
		out = append(out, p)
	}
	return out
}
