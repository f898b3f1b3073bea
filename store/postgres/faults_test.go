package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/postgres"
)

func grant(id string) oauth.Grant { return oauth.Grant{Tenant: "main", ID: id, PersonID: "p"} }

func TestOpenRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		o    postgres.Options
		kind errs.Kind
		code string
	}{
		"not a URL":      {postgres.Options{DSN: "postgres://u:hunter2@h:notaport/x"}, errs.Invalid, "store-options"},
		"pooler, schema": {postgres.Options{DSN: "host=/nowhere", Pooler: true, Schema: "x"}, errs.Invalid, "store-options"},
		"nobody there":   {postgres.Options{DSN: "host=/nowhere user=x"}, errs.Unavailable, "store-unreachable"},
		"refused":        {postgres.Options{DSN: "postgres://x@127.0.0.1:1/x"}, errs.Unavailable, "store-unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postgres.Open(t.Context(), c.o)
			if e := errs.As(err); e == nil || e.Kind != c.kind || e.Code != c.code {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(fmt.Sprintf("%v %v", err, errors.Unwrap(err)), "hunter2") {
				t.Error("the password is in the error")
			}
		})
	}
}

// code gives the stable code of an error.
func code(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

func TestFaults(t *testing.T) {
	dsn := testpg.Start(t)
	for name, run := range map[string]func(*testing.T, string){
		"deadlock":       deadlock,
		"cut connection": cutConnection,
		"slow statement": slowStatement,
		"small pool":     smallPool,
		"no connections": noConnections,
		"several hosts":  severalHosts,
		"no writes":      noWrites,
		"newer store":    newerStore,
	} {
		t.Run(name, func(t *testing.T) { run(t, dsn) })
	}
}

// Two transactions that lock the same rows the other way round both get
// through: the one that PostgreSQL ends is run again.
func deadlock(t *testing.T, dsn string) {
	s := open(t, postgres.Options{DSN: dsn, Schema: schema(t, dsn)})
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		if err := s.CreateGrant(ctx, grant(id)); err != nil {
			t.Fatal(err)
		}
	}
	var wg, both sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			var meet sync.Once
			err := s.InTx(ctx, func(tx store.Tx) error {
				if err := tx.ExtendGrant(ctx, "main", order[0], time.Unix(1, 0)); err != nil {
					return err
				}
				meet.Do(func() {
					both.Done()
					both.Wait()
				})
				return tx.ExtendGrant(ctx, "main", order[1], time.Unix(1, 0))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A connection cut in the middle of a transaction is replaced and the
// transaction run again; idle ones that died are not noticed by callers.
func cutConnection(t *testing.T, dsn string) {
	name := schema(t, dsn)
	s := open(t, postgres.Options{DSN: dsn + "&application_name=" + name, Schema: name, MaxConns: 2})
	cut := func() {
		admin(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '`+name+`'`)
	}
	ctx, tries := t.Context(), 0
	err := s.InTx(ctx, func(tx store.Tx) error {
		tries++
		if err := tx.CreateGrant(ctx, grant("g1")); err != nil {
			return err
		}
		if tries == 1 {
			cut()
		}
		return tx.CreateGrant(ctx, grant("g2"))
	})
	if err != nil || tries != 2 {
		t.Fatalf("%d tries, error %v", tries, err)
	}
	cut()
	if err := s.CreateGrant(ctx, grant("g3")); err != nil {
		t.Error(err)
	}
	// Cut between the last statement and the commit nobody can tell what
	// happened to it: an error, never a success.
	err = s.InTx(ctx, func(tx store.Tx) error {
		defer cut()
		if err := tx.CreateGrant(ctx, grant("g4")); err != nil {
			return err
		}
		_, err := tx.GrantByID(ctx, "main", "g4")
		return err
	})
	if !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	all, err := s.GrantsOfPerson(ctx, "main", "p")
	if err != nil || len(all) != 3 {
		t.Errorf("%d grants, error %v", len(all), err)
	}
}

func slowStatement(t *testing.T, dsn string) {
	for _, pooler := range []bool{false, true} {
		engine, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn, Timeout: 100 * time.Millisecond, Pooler: pooler})
		if err != nil {
			t.Fatal(err)
		}
		err = engine.InTx(t.Context(), func(c store.Conn) error {
			_, err := c.Exec(t.Context(), "SELECT pg_sleep(30)")
			return err
		})
		if got := code(err); got != "store-timeout" {
			t.Errorf("pooler %v: got %v", pooler, err)
		}
		if err := engine.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		if got := code(engine.Ping(t.Context())); got != "store-closed" {
			t.Errorf("a closed engine gave %s", got)
		}
	}
}

// Beyond the pool callers wait; who waits too long is told so.
func smallPool(t *testing.T, dsn string) {
	s := open(t, postgres.Options{DSN: dsn, Schema: schema(t, dsn), MaxConns: 1})
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if err := s.CreateGrant(ctx, grant(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	err := s.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.GrantByID(ctx, "main", "1"); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := s.GrantByID(short, "main", "1")
		return err
	})
	if got := code(err); got != "store-timeout" {
		t.Errorf("got %v", err)
	}
}

func noConnections(t *testing.T, dsn string) {
	name := "limited_" + schema(t, dsn)
	admin(t, dsn, "CREATE ROLE "+name+" LOGIN CONNECTION LIMIT 0")
	_, err := postgres.Open(t.Context(), postgres.Options{DSN: strings.Replace(dsn, "mandate@", name+"@", 1)})
	if e := errs.As(err); e == nil || e.Kind != errs.Unavailable || e.Code != "store-full" {
		t.Errorf("got %v", err)
	}
}

// The host that answers and takes writes is found behind one that does not.
func severalHosts(t *testing.T, dsn string) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, postgres.Options{
		DSN:    fmt.Sprintf("postgres://mandate@/postgres?host=127.0.0.1,%s&port=1,%d", config.Host, config.Port),
		Schema: schema(t, dsn),
	})
	if err := s.CreateGrant(t.Context(), grant("g1")); err != nil {
		t.Error(err)
	}
}

// A server that stopped taking writes, as an old primary does, is an outage,
// not a fault of the caller.
func noWrites(t *testing.T, dsn string) {
	name := schema(t, dsn)
	open(t, postgres.Options{DSN: dsn, Schema: name})
	engine, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn + "&default_transaction_read_only=on", Schema: name})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine, store.Options{})
	if err := s.CreateGrant(t.Context(), grant("g1")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := s.GrantByID(t.Context(), "main", "g1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a read gave %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func newerStore(t *testing.T, dsn string) {
	name := schema(t, dsn)
	s := open(t, postgres.Options{DSN: dsn, Schema: name})
	admin(t, dsn, "INSERT INTO "+name+".schema_migration VALUES (9999, 'later', 1)")
	if got := code(s.Migrate(t.Context())); got != "store-newer" {
		t.Errorf("got %s", got)
	}
}

// PostgreSQL killed under load: what was confirmed is there, the rest is told
// as unavailable, and service comes back by itself.
func TestServerKilled(t *testing.T) {
	cluster, err := testpg.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, postgres.Options{DSN: cluster.DSN})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var confirmed []string
	var wg sync.WaitGroup
	enough := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", w, n)
				err := s.CreateGrant(ctx, grant(id))
				if err == nil {
					mu.Lock()
					if confirmed = append(confirmed, id); len(confirmed) == 200 {
						close(enough)
					}
					mu.Unlock()
				} else if !errs.Is(err, errs.Unavailable) {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	<-enough
	if err := cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a dead server gave %v", err)
	}
	if err := cluster.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateGrant(t.Context(), grant("after")); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	stop()
	wg.Wait()
	for _, id := range confirmed {
		if _, err := s.GrantByID(t.Context(), "main", id); err != nil {
			t.Errorf("confirmed grant %s: %v", id, err)
		}
	}
}
