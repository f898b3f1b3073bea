package storetest

import (
	"testing"

	"github.com/mandate-health/mandate/store"
)

func migrationRounds(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for _, m := range got(s.Migrations(ctx))(t) {
		if m.Applied.IsZero() {
			t.Errorf("migration %04d %s was not applied", m.Version, m.Name)
		}
	}
	must(t, s.Migrate(ctx))
	must(t, s.PutPerson(ctx, rosa()))

	// Back as far as this program reads people, then to nothing, then forward by
	// several nodes at once.
	must(t, s.MigrateDown(ctx, 138, nil))
	equal(t, got(s.PersonByID(ctx, tenant, "p-rosa"))(t), rosa())
	must(t, s.MigrateDown(ctx, 0, nil))
	race(t, 4, "", func(int) (bool, error) { return true, s.Migrate(ctx) })
	for _, m := range got(s.Migrations(ctx))(t) {
		if m.Applied.IsZero() {
			t.Errorf("migration %04d %s was not applied again", m.Version, m.Name)
		}
	}
	must(t, s.PutPerson(ctx, rosa()))
}
