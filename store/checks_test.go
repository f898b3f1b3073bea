package store_test

import (
	"testing"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
)

// A fresh store has nothing to complain about, and every question is
// understood.
func TestChecksOfAFreshStore(t *testing.T) {
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine, store.Options{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	before := health.Run(t.Context(), s.Checks())
	for _, r := range before {
		if r.ID == "store-migrations" && r.Severity != health.Failing {
			t.Errorf("an empty store: %+v", r)
		}
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range health.Run(t.Context(), s.Checks()) {
		if r.Severity != health.Fine && r.Severity != health.Noted {
			t.Errorf("%+v", r)
		}
	}
}
