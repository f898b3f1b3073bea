package postgres_test

import (
	"testing"

	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/postgres"
	"github.com/mandate-health/mandate/store/storetest"
)

// BenchmarkTokenRequest is what one token request costs the store.
func BenchmarkTokenRequest(b *testing.B) {
	engine, err := postgres.Open(b.Context(), postgres.Options{DSN: testpg.Start(b)})
	if err != nil {
		b.Fatal(err)
	}
	s := store.New(engine, storetest.Options(b))
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	storetest.Bench(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPolicies measures decisions about proxies whose policy is not in memory.
func BenchmarkPolicies(b *testing.B) {
	engine, err := postgres.Open(b.Context(), postgres.Options{DSN: testpg.Start(b)})
	if err != nil {
		b.Fatal(err)
	}
	s := store.New(engine, storetest.Options(b))
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	storetest.BenchPolicies(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
