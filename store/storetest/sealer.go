package storetest

import (
	"path/filepath"
	"testing"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/local"
	"github.com/mandate-health/mandate/store"
)

// Options gives the options of a store that encrypts as in production, under a
// key-encryption key of its own.
func Options(tb testing.TB) store.Options {
	tb.Helper()
	provider, err := local.Open(local.Config{Path: filepath.Join(tb.TempDir(), "kek.json"), Create: true})
	if err != nil {
		tb.Fatal(err)
	}
	return store.Options{Sealer: keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider, Clock: clock.System{}})}
}
