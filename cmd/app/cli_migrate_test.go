package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// A database administrator looks at the migrations, plans, goes forward one at
// a time, and back only after saying so.
func TestMigrateCommands(t *testing.T) {
	dsn := testpg.Start(t)
	for engine, flags := range map[string][]string{
		"embedded":   {"--data", t.TempDir()},
		"postgresql": {"--database", dsn, "--database-connections", "2"},
	} {
		t.Run(engine, func(t *testing.T) {
			run := func(want int, args ...string) string {
				t.Helper()
				code, out, errOut := cli(t, append(append([]string{"migrate"}, args...), flags...)...)
				if code != want {
					t.Fatalf("%v: status %d\n%s%s", args, code, out, errOut)
				}
				return out + errOut
			}
			says := func(out string, all ...string) {
				t.Helper()
				for _, want := range all {
					if !strings.Contains(out, want) {
						t.Errorf("%q is not in\n%s", want, out)
					}
				}
			}
			says(run(0, "status"), "0001  identity                 missing", "missing: run mandate migrate up")
			says(run(0, "plan"), "-- migration 0001 identity", "CREATE TABLE person", "-- safe: ")
			says(run(0, "up", "--to", "2"), "applied 0001 identity\napplied 0002 consent\n")
			says(run(0, "status"), "0002  consent                  applied 2", "0003  oauth                    missing")
			if out := run(0, "plan", "--to", "3"); strings.Contains(out, "CREATE TABLE person (") || !strings.Contains(out, "0003") {
				t.Errorf("the plan of one step is\n%s", out)
			}
			run(0, "up")
			says(run(0, "up"), "nothing to do")
			says(run(0, "status"), "up to date")
			says(run(0, "plan"), "-- nothing to do")
			says(run(0, "plan", "--down", "--to", "0"), "-- breaks: its rows are lost")
			says(run(1, "plan", "--down"), "--to")
			says(run(1, "down", "--to", "1"), "would undo 0002 consent", "--yes")
			says(run(0, "status"), "up to date")
			says(run(1, "down", "--to=-3", "--yes"), "-3")
			says(run(0, "down", "--to", "1", "--yes"), "undone 0002 consent")
			says(run(0, "down", "--to", "1", "--yes"), "nothing to do")
			if out := run(0, "status"); len(regexp.MustCompile(`applied 2`).FindAllString(out, -1)) != 1 {
				t.Errorf("after the way down:\n%s", out)
			}
			run(0, "up")
			if engine == "embedded" {
				says(run(0, "check"), "no damage found")
			} else {
				says(run(1, "check"), "pg_amcheck")
			}
		})
	}
}

// Another machine is reached with verified TLS only, whatever the URL's mode
// falls back to, unless somebody insists.
func TestDatabaseDemandsVerifiedTLS(t *testing.T) {
	for _, mode := range []string{"", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer", "?sslmode=require"} {
		code, _, errOut := cli(t, "migrate", "status", "--database", "postgres://u:hunter2@db.invalid/x"+mode)
		if code != 1 || !strings.Contains(errOut, "sslmode=verify-full") || !strings.Contains(errOut, "db.invalid") || strings.Contains(errOut, "hunter2") {
			t.Errorf("%q: %d %s", mode, code, errOut)
		}
	}
	for _, args := range [][]string{
		{"--database", "postgres://u:hunter2@db.invalid/x?sslmode=verify-full"},
		{"--database", "postgres://u:hunter2@db.invalid/x", "--unsafe-database-plaintext"},
	} {
		code, _, errOut := cli(t, append([]string{"migrate", "status"}, args...)...)
		if code != 1 || !strings.Contains(errOut, "cannot be reached") || strings.Contains(errOut, "hunter2") {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

// docs/operations/postgresql.md: the role of the servers changes no tables. It
// starts on tables that another role made, and says what is missing where they
// are not up to date.
func TestServersNeedNoRightToChangeTables(t *testing.T) {
	cluster := testpg.New(t)
	sql := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := cluster.SQL(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	sql("CREATE ROLE mandate_owner LOGIN PASSWORD '"+cluster.Password+"'", "CREATE ROLE servers LOGIN PASSWORD '"+cluster.Password+"'",
		"CREATE SCHEMA mandate AUTHORIZATION mandate_owner",
		"ALTER ROLE mandate_owner SET search_path = mandate", "ALTER ROLE servers SET search_path = mandate",
		"GRANT USAGE ON SCHEMA mandate TO servers",
		"ALTER DEFAULT PRIVILEGES FOR ROLE mandate_owner IN SCHEMA mandate GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO servers")
	owner, servers := cluster.As("mandate_owner", cluster.Address), cluster.As("servers", cluster.Address)
	if code, _, errOut := cli(t, "dev", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--database", servers); code != 1 || !strings.Contains(errOut, "lacks a right") {
		t.Errorf("before the migration: %d %s", code, errOut)
	}
	if code, _, errOut := cli(t, "migrate", "up", "--database", owner); code != 0 {
		t.Fatal(errOut)
	}
	s := start(t, func(c *app.Config) { c.Database = servers })
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
}
