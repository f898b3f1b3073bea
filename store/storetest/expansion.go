package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/migrations"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// migrationSteps goes back and forth one step at a time, several nodes at
// once.
func migrationSteps(t *testing.T, e store.Engine) {
	s, ctx := migrated(t, e), t.Context()
	all := got(s.Migrations(ctx))(t)
	for i := len(all) - 1; i >= 0; i-- {
		below := int64(0)
		if i > 0 {
			below = all[i-1].Version
		}
		equal(t, race(t, 3, "", func(int) (bool, error) { return true, s.MigrateDown(ctx, below, nil) }), 3)
		equal(t, applied(t, s), i)
	}
	for i, m := range all {
		equal(t, race(t, 3, "", func(int) (bool, error) { return true, s.MigrateUp(ctx, m.Version, nil) }), 3)
		equal(t, applied(t, s), i+1)
	}
	equal(t, len(got(s.Plan(ctx, 0))(t)), 0)
	equal(t, len(got(s.PlanDown(ctx, 0))(t)), len(all))
}

func applied(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	for _, m := range got(s.Migrations(t.Context()))(t) {
		if !m.Applied.IsZero() {
			n++
		}
	}
	return n
}

// expansion: this code is the version before of a migration that adds columns,
// an index and a table. It runs before, during and after it, and when it is
// undone.
func expansion(t *testing.T, e store.Engine) {
	s := migrated(t, e)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	lived := make(chan struct{}, 1000)
	for w := range 3 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := life(t.Context(), s, fmt.Sprintf("%d-%d", w, n)); err != nil {
					t.Errorf("%v (cause: %v)", err, errs.As(err).Cause)
					return
				}
				select {
				case lived <- struct{}{}:
				default:
				}
			}
		})
	}
	change := func(sql string) {
		for try := 0; ; try++ {
			err := e.InTx(t.Context(), func(c store.Conn) error {
				_, err := c.Exec(t.Context(), sql)
				return err
			})
			if err == nil {
				break
			}
			if !errs.Is(err, errs.Unavailable) || try == 10 {
				t.Fatalf("%s: %v (cause: %v)", sql, err, errs.As(err).Cause)
			}
		}
		select {
		case <-lived:
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing goes on after %s", sql)
		}
	}
	<-lived
	all := tables(t)
	for _, table := range all {
		change("ALTER TABLE " + table + " ADD COLUMN next_version BIGINT NOT NULL DEFAULT 0")
	}
	change("CREATE TABLE next_table (tenant TEXT NOT NULL PRIMARY KEY)")
	change("CREATE INDEX next_index ON app_grant (tenant, next_version)")
	change("DROP INDEX next_index")
	change("DROP TABLE next_table")
	for _, table := range all {
		change("ALTER TABLE " + table + " DROP COLUMN next_version")
	}
}

var tableMade = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// tables gives the names of the tables of the rooms.
func tables(t *testing.T) []string {
	t.Helper()
	files := got(fs.Glob(migrations.FS, "*.up.sql"))(t)
	var all []string
	for _, file := range files {
		for _, m := range tableMade.FindAllStringSubmatch(string(got(fs.ReadFile(migrations.FS, file))(t)), -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// life is what a server does for one person, from account to revocation.
func life(ctx context.Context, s *store.Store, id string) error {
	person, sess, c, r, p := rosa(), session(), code(), follows("", id, noon()), pending()
	person.ID, person.Username, sess.Hash, c.Hash, r.GrantID, p.ID = id, id, id, id, id, id
	err := s.InTx(ctx, func(tx store.Tx) error {
		for _, step := range []func() error{
			func() error { return tx.PutPerson(ctx, person) },
			func() error {
				return tx.PutFactor(ctx, identity.Factor{Tenant: tenant, ID: id, PersonID: id, Secret: []byte("x")})
			},
			func() error { return tx.CreateSession(ctx, sess) },
			func() error { return tx.PutClient(ctx, oauth.Client{Tenant: tenant, ID: id}) },
			func() error { return tx.PutPending(ctx, p) },
			func() error { return tx.CreateCode(ctx, c) },
			func() error { return rotate(ctx, tx, r) },
			func() error { return actAs(ctx, tx, id) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := again(ctx, s, id); err != nil {
		return err
	}
	if ok, err := s.RevokeGrant(ctx, tenant, id, "over", noon()); err != nil || !ok {
		return fmt.Errorf("not revoked: %w", err)
	}
	return s.UseAssertion(ctx, tenant, "iss", id, noon())
}

// again reads what life wrote, and rotates the refresh token.
func again(ctx context.Context, s *store.Store, id string) error {
	for _, read := range []func() error{
		func() error { _, err := s.PersonByUsername(ctx, tenant, id); return err },
		func() error { _, err := s.Factors(ctx, tenant, id); return err },
		func() error { _, err := s.SessionByHash(ctx, tenant, id); return err },
		func() error { _, err := s.ClientByID(ctx, tenant, id); return err },
		func() error { _, err := s.PendingByID(ctx, tenant, id); return err },
		func() error { _, err := s.CodeByHash(ctx, tenant, id); return err },
		func() error { _, err := s.ConsentHistory(ctx, tenant, id); return err },
		func() error { _, err := s.RelatedPersonsOfPatient(ctx, tenant, id); return err },
		func() error {
			_, _, err := s.RefreshStanding(ctx, tenant, oauth.RefreshRef{Hash: id, GrantID: id})
			return err
		},
	} {
		if err := read(); err != nil {
			return err
		}
	}
	r := follows(id, "next", noon())
	r.GrantID = id
	return rotate(ctx, s, r)
}
