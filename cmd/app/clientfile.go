package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/store"
)

// clientFile is one client as --client files and the ready file write it.
type clientFile struct {
	registration.Entry
	ClientSecret string `json:"client_secret"`
	// Scopes is another name of scope, and may be a list.
	Scopes scopeText `json:"scopes"`
	// PrivateJWKS is what the ready file adds; it is never registered.
	PrivateJWKS json.RawMessage `json:"private_jwks"`
}

// scopeText is a scope string; a JSON list of scopes is joined to one.
type scopeText string

// UnmarshalJSON reads a string or a list of strings.
func (s *scopeText) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		*s = scopeText(strings.Join(list, " "))
		return nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	*s = scopeText(text)
	return err
}

// clientFiles reads files of clients by the rules of this process.
type clientFiles struct {
	rules registration.Rules
	log   *slog.Logger
}

// clientFiles gives the reader of an operator's files.
func (c *Config) clientFiles(log *slog.Logger) clientFiles {
	return clientFiles{registration.Rules{Operator: true, Development: c.Dev}, log}
}

// read reads a JSON list of clients; errors name the file and the fault.
func (f clientFiles) read(path string) ([]clientFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the client file %s cannot be read: %w", path, err)
	}
	return f.parse(raw, path)
}

// parse reads what stands in a client file. A member that is not known, and a
// scope that the client could never be granted, are told in the log and left
// out.
func (f clientFiles) parse(raw []byte, path string) ([]clientFile, error) {
	var out []clientFile
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("the client file %s is not a JSON list of clients: %w", path, err)
	}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(new([]clientFile)); err != nil {
		f.log.Warn("a member of the client file is not known and was left out", "file", path, "why", err)
	}
	for i := range out {
		c := &out[i]
		if c.Scopes != "" {
			c.Scope = string(c.Scopes)
		}
		var never []string
		if c.Scope, never = registration.Grantable(c.ForItself(), c.Scope); len(never) > 0 {
			f.log.Warn("scopes that the client could never be granted were left out", "file", path, "client", c.ID, "scopes", never)
		}
		client, err := c.check(f.rules)
		if err != nil {
			return nil, fmt.Errorf("client %d in %s: %w", i+1, path, err)
		}
		c.Kind = client.Kind
		if c.SecretForItself {
			f.log.Warn("UNSAFE: a client acts for itself with a secret instead of a key", "file", path, "client", c.ID)
		}
	}
	return out, nil
}

// checkClientFiles reports the fault of each file before anything is opened.
func (c *Config) checkClientFiles() error {
	var faults []error
	for _, path := range c.ClientFiles {
		if _, err := c.clientFiles(discard()).read(path); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// check gives the client that the file describes. Scopes left out mean the
// ordinary ceiling.
func (c *clientFile) check(rules registration.Rules) (oauth.Client, error) {
	client, faults := rules.Check(c.Entry)
	if c.ID == "" {
		faults = append(faults, registration.Fault{Member: "client_id", Why: "is missing"})
	}
	if client.Kind == oauth.ClientSymmetric && c.ClientSecret == "" {
		faults = append(faults, registration.Fault{Member: "client_secret", Why: "is missing: a symmetric client needs one"})
	}
	client.Scopes = c.ceiling()
	if len(faults) > 0 {
		return client, faults
	}
	return client, nil
}

// ceiling gives the most that the client may be granted.
func (c *clientFile) ceiling() string {
	switch {
	case c.Scope != "":
		return c.Scope
	case c.ForItself():
		return backendScopes
	}
	return appScopes
}

// filed gives the registration of a client whose file was read before.
func (c *clientFile) filed(tenant string, rules registration.Rules, h ids.Hasher) (registration.Filed, error) {
	client, err := c.check(rules)
	client.Tenant = tenant
	if c.ClientSecret != "" {
		client.SecretHashes = []string{clientauth.SecretHash(h, c.ClientSecret)}
	}
	secret := c.ClientSecret
	return registration.Filed{Client: client, Same: func(stored string) bool { return clientauth.IsSecret(h, stored, secret) }}, err
}

// filed gives the registrations of the clients of a file at a tenant.
func (f clientFiles) filed(list []clientFile, tenant string, h ids.Hasher) ([]registration.Filed, error) {
	var out []registration.Filed
	for i := range list {
		c, err := list[i].filed(tenant, f.rules, h)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// registry gives the use-cases of the registered clients.
func (a *App) registry() *registration.Service {
	return &registration.Service{
		Read: a.store, Tx: on(a.store, func(tx store.Tx) registration.Tx { return tx }),
		Clock: a.clock, IDs: a.ids, Hasher: a.tenantHasher, Prepare: a.ring.PrepareHandles,
	}
}

// register stores the clients of files, each with its audit event; by is the
// operator who asked for them by name, empty at the start of a server.
func (a *App) register(ctx context.Context, clients []registration.Filed, asked bool, by string) error {
	left, err := a.registry().File(ctx, clients, asked, audit.Event{PersonID: by})
	for _, id := range left {
		a.log.WarnContext(ctx, "a client of a file was deleted and stays so", "client", id)
	}
	return err
}
