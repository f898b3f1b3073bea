package registration_test

import (
	"slices"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

func newDesk() (*registration.Desk, *registry) {
	s, r, _ := newService()
	return &registration.Desk{
		Service: s, Rules: registration.Rules{Operator: true},
		HashSecret: func(h ids.Hasher, secret string) string { return h.Hash("client-secret", secret) },
	}, r
}

// Two secrets are valid while a client moves from one to the next, never three;
// then the older one is retired. Each step is recorded (REG-05).
func TestSecretsRotate(t *testing.T) {
	ctx := t.Context()
	d, r := newDesk()
	by := audit.Event{PersonID: "olga"}
	e := app()
	e.AuthMethod = "client_secret_basic"
	out, err := d.Register(ctx, "main", e, by)
	if err != nil || out.Secret == "" || len(out.Client.SecretHashes) != 1 || slices.Contains(out.Client.SecretHashes, out.Secret) {
		t.Fatalf("%+v %v", out, err)
	}
	id, first := out.Client.ID, out.Client.SecretHashes[0]
	second, err := d.RotateSecret(ctx, "main", id, by)
	if err != nil || len(second.Client.SecretHashes) != 2 || second.Client.SecretHashes[1] != first || r.told() != "client.changed U client-secret-rotated "+id+" olga" {
		t.Errorf("%+v %v %q", second, err, r.told())
	}
	third, err := d.RotateSecret(ctx, "main", id, by)
	if err != nil || len(third.Client.SecretHashes) != 2 || slices.Contains(third.Client.SecretHashes, first) {
		t.Errorf("%+v %v", third, err)
	}
	c, err := d.RetireSecret(ctx, "main", id, by)
	if err != nil || !slices.Equal(c.SecretHashes, third.Client.SecretHashes[:1]) || r.told() != "client.changed U client-secret-retired "+id+" olga" {
		t.Errorf("%+v %v %q", c, err, r.told())
	}
	edited := registration.Of(c)
	edited.Name = "Renamed"
	if c, err = d.Edit(ctx, "main", registration.Editing{Entry: edited, Origin: by}); err != nil || c.Name != "Renamed" || len(c.SecretHashes) != 1 || c.Created.IsZero() {
		t.Errorf("%+v %v", c, err)
	}
	public, err := d.Register(ctx, "main", app(), by)
	if err != nil || public.Secret != "" {
		t.Fatal(err)
	}
	if _, err := d.RotateSecret(ctx, "main", public.Client.ID, by); !errs.Is(err, errs.Unprocessable) {
		t.Error(err)
	}
	e.ID = public.Client.ID
	if _, err := d.Edit(ctx, "main", registration.Editing{Entry: e, Origin: by}); !errs.Is(err, errs.Unprocessable) {
		t.Errorf("a public client got a secret that nobody saw: %v", err)
	}
}

// Who may register clients cannot register one that may do more than that.
func TestTheDeskGivesNoAdministration(t *testing.T) {
	ctx := t.Context()
	d, r := newDesk()
	keys, _ := keySet(t, "k1")
	e := registration.Entry{ID: "export", Kind: oauth.ClientBackend, Metadata: registration.Metadata{Name: "Export", JWKS: keys, Scope: "system/*.rs"}}
	if _, err := d.Register(ctx, "main", e, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	for _, scope := range oauth.AdminScopes() {
		e.Scope, e.ID = scope, ""
		if _, err := d.Register(ctx, "main", e, audit.Event{}); !errs.Is(err, errs.InvalidClientMetadata) {
			t.Errorf("%s: %v", scope, err)
		}
		e.ID = "export"
		if _, err := d.Edit(ctx, "main", registration.Editing{Entry: e}); !errs.Is(err, errs.InvalidClientMetadata) {
			t.Errorf("%s: %v", scope, err)
		}
	}
	if len(r.clients) != 1 || r.clients["main/export"].Scopes != "system/*.rs" {
		t.Errorf("%+v", r.clients)
	}
}
