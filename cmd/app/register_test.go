package app

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// A client file that is read at every start does not enable what somebody
// disabled since; whoever registers the client by name does.
func TestStartEnablesNoDisabledClient(t *testing.T) {
	ctx, a := t.Context(), registrar(t)
	c := oauth.Client{Tenant: "default", ID: "app", Kind: oauth.ClientPublic}
	step := func(asked, want bool) {
		t.Helper()
		if err := a.register(ctx, []registration.Filed{{Client: c}}, asked, ""); err != nil {
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

// registrar gives what registers clients in a store of its own.
func registrar(t *testing.T) *App {
	t.Helper()
	cfg := Config{Dev: true, Data: t.TempDir()}
	cfg.Keys = "file:" + filepath.Join(t.TempDir(), "kek.json")
	a := &App{cfg: cfg, log: discard(), ids: ids.Source{}, clock: clock.System{}}
	if err := a.openStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.store.Close(); err != nil {
			t.Error(err)
		}
	})
	a.ring = keys.NewRing(a.store, a.clock)
	return a
}

// SE-03: a client whose secret is registered again after the key of hashes was
// replaced keeps the hash that it has, so that nothing of it counts as revoked;
// the older key stays for as long as that.
func TestTheSameSecretKeepsItsHash(t *testing.T) {
	ctx, a := t.Context(), registrar(t)
	moving := &clock.Movable{}
	a.ring = keys.NewRing(a.store, moving)
	h, err := a.ring.Hasher(ctx, "default")
	if err != nil {
		t.Fatal(err)
	}
	put := func(secret string) string {
		t.Helper()
		file := clientFile{Entry: registration.Entry{ID: "app", Kind: oauth.ClientSymmetric}, ClientSecret: secret}
		filed, err := file.filed("default", registration.Rules{Operator: true}, h)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.register(ctx, []registration.Filed{filed}, false, ""); err != nil {
			t.Fatal(err)
		}
		have, err := a.store.ClientByID(ctx, "default", "app")
		if err != nil || len(have.SecretHashes) != 1 || !clientauth.IsSecret(h, have.SecretHashes[0], secret) {
			t.Fatalf("%v %v", have.SecretHashes, err)
		}
		return have.SecretHashes[0]
	}
	used := func(mark string, want bool) {
		t.Helper()
		if got, err := a.hashesSecrets(ctx, "default", mark); err != nil || got != want {
			t.Errorf("in use: %v, want %v (%v)", got, want, err)
		}
	}
	first := put("a secret of the app")
	k, err := a.newCustodian("").RotateSigning(ctx, "default", keys.UseTokenHash, keys.Announce)
	if err != nil {
		t.Fatal(err)
	}
	moving.Advance(time.Minute)
	if again := put("a secret of the app"); again != first {
		t.Errorf("the same secret has another hash: %q, was %q", again, first)
	}
	used("", true)
	if other := put("another secret"); ids.Mark(other) != k.Mark() {
		t.Errorf("a new secret is hashed under %q, not %q", ids.Mark(other), k.Mark())
	}
	used("", false)
	used(k.Mark(), true)
}
