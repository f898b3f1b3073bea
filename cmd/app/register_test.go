package app

import (
	"path/filepath"
	"testing"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// A client file that is read at every start does not enable what somebody
// disabled since; whoever registers the client by name does.
func TestStartEnablesNoDisabledClient(t *testing.T) {
	ctx := t.Context()
	cfg := Config{Dev: true, Data: t.TempDir()}
	cfg.Keys = "file:" + filepath.Join(t.TempDir(), "kek.json")
	a := &App{cfg: cfg, log: discard(), ids: ids.Source{}, clock: clock.System{}}
	if err := a.openStore(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.store.Close(); err != nil {
			t.Error(err)
		}
	})
	c := oauth.Client{Tenant: "default", ID: "app", Kind: oauth.ClientPublic}
	step := func(asked, want bool) {
		t.Helper()
		if err := a.register(ctx, []oauth.Client{c}, asked); err != nil {
			t.Fatal(err)
		}
		have, err := a.store.ClientByID(ctx, "default", "app")
		if err != nil || have.Disabled != want {
			t.Errorf("disabled: %v, want %v (%v)", have.Disabled, want, err)
		}
	}
	step(false, false)
	off := c
	off.Disabled = true
	if err := a.store.PutClient(ctx, off); err != nil {
		t.Fatal(err)
	}
	step(false, true)
	step(true, false)
}
