package embedded_test

import (
	"testing"

	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
	"github.com/mandate-health/mandate/store/storetest"
)

// BenchmarkTokenRequest is what one token request costs the store; the metric
// commits/op says how many share one.
func BenchmarkTokenRequest(b *testing.B) {
	engine, err := embedded.Open(b.Context(), embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	s := store.New(engine, storetest.Options(b))
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	before := engine.Commits()
	storetest.Bench(b, s)
	b.ReportMetric(float64(engine.Commits()-before)/float64(b.N), "commits/op")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPolicies measures decisions about proxies whose policy is not in memory.
func BenchmarkPolicies(b *testing.B) {
	engine, err := embedded.Open(b.Context(), embedded.Config{Dir: b.TempDir()})
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
