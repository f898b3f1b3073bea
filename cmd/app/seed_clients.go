package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys/devkeys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/store"
)

// appScopes is the ceiling of an ordinary app: whatever a person allows.
const appScopes = "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.cruds user/*.cruds"

// backendScopes is the ceiling of a demonstration backend service.
const backendScopes = "system/*.cruds"

// clientFile is one client as --client files and the ready file write it.
type clientFile struct {
	ClientID       string            `json:"client_id"`
	Kind           oauth.ClientKind  `json:"kind"`
	ClientSecret   string            `json:"client_secret"`
	JWKS           json.RawMessage   `json:"jwks"`
	JWKSURI        string            `json:"jwks_uri"`
	RedirectURIs   []string          `json:"redirect_uris"`
	LaunchURIs     []string          `json:"launch_uris"`
	Scopes         scopeText         `json:"scopes"`
	Name           string            `json:"client_name"`
	Publisher      string            `json:"publisher"`
	PolicyURI      string            `json:"policy_uri"`
	AllowedOrigins []string          `json:"allowed_origins"`
	RequiredScopes map[string]string `json:"required_scopes"`
	Introspect     bool              `json:"introspect"`
	RegisterLaunch bool              `json:"register_launch"`
	RefreshIDToken bool              `json:"refresh_id_token"`
	IDTokenAlg     string            `json:"id_token_signed_response_alg"`
	TokenFormat    string            `json:"access_token_format"`
	// SecretForItself is unsafe; see oauth.Client.
	SecretForItself bool `json:"client_credentials_by_secret"`
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

// readClientFile reads a JSON list of clients. A member that is not known is
// told in the log and left out; errors name the file and the fault.
func readClientFile(path string, log *slog.Logger) ([]clientFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the client file %s cannot be read: %w", path, err)
	}
	return parseClients(raw, path, log)
}

// parseClients reads what stands in a client file.
func parseClients(raw []byte, path string, log *slog.Logger) ([]clientFile, error) {
	var out []clientFile
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("the client file %s is not a JSON list of clients: %w", path, err)
	}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(new([]clientFile)); err != nil {
		log.Warn("a member of the client file is not known and was left out", "file", path, "why", err)
	}
	for i, c := range out {
		if err := c.validate(); err != nil {
			return nil, fmt.Errorf("client %d in %s: %w", i+1, path, err)
		}
		if c.SecretForItself {
			log.Warn("UNSAFE: a client acts for itself with a secret instead of a key", "file", path, "client", c.ClientID)
		}
	}
	return out, nil
}

// checkClientFiles reports the fault of each file before anything is opened.
func checkClientFiles(paths []string) error {
	var faults []error
	for _, path := range paths {
		if _, err := readClientFile(path, discard()); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (c clientFile) validate() error {
	keys := len(c.JWKS) > 0 || c.JWKSURI != ""
	switch {
	case c.ClientID == "":
		return fmt.Errorf("client_id is missing")
	case c.Kind == oauth.ClientSymmetric && c.ClientSecret == "":
		return fmt.Errorf("a symmetric client needs client_secret")
	case (c.Kind == oauth.ClientAsymmetric || c.Kind == oauth.ClientBackend) && !keys:
		return fmt.Errorf("a client of kind %s needs jwks or jwks_uri", c.Kind)
	case c.SecretForItself && (c.Kind != oauth.ClientSymmetric || len(c.RedirectURIs) > 0):
		return fmt.Errorf("client_credentials_by_secret is for a symmetric client without redirect_uris")
	case len(c.JWKS) > 0 && c.JWKSURI != "":
		return fmt.Errorf("jwks and jwks_uri exclude each other")
	case c.IDTokenAlg != "" && c.IDTokenAlg != "RS256" && c.IDTokenAlg != "ES256":
		return fmt.Errorf("id_token_signed_response_alg must be RS256 or ES256")
	case c.TokenFormat != "" && c.TokenFormat != oauth.FormatJWT && c.TokenFormat != oauth.FormatOpaque:
		return fmt.Errorf("access_token_format must be jwt or opaque")
	}
	switch c.Kind {
	case oauth.ClientPublic, oauth.ClientSymmetric, oauth.ClientAsymmetric, oauth.ClientBackend:
		return nil
	}
	return fmt.Errorf("kind must be public, symmetric, asymmetric or backend")
}

// registration is a client to be stored. has reports whether a stored hash is that
// of its secret.
type registration struct {
	oauth.Client
	has func(stored string) bool
}

// client gives the registration. Scopes left out mean the ordinary ceiling.
func (c clientFile) client(tenant string, h ids.Hasher, now time.Time) registration {
	out := registration{has: func(stored string) bool { return clientauth.IsSecret(h, stored, c.ClientSecret) }, Client: oauth.Client{
		Tenant: tenant, ID: c.ClientID, Kind: c.Kind, Name: c.Name, Publisher: c.Publisher, PolicyURI: c.PolicyURI,
		JWKS: c.JWKS, JWKSURI: c.JWKSURI, RedirectURIs: c.RedirectURIs, LaunchURIs: c.LaunchURIs,
		Scopes: string(c.Scopes), AllowedOrigins: c.AllowedOrigins, RequiredScopes: c.RequiredScopes,
		Introspect: c.Introspect, RegisterLaunch: c.RegisterLaunch, RefreshIDToken: c.RefreshIDToken, IDTokenAlg: c.IDTokenAlg,
		AccessTokenFormat: c.TokenFormat, SecretForItself: c.SecretForItself, Created: now,
	}}
	if c.ClientSecret != "" {
		out.SecretHashes = []string{clientauth.SecretHash(h, c.ClientSecret)}
	}
	switch {
	case out.Scopes != "":
	case out.ForItself():
		out.Scopes = backendScopes
	default:
		out.Scopes = appScopes
	}
	return out
}

// demoClients are the clients of the demonstration. Their secrets and keys
// are made once per store and kept there, so that they stay the same between
// runs.
func demoClients(ctx context.Context, st *store.Store, tenant, demo string, src ids.Source) ([]clientFile, error) {
	seed, err := st.Secret(ctx, tenant, "demo-client-secrets", func() []byte { return src.Bytes(32) })
	if err != nil {
		return nil, err
	}
	secret := func(id string) string {
		return base64.RawURLEncoding.EncodeToString(ids.Hasher{Key: seed}.Sum("demo", id))
	}
	asymmetric, err := demoKeys(ctx, st, tenant, "demo-asymmetric")
	if err != nil {
		return nil, err
	}
	backend, err := demoKeys(ctx, st, tenant, "demo-backend")
	if err != nil {
		return nil, err
	}
	redirects := []string{demo + "/app/callback", "http://127.0.0.1/callback"}
	launches := []string{demo + "/app/launch"}
	return []clientFile{
		{ClientID: "demo-app", Kind: oauth.ClientPublic, Name: "Heart Diary", Publisher: "Example Labs", PolicyURI: "https://heart-diary.example/privacy", RedirectURIs: redirects, LaunchURIs: launches},
		{ClientID: "demo-symmetric", Kind: oauth.ClientSymmetric, Name: "Care Planner", Publisher: "Example Clinic Tools", ClientSecret: secret("demo-symmetric"), RedirectURIs: redirects[:1], LaunchURIs: launches, Introspect: true},
		{ClientID: "demo-asymmetric", Kind: oauth.ClientAsymmetric, Name: "Lab Lens", Publisher: "Example Analytics", JWKS: asymmetric.Public, PrivateJWKS: asymmetric.Private, RedirectURIs: redirects[:1], LaunchURIs: launches},
		{ClientID: "demo-backend", Kind: oauth.ClientBackend, Name: "Night Export", Publisher: "Lakeside Palliative", JWKS: backend.Public, PrivateJWKS: backend.Private, Scopes: backendScopes},
		{ClientID: "demo-ehr", Kind: oauth.ClientSymmetric, Name: "Lakeside EHR", Publisher: "Lakeside Palliative", ClientSecret: secret("demo-ehr"), RegisterLaunch: true, Introspect: true, Scopes: appScopes},
	}, nil
}

func demoKeys(ctx context.Context, st *store.Store, tenant, name string) (devkeys.Pair, error) {
	var made error
	raw, err := st.Secret(ctx, tenant, "demo-keys-"+name, func() []byte {
		p, err := devkeys.Make(name)
		if err != nil {
			made = err
			return nil
		}
		b, err := json.Marshal(p)
		made = err
		return b
	})
	if err == nil {
		err = made
	}
	if err != nil {
		return devkeys.Pair{}, err
	}
	var p devkeys.Pair
	err = json.Unmarshal(raw, &p)
	return p, err
}

// register stores clients with an audit event each. A client that is there
// keeps its epoch, and the addresses that another node gave it: two
// development servers on one database have one registration. A disabled one
// stays so unless somebody asks for it by name: a file that is read at every
// start must not undo what was decided since.
func (a *App) register(ctx context.Context, clients []registration, asked bool) error {
	for _, c := range clients {
		if c.AccessTokenFormat == oauth.FormatOpaque {
			if err := a.ring.PrepareHandles(ctx, c.Tenant); err != nil {
				return err
			}
		}
	}
	return a.store.InTx(ctx, func(tx store.Tx) error {
		for _, c := range clients {
			have, err := tx.ClientByID(ctx, c.Tenant, c.ID)
			if err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			c.Epoch, c.Disabled = have.Epoch, have.Disabled && !asked
			c.RedirectURIs = union(c.RedirectURIs, have.RedirectURIs)
			c.LaunchURIs = union(c.LaunchURIs, have.LaunchURIs)
			if slices.ContainsFunc(have.SecretHashes, c.has) {
				// The same secret under an older key: to take it away and give it
				// anew would count as a revocation.
				c.SecretHashes = slices.DeleteFunc(slices.Clone(have.SecretHashes), func(stored string) bool { return !c.has(stored) })
			}
			if err := tx.PutClient(ctx, c.Client); err != nil {
				return err
			}
			e := audit.Event{
				Tenant: c.Tenant, Time: c.Created, Kind: audit.ClientRegistered, Action: "C",
				Outcome: audit.Success, ClientID: c.ID,
			}
			if err := tx.AppendAudit(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// union appends what is missing.
func union(a, b []string) []string {
	a = slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}
