package store_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/migrations"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
)

func folder(t *testing.T) store.Engine {
	t.Helper()
	e, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func files(names ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for _, name := range names {
		out[name+".up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE t" + name[:4] + " (x BIGINT);\nINSERT INTO t" + name[:4] + " (x) VALUES (1);\n")}
		out[name+".down.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE t" + name[:4] + ";\n")}
	}
	return out
}

// Two branches bring their migrations one after the other, the higher number
// first: the lower one is applied all the same.
func TestALowerNumberThatCameLaterIsApplied(t *testing.T) {
	e, ctx := folder(t), t.Context()
	if err := store.NewWith(e, files("0001_a", "0003_c")).Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	var told []int64
	s := store.NewWith(e, files("0001_a", "0002_b", "0003_c", "0004_d"))
	if err := s.MigrateUp(ctx, 3, func(m store.Migration) { told = append(told, m.Version) }); err != nil || !slices.Equal(told, []int64{2}) {
		t.Fatal(told, err)
	}
	plan, err := s.Plan(ctx, 0)
	if err != nil || len(plan) != 1 || plan[0].Version != 4 || len(plan[0].Statements) != 2 {
		t.Errorf("%+v %v", plan, err)
	}
	told = nil
	if err := s.MigrateDown(ctx, 1, func(m store.Migration) { told = append(told, m.Version) }); err != nil || !slices.Equal(told, []int64{3, 2}) {
		t.Error(told, err)
	}
}

// A program does nothing to the store of a newer one, and says which
// migration it does not know.
func TestNewerStoreIsRefused(t *testing.T) {
	e, ctx := folder(t), t.Context()
	if err := store.NewWith(e, files("0001_a", "0002_later")).Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	s := store.NewWith(e, files("0001_a"))
	_, plan := s.Plan(ctx, 0)
	_, down := s.PlanDown(ctx, 0)
	for what, err := range map[string]error{
		"up": s.Migrate(ctx), "down": s.MigrateDown(ctx, 0, nil), "plan": plan, "plan down": down,
	} {
		if !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "0002 later") {
			t.Errorf("%s: %v", what, err)
		}
	}
	all, err := s.Migrations(ctx)
	if err != nil || len(all) != 2 || !all[1].Unknown || all[1].Applied.IsZero() || all[0].Unknown {
		t.Errorf("%+v %v", all, err)
	}
}

// A migration that fails halfway leaves nothing of itself.
func TestAFailedMigrationLeavesNothing(t *testing.T) {
	e, ctx := folder(t), t.Context()
	broken := files("0001_a", "0002_b")
	broken["0002_b.up.sql"].Data = []byte("CREATE TABLE t0002 (x BIGINT);\nINSERT INTO nowhere (x) VALUES (1);\n")
	if err := store.NewWith(e, broken).Migrate(ctx); err == nil || !strings.Contains(err.Error(), "0002 b") {
		t.Fatal(err)
	}
	if err := store.NewWith(e, files("0001_a", "0002_b")).Migrate(ctx); err != nil {
		t.Error(err)
	}
}

// What the plan says of each kind of statement.
func TestClassify(t *testing.T) {
	for sql, want := range map[string]store.Safety{
		"CREATE TABLE a (x BIGINT)":                                  store.Safe,
		"-- why\nCREATE INDEX i ON a (x)":                            store.Blocks,
		"CREATE UNIQUE INDEX i ON a (x)":                             store.Breaks,
		"CREATE TABLE a (x BIGINT);\nCREATE UNIQUE INDEX i ON a (x)": store.Safe,
		"DROP INDEX i":                      store.Safe,
		"ALTER TABLE a ADD COLUMN y BIGINT": store.Safe,
		"alter table a\n  add column y bigint not null default 0":       store.Safe,
		"ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT ''":           store.Safe,
		"ALTER TABLE a ADD COLUMN y TEXT NOT NULL":                      store.Breaks,
		"ALTER TABLE a ADD COLUMN y TEXT DEFAULT gen_random_uuid()":     store.Blocks,
		"ALTER TABLE a ALTER COLUMN y SET NOT NULL":                     store.Breaks,
		"ALTER TABLE a ALTER COLUMN y DROP NOT NULL":                    store.Safe,
		"ALTER TABLE a ALTER COLUMN y TYPE TEXT":                        store.Breaks,
		"ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0)":                  store.Breaks,
		"ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID":        store.Safe,
		"ALTER TABLE a RENAME TO b":                                     store.Breaks,
		"ALTER TABLE a RENAME COLUMN x TO y":                            store.Breaks,
		"ALTER TABLE a DROP COLUMN x":                                   store.Breaks,
		"DROP TABLE a":                                                  store.Breaks,
		"UPDATE a SET x = 1":                                            store.Blocks,
		"DELETE FROM a":                                                 store.Blocks,
		"INSERT INTO a (x) SELECT x FROM b":                             store.Blocks,
		"INSERT INTO a (x) VALUES (1)":                                  store.Safe,
		"CREATE TABLE b (x BIGINT);\nINSERT INTO b (x) SELECT x FROM a": store.Safe,
		"VACUUM": store.Unclear,
	} {
		all := store.Classify(sql + ";\n")
		if got := all[len(all)-1]; got.Safety != want || got.Why == "" {
			t.Errorf("%s: %s (%s), want %s", sql, got.Safety, got.Why, want)
		}
	}
}

// Expand, migrate, contract: nodes of the version before run beside each
// migration, so none may take away or demand what they do not know. A step
// that contracts names, in a comment, the migration whose code stopped using
// what it takes away: "-- contract: NNNN".
func TestMigrationsLetTheVersionBeforeRun(t *testing.T) {
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range store.Classify(string(text)) {
			if (p.Safety == store.Breaks || p.Safety == store.Unclear) && !strings.Contains(p.SQL, "-- contract: ") {
				t.Errorf("%s: %s: %s\n%s", name, p.Safety, p.Why, p.SQL)
			}
		}
	}
}
