package postgres_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/postgres"
	"github.com/mandate-health/mandate/store/storetest"
)

// admin runs statements as the superuser.
func admin(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	// Cleanups run when the context of the test has ended.
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}

// schema gives a fresh schema that is dropped when the test ends.
func schema(t *testing.T, dsn string) string {
	t.Helper()
	name := "test_" + ids.Source{}.ID()
	admin(t, dsn, "CREATE SCHEMA "+name)
	t.Cleanup(func() { admin(t, dsn, "DROP SCHEMA "+name+" CASCADE") })
	return name
}

func engine(t *testing.T, o postgres.Options) store.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func open(t *testing.T, o postgres.Options) *store.Store {
	t.Helper()
	s := store.New(engine(t, o), store.Options{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	cluster := testpg.New(t)
	dsn := cluster.DSN
	storetest.Run(t, func(t *testing.T) store.Engine {
		return engine(t, postgres.Options{DSN: dsn, Schema: schema(t, dsn)})
	})
	// The same through PgBouncer, where every transaction may find another
	// connection. A role brings its schema with it.
	host, port, err := net.SplitHostPort(cluster.Pooler(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("pooler", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Engine {
			name := schema(t, dsn)
			admin(t, dsn, "CREATE ROLE "+name+" LOGIN", "GRANT ALL ON SCHEMA "+name+" TO "+name,
				fmt.Sprintf("ALTER ROLE %[1]s SET search_path = %[1]s", name))
			return engine(t, postgres.Options{Pooler: true,
				DSN: fmt.Sprintf("host=%s port=%s user=%s dbname=postgres sslmode=disable", host, port, name)})
		})
	})
}

func TestTampering(t *testing.T) {
	dsn := testpg.Start(t)
	storetest.Tampering(t, func(t *testing.T) (store.Engine, storetest.SQL) {
		name := schema(t, dsn)
		return engine(t, postgres.Options{DSN: dsn, Schema: name}), func(t *testing.T, statement string) {
			t.Helper()
			admin(t, dsn, "SET search_path = "+name+"; "+statement)
		}
	})
}

// SG-07: every question of the doctor is understood by PostgreSQL; a fresh one
// is durable.
func TestChecks(t *testing.T) {
	dsn := testpg.Start(t)
	s := open(t, postgres.Options{DSN: dsn, Schema: schema(t, dsn)})
	for _, r := range health.Run(t.Context(), s.Checks()) {
		switch {
		case r.Severity == health.Skipped:
			t.Errorf("%+v", r)
		case r.ID == "postgres-fsync" && !strings.HasPrefix(r.Finding, "fsync is o"):
			t.Errorf("%+v", r)
		}
	}
}

// A level that there is not is refused before anybody connects.
func TestIsolationLevel(t *testing.T) {
	_, err := postgres.Open(t.Context(), postgres.Options{DSN: "postgres://u@127.0.0.1:1/d?default_transaction_isolation=chaos"})
	if errs.As(err).Code != "store-options" {
		t.Error(err)
	}
	_, err = postgres.Open(t.Context(), postgres.Options{DSN: "postgres://u@127.0.0.1:1/d?default_transaction_isolation=SERIALIZABLE&connect_timeout=1"})
	if errs.As(err).Code != "store-unreachable" {
		t.Error(err)
	}
}

// Tables are joined in the order of the statement, unless the URL says otherwise.
func TestJoinsAsWritten(t *testing.T) {
	dsn := testpg.Start(t)
	for more, want := range map[string]string{"": "1", "&join_collapse_limit=5": "5"} {
		var got string
		db := engine(t, postgres.Options{DSN: dsn + more}).Read()
		if err := db.QueryRow(t.Context(), "SHOW join_collapse_limit").Scan(&got); err != nil || got != want {
			t.Errorf("%q: %s, %v", more, got, err)
		}
	}
}
