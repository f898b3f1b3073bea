package app

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
)

// SG-09: a drill that takes long lives through the jobs of the server that it
// starts: the keys are looked after every ten seconds.
func TestDrillOutlivesItsJobs(t *testing.T) {
	ctx := t.Context()
	cfg := Config{Data: filepath.Join(t.TempDir(), "data")}
	cfg.Keys = "file:" + filepath.Join(t.TempDir(), "kek.json")
	// The store that was backed up has its key already.
	provider, err := openKeys(ctx, cfg, clock.System{}, true)
	if err == nil {
		_, err = provider.Current(ctx)
	}
	if err == nil {
		_, err = provider.Wrap(ctx, []byte("anything"), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDrill(ctx, cfg, restoring{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(ctx, d.store, slog.New(slog.DiscardHandler)) })
	if err := d.store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.store.OpenKeys(ctx, tenants.Default); err != nil {
		t.Fatal(err)
	}
	a := d.server("http://127.0.0.1:9/fhir")
	a.ring = keys.NewRing(d.store, d.clock)
	if err := a.ring.Open(ctx, tenants.Default); err != nil {
		t.Fatal(err)
	}
	if err := a.tendKeys(ctx, jobs.Turn{}); err != nil {
		t.Error(err)
	}
}
