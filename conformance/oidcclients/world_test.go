package oidcclients_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/testrun"
)

const (
	limit    = 5 * time.Minute
	redirect = "https://oidc.example/callback"
)

// world is a server with clients of each kind.
type world struct {
	target *kit.Target
	secret string
	// keys are the private key sets by client.
	keys map[string]json.RawMessage
}

// open starts a server with TLS that knows the clients.
func open(ctx context.Context, t *testing.T) *world {
	t.Helper()
	w := &world{secret: ids.Source{}.Secret(), keys: map[string]json.RawMessage{}}
	dir := t.TempDir()
	file := filepath.Join(dir, "clients.json")
	raw, err := json.Marshal(w.clients(t))
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	binary, err := testrun.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	server := &testrun.Node{Binary: binary, Dir: dir, Args: []string{"--tls", "--client", file}}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := kit.ReadReady(server.Ready())
	if err == nil {
		w.target, err = kit.NewTarget(ctx, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// clients gives the registrations.
func (w *world) clients(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	add := func(id, kind string, more map[string]any) {
		c := map[string]any{"client_id": id, "kind": kind, "client_name": id}
		if kind == "backend" {
			c["scope"] = "system/Patient.rs"
		} else {
			c["redirect_uris"] = []string{redirect}
		}
		if kind == "backend" || kind == "asymmetric" {
			raw, err := kit.MakeKeys(id)
			if err != nil {
				t.Fatal(err)
			}
			public, err := kit.Client{ID: id, PrivateJWKS: raw}.PublicJWKS()
			if err != nil {
				t.Fatal(err)
			}
			w.keys[id], c["jwks"] = raw, public
		}
		for name, value := range more {
			c[name] = value
		}
		out = append(out, c)
	}
	add("oidc-public", "public", nil)
	add("oidc-secret", "symmetric", map[string]any{"client_secret": w.secret})
	add("oidc-key", "asymmetric", nil)
	add("oidc-pushes", "asymmetric", map[string]any{"require_pushed_authorization_requests": true})
	add("oidc-dpop", "public", map[string]any{"dpop_bound_access_tokens": true})
	add("oidc-backend", "backend", nil)
	add("oidc-nonce", "backend", map[string]any{"dpop_nonce_required": true})
	return out
}
